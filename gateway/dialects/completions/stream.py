"""Inner frames → `text_completion` chunks of one choice (translation §6.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.core import json
from gateway.core.deltas import Deltas
from gateway.core.frames import DONE, Frame
from gateway.core.outcome import ending, error_object
from gateway.core.prose import objects
from gateway.dialects.completions.joint import Joint
from gateway.dialects.completions.text import Text
from gateway.dialects.completions.wishes import Wishes
from gateway.errors import GatewayError, StreamTruncated, UpstreamError
from gateway.wire.sse import KEEP_ALIVE

Json = dict[str, Any]
Handler = Callable[["TextEncoder", Json], None]

_TEXT_DELTA = "response.output_text.delta"


class TextEncoder:
    """A `StreamEncoder` for one choice; `joint` is the stream that it is a part of."""

    def __init__(self, wishes: Wishes, joint: Joint, created: int) -> None:
        """`created`: Unix seconds, for a stream that does not tell its own."""
        self.finished = False
        self._wishes = wishes
        self._joint = joint
        self._created = created
        self._response: Json = {}
        self._prose = Text(wishes, self._put).prose
        self._indexes: dict[str, int] = {}
        self._out: list[bytes] = []
        self._head = b""
        self._end = b',"usage":null}\n\n' if wishes.include_usage else b"}\n\n"
        self._tail = b',"index":%d,"logprobs":null,"finish_reason":null}]' % wishes.index + self._end

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The chunks for the frames of one upstream read; none once another choice has failed."""
        self._read(frames)
        return self._take()

    def _read(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if self._over():
                break
            if isinstance(frame, Deltas):
                if not self._flows(frame):
                    self._read(frame.each())
                continue
            handle = _HANDLERS.get(frame.type)
            if handle is None:
                continue
            try:
                data = frame.data
            except ValueError:
                self._undecodable(frame.type)
            else:
                handle(self, data)
                if self._prose.stopped and not self.finished:
                    self._finish({"status": "completed"})

    def fail(self, error: GatewayError) -> bytes:
        """The error frame, then the end: never a finish chunk."""
        self._abort(error.error_object())
        return self._take()

    def keep_alive(self, silent_seconds: float) -> bytes:
        """A comment; there is no event that says nothing."""
        return KEEP_ALIVE

    # --- writing ----------------------------------------------------------------------------------------------------

    def _take(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _over(self) -> bool:
        self.finished = self.finished or self._joint.finished
        return self.finished

    def _start(self) -> None:
        """Fix the head of the chunks, and show the prompt to those who want to see it."""
        self._head = self._joint.head(self._response, self._wishes, self._created)
        if self._wishes.echo:
            self._put(self._wishes.echo, None)

    def _put(self, text: str, logprobs: Json | None) -> None:
        if not self._head:
            self._start()
        tail = self._tail
        if logprobs is not None:
            shown = self._wishes.index, json.dumps(logprobs)
            tail = b',"index":%d,"logprobs":%b,"finish_reason":null}]' % shown + self._end
        self._out += (self._head, b'{"text":', json.dumps(text), tail)

    def _finish(self, response: Json) -> None:
        """The last chunk of this choice, for the terminal's response or for what is known of it."""
        self._prose.close()
        if not self._head:
            self._start()
        reason = "stop" if self._prose.stopped else ending(response)
        finish = b'{"text":"","index":%d,"logprobs":null,"finish_reason":"%b"}]'
        self._out += (self._head, finish % (self._wishes.index, reason.encode()), self._end)
        self._out.append(self._joint.close(response.get("usage")))
        self.finished = True

    def _abort(self, error: Json) -> None:
        if not self._over():
            self._out.append(self._joint.abort(error))
            self.finished = True

    def _undecodable(self, kind: str) -> None:
        """Proxies cut the large echoes of lifecycle frames; anything else that cannot be read is lost output."""
        if kind == DONE:
            self._end_early({})
        elif kind in _STATUS:
            self._finish({"status": _STATUS[kind]})
        elif kind == "response.failed":
            self._abort(error_object({}))
        elif kind not in _LIFECYCLE:
            message = "The upstream sent an event that is not JSON."
            self._abort(UpstreamError(message, code="upstream_bad_event").error_object())

    # --- reading ----------------------------------------------------------------------------------------------------

    def _where(self, data: Json) -> int:
        """The output index of an event; by its item when a server leaves the index out."""
        index = data.get("output_index")
        return index if isinstance(index, int) else self._indexes.get(str(data.get("item_id")), 0)

    def _lifecycle(self, data: Json) -> None:
        response = data.get("response")
        if isinstance(response, dict):
            self._response |= {key: response[key] for key in ("id", "model", "created_at") if response.get(key)}

    def _item_added(self, data: Json) -> None:
        item = data.get("item")
        if isinstance(item, dict):
            self._indexes[str(item.get("id"))] = self._where(data)

    def _item_done(self, data: Json) -> None:
        item = data.get("item")
        if isinstance(item, dict):
            self._prose.item(self._where(data), item)

    def _part_done(self, data: Json) -> None:
        part = data.get("part")
        if isinstance(part, dict):
            self._prose.part(self._where(data), _position(data), part)

    def _text_delta(self, data: Json) -> None:
        delta = data.get("delta")
        if not isinstance(delta, str):
            return
        shown = self._prose.flow(data.get("output_index"), data.get("content_index"), delta)
        if shown is None:
            self._prose.text(self._where(data), _position(data), delta, data.get("logprobs"))
        elif shown:
            self._put(shown, None)  # not counted by `Text`, which needs offsets for tokens only: those never flow

    def _flows(self, deltas: Deltas) -> bool:
        """Show deltas of the text that is being spoken as they are written; False if that is not what they are."""
        data = deltas.data
        place = data.get("output_index"), data.get("content_index")
        if deltas.type != _TEXT_DELTA or not self._prose.flows(*place, deltas.text):
            return False
        if deltas.text:
            head, tail = self._head + b'{"text":"', b'"' + self._tail
            self._out += (head, (tail + head).join(filter(None, deltas.strings())), tail)
        return True

    def _refusal_delta(self, data: Json) -> None:
        delta = data.get("delta")
        if isinstance(delta, str):
            self._prose.refusal(self._where(data), _position(data), delta)

    def _text_done(self, data: Json) -> None:
        self._complete(data, "text")

    def _refusal_done(self, data: Json) -> None:
        self._complete(data, "refusal")

    def _complete(self, data: Json, kind: str) -> None:
        full = data.get(kind)
        if isinstance(full, str):
            self._prose.complete(self._where(data), kind, _position(data), full, data.get("logprobs"))

    def _completed(self, data: Json) -> None:
        self._terminal(data, "completed")

    def _incomplete(self, data: Json) -> None:
        self._terminal(data, "incomplete")

    def _failed(self, data: Json) -> None:
        self._terminal(data, "failed")

    def _terminal(self, data: Json, named: str) -> None:
        """The embedded status decides, not the one in the event's name."""
        self._lifecycle(data)
        response = data.get("response")
        if not isinstance(response, dict):
            response = {}
        status = response.get("status") or named
        if status in ("failed", "cancelled"):
            self._abort(error_object(response))
            return
        for index, item in objects(response.get("output")):
            if not self._prose.stopped:
                self._prose.item(self._indexes.get(str(item.get("id")), index), item)
        self._finish({**response, "status": status})

    def _error(self, data: Json) -> None:
        self._abort(error_object(data))

    def _end_early(self, data: Json) -> None:
        message = "The upstream's stream ended before its answer was complete."
        self._abort(StreamTruncated(message).error_object())


def _position(data: Json) -> int:
    position = data.get("content_index")
    return position if isinstance(position, int) else 0


_STATUS = {"response.completed": "completed", "response.done": "completed", "response.incomplete": "incomplete"}
_LIFECYCLE = ("response.created", "response.queued", "response.in_progress")
_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_LIFECYCLE, TextEncoder._lifecycle),
    "response.output_item.added": TextEncoder._item_added,
    "response.output_item.done": TextEncoder._item_done,
    "response.content_part.done": TextEncoder._part_done,
    _TEXT_DELTA: TextEncoder._text_delta,
    "response.output_text.done": TextEncoder._text_done,
    "response.refusal.delta": TextEncoder._refusal_delta,
    "response.refusal.done": TextEncoder._refusal_done,
    "response.completed": TextEncoder._completed,
    "response.done": TextEncoder._completed,
    "response.incomplete": TextEncoder._incomplete,
    "response.failed": TextEncoder._failed,
    "error": TextEncoder._error,
    DONE: TextEncoder._end_early,
}
