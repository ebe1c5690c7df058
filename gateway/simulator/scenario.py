"""What the simulator shall do: scripts (one answer each) and scenarios (which script when), read from YAML or JSON.

A document is checked key by key; `ScenarioError` names the path of the wrong key. The keys are described where
`Script` and `Scenario` are defined.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import orjson

Document: TypeAlias = Any  # a parsed JSON or YAML document
UNSET: Any = object()  # no body at all, where null would be a body

ROUTES = (
    "authorize", "token", "usercode", "poll", "device", "callback", "revoke",
    "codex.responses", "codex.models", "codex.compact", "codex.usage",
    "openai.models", "openai.model", "openai.chat", "openai.responses", "openai.stored",
)  # fmt: skip

LIMITS = ("standard", "weekly_primary", "exhausted", "none")  # rate limits by name

# The kinds of step, and the keys each may carry besides its own.
STEPS: dict[str, frozenset[str]] = {
    "text": frozenset({"phase", "citations"}),
    "reasoning": frozenset({"encrypted"}),
    "call": frozenset({"arguments", "call_id", "namespace", "deltas"}),
    "custom": frozenset({"input", "call_id"}),
    "search": frozenset(),
    "image": frozenset({"partial"}),
    "refusal": frozenset(),
    "item": frozenset(),
    "event": frozenset(),
    "limits": frozenset(),
    "metadata": frozenset(),
    "raw": frozenset(),
    "comment": frozenset(),
    "gate": frozenset(),
    "wait": frozenset(),
    "cut": frozenset(),
    "end": frozenset(),
    "stall": frozenset(),
}


class ScenarioError(ValueError):
    """A scenario or script that cannot be used; the message begins with the path of the wrong key."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'scenario'}: {problem}")
        self.path = path


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
            own = {kind, *STEPS[kind]}
            step = {key: value for key, value in document.items() if key in own}
            document = {**{key: value for key, value in document.items() if key not in own}, "steps": [step]}
        _known(document, _SCRIPT_KEYS, path)
        for key, kinds in _SCRIPT_KEYS.items():
            _typed(document, key, kinds, path)
        values = {"name": name, **document}
        if "completed_output" in values:
            values["completed_output"] = _output_mode(values["completed_output"], f"{path}.completed_output")
        _one_of(values, "ids", ("short", "long", "none"), path)
        if isinstance(values.get("write"), str):
            _one_of(values, "write", ("event", "byte", "split", "all"), path)
        if isinstance(values.get("limits"), str):
            _one_of(values, "limits", LIMITS, path)
        _finish(values.get("finish", "completed"), f"{path}.finish")
        for index, step in enumerate(values.get("steps") or ()):
            _step(step, f"{path}.steps[{index}]")
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


_MERGED = frozenset({"headers", "reply", "redirect"})
_SCRIPT_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,), "use": (str,), "status": (int,), "body": (object,), "headers": (dict,), "delay": (int, float),
    "gate": (str,), "redirect": (dict,), "reply": (dict,), "steps": (list,), "finish": (str, dict),
    "opening": (bool,), "completed_output": (object,), "ids": (str,), "write": (str, int), "crlf": (bool,),
    "usage": (dict,), "limits": (str, dict), "reasoning_content": (bool,),
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
        """Read a scenario from a YAML or JSON file. Raises ScenarioError, also for text that is neither."""
        text = Path(path).read_text(encoding="utf-8")
        return cls.parse(_read(text, str(path)))

    @classmethod
    def parse(cls, document: Document) -> Scenario:
        """Check a document and make it a scenario. Raises ScenarioError."""
        document = {} if document is None else document
        _object(document, "")
        _known(document, _SCENARIO_KEYS, "")
        for key, kinds in _SCENARIO_KEYS.items():
            _typed(document, key, kinds, "")
        values = dict(document)
        if "completed_output" in values:
            values["completed_output"] = _output_mode(values["completed_output"], "completed_output")
        if isinstance(values.get("limits"), str):
            _one_of(values, "limits", LIMITS, "")
        for key in ("api_keys", "redirect_ports"):
            if values.get(key) is not None:
                values[key] = tuple(values[key])
        scripts = {
            name: Script.parse(script, f"scripts.{name}", name=name)
            for name, script in (document.get("scripts") or {}).items()
        }
        values["scripts"] = scripts
        _known(document.get("routes") or {}, dict.fromkeys(ROUTES), "routes")
        values["routes"] = {
            route: _plan(plan, f"routes.{route}", scripts) for route, plan in (document.get("routes") or {}).items()
        }
        return cls(**values)


