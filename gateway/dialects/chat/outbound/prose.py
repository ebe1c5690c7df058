"""What a chat server says in words → message and reasoning items (translation §5.7).

One such item is open at a time. Blanks open none: servers send `"\\n\\n"` between thinking and calling, which would be
a message of its own; they wait for a word that makes them part of a text.
"""

from __future__ import annotations

from typing import Any

from gateway.core import seal
from gateway.core.events import REFUSAL, TEXT, Channel
from gateway.core.items import empty_part
from gateway.dialects.chat.outbound.halves import Halves
from gateway.dialects.chat.outbound.writer import Item, Place, Writer

Json = dict[str, Any]

TOKEN_BYTES = 128
"""About what a kept log probability costs."""


class Spoken(Item):
    """A message or a reasoning item: parts of text, told one after the other."""

    def __init__(self, writer: Writer, kind: str, parts_in: str) -> None:
        """`parts_in`: the field of the item that holds its parts."""
        self.kind = kind
        super().__init__(writer)
        self.channel: Channel | None = None
        """Where the open part's text goes."""
        self._parts_in = parts_in
        self._parts: list[Json] = []
        self._halves = Halves()
        self._tokens: list[Json] = []
        self._untold = 0
        """How many of the tokens wait for the other half of their text."""
        self._annotations: list[Json] = []
        self._place: Place
        writer.tell("response.output_item.added", output_index=self.index, item=self._shown("in_progress"))

    def open_part(self, channel: Channel) -> None:
        self._close_part()
        self.channel = channel
        self._place = Place(channel, self, len(self._parts))
        self.writer.tell(f"{channel.part_event}.added", **self._place.address, part=empty_part(channel))

    def say(self, text: str, tokens: list[Json] | None) -> None:
        self.keep(_cost(text, tokens))
        if tokens:
            self._tokens += tokens
            self._untold += len(tokens)
        if text := self._halves.push(text):
            self._tell(text)

    def annotate(self, annotation: Json, size: int) -> None:
        self.keep(size)
        where = {**self._place.address, "annotation_index": len(self._annotations)}
        self._annotations.append(annotation)
        self.writer.tell(f"{TEXT.event}.annotation.added", **where, annotation=annotation)

    def whole(self, *, final: bool = False) -> bool:
        return True

    def end(self, status: str) -> None:
        self._close_part()
        self.writer.end(self, self._shown(status))

    def _tell(self, text: str) -> None:
        tokens = self._tokens[-self._untold :] if self._untold else None
        self._untold = 0
        self.writer.tell_delta(self._place, text, tokens)

    def _close_part(self) -> None:
        channel, self.channel = self.channel, None
        if channel is None:
            return
        if lost := self._halves.rest():
            self._tell(lost)
        text = "".join(self._place.pieces)
        part = {**empty_part(channel), channel.field: text}
        extra: Json = {}
        if channel is TEXT:
            extra["logprobs"], self._tokens = self._tokens, []
            part |= {"annotations": self._annotations, **extra}
            self._annotations = []
        address = self._place.address
        self.writer.tell(f"{channel.event}.done", **address, **{channel.field: text}, **extra)
        self.writer.tell(f"{channel.part_event}.done", **address, part=part)
        self._parts.append(part)

    def _shown(self, status: str) -> Json:
        shown: Json = {"id": self.id, "type": self.kind, "status": status}
        if self.kind == "message":
            shown["role"] = "assistant"
        else:
            shown["summary"] = []
            if self._parts and self.writer.sealing:
                shown["encrypted_content"] = seal.sealed(seal.REASONING, self._parts[0]["text"])
        return {**shown, self._parts_in: list(self._parts)}


class Prose:
    """All that is said in words, in the order it comes."""

    def __init__(self, writer: Writer) -> None:
        self.said = False
        """There is a message."""
        self._writer = writer
        self._item: Spoken | None = None
        self._blanks: dict[Channel, list[tuple[str, list[Json]]]] = {}
        """Texts that may be the beginning of one, and the log probabilities of their tokens."""
        self._annotations: list[tuple[Json, int]] = []

    def say(self, channel: Channel, text: str, tokens: list[Json] | None = None) -> None:
        """A piece of text that is not empty; it belongs to a message or to a reasoning item, as the channel says."""
        item = self._item
        if item is None or item.channel is not channel:
            if text.isspace():
                self._writer.hold(_cost(text, tokens))
                self._blanks.setdefault(channel, []).append((text, tokens or []))
                return
            item = self._enter(channel)
            if blanks := self._take_blanks(channel):
                text = "".join(blank for blank, _ in blanks) + text
                tokens = [token for _, some in blanks for token in some] + (tokens or [])
        item.say(text, tokens)

    def annotate(self, annotation: Json, size: int) -> None:
        """A source of the text that is being said; it waits when there is none yet. `size`: about its bytes."""
        if self._item is not None and self._item.channel is TEXT:
            self._item.annotate(annotation, size)
        else:
            self._writer.hold(size)
            self._annotations.append((annotation, size))

    def close(self, *, alone: bool, filtered: str) -> None:
        """Nothing more comes. An answer without calls (`alone`) is a message, if only an empty one.

        `filtered`: what the message says when a filter left nothing of it; "" when none did.
        """
        if self.said or not alone:
            return
        if filtered:
            self._enter(REFUSAL).say(filtered, None)
            return
        blanks = self._take_blanks(TEXT)
        if blanks or not self._writer.count:
            item = self._enter(TEXT)
            for text, tokens in blanks:
                item.say(text, tokens)

    def _enter(self, channel: Channel) -> Spoken:
        """The item for such text, with its part open."""
        item = self._item
        if item is None or item.channel is None or item.kind != channel.item:
            item = self._item = Spoken(self._writer, channel.item, channel.places)
        item.open_part(channel)
        if channel is TEXT:
            for annotation, size in self._annotations:
                self._writer.release(size)
                item.annotate(annotation, size)
            self._annotations.clear()
        if channel.item == "message":
            self.said = True
        else:
            self._take_blanks(TEXT)  # what stands before a thought is no beginning of a text
        return item

    def _take_blanks(self, channel: Channel) -> list[tuple[str, list[Json]]]:
        blanks = self._blanks.pop(channel, [])
        self._writer.release(sum(_cost(*blank) for blank in blanks))
        return blanks


def _cost(text: str, tokens: list[Json] | None) -> int:
    return len(text) + TOKEN_BYTES * len(tokens) if tokens else len(text)
