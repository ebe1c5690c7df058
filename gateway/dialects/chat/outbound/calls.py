"""The `tool_calls` fragments of a chat stream → calls of functions and custom tools, and searches (translation §5.7).

Servers differ in how they say which call a fragment belongs to: by a place (`index`), the same place for all, an id,
an id for each fragment, or nothing at all.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from gateway.core import ids, json
from gateway.core.events import FIELDS
from gateway.dialects.chat.outbound.halves import LOST, Halves, sound
from gateway.dialects.chat.outbound.toolmap import Kind, Original, ToolMap
from gateway.dialects.chat.outbound.writer import Item, Place, Writer
from gateway.errors import UpstreamError

Json = dict[str, Any]

CALL_BYTES = 128
"""About what a call costs that says nothing."""

SEARCH_DEPTH = 32
"""Nobody looks for tools with more; an object that a model nested without end could not be written again."""


class CallItem(Item):
    """A call that the client can be shown: its tool is known."""

    def __init__(self, writer: Writer, tool: Original, call_id: str, taken: set[str]) -> None:
        """`taken`: the call ids of this answer. One that is missing or was used before gets a stand-in."""
        super().__init__(writer)
        if not call_id or call_id in taken:
            call_id = ids.derive("call", writer.seed, self.index)
        taken.add(call_id)
        self.ended = False
        self._about = {"call_id": call_id}
        self._pieces: list[str] = []
        self._halves = Halves()
        self._begin(tool)
        shown = self._shown("in_progress", "")
        writer.tell("response.output_item.added", output_index=self.index, item=shown)

    @abstractmethod
    def _begin(self, tool: Original) -> None:
        """Take note of what the item says of its tool."""

    @abstractmethod
    def _shown(self, status: str, text: str) -> Json:
        """The item. `text`: its arguments, as far as they are told; "" for none yet."""

    def add(self, text: str) -> None:
        """A piece of the arguments that is not empty."""
        if text := self._halves.push(text):
            self.keep(len(text))
            self._say(text)

    def end(self, status: str) -> None:
        self.ended = True
        if lost := self._halves.rest():
            self._say(lost)
        self._close(status)

    @abstractmethod
    def _close(self, status: str) -> None:
        """Tell what is owed, once all of the arguments were said; then that the item is done."""

    def whole(self, *, final: bool = False) -> bool:
        arguments = self.text()
        return is_whole(arguments) or (final and not arguments.strip())

    def text(self) -> str:
        """The arguments so far, as the server said them."""
        return "".join(self._pieces) + (LOST if self._halves.held else "")

    def _say(self, text: str) -> None:
        self._pieces.append(text)


class NamedCall(CallItem):
    """A call whose text has events of its own, of a tool that it names."""

    def _begin(self, tool: Original) -> None:
        self._about["name"] = tool.name
        if tool.namespace is not None:
            self._about["namespace"] = tool.namespace
        self._place = Place(FIELDS[self.kind], self)

    def _close(self, status: str) -> None:
        text = self._finish()
        channel = FIELDS[self.kind]
        name = {"name": self._about["name"]} if self.kind == "function_call" else {}
        self.writer.tell(f"{channel.event}.done", **self._place.address, **name, **{channel.field: text})
        self.writer.end(self, self._shown(status, text))

    def _shown(self, status: str, text: str) -> Json:
        return {"id": self.id, "type": self.kind, "status": status, **self._about, FIELDS[self.kind].field: text}

    @abstractmethod
    def _finish(self) -> str:
        """The full text, once all of it was told."""


class FunctionCall(NamedCall):
    kind = "function_call"

    def _begin(self, tool: Original) -> None:
        super()._begin(tool)
        self._pieces = self._place.pieces

    def _say(self, text: str) -> None:
        self.writer.tell_delta(self._place, text)

    def _finish(self) -> str:
        if not self.text().strip():
            self._say("{}")
        return self.text()


class CustomCall(NamedCall):
    """A custom tool that the server knows as a function with one text: it is taken out once it is whole."""

    kind = "custom_tool_call"

    def _finish(self) -> str:
        text = unwrapped(self.text())
        if text:
            self.writer.tell_delta(self._place, text)
        return text


class SearchCall(CallItem):
    """A search for tools that the client runs. Its arguments are an object, so they are told once they are whole."""

    kind = "tool_search_call"

    def _begin(self, tool: Original) -> None:
        self._about["execution"] = "client"

    def _close(self, status: str) -> None:
        self.writer.end(self, self._shown(status, self.text()))

    def _shown(self, status: str, text: str) -> Json:
        return {"id": self.id, "type": self.kind, "status": status, **self._about, "arguments": searched(text)}


_ITEMS: dict[Kind, type[CallItem]] = {"function": FunctionCall, "custom": CustomCall, "search": SearchCall}


class Call:
    """A call as the server tells it; `item` is None until its tool is named, and `waiting` what came before."""

    __slots__ = ("item", "name", "size", "waiting", "wire_id")

    def __init__(self) -> None:
        self.item: CallItem | None = None
        self.wire_id = ""
        self.name = ""
        self.waiting: list[str] = []
        self.size = 0


class Calls:
    """All calls of one answer."""

    def __init__(self, writer: Writer, tools: ToolMap) -> None:
        self._writer = writer
        self._tools = tools
        self._calls: list[Call] = []
        self._known: dict[object, Call] = {}
        """By place, by id, and by both."""
        self._taken: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._calls)

    @property
    def named(self) -> bool:
        """Whether each call says which tool it is for."""
        return all(call.name for call in self._calls)

    @property
    def whole(self) -> bool:
        """Whether each call can be run as it is."""
        items = [call.item for call in self._calls]
        return all(item is not None and (item.ended or item.whole(final=True)) for item in items)

    def feed(self, fragments: list[Any]) -> None:
        """The fragments of one chunk, in their order.

        Raises UpstreamError when calls that are not done keep too much.
        """
        for fragment in fragments:
            if isinstance(fragment, dict):
                self._take(fragment)

    def _take(self, fragment: Json) -> None:
        body = fragment.get("function")
        body = body if isinstance(body, dict) else {}
        wire_id, name = _text(fragment.get("id")), _text(body.get("name"))
        text = _arguments(body.get("arguments"))
        if not (wire_id or name or text):
            return
        place = fragment.get("index")
        call = self._find(place if isinstance(place, int) else None, wire_id, name, text)
        if name and not call.name:
            call.name = name
            self._open(call)
        if text:
            self._add(call, text)

    def _find(self, place: int | None, wire_id: str, name: str, text: str) -> Call:
        known = self._known_call(place, wire_id, name)
        if known is None or _begins_another(known, wire_id, name, text):
            known = Call()
            self._writer.hold(CALL_BYTES)
            self._calls.append(known)
        if place is not None:
            self._known[place] = known
        if wire_id and not known.wire_id:
            known.wire_id = wire_id
            self._known[wire_id] = self._known[place, wire_id] = known
        return known

    def _known_call(self, place: int | None, wire_id: str, name: str) -> Call | None:
        """The call that a fragment says it belongs to; None for a new one.

        An id that is new begins a call only together with a name: some servers make one up for every fragment.
        """
        if place is None:
            latest = self._calls[-1] if self._calls and not (wire_id and name) else None
            return self._known.get(wire_id, latest)
        known = self._known.get(place)
        if known is not None and wire_id and known.wire_id not in ("", wire_id):
            return self._known.get((place, wire_id), None if name else known)
        return known

    def _open(self, call: Call) -> None:
        """The tool is known: show the call, and what came of it before."""
        tool = self._tools.original(call.name)
        call_id = self._tools.client_call_id(call.wire_id) if call.wire_id else ""
        call.item = _ITEMS[tool.kind](self._writer, tool, call_id, self._taken)
        if call.waiting:
            self._writer.release(call.size)
            call.item.add("".join(call.waiting))
            call.waiting.clear()

    def _add(self, call: Call, text: str) -> None:
        if call.item is None:
            self._writer.hold(len(text))
            call.waiting.append(text)
        elif call.item.ended or _is_repeated(call.item, text):
            return
        else:
            call.item.add(text)
        call.size += len(text)


def _begins_another(known: Call, wire_id: str, name: str, text: str) -> bool:
    """Whether a fragment that claims the place of a call is the next one: servers that send whole calls may number
    all of them 0, or none (Gemini, older llama.cpp)."""
    if not name or not known.name:
        return False
    return name != known.name or (not wire_id and known.size > 0 and is_whole(text))


def _is_repeated(item: CallItem, text: str) -> bool:
    """Whether a fragment tells the whole call a second time, as some servers do in their last chunk."""
    return len(text) == item.size and is_whole(text) and sound(text) == item.text()


def is_whole(arguments: str) -> bool:
    """Whether the arguments are an object that nothing can be added to."""
    return isinstance(_parsed(arguments), dict)


def unwrapped(arguments: str) -> str:
    """The text for a custom tool: what stands under `input`, under whatever else the model called it, or all of it."""
    value = _parsed(arguments)
    if value == {}:
        return ""
    if isinstance(value, dict):
        value = value.get("input", next(iter(value.values())) if len(value) == 1 else None)
    return value if isinstance(value, str) else arguments


def searched(arguments: str) -> Json:
    """The arguments of a search as an object. Of a model that keeps to no form, the words are what it looks for."""
    if not arguments.strip():
        return {}
    value = _parsed(arguments)
    if isinstance(value, dict) and _is_flat(value, SEARCH_DEPTH):
        return value
    return {"query": value if isinstance(value, str) else arguments}


def _is_flat(value: object, depth: int) -> bool:
    """Whether nothing in it is nested deeper than this."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_flat(part, depth - 1) for part in inner)


def _parsed(text: str) -> object:
    """The JSON value, its texts whole; None when it is none."""
    try:
        return json.loads_whole(sound(text).encode())[0]
    except ValueError:
        return None


def _arguments(value: object) -> str:
    """A piece of the arguments; some servers send the object itself."""
    if not isinstance(value, dict):
        return _text(value)
    try:
        return json.dumps(value).decode()
    except RecursionError as error:
        raise UpstreamError("The upstream sent arguments that are nested too deeply.") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
