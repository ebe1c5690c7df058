"""Inner frames → `chat.completion.chunk` frames (translation §3).

Frames that say nothing to a chat client are never parsed, and every chunk is a fixed head and tail around the one
text that changes. What was shown is remembered per part, so that *done* frames and the terminal's snapshot show only
what the deltas left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.core import json
from gateway.core.deltas import Deltas
from gateway.core.frames import DONE, Frame
from gateway.core.outcome import error_object
from gateway.core.prose import Prose, objects
from gateway.core.response import completion_id, created_at
from gateway.core.usage import chat_usage
from gateway.dialects.chat.calls import Calls, call_kind
from gateway.dialects.chat.outcome import finish_reason
from gateway.dialects.chat.response import PREFIX, chat_logprobs, service_tier
from gateway.dialects.chat.wishes import Wishes
from gateway.errors import GatewayError, StreamTruncated, UpstreamError
from gateway.wire.sse import END, KEEP_ALIVE

Json = dict[str, Any]

_PLAIN = b',"logprobs":null,"finish_reason":null}]'
_TEXT_DELTA = "response.output_text.delta"

Handler = Callable[["ChunkEncoder", Json], None]


class ChunkEncoder:
    """A `StreamEncoder` for one chat stream."""

    def __init__(self, wishes: Wishes, created: int) -> None:
        """`created`: Unix seconds, for a stream that does not tell its own."""
        self.finished = False
        self._wishes = wishes
        self._response: Json = {"created_at": created}
        self._created = created
        self._prose = Prose(wishes, self._put_text)
        self._calls = Calls(wishes, self._put_call)
        self._handlers = _WITHOUT_THOUGHTS if self._prose.hidden else _WITH_THOUGHTS
        self._indexes: dict[str, int] = {}
        self._out: list[bytes] = []
        self._head = b""
        self._end = b',"usage":null}\n\n' if wishes.include_usage else b"}\n\n"
        self._tail = _PLAIN + self._end
        self._text_tail = b"}" + self._tail
        self._heads: dict[str, bytes] = {}

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The chunks for the frames of one upstream read."""
        self._read(frames)
        return self._take()

    def _read(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if self.finished:
                break
            if isinstance(frame, Deltas):
                if not self._flows(frame):
                    self._read(frame.each())
                continue
            handle = self._handlers.get(frame.type)
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
        """A comment; chat has no event that says nothing."""
        return KEEP_ALIVE

    # --- writing ----------------------------------------------------------------------------------------------------

    def _take(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _start(self) -> None:
        """Fix id, model and time, and send the one chunk that names the role."""
        response, wishes = self._response, self._wishes
        skeleton: Json = {
            "id": completion_id(PREFIX, response, wishes.model),
            "object": "chat.completion.chunk",
            "created": created_at(response, self._created),
            "model": response.get("model") or wishes.model,
        }
        tier = service_tier(response)
        if tier is not None:
            skeleton["service_tier"] = tier
        skeleton["system_fingerprint"] = None
        self._head = b"data: " + json.dumps(skeleton)[:-1] + b',"choices":['
        for field in ("content", "refusal", wishes.reasoning):
            self._heads[field] = self._head + b'{"index":0,"delta":{"%b":' % field.encode()
        self._put(b'{"role":"assistant","content":"","refusal":null}')

    def _put(self, delta: bytes) -> None:
        if not self._head:
            self._start()
        self._out += (self._head, b'{"index":0,"delta":', delta, self._tail)

    def _put_text(self, field: str, text: str, logprobs: list[Json] | None) -> None:
        if not self._head:
            self._start()
        tail = self._text_tail
        if logprobs:
            shown = json.dumps({"content": chat_logprobs(logprobs), "refusal": None})
            tail = b'},"logprobs":' + shown + b',"finish_reason":null}]' + self._end
        self._out += (self._heads[field], json.dumps(text), tail)

    def _put_call(self, delta: bytes) -> None:
        self._prose.close_tag()
        self._put(delta)

    def _finish(self, response: Json) -> None:
        """The last chunks, for the terminal's response or for what is known of it."""
        self._prose.close()
        self._calls.close()
        annotations = self._prose.annotations()
        if annotations:
            self._put(json.dumps({"annotations": annotations}))
        if not self._head:
            self._start()
        reason = finish_reason(response, self._wishes, calls=self._calls.count > 0, stopped=self._prose.stopped)
        finish = b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"%b"}]' % reason.encode()
        self._out.append(self._head + finish + self._end)
        usage = chat_usage(response.get("usage")) if self._wishes.include_usage else None
        if usage is not None:
            self._out.append(self._head + b'],"usage":' + json.dumps(usage) + b"}\n\n")
        self._out.append(END)
        self.finished = True

    def _abort(self, error: Json) -> None:
        if not self.finished:
            self._out.append(b"data: " + json.dumps({"error": error}) + b"\n\n" + END)
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
        if isinstance(index, int):
            return index
        return self._indexes.get(str(data.get("item_id")), 0)

    def _lifecycle(self, data: Json) -> None:
        response = data.get("response")
        if isinstance(response, dict):
            self._response |= {key: response[key] for key in _REMEMBERED if response.get(key)}
            self._calls.answer_id = str(self._response.get("id") or "")

    def _item_added(self, data: Json) -> None:
        item, index = data.get("item"), self._where(data)
        if not isinstance(item, dict):
            return
        self._indexes[str(item.get("id"))] = index
        if kind := call_kind(item):
            self._calls.begin(index, kind, item)
        elif item.get("type") == "message":
            self._prose.begin(index, item.get("phase"))

    def _item_done(self, data: Json) -> None:
        item = data.get("item")
        if isinstance(item, dict):
            self._item(self._where(data), item)

    def _item(self, index: int, item: Json) -> None:
        if kind := call_kind(item):
            self._calls.item(index, kind, item)
        else:
            self._prose.item(index, item)

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
            self._out += (self._heads["content"], json.dumps(shown), self._text_tail)

    def _flows(self, deltas: Deltas) -> bool:
        """Show deltas of the text that is being spoken as they are written; False if that is not what they are."""
        data = deltas.data
        place = data.get("output_index"), data.get("content_index")
        if deltas.type != _TEXT_DELTA or not self._prose.flows(*place, deltas.text):
            return False
        head, tail = self._heads["content"] + b'"', b'"' + self._text_tail
        if deltas.text:
            self._out += (head, (tail + head).join(filter(None, deltas.strings())), tail)
        return True

    def _text_done(self, data: Json) -> None:
        self._complete(data, "text", data.get("text"))

    def _refusal_delta(self, data: Json) -> None:
        delta = data.get("delta")
        if isinstance(delta, str):
            self._prose.refusal(self._where(data), _position(data), delta)

    def _refusal_done(self, data: Json) -> None:
        self._complete(data, "refusal", data.get("refusal"))

    def _annotation(self, data: Json) -> None:
        self._prose.annotation(self._where(data), _position(data), data.get("annotation"))

    def _thought_delta(self, data: Json) -> None:
        self._thought(data, "thought", _position(data))

    def _summary_delta(self, data: Json) -> None:
        self._thought(data, "summary", _position(data, "summary_index"))

    def _thought(self, data: Json, kind: str, position: int) -> None:
        delta = data.get("delta")
        if isinstance(delta, str):
            self._prose.thought(self._where(data), kind, position, delta)

    def _thought_done(self, data: Json) -> None:
        self._complete(data, "thought", data.get("text"))

    def _summary_done(self, data: Json) -> None:
        part = data.get("part")
        text = part.get("text") if isinstance(part, dict) else data.get("text")
        self._complete(data, "summary", text, "summary_index")

    def _complete(self, data: Json, kind: str, full: Any, key: str = "content_index") -> None:
        if isinstance(full, str):
            self._prose.complete(self._where(data), kind, _position(data, key), full, data.get("logprobs"))

    def _arguments_delta(self, data: Json) -> None:
        self._call_delta(data, "function")

    def _input_delta(self, data: Json) -> None:
        self._call_delta(data, "custom")

    def _call_delta(self, data: Json, kind: str) -> None:
        delta = data.get("delta")
        if isinstance(delta, str):
            self._calls.delta(self._where(data), kind, delta)

    def _arguments_done(self, data: Json) -> None:
        self._calls.complete(self._where(data), "function", data.get("arguments"))

    def _input_done(self, data: Json) -> None:
        self._calls.complete(self._where(data), "custom", data.get("input"))

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
                self._item(self._indexes.get(str(item.get("id")), index), item)
        self._finish({**response, "status": status})

    def _error(self, data: Json) -> None:
        self._abort(error_object(data))

    def _end_early(self, data: Json) -> None:
        message = "The upstream's stream ended before its answer was complete."
        self._abort(StreamTruncated(message).error_object())


