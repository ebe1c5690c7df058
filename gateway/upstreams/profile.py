"""What each kind of server accepts, refuses and wants said differently: data tables, and the filter that reads them.

Pure. The Codex backend answers 400 to every field it does not know, so its profile is a list of what may pass
(codex-upstream §5.5 to §5.10, translation §1.6). A server that speaks Responses itself gets what the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.request import Request
from gateway.errors import PreviousResponseNotFound, UnsupportedParameter, UnsupportedValue
from gateway.upstreams import Hints, Model, Shaped, tools
from gateway.upstreams.catalogue import find, nearest_effort, resolve
from gateway.upstreams.history import clean_history
from gateway.upstreams.session import session_id

Json = dict[str, Any]
Verdict = Literal["pass", "report", "drop", "refuse"]

ENCRYPTED_REASONING = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"

# What was left out is told in a response header, and the names are a client's: nothing else may come into it.
_REPORTABLE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_REPORTED = 50


@dataclass(frozen=True, slots=True)
class Field:
    """What becomes of a top-level field.

    report: left out, and the client is told; drop: left out silently, the answer is no different for it;
    refuse: 400, the answer would be wrong without it. `harmless` values mean the default, so they are dropped.
    """

    verdict: Verdict
    harmless: tuple[Any, ...] = ()


_PASS, _REPORT, _DROP = Field("pass"), Field("report"), Field("drop")


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server. `fields` None: everything passes as it is."""

    name: str
    fields: Mapping[str, Field] | None = None
    lenient: frozenset[str] = frozenset()
    """Refused fields that `upstream.unsupported: lenient` only reports."""


CODEX = Profile(
    name="codex",
    fields={
        **dict.fromkeys(
            (
                "model",
                "instructions",
                "input",
                "tools",
                "tool_choice",
                "parallel_tool_calls",
                "reasoning",
                "include",
                "service_tier",
                "text",
                "client_metadata",
                "stream_options",
            ),
            _PASS,
        ),
        # Set by the filter itself, whatever the client said.
        "stream": _DROP,
        "prompt_cache_key": _DROP,
        "store": Field("report", harmless=(False,)),
        # The answer is different without them.
        "max_output_tokens": _REPORT,
        "max_tool_calls": _REPORT,
        "temperature": _REPORT,
        "top_p": _REPORT,
        "context_management": _REPORT,
        "moderation": _REPORT,
        # They label or speed up a request; the answer is the same.
        "metadata": _DROP,
        "user": _DROP,
        "safety_identifier": _DROP,
        "prompt_cache_options": _DROP,
        "prompt_cache_retention": _DROP,
        # The engine honours it.
        "truncation": _DROP,
        # Nothing else can stand for them.
        "background": Field("refuse", harmless=(False,)),
        "conversation": Field("refuse"),
        "prompt": Field("refuse"),
        "top_logprobs": Field("refuse", harmless=(0,)),
    },
    lenient=frozenset({"top_logprobs"}),
)
"""The Codex backend over HTTP: stateless, streaming only."""

OPENAI = Profile(name="openai")
"""A server that speaks Responses itself: it gets what the client sent, and says itself what it refuses."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A profile and what the operator decided about it."""

    profile: Profile
    unsupported: Literal["default", "strict", "lenient"] = "default"
    default_instructions: str = ""
    aliases: Mapping[str, str] | None = None


def shape(request: Request, hints: Hints, rules: Rules, models: Sequence[Model]) -> Shaped:
    """The body that the server accepts. `models`: what is known of them now.

    Raises UnsupportedParameter, UnsupportedValue or PreviousResponseNotFound, naming the field.
    """
    slug, effort = resolve(request.model, models, rules.aliases or {})
    if rules.profile.fields is None:
        body = _as_sent(request, slug, effort)
        return Shaped(body=body, session_id=hints.session_id)
    return _Filter(rules, rules.profile.fields, find(slug, models)).shape(request, hints, slug, effort)


def _as_sent(request: Request, slug: str, effort: str | None) -> Json:
    body = request.body
    if slug != request.model:
        body = {**body, "model": slug}
    if effort is not None:
        body = {**body, "reasoning": _with_effort(body.get("reasoning"), effort)}
    if bool(body.get("stream")) != request.stream:
        body = {**body, "stream": request.stream}
    return body


def _with_effort(reasoning: Any, effort: str | None) -> Json:
    """The request's own effort wins over the one in the model's name."""
    asked = dict(reasoning) if isinstance(reasoning, dict) else {}
    if effort is not None and asked.get("effort") is None:
        asked["effort"] = effort
    return asked


