"""Input items → the turns of a conversation: who spoke, which calls belong together, which output answers which call.

Chat servers demand that an assistant message with calls is followed at once by exactly one tool message per call. Items
come in any order that made sense to the client; here each output finds its call, and `messages` puts them in place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from gateway.core import json
from gateway.core.compaction import expanded
from gateway.core.fields import malformed, missing, need_object, need_text, read_object, read_text
from gateway.core.verdicts import Verdicts
from gateway.dialects.chat.outbound.parts import (
    Content,
    assistant_text,
    system_text,
    thoughts,
    tool_result,
    user_content,
)
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import SEARCH, Kind, Original, ToolMap
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

HOLD_TOOLS = ("additional_tools", "tool_search_output")
"""Items that declare tools."""

_SILENT = frozenset(
    {
        "additional_tools",  # read with the tools
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
    }
)
"""What servers did on their own. The text that came of it is in the messages."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the user, or a system text."""

    role: str
    content: Content


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool gave back; `others`: parts that a tool message cannot hold."""

    text: str
    others: list[Json]
    path: str


@dataclass(slots=True)
class Call:
    """A call and its output. `name` is the wire name."""

    call_id: str
    name: str
    arguments: str
    extra: Json | None = None
    """What the server said of it beyond OpenAI's form (`extra_content`), kept by the client."""
    output: Output = Output("", [], "")