def _position(data: Json, key: str = "content_index") -> int:
    position = data.get(key)
    return position if isinstance(position, int) else 0


_REMEMBERED = ("id", "model", "created_at", "service_tier")
_STATUS = {"response.completed": "completed", "response.done": "completed", "response.incomplete": "incomplete"}
_LIFECYCLE = ("response.created", "response.queued", "response.in_progress")
_THOUGHTS: dict[str, Handler] = {
    "response.reasoning_text.delta": ChunkEncoder._thought_delta,
    "response.reasoning_text.done": ChunkEncoder._thought_done,
    "response.reasoning_summary_text.delta": ChunkEncoder._summary_delta,
    "response.reasoning_summary_text.done": ChunkEncoder._summary_done,
    "response.reasoning_summary_part.done": ChunkEncoder._summary_done,
}
_WITHOUT_THOUGHTS: dict[str, Handler] = {
    **dict.fromkeys(_LIFECYCLE, ChunkEncoder._lifecycle),
    "response.output_item.added": ChunkEncoder._item_added,
    "response.output_item.done": ChunkEncoder._item_done,
    "response.content_part.done": ChunkEncoder._part_done,
    _TEXT_DELTA: ChunkEncoder._text_delta,
    "response.output_text.done": ChunkEncoder._text_done,
    "response.output_text.annotation.added": ChunkEncoder._annotation,
    "response.refusal.delta": ChunkEncoder._refusal_delta,
    "response.refusal.done": ChunkEncoder._refusal_done,
    "response.function_call_arguments.delta": ChunkEncoder._arguments_delta,
    "response.function_call_arguments.done": ChunkEncoder._arguments_done,
    "response.custom_tool_call_input.delta": ChunkEncoder._input_delta,
    "response.custom_tool_call_input.done": ChunkEncoder._input_done,
    "response.completed": ChunkEncoder._completed,
    "response.done": ChunkEncoder._completed,
    "response.incomplete": ChunkEncoder._incomplete,
    "response.failed": ChunkEncoder._failed,
    "error": ChunkEncoder._error,
    DONE: ChunkEncoder._end_early,
}
_WITH_THOUGHTS = {**_WITHOUT_THOUGHTS, **_THOUGHTS}
