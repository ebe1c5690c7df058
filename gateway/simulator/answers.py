"""What the simulator says when no script tells it: plays what a request asks for, the same every time."""

from __future__ import annotations

import re
from typing import Any

import orjson

from gateway.simulator.asks import Ask, Tool
from gateway.simulator.samples import Sampler
from gateway.simulator.scenario import Script

_EXACT = re.compile(r"Reply with exactly:\s*(.+)", re.DOTALL | re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?\n] )(?<!^)(?<!\n)\b[A-Z][\w'-]*(?: [A-Z][\w'-]*)*")
# Words of tool names that say nothing about what the tool is for.
_GENERIC = frozenset(
    {
        "get", "set", "fetch", "find", "look", "up", "lookup", "read", "list", "search", "create", "make", "do", "run",
        "call", "current", "the", "a", "of", "for", "in", "tool",
    }
)  # fmt: skip

# What one request may cost, however much it asks for: an event of a stream weighs about a kilobyte in memory.
MOST_PIECES = 100  # of one text or call
_MOST_CALLS = 128  # in all choices together
_ROOM = 1024 * 1024  # bytes of text in all choices and calls together
_MOST_VALUES = 10_000  # sampled in all calls together
_MOST_TOOLS, _MOST_READ = 1_000, 100_000  # tools, and characters of the text, that are searched for names


def answer(ask: Ask) -> Script:
    """The script of a request: reasoning when asked for, then tool calls, a document or a text."""
    steps: list[dict[str, Any]] = []
    if ask.effort not in {None, "none"}:
        thought = ["**Reading the request**\n\n", f"(simulated) effort {ask.effort}"]
        steps.append({"reasoning": thought if ask.summary else [], "encrypted": ask.encrypted})
    called = _called(ask)
    if called:
        steps += [_call(tool, ask, len(called)) for tool in called]
        if all(tool.kind in {"function", "custom"} for tool in called):
            return Script(name="default", steps=steps)
    text, cut = _limited(_text(ask), ask)
    steps.append({"text": pieces(text)})
    finish: Any = {"incomplete": "max_output_tokens"} if cut else "completed"
    return Script(name="default", steps=steps, finish=finish)


def pieces(text: str) -> list[str]:
    """A text in deltas of two words, more when it is long; a single word of more than one character comes in two."""
    found = re.findall(r"\S+\s*(?:\S+\s*)?|\s+", text)
    size = -(-len(found) // MOST_PIECES)
    if size > 1:
        return ["".join(found[at : at + size]) for at in range(0, len(found), size)]
    if len(found) == 1 and len(text) > 1:
        middle = len(text) // 2
        return [text[:middle], text[middle:]]
    return found or [text]


def _called(ask: Ask) -> list[Tool]:
    """The tools to call now: forced ones or those the text mentions; none once there are outputs."""
    if ask.mode == "none" or ask.outputs or not ask.tools:
        return []
    forced = frozenset(ask.forced)
    offered = [tool for tool in ask.tools if not forced or tool.name in forced][:_MOST_TOOLS]
    lowered = ask.text[:_MOST_READ].lower()
    spoken = frozenset(re.findall(r"[a-z]+|\d+", lowered))
    chosen = [tool for tool in offered if _mentioned(tool.name, lowered, spoken)]
    if not chosen and ask.mode == "required":
        chosen = offered[:1]
    most = max(_MOST_CALLS // ask.choices, 1) if ask.parallel else 1
    return list({(tool.namespace, tool.name): tool for tool in chosen}.values())[:most]


def _mentioned(name: str, lowered: str, spoken: frozenset[str]) -> bool:
    """The text holds the name, or every word of it that says something (`get_weather`: weather)."""
    if name.lower() in lowered:
        return True
    parts = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    telling = [part for part in parts if part not in _GENERIC]
    return bool(telling) and all(part in spoken for part in telling)


def _call(tool: Tool, ask: Ask, calls: int) -> dict[str, Any]:
    """The step that calls a tool, one of so many `calls`."""
    text = _first(ask.text, _ROOM // (calls * ask.choices))
    namespace = {"namespace": tool.namespace} if tool.namespace else {}
    if tool.kind == "function":
        sampler = Sampler(tool.parameters, _words(ask), _MOST_VALUES // (calls * ask.choices))
        arguments = sampler.value({**tool.parameters, "type": "object"})  # nothing else can be a call's arguments
        return {"call": tool.name, "arguments": arguments, **namespace}
    if tool.kind == "custom":
        return {"custom": tool.name, "input": f"(simulated) {text}", **namespace}
    return {"search": text} if tool.kind == "web_search" else {"image": 300}


def _words(ask: Ask) -> tuple[str, ...]:
    """Capitalised words of the prompt that do not begin a sentence: its likely names."""
    tools = {tool.name for tool in ask.tools}
    return tuple(word for word in _NAME.findall(ask.text[:_MOST_READ]) if word not in tools) or ("simulated",)


def _text(ask: Ask) -> str:
    exact = _EXACT.search(ask.text)
    if ask.schema is not None:
        return _document(ask, exact.group(1).strip() if exact else None)
    if ask.outputs:
        return f"(simulated) The tools returned: {'; '.join(ask.outputs)}"
    if exact:
        return exact.group(1).strip()
    with_it = f" With it came {', '.join(ask.attachments)}." if ask.attachments else ""
    return f"(simulated) You said: {ask.text or 'nothing'}{with_it}"


def _document(ask: Ask, exact: str | None) -> str:
    if exact is not None and exact.startswith("{"):
        return exact
    if not ask.schema:
        return orjson.dumps({"simulated": True, "text": ask.text}).decode()
    return orjson.dumps(Sampler(ask.schema, _words(ask), _MOST_VALUES // ask.choices).value()).decode()


def _limited(text: str, ask: Ask) -> tuple[str, bool]:
    """The text up to a stop sequence, or cut to the token limit (four bytes a token) or to what there is room for."""
    for stop in ask.stop:
        if stop:
            text = text.split(stop, 1)[0]
    room = _ROOM // ask.choices
    kept = _first(text, room if ask.limit is None else min(ask.limit * 4, room))
    return kept, kept != text


def _first(text: str, size: int) -> str:
    """The beginning of a text: at most `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")
