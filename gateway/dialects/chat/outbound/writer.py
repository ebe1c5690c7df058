"""The way out of a reader of chat answers: events numbered, items under ids and indexes of their own, memory bounded.

What leaves here is clean by the measure of `core.repair`: it passes there unchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gateway.core import ids, json
from gateway.core.events import TEXT, Channel
from gateway.core.frames import Frame, KnownFrame
from gateway.errors import UpstreamError

Json = dict[str, Any]


class Item(ABC):
    """An item of the answer from its added event to its done event."""

    kind = ""

    def __init__(self, writer: Writer) -> None:
        """Takes the next output index; announcing the item is left to whoever knows the rest of it."""
        self.writer = writer
        self.index = writer.begin(self)
        self.id = ids.derive(ids.item_prefix(self.kind), writer.seed, self.index)
        self.size = 0

    @abstractmethod
    def whole(self, *, final: bool = False) -> bool:
        """Whether nothing more can belong to this item. `final`: nothing more comes."""

    @abstractmethod
    def end(self, status: str) -> None:
        """Tell what is owed of the item, then that it is done."""

    def keep(self, size: int) -> None:
        """Take note of text that is kept until the item is done.

        Raises UpstreamError when open items keep too much.
        """
        self.writer.hold(size)
        self.size += size


class Writer:
    """Frames out. At most the latest open item can still be prose; calls may be open side by side."""

    def __init__(self, seed: str, open_bytes: int, *, sealing: bool = False) -> None:
        """`open_bytes` bounds the text of items that are not done.

        `sealing`: reasoning items carry their text in `encrypted_content` too, for clients that send back only that.
        """
        self.seed = seed
        self.sealing = sealing
        self.count = 0
        """Items begun so far."""
        self.out: list[Frame] = []
        """Frames nobody has fetched yet."""
        self._limit = open_bytes
        self._held = 0
        self._number = 0
        self._open: dict[int, Item] = {}
        self._done: dict[int, Json] = {}

    def hold(self, size: int) -> None:
        """Raises UpstreamError when more is held than the limit."""
        self._held += size
        if self._held > self._limit:
            raise UpstreamError(f"The upstream sent more than {self._limit} bytes in items that it did not finish.")

    def release(self, size: int) -> None:
        self._held -= size

    def tell(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self.out.append(Frame.of({"type": kind, "sequence_number": self._number, **fields}))
        self._number += 1

    def tell_delta(self, place: Place, text: str, tokens: list[Json] | None = None) -> None:
        """Send a piece of text."""
        self.out.append(place.delta(self._number, text, tokens))
        self._number += 1

    def begin(self, item: Item) -> int:
        """The output index of a new item. The latest one is done with, if it is whole.

        No other is asked again: calls that the server mixes are closed at the end, and each was read once.
        """
        index = self.count
        latest = self._open.get(index - 1)
        if latest is not None and latest.whole():
            latest.end("completed")
        self._open[index] = item
        self.count += 1
        return index

    def end(self, item: Item, shown: Json) -> None:
        """An item is done; `shown` is what it came to."""
        self._done[item.index] = shown
        del self._open[item.index]
        self.release(item.size)
        self.tell("response.output_item.done", output_index=item.index, item=shown)

    def end_all(self, status: str) -> None:
        """Close what is open. In an incomplete answer the latest item was cut, and every call that is not whole."""
        for item in tuple(self._open.values()):
            cut = status != "completed" and (item.index == self.count - 1 or not item.whole(final=True))
            item.end("incomplete" if cut else "completed")

    def fail_all(self) -> None:
        """Close what is open in an answer that failed."""
        for item in tuple(self._open.values()):
            item.end("incomplete")

    def output(self) -> list[Json]:
        """The items in their order; all of them are done."""
        return [self._done[index] for index in range(self.count)]


class Place:
    """A place that text is streamed into, and the text so far.

    Deltas are most of a stream, so their bytes are put together around the one text that changes: half the time of
    serialising a document.
    """

    __slots__ = ("_address", "_event", "_head", "_start", "_tail", "address", "pieces")

    def __init__(self, channel: Channel, item: Item, position: int = 0) -> None:
        self.address: Json = {"item_id": item.id, "output_index": item.index}
        if channel.position:
            self.address[channel.position] = position
        self.pieces: list[str] = []
        self._event = f"{channel.event}.delta"
        event = self._event.encode()
        self._head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (event, event)
        self._start = len(b"event: \ndata: ") + len(event)
        self._address = b"," + json.dumps(self.address)[1:-1] + b',"delta":'
        self._tail = b',"logprobs":[]}\n\n' if channel is TEXT else b"}\n\n"

    def delta(self, number: int, text: str, tokens: list[Json] | None) -> Frame:
        """The delta event for a piece of text. `tokens`: log probabilities of its tokens."""
        self.pieces.append(text)
        tail = b',"logprobs":%b}\n\n' % json.dumps(tokens) if tokens else self._tail
        raw = b"%b%d%b%b%b" % (self._head, number, self._address, json.dumps(text), tail)
        return KnownFrame(raw, self._start, self._event)