@dataclass(slots=True)
class Turn:
    """One assistant message."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.calls or self.texts or self.refusals)


def read_history(
    items: Sequence[Any], tools: ToolMap, found: Mapping[str, list[str]], quirks: Quirks, verdicts: Verdicts
) -> list[Said | Turn]:
    """The conversation. Every call in it has its output.

    `found`: by item, the wire names of the tools that it declares.
    Raises InvalidRequest and its kinds, naming the item.
    """
    history = _History(tools, found, quirks, verdicts)
    for index, item in enumerate(items):
        history.add(need_object(item, f"input[{index}]"), f"input[{index}]")
    return history.finish()


class _History:
    def __init__(self, tools: ToolMap, found: Mapping[str, list[str]], quirks: Quirks, verdicts: Verdicts) -> None:
        self._tools = tools
        self._found = found
        self._quirks = quirks
        self._verdicts = verdicts
        self._spoken: list[Said | Turn] = []
        self._turn = Turn()
        self._thoughts: list[str] = []
        self._waiting: dict[str, deque[Call]] = {}
        self._answered: dict[str, Call] = {}
        self._early: dict[str, Output] = {}

    def add(self, item: Json, path: str) -> None:
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if not isinstance(kind, str):
            raise malformed(f"{path}.type", "a string", kind)
        if kind in _SILENT:
            return
        reader = _READERS.get(kind)
        if reader is None:
            raise UnsupportedValue(f"This upstream cannot be told of {kind!r} items.", param=f"{path}.type")
        reader(self, item, path)

    def finish(self) -> list[Said | Turn]:
        self._close()
        for call_id, output in self._early.items():
            message = f"No tool call found for function call output with call_id {call_id}."
            raise InvalidRequest(message, param=f"{output.path}.call_id")
        for call in chain.from_iterable(self._waiting.values()):
            raise InvalidRequest(f"No tool output found for function call {call.call_id}.", param="input")
        return self._spoken

    def _close(self) -> None:
        if not self._turn.empty:
            self._spoken.append(self._turn)
        self._turn = Turn()

    def _message(self, item: Json, path: str) -> None:
        role = item.get("role")
        content = item.get("content")
        if role == "assistant":
            self._assistant(content, path)
        elif role == "user":
            self._close()
            self._thoughts.clear()  # they led to nothing
            self._spoken.append(Said("user", user_content(content, f"{path}.content", self._quirks)))
        elif role in ("system", "developer"):
            self._guidance(str(role), system_text(content, f"{path}.content"))
        elif role is None:
            raise missing(f"{path}.role", "user, assistant, system or developer")
        else:
            raise malformed(f"{path}.role", "user, assistant, system or developer", role)

    def _guidance(self, role: str, text: str) -> None:
        if not text:
            return
        if not self._quirks.merge_system:  # else it is moved to the front, and parts nothing
            self._close()
        self._spoken.append(Said(role, text))

    def _assistant(self, content: Any, path: str) -> None:
        text, refusal = assistant_text(content, f"{path}.content")
        if not (text or refusal):
            return
        if self._turn.calls:
            self._close()
        self._take_thoughts()
        if text:
            self._turn.texts.append(text)
        if refusal:
            self._turn.refusals.append(refusal)

    def _take_thoughts(self) -> None:
        self._turn.thoughts += self._thoughts
        self._thoughts.clear()

    def _reasoning(self, item: Json, path: str) -> None:
        text = thoughts(item, path)
        if text:
            self._thoughts.append(text)

    def _function_call(self, item: Json, path: str) -> None:
        self._call(_tool("function", item, path), _arguments(item), item, path)

    def _custom_call(self, item: Json, path: str) -> None:
        text = read_text(item, "input", f"{path}.input") or ""
        self._call(_tool("custom", item, path), json.dumps({"input": text}).decode(), item, path)

    def _search_call(self, item: Json, path: str) -> None:
        if _by_client(item, path):
            self._call(SEARCH, _arguments(item), item, path)

    def _call(self, tool: Original, arguments: str, item: Json, path: str) -> None:
        call_id = need_text(item, "call_id", f"{path}.call_id")
        call = Call(call_id, self._tools.called(tool.kind, tool.name, tool.namespace), arguments)
        call.extra = read_object(item, "extra_content", f"{path}.extra_content")
        if call_id in self._early:
            self._answer(call, self._early.pop(call_id))
        else:
            self._waiting.setdefault(call_id, deque()).append(call)
        self._take_thoughts()
        self._turn.calls.append(call)

    def _output(self, item: Json, path: str) -> None:
        call_id = need_text(item, "call_id", f"{path}.call_id")
        self._take(call_id, Output(*tool_result(item.get("output"), f"{path}.output", self._quirks), path))

    def _search_output(self, item: Json, path: str) -> None:
        """The tools themselves are in the request; the model is told which ones are new."""
        if _by_client(item, path):
            names = self._found.get(path)
            text = "These tools can be called now: " + ", ".join(names) if names else "No tools were found."
            self._take(item["call_id"], Output(text, [], path))

    def _take(self, call_id: str, output: Output) -> None:
        """It goes to the oldest call of this id that has none: some servers give the same ids in every turn."""
        if self._turn.calls:
            self._close()
        if self._waiting.get(call_id):
            self._answer(self._waiting[call_id].popleft(), output)
        elif call_id in self._answered:
            self._verdicts.leave_out("input", f"{output.path} is a second output of the call {call_id}")
            self._answered[call_id].output = output
        else:
            self._early[call_id] = output

    def _answer(self, call: Call, output: Output) -> None:
        call.output = output
        self._answered[call.call_id] = call

    def _reference(self, item: Json, path: str) -> None:
        name = str(item.get("id", ""))
        if name.startswith("rs_"):
            return  # Reasoning is of no use without its content, and the talk goes on without it.
        raise InvalidRequest(
            f"Item with id '{name}' not found. This upstream keeps no items: send the items themselves, "
            "as SDKs do with `store: false`.",
            param=path,
        )

    def _compaction(self, item: Json, path: str) -> None:
        """A summary of the gateway's own making is text for everyone; others are their maker's secret."""
        messages = expanded([item])
        if messages is None:
            message = "This upstream cannot read a compacted history: send the items themselves."
            raise UnsupportedValue(message, param=path)
        for message in messages:
            self._message(message, path)


def _tool(kind: Kind, item: Json, path: str) -> Original:
    """The tool that a call names."""
    name = need_text(item, "name", f"{path}.name")
    return Original(kind, name, read_text(item, "namespace", f"{path}.namespace") or None)


def _by_client(item: Json, path: str) -> bool:
    """Whether the client ran this search for tools. What a server found on its own says nothing here, and has no id
    that another server could pair it by."""
    return item.get("execution") == "client" and bool(read_text(item, "call_id", f"{path}.call_id"))


def _arguments(item: Json) -> str:
    """The arguments of a call as the text of a JSON object."""
    value = item.get("arguments")
    if isinstance(value, str):
        return _as_object(value)
    if value is None:
        return "{}"
    return json.dumps(value if isinstance(value, dict) else {"arguments": value}).decode()


def _as_object(arguments: str) -> str:
    """Arguments as the text of a JSON object: templates parse them, and a server would refuse the whole history for
    the one call that a model got wrong. Text that is one already stays as it is, to the byte."""
    if not arguments.strip():
        return "{}"
    try:
        sound = isinstance(json.loads(arguments.encode()), dict)
    except ValueError:
        sound = False
    return arguments if sound else json.dumps({"arguments": arguments}).decode()


_READERS: dict[str, Callable[[_History, Json, str], None]] = {
    "message": _History._message,
    "reasoning": _History._reasoning,
    "function_call": _History._function_call,
    "custom_tool_call": _History._custom_call,
    "function_call_output": _History._output,
    "custom_tool_call_output": _History._output,
    "tool_search_call": _History._search_call,
    "tool_search_output": _History._search_output,
    "item_reference": _History._reference,
    "compaction": _History._compaction,
    "compaction_summary": _History._compaction,
}
