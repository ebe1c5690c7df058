"""Native relay: a client of chat or legacy completions in front of a server that speaks the same (design §2).

Its chunk streams are watched, not translated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from operator import itemgetter
from typing import Any

from gateway.core import json
from gateway.core.frames import Frame
from gateway.dialects.burst import Burst, ended_in, only_counts, read_burst
from gateway.errors import GatewayError, StreamTruncated
from gateway.wire.sse import END, plain

Json = dict[str, Any]
Read = Callable[[bytes], Sequence[Frame]]
"""Makes frames of whole events."""

_FINISHED = (b'"finish_reason":"', b'"finish_reason": "')
_NO_USAGE = (b'"usage":null', b'"usage": null')

_OBJECT = b"data: {"
_BEYOND = b"data: |"
_NEWS = (b'"error"', *_FINISHED)
_LONGEST_SIGN = max(map(len, _NEWS))
_NONE: frozenset[str] = frozenset()
_USAGE = re.compile(rb'"usage"(?!: ?null)')
"""Counts, and not the null that many servers write into each chunk but the last."""
_OUTPUT = re.compile(rb'"(?:content|text)": ?"[^"]')
_TEXT = b'"delta":{"content":"'
_FEW = 8
"""Events that are searched as they are."""
_GLANCE_BYTES = 4096
"""How far output is looked for in bytes: it comes with the first few chunks, or late."""


class ChunkRelay:
    """A `Relay`: passes a server's chunk stream on as bytes.

    An event is parsed only when its bytes name `usage`, `error` or a finish reason. Quotes inside texts are escaped, so
    the searched bytes can only be keys. All events of a read are searched at once, and most reads have none of these.
    """

    def __init__(self, *, include_usage: bool, choices: int = 1) -> None:
        """`include_usage`: the client asked for the usage chunk; else it is taken out when the gateway asked.

        `choices`: how many answers there will be. The stream is whole when each has told its finish reason.
        """
        self.finished = False
        self.usage: Json | None = None
        """The server's last token counts, in its own form."""
        self.error: Json | None = None
        """The error object of a stream that failed."""
        self._include_usage = include_usage
        self._choices = choices
        self._told = _NONE
        self._passed = False
        """A chunk went through."""
        self._burst: Burst | None = None

    def join(self, pieces: list[bytes], max_event_bytes: int) -> bytes:
        """The pieces of a whole stream as one: if it is of the usual kind, only what is for the client."""
        burst = read_burst(pieces, include_usage=self._include_usage, max_bytes=max_event_bytes)
        if burst is None or 0 < len(burst.ended) < self._choices:
            return b"".join(pieces)
        self._burst = burst
        return burst.events

    def has_joined(self, stream: bytes) -> bool:
        """Whether `join` has looked through this whole stream: what it has learnt counts from now on."""
        burst = self._burst
        if burst is None or burst.events is not stream:
            return False
        self.usage = burst.usage
        self.finished = True
        return True

    def pass_on(self, events: bytes, read: Read) -> bytes:
        """The bytes for the whole events of one upstream read; `read` frames those that must be looked at.

        What comes out, and what is learnt of it, is the same as if `feed` got all their frames.
        """
        if not events or self.finished:
            return b""
        if events.find(b"\n") == len(events) - 2 and _says_nothing(events):
            self._passed = True
            return events
        lines = BytesIO(events).readlines()
        data = lines[::2]
        if lines[1::2].count(b"\n") != len(data):
            return self.feed(read(events))
        at = len(events)
        while data and not _says_nothing(data[-1]):  # news are in the last events, if anywhere
            at -= len(data.pop()) + 1
        if not data:
            return self.feed(read(events))
        last = events[at:]
        if not _all_say_nothing(data):
            return self._pass_on_around(events[:at], read) + self.feed(read(last))
        self._passed = True
        told = self.feed(read(last)) if last else last
        return events if told == last else b"".join([memoryview(events)[:at], told])

    def _pass_on_around(self, events: bytes, read: Read) -> bytes:
        """`pass_on` where events with news stand among others, of which the last has none."""
        if not plain(events):
            return self.feed(read(events))
        out: list[bytes] = []
        at = 0
        for start, end in _news(events):
            if at < start:
                self._passed = True
                out.append(events[at:start])
            out.append(self.feed(read(events[start:end])))
            if self.finished:
                return b"".join(out)
            at = end
        self._passed = True
        out.append(events[at:])
        return b"".join(out)

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the frames of one upstream read."""
        out: list[bytes] = []
        for frame in frames:
            if self.finished:
                break
            out.append(self._pass(frame))
        return b"".join(out)

    def opens(self, events: bytes) -> bool:
        """Whether these whole events, the first of a stream, show output and nothing before it that must be looked at.

        Only the one that shows it is read. False: ask `shows_output` of each.
        """
        output = _OUTPUT.search(events, 0, _GLANCE_BYTES)
        if output is None:
            return False
        seen = events[: events.find(b"\n", output.end()) + 2]
        if seen.rfind(_NEWS[0]) >= 0 or not plain(seen):
            return False
        try:
            chunk = json.loads_served(seen[seen.rfind(b"\n", 0, output.start()) + len(b"\ndata: ") :])
        except ValueError:
            return False
        return bool(chunk.get("choices"))

    def shows_output(self, frame: Frame) -> bool:
        """Whether a frame has more in it than the beginning of an answer, which some servers send before they fail."""
        choices = _object(frame).get("choices")
        if not isinstance(choices, list) or not choices:
            return frame.payload == b"[DONE]"
        return any(_says_something(choice) for choice in choices)

    def finish(self) -> bytes:
        """The server closed its stream: b"" after a whole answer, the end mark if it left only that out.

        An answer without a finish reason and without an end mark was cut: the client gets an error, then the end.
        """
        if self.finished:
            return b""
        if len(self._told) >= self._choices:
            self.finished = True
            return END
        return self.fail(StreamTruncated("The upstream's stream ended before its answer was complete."))

    def fail(self, error: GatewayError) -> bytes:
        """The error frame, then the end."""
        return b"" if self.finished else self._abort(error.error_object())

    def _pass(self, frame: Frame) -> bytes:
        payload = frame.payload
        if payload == b"[DONE]":
            return self._end(frame)
        if (b'"error"' in payload or frame.event == "error") and (error := _error_in(frame)):
            if error is not _object(frame).get("error") or frame.event:
                return self._abort(error)
            self.error = error
            self.finished = True
            return frame.raw + END
        if _FINISHED[0] in payload or _FINISHED[1] in payload:
            self._told |= frozenset(ended_in(_object(frame)))
        if b'"usage"' in payload and _USAGE.search(payload):
            chunk = _object(frame)
            usage = chunk.get("usage")
            if isinstance(usage, dict):
                self.usage = usage
                if not self._include_usage and only_counts(chunk):
                    return b""
        self._passed = True
        return frame.raw

    def _end(self, frame: Frame) -> bytes:
        """The end mark. It is believed of a server that tells no finish reasons at all, once it has said something."""
        if len(self._told) < self._choices and (self._told or not self._passed):
            return self.fail(StreamTruncated("The upstream ended its stream before its answer was complete."))
        self.finished = True
        return frame.raw

    def _abort(self, error: Json) -> bytes:
        self.error = error
        self.finished = True
        return b"data: " + json.dumps({"error": error}) + b"\n\n" + END


def edits(document: Json, *, model: str | None) -> Json:
    """The fields of the body that the server gets in another form than the client sent them; mostly none.

    `model`: the server's name of the model, None when it is what the client said. A stream's tokens are counted by the
    server also when the client did not ask for it.
    """
    changed: Json = {}
    if model is not None and model != document.get("model"):
        changed["model"] = model
    if document.get("stream") is True:
        options = document.get("stream_options")
        options = options if isinstance(options, dict) else {}
        if options.get("include_usage") is not True:
            changed["stream_options"] = {**options, "include_usage": True}
    return changed


def answers(document: Json) -> int:
    """How many answers this body asks a server for, to each of its prompts."""
    count = document.get("n")
    return count if isinstance(count, int) and count > 0 else 1


def _says_nothing(event: bytes) -> bool:
    """Whether an event of one line is one that `feed` would not look into: most reads are one of those."""
    return event.startswith(_OBJECT) and _has_no_news(event)


def _all_say_nothing(lines: list[bytes]) -> bool:
    """The same of many events. What they all begin with, which is nearly all of each, is looked at once."""
    least, greatest = min(lines), max(lines)
    if least < _OBJECT or greatest >= _BEYOND:
        return False
    start = _shared(least, greatest) - _LONGEST_SIGN if len(lines) > _FEW else 0
    if start <= 0:
        return _has_no_news(b"".join(lines))
    return _has_no_news(least[: start + _LONGEST_SIGN]) and _has_no_news(
        b"".join(map(itemgetter(slice(start, None)), lines))
    )


def _has_no_news(text: bytes) -> bool:
    # From the end: a search in vain, as nearly all are, is then three times as fast in CPython.
    return (
        text.rfind(_NEWS[0]) < 0
        and text.rfind(_NEWS[1]) < 0
        and text.rfind(_NEWS[2]) < 0
        and (text.rfind(b'"usage"') < 0 or not _USAGE.search(text))
    )


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with together. Chunks mostly do up to their text."""
    least, most = 0, min(len(one), len(other))
    text = one.find(_TEXT) + len(_TEXT)
    if text >= len(_TEXT) and other.startswith(one[:text]):
        least = text
        if one[text : text + 1] != other[text : text + 1]:
            return text
    while least < most:
        middle = (least + most + 1) // 2
        if one.startswith(other[:middle]):
            least = middle
        else:
            most = middle - 1
    return least