class _Filter:
    """One request on its way through a profile; remembers what it left out."""

    def __init__(self, rules: Rules, fields: Mapping[str, Field], model: Model | None) -> None:
        self._rules = rules
        self._fields = fields
        self._model = model
        self._dropped: dict[str, None] = {}

    def shape(self, request: Request, hints: Hints, slug: str, effort: str | None) -> Shaped:
        sent = request.body
        self._refuse_state(sent)
        body = {name: value for name, value in sent.items() if self._passes(name, value)}
        body["model"] = slug
        body["store"] = False
        body["stream"] = True
        body["instructions"] = self._instructions(sent)
        if body.get("tools"):
            body["tools"] = tools.clean_tools(body["tools"])
        if "tool_choice" in body:
            body["tool_choice"] = tools.clean_choice(body["tool_choice"])
        body["input"], kept = clean_history(sent.get("input", []), tools.namespaces(sent))
        self._set(body, "reasoning", self._reasoning(body.get("reasoning"), effort))
        self._set(body, "service_tier", self._tier(body.get("service_tier")))
        self._set(body, "stream_options", _stream_options(body.get("stream_options")))
        self._set(body, "client_metadata", self._client_metadata(body.get("client_metadata")))
        body["include"] = self._include(body.get("include"))
        body["prompt_cache_key"] = session_id({**sent, "model": slug}, hints)
        session = body["prompt_cache_key"]
        return Shaped(body=body, session_id=session, dropped=tuple(self._dropped), kept=kept, lite=_is_lite(body))

    @staticmethod
    def _set(body: Json, name: str, value: Any) -> None:
        """Set a field, or take it out: the backend refuses JSON null in most of them."""
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value

    @staticmethod
    def _refuse_state(sent: Json) -> None:
        previous = sent.get("previous_response_id")
        if previous is not None:
            raise PreviousResponseNotFound(
                f"Previous response with id '{previous}' not found.", param="previous_response_id"
            )

    def _passes(self, name: str, value: Any) -> bool:
        field = self._fields.get(name, _REPORT)
        # `is` beside `==`: False == 0, and a harmless 0 must not hide a False elsewhere.
        if value is None or any(value == usual and type(value) is type(usual) for usual in field.harmless):
            return False
        if field.verdict == "pass":
            return True
        if field.verdict == "refuse":
            self._refuse(name, lenient=name in self._rules.profile.lenient)
        elif field.verdict == "report":
            self._report(name)
        return False

    def _refuse(self, name: str, *, lenient: bool) -> None:
        """400, unless the operator prefers to have it left out."""
        if not (lenient and self._rules.unsupported == "lenient"):
            raise UnsupportedParameter(f"This upstream does not support {name!r}.", param=name)
        self._dropped[name] = None

    def _report(self, name: str) -> None:
        if self._rules.unsupported == "strict":
            raise UnsupportedParameter(f"This upstream does not support {name!r}.", param=name)
        if len(self._dropped) < _MOST_REPORTED and _REPORTABLE.fullmatch(name):
            self._dropped[name] = None

    def _instructions(self, sent: Json) -> str:
        """As sent; the operator's default only where nobody said anything of that kind."""
        instructions = sent.get("instructions")
        if instructions is not None and not isinstance(instructions, str):
            raise UnsupportedValue("'instructions' must be a string.", param="instructions")
        if instructions or any(_guides(item) for item in sent.get("input", [])):
            return instructions or ""
        return self._rules.default_instructions

    def _reasoning(self, reasoning: Any, effort: str | None) -> Json | None:
        asked = {name: value for name, value in _with_effort(reasoning, effort).items() if value is not None}
        wanted = asked.get("effort")
        if isinstance(wanted, str):
            asked["effort"] = nearest_effort(wanted, self._model.efforts if self._model else ())
        summary = asked.pop("generate_summary", None)
        silent = isinstance(reasoning, dict) and "summary" in reasoning
        if summary is not None:
            asked.setdefault("summary", summary)
        elif "effort" in asked and asked["effort"] != "none" and not silent:
            # Without it the backend streams no readable reasoning at all.
            asked["summary"] = "auto"
        if asked.get("summary") == "none":
            del asked["summary"]
        return asked or None

    def _tier(self, tier: Any) -> str | None:
        """`priority` is the only tier everywhere; a model's own list may have more."""
        if tier in (None, "auto", "default"):
            return None
        wanted = "priority" if tier == "fast" else tier
        tiers = self._model.tiers if self._model else ("priority",)
        if wanted in tiers or tier == "priority":
            return str(wanted)
        self._report("service_tier")
        return None

    def _include(self, include: Any) -> list[str]:
        for name in include or []:
            if name == _LOGPROBS:
                self._refuse("include", lenient=True)
            elif name != ENCRYPTED_REASONING:
                self._report("include")
        return [ENCRYPTED_REASONING]

    def _client_metadata(self, metadata: Any) -> Json | None:
        """The Codex client's own keys, and as many others as the backend takes: 16, of 64 and 128 bytes."""
        if not isinstance(metadata, dict):
            return None
        kept: Json = {}
        extras = 0
        for key, value in metadata.items():
            own = key in _CODEX_METADATA
            if not isinstance(value, str) or not (own or _small(key, value)) or (not own and extras == 16):
                self._report("client_metadata")
                continue
            extras += not own
            kept[key] = value
        return kept or None


_CODEX_METADATA = frozenset({"session_id", "thread_id", "turn_id", "x-codex-installation-id", "x-codex-window-id"})


def _is_lite(body: Json) -> bool:
    """Whether the body has the form that Codex uses for some models: the tools are its first item."""
    first = next(iter(body["input"]), None)
    return not body.get("tools") and isinstance(first, dict) and first.get("type") == "additional_tools"


def _small(key: str, value: str) -> bool:
    return len(key.encode("utf-8", "replace")) <= 64 and len(value.encode("utf-8", "replace")) <= 128


def _stream_options(options: Any) -> Json | None:
    if isinstance(options, dict) and options.get("reasoning_summary_delivery") is not None:
        return {"reasoning_summary_delivery": options["reasoning_summary_delivery"]}
    return None


def _guides(item: Any) -> bool:
    """Whether an item is a system or developer message that says something."""
    if not isinstance(item, dict) or item.get("role") not in ("system", "developer"):
        return False
    if (item.get("type") or "message") != "message":
        return False
    content = item.get("content")
    if isinstance(content, list):
        return any(isinstance(part, dict) and part.get("text") for part in content)
    return bool(content)
