"""A chunk stream all of which comes at once, as from servers that are fast, or near, or have the answer already. Pure.

A server writes each event by itself, so that the pieces of its body are the events, and nearly all are deltas that
differ in their text only. A few calls of C show that, whatever their number, and one is read for all of them. A stream
that is not as usual in any way is left to those who look at each event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from gateway.core import json
from gateway.wire.sse import END

Json = dict[str, Any]

_MANY = 16
"""Fewer events are looked at faster one by one."""
_FEW = 8
"""Events before the deltas that are alike, and behind them."""

_DATA = b"data: "
_OBJECT = b"data: {"
_BETWEEN = b"\n\ndata: "
_TEXTS = (b'"delta":{"content":"', b'"delta": {"content": "', b'"text":"', b'"text": "')
"""What stands before the text of a delta, as servers write it."""


@dataclass(slots=True)
class Burst:
    """A whole stream in good order. `events`: what the client gets of it. `usage`: the last counts that it told.

    `ended`: the indexes of the answers that told how they ended.
    """

    events: bytes
    usage: Json | None
    ended: set[str]


@dataclass(slots=True)
class _Deltas:
    """The pieces from `begin` to `end`, that one not included. Each seems to be `before`, a text and `after`, which is
    an event; it begins and ends so, and its text is sound."""

    begin: int
    end: int
    before: bytes
    after: bytes
    texts: list[bytes]

    def are(self, stream: bytes, start: int, end: int) -> bool:
        """Whether they are so, and stand there: with nothing but the texts in between, what they share makes up what
        came."""
        shared = (self.after + self.before).join(self.texts)
        start += len(self.before)
        return start + len(shared) + len(self.after) == end and stream.startswith(shared, start)


def read_burst(pieces: Sequence[bytes], *, include_usage: bool, max_bytes: int) -> Burst | None:
    """A stream in the pieces that its server made of it; None when it is not of the usual kind, or not for certain.

    `include_usage`: the client gets a chunk that tells nothing but counts. `max_bytes`: of a longer stream each event
    has to be measured.
    """
    deltas = _deltas(pieces)
    if deltas is None:
        return None
    head, tail = b"".join(pieces[: deltas.begin + 1]), b"".join(pieces[deltas.end :])
    if not tail.endswith(END):
        return None
    first, last = _chunks(head), _chunks(tail[: -len(END)])
    if not (first and last and _speaks(first[-1][1])) or any(only_counts(chunk) for _, chunk in first):
        return None
    rest = b"".join([_DATA + text + b"\n\n" for text, chunk in last if include_usage or not only_counts(chunk)])
    events = b"".join([*pieces[: deltas.end], rest, END])
    end = len(events) - len(rest) - len(END)
    if end + len(tail) > max_bytes or not deltas.are(events, len(head) - len(pieces[deltas.begin]), end):
        return None
    usage: Json | None = None
    ended: set[str] = set()
    for _, chunk in (*first, *last):
        ended.update(ended_in(chunk))
        counts = chunk.get("usage")
        if isinstance(counts, dict):
            usage = counts
    return Burst(events, usage, ended)


def ended_in(chunk: Json) -> Sequence[str]:
    """The indexes of the answers that tell in this chunk how they ended."""
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return ()
    return [str(choice.get("index")) for choice in choices if isinstance(choice, dict) and choice.get("finish_reason")]


def only_counts(chunk: Json) -> bool:
    """Whether a chunk tells token counts and nothing of an answer: programs that did not ask for it fail on it."""
    return not chunk.get("choices") and isinstance(chunk.get("usage"), dict)


def _deltas(pieces: Sequence[bytes]) -> _Deltas | None:
    """Most of the pieces, if they seem to be alike."""
    count = len(pieces)
    cut = _cut(pieces[count // 2]) if count >= _MANY else None
    if cut is None:
        return None
    before, after = cut
    begin, end = 0, count
    while begin < _FEW and not pieces[begin].startswith(before):
        begin += 1
    while count - end < _FEW and not pieces[end - 1].endswith(after):
        end -= 1
    if begin == _FEW or count - end == _FEW:
        return None
    texts = list(map(itemgetter(slice(len(before), -len(after))), pieces[begin:end]))
    return _Deltas(begin, end, before, after, texts) if _are_sound(texts) else None


def _cut(event: bytes) -> tuple[bytes, bytes] | None:
    """What stands before the text of a delta and behind it; None where that is not to be seen in the bytes."""
    key = _TEXTS[0] if _TEXTS[0] in event else next((key for key in _TEXTS[1:] if key in event), b"")
    start = event.find(key) + len(key)
    end = event.find(b'"', start)
    if not key or event[end - 1 : end] == b"\\" or b"\r" in event:
        return None
    if not event.startswith(_OBJECT) or event.find(b"\n") != len(event) - 2 or event[-1:] != b"\n":
        return None
    return event[:start], event[end:]


def _are_sound(texts: list[bytes]) -> bool:
    """Whether each is the content of a JSON string, so that no key of an event can be in it; and one is not empty."""
    joined = b"".join(texts)
    if b'"' in joined or b"\\" in joined or b"\n" in joined or b"\r" in joined:
        return any(json.strings(texts) or ())
    return bool(joined)


def _chunks(events: bytes) -> list[tuple[bytes, Json]] | None:
    """The data of whole events and the chunks in it; None when one tells an error, or is more than a line of data."""
    if not events.startswith(_OBJECT) or not events.endswith(b"\n\n") or b"\r" in events:
        return None
    texts = events[len(_DATA) : -2].split(_BETWEEN)
    if events.count(b"\n") != 2 * len(texts):
        return None
    try:
        chunks = [json.loads_served(text) for text in texts]
    except ValueError:
        return None
    for chunk in chunks:
        if not isinstance(chunk, dict) or chunk.get("error") or chunk.get("object") == "error":
            return None
    return list(zip(texts, chunks, strict=True))


def _speaks(chunk: Json) -> bool:
    """Whether the text of a delta is the text of an answer."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return False
    delta = choice.get("delta")
    return isinstance(choice.get("text") if delta is None else isinstance(delta, dict) and delta.get("content"), str)