def _news(events: bytes) -> list[tuple[int, int]]:
    """Where, among events of a line each, those stand that `feed` would look at, in order; neighbours are one place."""
    # From the end, as above. An event is found once for each sign, so that the work does not grow with the number of
    # signs in it.
    starts: set[int] = set()
    for sign in _NEWS:
        end = len(events)
        while (at := events.rfind(sign, 0, end)) >= 0:
            end = events.rfind(b"\n", 0, at) + 1
            starts.add(end)
    end = len(events)
    while (at := events.rfind(b'"usage"', 0, end)) >= 0:
        end = events.rfind(b"\n", 0, at) + 1
        if events.startswith(_NO_USAGE, at):  # then most likely in all events before it, too
            starts.update(_counted(events[: events.find(b"\n", at) + 1]))
            break
        starts.add(end)
    places: list[tuple[int, int]] = []
    for start in sorted(starts):
        end = events.find(b"\n", start) + 2
        if places and places[-1][1] == start:
            places[-1] = places[-1][0], end
        else:
            places.append((start, end))
    return places


def _counted(events: bytes) -> Iterator[int]:
    """Where those events begin that tell token counts, among many that tell that there are none."""
    end = 0
    while counts := _USAGE.search(events, end):
        yield events.rfind(b"\n", 0, counts.start()) + 1
        end = events.find(b"\n", counts.end())


def _says_something(choice: Any) -> bool:
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("text"):
        return True
    delta = choice.get("delta")
    return not isinstance(delta, dict) or any(value for name, value in delta.items() if name != "role")


def _error_in(frame: Frame) -> Json | None:
    """The error that a frame tells: the server's own object, or one around its words.

    SDKs raise on the envelope only; a bare text, or an error in another form, they hand to the program as a chunk.
    """
    told = _object(frame)
    error = told.get("error")
    if isinstance(error, dict):
        return error
    if not error and frame.event != "error" and told.get("object") != "error":
        return None
    message = error or told.get("message") or "The upstream reported an error."
    return {"message": str(message), "type": "server_error", "param": None, "code": "upstream_error"}


def _object(frame: Frame) -> Json:
    """The parsed chunk; empty when the server sent something else."""
    try:
        return frame.data
    except ValueError:
        return {}