_SCENARIO_KEYS: dict[str, tuple[type, ...]] = {
    "open": (bool,), "api_keys": (list,), "concurrency": (int,), "completed_output": (object,), "plan": (str,),
    "account_id": (str,), "email": (str,), "access_seconds": (int,), "reused_status": (int,),
    "client_id": (str, type(None)), "redirect_ports": (list, type(None)), "interval": (str,),
    "device_polls": (int, type(None)), "edge_guard": (bool,), "require_instructions": (bool,),
    "limits": (str, dict), "models": (dict,), "scripts": (dict,), "routes": (dict,),
}  # fmt: skip


def _read(text: str, source: str) -> Document:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # YAML comes with the settings library of the distribution; JSON files work without it.
        import yaml  # noqa: PLC0415

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ScenarioError(source, f"neither JSON nor YAML: {error}") from error


def _plan(document: Document, path: str, scripts: Mapping[str, Script]) -> Plan:
    if isinstance(document, list):
        document = {"queue": document}
    elif not (isinstance(document, dict) and document.keys() <= {"queue", "default"}):
        document = {"default": document}
    queue = document.get("queue") or []
    if not isinstance(queue, list):
        raise ScenarioError(f"{path}.queue", "must be a list of scripts")
    return Plan(
        tuple(reference(entry, f"{path}.queue[{index}]", scripts) for index, entry in enumerate(queue)),
        reference(document.get("default"), f"{path}.default", scripts),
    )


def reference(document: Document, path: str, scripts: Mapping[str, Script]) -> str | Script | None:
    """A script by name or as an object; names must be of the scenario or built in. Raises ScenarioError."""
    from gateway.simulator.library import BUILT_IN  # noqa: PLC0415  the library's scripts are made by this module

    if document is None or isinstance(document, Script):
        return document
    if isinstance(document, str):
        if document not in scripts and document not in BUILT_IN:
            raise ScenarioError(path, f"no script is called {document!r}{_near(document, [*scripts, *BUILT_IN])}")
        return document
    return Script.parse(document, path)


def _step(step: Document, path: str) -> None:
    _object(step, path)
    kind = next((key for key in step if key in STEPS), None)
    if kind is None:
        key = next(iter(step), "")
        raise ScenarioError(f"{path}.{key}" if key else path, f"not a kind of step{_near(str(key), STEPS)}")
    _known(step, {kind: None, **dict.fromkeys(STEPS[kind])}, path)
    if kind == "text" and isinstance(step["text"], list):
        for index, piece in enumerate(step["text"]):
            if not isinstance(piece, str):
                _step(piece, f"{path}.text[{index}]")
    elif kind == "wait" and not isinstance(step["wait"], int | float):
        raise ScenarioError(f"{path}.wait", "must be a number of seconds")


def _finish(document: Document, path: str) -> None:
    if isinstance(document, str):
        if document not in {"completed", "cut", "end", "stall"}:
            raise ScenarioError(path, f"{document!r} is not one of completed, cut, end, stall")
        return
    _known(document, dict.fromkeys(("incomplete", "failed", "error", "error_flat")), path)
    if len(document) != 1:
        raise ScenarioError(path, "must have exactly one key")


def _output_mode(value: Document, path: str) -> Literal["full", "empty", "null"]:
    mode = {None: "null", "[]": "empty"}.get(value, value) if not isinstance(value, list) else "empty"
    if mode not in {"full", "empty", "null"}:
        raise ScenarioError(path, f"{value!r} is not one of full, empty, null")
    return cast("Literal['full', 'empty', 'null']", mode)


def _object(document: Document, path: str) -> None:
    if not isinstance(document, dict):
        raise ScenarioError(path, f"must be an object, is {type(document).__name__}")


def _known(document: Mapping[str, Document], known: Mapping[str, object], path: str) -> None:
    for key in document:
        if key not in known:
            raise ScenarioError(f"{path}.{key}".lstrip("."), f"unknown key{_near(str(key), known)}")


def _typed(document: Mapping[str, Document], key: str, kinds: tuple[type, ...], path: str) -> None:
    value = document.get(key)
    if key not in document or object in kinds:
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(_NAMES[kind] for kind in kinds)
        raise ScenarioError(f"{path}.{key}".lstrip("."), f"must be {names}, is {value!r}")


def _one_of(document: Mapping[str, Document], key: str, allowed: tuple[str, ...], path: str) -> None:
    if key in document and document[key] not in allowed:
        raise ScenarioError(f"{path}.{key}".lstrip("."), f"{document[key]!r} is not one of {', '.join(allowed)}")


_NAMES: dict[type, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object",
    list: "a list", type(None): "null",
}  # fmt: skip


def _near(key: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(key, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
