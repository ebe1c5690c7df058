"""The model's tool calls in chat form: whole for JSON answers, one after the other for streams (translation §3.5).

SDK helpers finish a call when the index changes and read its arguments then, so the deltas of calls that the model
makes at the same time are never mixed: while one call is open, the others wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.core import json
from gateway.core.stop import Halves
from gateway.dialects.chat.wishes import Wishes

Json = dict[str, Any]

_KINDS = {"function_call": "function", "custom_tool_call": "custom"}
_TEXT = {"function": "arguments", "custom": "input"}


def call_kind(item: Json) -> str | None:
    """`function` or `custom` for a call that is the client's to run; None for anything else.

    Calls that the server ran itself are no tool calls in chat.
    """
    return _KINDS.get(str(item.get("type")))


def call_id_of(item: Json, answer_id: str, index: int) -> str:
    """The item's call id; one made from its place when a server left it out. Never the item's own id."""
    call_id = item.get("call_id")
    return call_id if isinstance(call_id, str) and call_id else f"call_{answer_id[-40:]}_{index}"


def whole_call(item: Json, kind: str, wishes: Wishes, answer_id: str, index: int) -> Json:
    """A finished call item as an entry of `tool_calls`."""
    text = item.get(_TEXT[kind])
    body = {"name": _name_of(item, wishes), _TEXT[kind]: text or ("{}" if kind == "function" else "")}
    return {"id": call_id_of(item, answer_id, index), "type": kind, kind: body}


def _name_of(item: Json, wishes: Wishes) -> str:
    name = item.get("name")
    return wishes.names.client(name) if isinstance(name, str) else ""


class Call:
    """A call in a stream. `head` and `tail` stand around each piece of its text, once it was announced."""

    __slots__ = (
        "announced",
        "call_id",
        "closed",
        "halves",
        "head",
        "index",
        "kind",
        "name",
        "pending",
        "tail",
        "taken",
    )

    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.kind = kind
        self.name = ""
        self.call_id = ""
        self.taken: list[str] = []
        self.pending: list[str] = []
        self.halves = Halves()
        self.announced = self.closed = False
        self.head = self.tail = b""

    def take(self, text: str) -> None:
        if text:
            self.taken.append(text)
            self.pending.append(text)

    def complete(self, full: Any) -> None:
        """The whole text: what of it was never taken."""
        taken = "".join(self.taken)
        half = self.halves.rest()
        if isinstance(full, str) and full.startswith(taken):
            half = full[len(taken) :]
        self.take(half)


def _nobody(delta: bytes) -> None:
    """Takes what is written after the end, which is nothing."""


class Calls:
    """All calls of one stream, written through `emit` as the JSON of a delta."""

    def __init__(self, wishes: Wishes, emit: Callable[[bytes], None]) -> None:
        self.count = 0
        self.answer_id = ""
        self._wishes = wishes
        self._emit = emit
        self._calls: dict[int, Call] = {}
        self._open: list[Call] = []

    def begin(self, index: int, kind: str, item: Json) -> None:
        """A call item starts; some servers put its whole text here."""
        call = self._find(index, kind)
        self._name(call, item)
        text = item.get(_TEXT[call.kind])
        if isinstance(text, str) and not call.taken:
            call.take(call.halves.push(text))
        self._pump()

    def delta(self, index: int, kind: str, text: str) -> None:
        """A piece of a call's text."""
        call = self._find(index, kind)
        if not call.closed:
            if call.halves.held or not text.isascii():
                text = call.halves.push(text)
            call.take(text)
            self._pump()

    def complete(self, index: int, kind: str, full: Any) -> None:
        """The whole text of a call; its item is still open."""
        call = self._find(index, kind)
        if not call.closed:
            call.complete(full)
            self._pump()

    def item(self, index: int, kind: str, item: Json) -> None:
        """A finished call item."""
        call = self._find(index, kind)
        if call.closed:
            return
        self._name(call, item)
        call.call_id = call.call_id or call_id_of(item, self.answer_id, index)
        call.complete(item.get(_TEXT[call.kind]))
        call.closed = True
        self._pump()

    def close(self) -> None:
        """Nothing more comes: write what waits."""
        for call in self._open:
            call.call_id = call.call_id or call_id_of({}, self.answer_id, call.index)
            call.complete(None)
            call.closed = True
        self._pump()
        self._emit = _nobody  # who takes them holds this object: a circle for each stream

    def _find(self, index: int, kind: str) -> Call:
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = Call(index, kind)
            self._open.append(call)
        return call

    def _name(self, call: Call, item: Json) -> None:
        call.name = call.name or _name_of(item, self._wishes)
        call_id = item.get("call_id")
        call.call_id = call.call_id or (call_id if isinstance(call_id, str) else "")

    def _pump(self) -> None:
        """Write all that can be written of the first open call, and of the next ones once it is closed."""
        while self._open:
            call = self._open[0]
            if not call.announced and not call.closed and not (call.name and call.call_id):
                return
            if not (self._wishes.legacy_functions and self.count and not call.announced):
                self._write(call)
            if not call.closed:
                return
            self._open.pop(0)

    def _write(self, call: Call) -> None:
        if not call.announced:
            self._announce(call)
        if call.closed and not call.taken and call.kind == "function":
            call.pending.append("{}")
        if call.pending:
            self._emit(call.head + json.dumps("".join(call.pending)) + call.tail)
            call.pending.clear()

    def _announce(self, call: Call) -> None:
        number = self.count
        self.count += 1
        call.announced = True
        # Typed chunks know function calls only, and helpers fail on anything else.
        kind = call.kind if self._wishes.native_custom_calls else "function"
        body = {"name": call.name, _TEXT[kind]: ""}
        if self._wishes.legacy_functions:
            call.head, call.tail = b'{"function_call":{"arguments":', b"}}"
            self._emit(json.dumps({"function_call": body}))
            return
        call.head = b'{"tool_calls":[{"index":%d,"%b":{"%b":' % (number, kind.encode(), _TEXT[kind].encode())
        call.tail = b"}}]}"
        self._emit(json.dumps({"tool_calls": [{"index": number, "id": call.call_id, "type": kind, kind: body}]}))
