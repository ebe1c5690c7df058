"""One server-sent event: its type, its bytes, and its parsed form only when somebody asks.

Most frames of a stream pass through the gateway without ever being parsed, so both the type and the data of a frame
that came from the network are worked out on first use and kept.
"""

from __future__ import annotations

from typing import Any

from gateway.core import json
from gateway.core.longtext import LongText

DONE = "[DONE]"
"""The type of the frame `data: [DONE]`."""

Json = dict[str, Any]

LARGE = 1 << 16
"""Bytes of an event that is not copied to be parsed."""


class Frame:
    """An event of a stream. Made by `wire.sse` from bytes, or by `Frame.of` from a document.

    `raw` is the whole SSE block with its closing blank line. Treat a frame as frozen: to change one, make a new one
    with `Frame.of`; `data` is shared, never edited in place.
    """

    __slots__ = ("_data", "_event", "_payload", "_raw", "_type", "_typed")

    count = 1
    """How many events it stands for: `core.deltas` has frames of several."""

    def __init__(self, raw: bytes, payload: bytes, event: str) -> None:
        """`payload`: the `data:` lines joined by LF. `event`: the `event:` name, "" when there was none."""
        self._raw: bytes | None = raw
        self._payload: bytes | None = payload
        self._event = event
        self._type: str | None = None
        self._typed = False
        self._data: Json | None = None

    @staticmethod
    def of(data: Json) -> Frame:
        """A frame of our own making; `data["type"]` becomes the event name, if there is one (chat has none)."""
        frame = Frame.__new__(Frame)
        frame._raw = None
        frame._payload = None
        frame._event = frame._type = data.get("type", "")
        frame._typed = True
        frame._data = data
        return frame

    def telling(self, data: Json) -> Frame:
        """The same event with other data; it keeps its event name, which may be all that says its type."""
        frame = Frame.of(data)
        frame._event, frame._type, frame._typed = self.event, None, False
        return frame

    @property
    def type(self) -> str:
        """`data.type`; the event name when the data has none; `[DONE]` for the end mark; "" for neither."""
        if self._type is None:
            self._type = self._find_type()
        return self._type

    @property
    def event(self) -> str:
        """The event name; "" when there was none."""
        return self._event

    @property
    def typed(self) -> bool:
        """Whether the data itself says its type, and the event name, if any, agrees: clients read either."""
        if self._type is None:
            self._type = self._find_type()
        return self._typed

    @property
    def data(self) -> Json:
        """The parsed JSON object.

        Raises ValueError when the payload is not a JSON object.
        """
        data = self._data
        if data is None:
            data = self._parsed()
            if not isinstance(data, dict):
                raise ValueError("an event must be a JSON object")
            self._data = data
        return data

    @property
    def raw(self) -> bytes:
        """The bytes of the event as it came, or the one canonical form of an event we made."""
        if self._raw is None:
            head = b"event: %b\n" % self._event.encode() if self._event else b""
            self._raw = head + b"data: %b\n\n" % self.payload
        return self._raw

    @property
    def payload(self) -> bytes:
        """The bytes after `data:`."""
        if self._payload is None:
            self._payload = json.dumps(self._data)
        return self._payload

    def _parsed(self) -> Any:
        return json.loads_served(self.payload)

    def _find_type(self) -> str:
        payload = self.payload
        if payload == b"[DONE]":
            return DONE
        found = _leading_type(payload)
        if found is None:
            try:
                found = self.data.get("type")
            except ValueError:
                return self._event
            if not isinstance(found, str):
                return self._event
        self._typed = self._event in ("", found)
        return found

    def __repr__(self) -> str:
        return f"Frame({self.type!r}, {len(self.payload)} bytes)"


class KnownFrame(Frame):
    """A frame of which the reader saw the type: almost every one there is, so its bytes and type are at hand."""

    __slots__ = ("_start", "event", "long", "raw", "type")

    typed = True
    event: str
    raw: bytes
    type: str

    def __init__(self, raw: bytes, start: int, event: str, data: Json | None = None) -> None:
        """`start`: where the data begins in the bytes, all in one line. `data`: what it says, where that is known."""
        self.raw = raw
        self.event = self.type = event
        self._start = start
        self._data = data
        self.long: LongText | None = None
        """The long text that the events of its stream share."""

    @property
    def payload(self) -> bytes:
        return self.raw[self._start : -2]

    def _parsed(self) -> Any:
        raw = self.raw
        if len(raw) < LARGE:
            return json.loads_served(raw[self._start : -2])
        if self.long is None:
            return json.loads_served(memoryview(raw)[self._start : -2])
        return self.long.loads(raw, self._start, len(raw) - 2)


def _leading_type(payload: bytes) -> str | None:
    """The type when it is the first key, as servers write it: seen without parsing the rest."""
    if payload.startswith(b'{"type":"'):
        start = 9
    elif payload.startswith(b'{"type": "'):
        start = 10
    else:
        return None
    name = payload[start : payload.find(b'"', start)]
    return name.decode() if name.isascii() and b"\\" not in name else None
