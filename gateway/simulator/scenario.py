"""What the simulator shall do: scripts (one answer each) and scenarios (which script when), read from YAML or JSON.

A document is checked key by key; `ScenarioError` names the path of each wrong key. The keys are described where
`Script` and `Scenario` are defined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import orjson

from gateway.simulator.mistakes import Mistakes, ScenarioError, all_known, near, shaped
from gateway.simulator.shapes import Needed, Shape, Span

Document: TypeAlias = Any  # a parsed JSON or YAML document
UNSET: Any = object()  # no body at all, where null would be a body

ROUTES = (
    "authorize", "token", "usercode", "poll", "device", "callback", "revoke",
    "codex.responses", "codex.models", "codex.compact", "codex.usage",
    "openai.models", "openai.model", "openai.chat", "openai.completions", "openai.responses", "openai.stored",
    "openai.compact", "openai.input_tokens",
    "openai.embeddings", "openai.images", "openai.moderations", "openai.speech", "openai.transcriptions",
    "openai.files", "openai.content",
)  # fmt: skip

LIMITS = ("standard", "weekly_primary", "exhausted", "none")  # rate limits by name

_DAY = 86_400  # seconds: no pause is longer
_PIECES: Shape = ([(str, dict)], object)  # a list of texts and pauses, or anything that can be written as a text
_CALL_ID = (str, None)
_ERROR: Shape = {"code": (str, None), "type": (str, None), "message": (str, None)}
_WINDOW: Shape = {"used_percent": float, "window_minutes": int, "reset_after_seconds": (int, None)}
_LIMITS: Shape = (
    frozenset(LIMITS),
    {"primary": _WINDOW, "secondary": _WINDOW, "credits": dict, "active": str, "reached": (str, None)},
)

# The kinds of step: what each holds, and what the keys beside it hold.
STEPS: dict[str, dict[str, Shape]] = {
    "text": {"text": _PIECES, "phase": str, "citations": [{"url": Needed(str), "title": str}]},
    "reasoning": {"reasoning": ([str], object), "encrypted": bool},
    "call": {"call": str, "arguments": object, "call_id": _CALL_ID, "namespace": str, "deltas": bool},
    "custom": {"custom": str, "input": str, "call_id": _CALL_ID, "namespace": str, "deltas": bool},
    "search": {"search": str},
    "image": {"image": (str, Span(int, 0, 50_000_000)), "partial": bool},
    "refusal": {"refusal": _PIECES},
    "item": {"item": dict},
    "event": {"event": (dict, str)},
    "limits": {"limits": _LIMITS},
    "metadata": {"metadata": object},
    "raw": {"raw": object},
    "comment": {"comment": object},
    "gate": {"gate": str},
    "wait": {"wait": Span(float, 0, _DAY)},
    "cut": {"cut": object},
    "end": {"end": object},
    "stall": {"stall": object},
}


@dataclass(frozen=True, slots=True)
class Script:
    """One answer.

    Without `status`, `body` and `steps` the simulator answers as it would by itself, changed by the other keys.
    `use`: name of a script whose keys are the base of this one. `status`, `body` (object → JSON, text → as it is),
    `headers`: a canned answer. `delay` (seconds) and `gate` (a name, see `Simulator.gate`) hold the whole answer back.
    `redirect`, `reply`: merged over the parameters of a redirect, or over a JSON reply; null takes a key away.
    `steps`: what a model stream does (kinds: `STEPS`). `finish`: completed · cut (connection closed) · end (clean end
    without a terminal event) · stall (silence until the client leaves) · {incomplete: reason} · {failed: code or
    error} · {error: code or error} · {error_flat: …}. `opening`: send response.created and response.in_progress.
    `completed_output`: what the terminal event's `output` holds: full, empty or null. `ids`: of items: short, long
    or none. `write`: event (one write each), byte, split (inside characters of several bytes), all, or a number of
    bytes. `crlf`: line ends. `usage`: merged over the computed usage. `limits`: rate headers of this answer.
    """

    name: str = "inline"
    use: str | None = None
    status: int | None = None
    body: Document = UNSET
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    gate: str | None = None
    redirect: Mapping[str, Document] = field(default_factory=dict)
    reply: Mapping[str, Document] = field(default_factory=dict)
    steps: Sequence[Mapping[str, Document]] | None = None
    finish: str | Mapping[str, Document] = "completed"
    opening: bool = True
    completed_output: Literal["full", "empty", "null"] | None = None
    ids: Literal["short", "long", "none"] = "short"
    write: str | int = "event"
    crlf: bool = False
    usage: Mapping[str, Document] | None = None
    limits: str | Mapping[str, Document] | None = None
    reasoning_content: bool = False

    @property
    def canned(self) -> bool:
        """The script is a whole HTTP answer by itself."""
        return self.status is not None or self.body is not UNSET

    @classmethod
    def parse(cls, document: Document, path: str = "script", *, name: str = "inline") -> Script:
        """Read one script: an object of the keys above, a single step, or a list of steps. Raises ScenarioError."""
        if isinstance(document, list):
            document = {"steps": document}
        _object(document, path)
        kind = next((key for key in document if key in STEPS and key not in _SCRIPT_KEYS), None)
        if kind is not None:
            own = STEPS[kind]
            step = {key: value for key, value in document.items() if key in own}
            document = {**{key: value for key, value in document.items() if key not in own}, "steps": [step]}
        mistakes = Mistakes()
        values = {"name": name, **_settings(document, _SCRIPT_KEYS, path, mistakes)}
        with mistakes.kept():
            _headers(values.get("headers"), f"{path}.headers")
        with mistakes.kept():
            _finish(values.get("finish", "completed"), f"{path}.finish")
        for index, step in enumerate(values["steps"] if isinstance(values.get("steps"), list) else ()):
            with mistakes.kept():
                _step(step, f"{path}.steps[{index}]")
        mistakes.tell()
        return cls(**values)

    def over(self, base: Script) -> Script:
        """This script with the keys it leaves out taken from `base`."""
        values: dict[str, Any] = {}
        for spec in fields(self):
            mine, theirs = getattr(self, spec.name), getattr(base, spec.name)
            default = spec.default_factory() if spec.default_factory is not MISSING else spec.default
            unset = mine is default or mine == default
            merge = isinstance(mine, dict) and isinstance(theirs, dict) and spec.name in _MERGED
            values[spec.name] = {**theirs, **mine} if merge else (theirs if unset else mine)
        values["name"] = self.name if self.name != "inline" else base.name
        values["use"] = base.use
        return Script(**values)


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_MERGED = frozenset({"headers", "reply", "redirect"})
_SCRIPT_KEYS: dict[str, Shape] = {
    "name": str, "use": str, "status": Span(int, 200, 599), "body": object, "headers": {"*": (str, bool, float)},
    "delay": Span(float, 0, _DAY), "gate": str, "redirect": dict, "reply": dict, "steps": [dict],
    "finish": (frozenset({"completed", "cut", "end", "stall"}), dict), "opening": bool, "completed_output": object,
    "ids": frozenset({"short", "long", "none"}),
    "write": (frozenset({"event", "byte", "split", "all"}), Span(int, 1)), "crlf": bool, "usage": dict,
    "limits": _LIMITS, "reasoning_content": bool,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """Scripts of one route: the queue is played in order (None: nothing special), then `default` for ever."""

    queue: tuple[str | Script | None, ...] = ()
    default: str | Script | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Settings of a simulated world, and what each route does.

    `routes`: route name (`ROUTES`) → a script, a list of scripts (the n-th request plays the n-th), or
    {queue, default}; a script is a name or an object. `scripts`: named scripts of this scenario.
    `open`: any bearer is accepted. `concurrency`: streams per moment before the burst guard answers 429 (0: no limit).
    `edge_guard`: refuse library user agents and proxy headers with the edge's HTML page, as data centres see it.
    `device_polls`: polls answered "pending" before a device code is approved; null: only `Simulator.auth.decide` does.
    `redirect_ports`: ports the registered client may redirect to; None: any. `models`: catalogue rows by slug, merged
    over the built-in ones; null takes a row away.
    """

    open: bool = False
    api_keys: tuple[str, ...] = ("sk-simulated",)
    concurrency: int = 0
    completed_output: Literal["full", "empty", "null"] = "empty"
    plan: str = "pro"
    account_id: str = "acct-simulated"
    email: str = "simulated@example.com"
    access_seconds: int = 864_000
    reused_status: int = 400
    client_id: str | None = None
    redirect_ports: tuple[int, ...] | None = (1455, 1457)
    interval: str = "5"
    device_polls: int | None = 1
    edge_guard: bool = False
    require_instructions: bool = True
    limits: str | Mapping[str, Document] = "standard"
    models: Mapping[str, Document] = field(default_factory=dict)
    scripts: Mapping[str, Script] = field(default_factory=dict)
    routes: Mapping[str, Plan] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """Read a scenario from a YAML or JSON file. Raises ScenarioError (also for other text) and OSError."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ScenarioError("", "is neither JSON nor YAML: it is not UTF-8") from error
        return cls.parse(_read(text))

    @classmethod
    def parse(cls, document: Document) -> Scenario:
        """Check a document and make it a scenario. Raises ScenarioError with every mistake."""
        document = {} if document is None else document
        _object(document, "")
        mistakes = Mistakes()
        values = _settings(document, _SCENARIO_KEYS, "", mistakes)
        for key in ("api_keys", "redirect_ports"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        given = values.get("scripts") if isinstance(values.get("scripts"), dict) else {}
        # A script with a mistake keeps its name, so that routes may name it.
        scripts: dict[str, Script] = {name: Script(name=name) for name in given or {}}
        for name, script in (given or {}).items():
            with mistakes.kept():
                scripts[name] = Script.parse(script, f"scripts.{name}", name=name)
        values["scripts"] = scripts
        values["routes"] = _plans(values.get("routes"), scripts, mistakes)
        mistakes.tell()
        return cls(**values)


_SCENARIO_KEYS: dict[str, Shape] = {
    "open": bool, "api_keys": [str], "concurrency": int, "completed_output": object, "plan": str, "account_id": str,
    "email": str, "access_seconds": int, "reused_status": Span(int, 200, 599), "client_id": (str, None),
    "redirect_ports": ([int], None), "interval": str, "device_polls": (int, None), "edge_guard": bool,
    "require_instructions": bool, "limits": _LIMITS, "models": {"*": (dict, None)}, "scripts": (dict, None),
    "routes": (dict, None),
}  # fmt: skip


def _settings(document: Document, keys: Mapping[str, Shape], path: str, mistakes: Mistakes) -> dict[str, Any]:
    """The keys of a script or scenario, each checked by its shape."""
    with mistakes.kept():
        all_known(document, keys, path)
    for key, shape in keys.items():
        if key in document:
            with mistakes.kept():
                shaped(document[key], shape, f"{path}.{key}".lstrip("."))
    values = dict(document)
    if "completed_output" in values:
        with mistakes.kept():
            values["completed_output"] = _output_mode(
                values["completed_output"], f"{path}.completed_output".lstrip(".")
            )
    return values


def _read(text: str) -> Document:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # YAML comes with the settings library of the distribution; JSON files work without it.
        import yaml  # noqa: PLC0415

        try:
            return yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise ScenarioError("", f"is neither JSON nor YAML: {error.problem}{line}") from error
        except yaml.YAMLError as error:
            raise ScenarioError("", f"is neither JSON nor YAML: {' '.join(str(error).split())}") from error


def _plans(document: Document, scripts: Mapping[str, Script], mistakes: Mistakes) -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    given = document if isinstance(document, dict) else {}
    with mistakes.kept():
        all_known(given, dict.fromkeys(ROUTES), "routes")
    for route, plan in given.items():
        with mistakes.kept():
            plans[route] = _plan(plan, f"routes.{route}", scripts)
    return plans


def _plan(document: Document, path: str, scripts: Mapping[str, Script]) -> Plan:
    if isinstance(document, list):
        document = {"queue": document}
    elif not (isinstance(document, dict) and document.keys() <= {"queue", "default"}):
        return Plan((), reference(document, path, scripts))
    queue = document.get("queue") or []
    if not isinstance(queue, list):
        raise ScenarioError(f"{path}.queue", "must be a list of scripts")
    mistakes = Mistakes()
    entries: list[str | Script | None] = []
    for index, entry in enumerate(queue):
        with mistakes.kept():
            entries.append(reference(entry, f"{path}.queue[{index}]", scripts))
    default: str | Script | None = None
    with mistakes.kept():
        default = reference(document.get("default"), f"{path}.default", scripts)
    mistakes.tell()
    return Plan(tuple(entries), default)


def reference(document: Document, path: str, scripts: Mapping[str, Script]) -> str | Script | None:
    """A script by name or as an object; names must be of the scenario or built in. Raises ScenarioError."""
    from gateway.simulator.library import BUILT_IN  # noqa: PLC0415  the library's scripts are made by this module

    if document is None or isinstance(document, Script):
        return document
    if isinstance(document, str):
        if document not in scripts and document not in BUILT_IN:
            raise ScenarioError(path, f"no script is called {document!r}{near(document, [*scripts, *BUILT_IN])}")
        return document
    return Script.parse(document, path)


def _step(step: Document, path: str) -> None:
    _object(step, path)
    kind = next((key for key in step if key in STEPS), None)
    if kind is None:
        key = next(iter(step), "")
        raise ScenarioError(f"{path}.{key}" if key else path, f"not a kind of step{near(str(key), STEPS)}")
    all_known(step, STEPS[kind], path)
    shaped(step, STEPS[kind], path)
    if kind in {"text", "refusal"} and isinstance(step[kind], list):
        for index, piece in enumerate(step[kind]):
            if not isinstance(piece, str):
                _step(piece, f"{path}.{kind}[{index}]")


_FINISHES: dict[str, Shape] = {"incomplete": str, **dict.fromkeys(("failed", "error", "error_flat"), (str, _ERROR))}


def _finish(document: Document, path: str) -> None:
    if not isinstance(document, dict):
        return
    all_known(document, _FINISHES, path)
    if len(document) != 1:
        raise ScenarioError(path, "must have exactly one key")
    shaped(document, _FINISHES, path)


def _headers(document: Document, path: str) -> None:
    """Names and values that HTTP can carry."""
    for name, value in document.items() if isinstance(document, dict) else ():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ScenarioError(f"{path}.{name}", "is not the name of a header")
        if not _HEADER_VALUE.fullmatch(str(value)):
            raise ScenarioError(f"{path}.{name}", "holds what no header can: line ends, or letters beyond Latin-1")


def _output_mode(value: Document, path: str) -> Literal["full", "empty", "null"]:
    mode = "null" if value is None else "empty" if value in ([], "[]") else value
    if mode not in ("full", "empty", "null"):
        raise ScenarioError(path, f"{value!r} is not one of full, empty, null")
    return cast("Literal['full', 'empty', 'null']", mode)


def _object(document: Document, path: str) -> None:
    if not isinstance(document, dict):
        raise ScenarioError(path, f"must be an object, is {type(document).__name__}")
