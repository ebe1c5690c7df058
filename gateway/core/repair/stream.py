"""`Repair`: a whole stream from its first event to its last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from gateway.core import ids, usage
from gateway.core.deltas import Deltas
from gateway.core.events import EVENTS, RENAMED, TERMINALS, Event, Kind
from gateway.core.failures import error_of, merge_errors
from gateway.core.fold import parsed
from gateway.core.frames import DONE, Frame
from gateway.core.items import changed
from gateway.core.repair.outlet import data_of
from gateway.core.repair.parts import PartRepair
from gateway.core.repair.run import Run
from gateway.core.repair.trust import State
from gateway.core.response import REQUIRED
from gateway.errors import GatewayError, StreamTruncated, UpstreamError

Json = dict[str, Any]

_WHOLE = b"}\n\n"
"""How the bytes of an event end that no proxy has cut."""


class Repair(PartRepair):
    """Feed it an upstream's frames, pass on what it returns.

    `seed` makes ids that are not the upstream's. `created` (Unix seconds) and `model` are used where the upstream tells
    none. `trusted`: deltas are not looked at while the stream around them is in order. `open_item_bytes`: see `Fold`.
    `response_id`: the id that the response gets, whatever the upstream calls it; "" leaves it its own.
    """

    def __init__(
        self, seed: str, *, created: int, model: str, trusted: bool, open_item_bytes: int, response_id: str = ""
    ) -> None:
        super().__init__(seed, trusted=trusted, open_item_bytes=open_item_bytes)
        self.terminal: Frame | None = None
        """The completed, incomplete or failed frame, once it went out; everything after it is ignored."""
        self.error: Json | None = None
        """What failed, in full, when `terminal` is a failure: give it to `core.failures.failure`."""
        self._created_at: float = created
        self._model = model
        self._response_id = response_id
        self._begun = False
        self._pending_error: Json | None = None
        if response_id:
            self._soil()

    @property
    def finished(self) -> bool:
        """The terminal frame went out."""
        return self.terminal is not None

    def feed(self, frames: Iterable[Frame]) -> list[Frame]:
        """The frames for the client; a failure of the upstream's stream is told in them, never raised."""
        self._out = []
        self._feed(frames)
        return self._out

    def _feed(self, frames: Iterable[Frame]) -> None:
        out = self._out
        keep = self.fold.keep
        for frame in frames:
            if isinstance(frame, Deltas):
                if not self._go_on(frame):
                    self._feed(frame.each())
                continue
            try:
                run = self._run
                if run is not None and frame.type == run.kind and self._goes_on(run, frame):
                    continue
                following = self._state.get(frame.type)
                raw = frame.raw
                if following is None or not raw.endswith(_WHOLE):
                    if self.terminal is None:
                        self._look_at(frame)
                elif following is self._state or self._follow(frame, following):
                    keep(frame, len(raw))
                    self._next += 1
                    out.append(frame)
            except UpstreamError as error:
                self._fail(error.error_object())

    def abort(self, error: GatewayError) -> list[Frame]:
        """End the stream as failed: open items closed as incomplete, an `error` frame, `response.failed`.

        Nothing when it has ended already.
        """
        self._out = []
        if self.terminal is None:
            told = error.error_object()
            if isinstance(error, StreamTruncated):
                told = self._pending_error or {**told, "code": "stream_incomplete"}
            self._fail(told)
        return self._out

    def cancel(self) -> list[Frame]:
        """End the stream as cancelled: open items closed as incomplete, then the response as far as it came.

        It goes out as `response.failed`, since SDKs know no event of its own for it. Nothing when it has ended already.
        """
        self._out = []
        if self.terminal is None:
            self._close("cancelled", None)
        return self._out

    def in_progress_again(self) -> list[Frame]:
        """A repeated `response.in_progress`, for clients that take silence for death; what follows is renumbered."""
        self._out = []
        if self._begun and self.terminal is None:
            self._make({"type": "response.in_progress", "response": {**self.fold.base(), "output": []}})
        return self._out

    def _goes_on(self, run: Run, frame: Frame) -> bool:
        """Send a delta on the way of the last one, which changes nothing for the client; False if it is not like it."""
        try:
            data = frame.data
        except ValueError:
            return False
        if not frame.typed or not run.goes_on_in(data):
            return False
        size = len(frame.raw)
        if run.names or data.get("sequence_number") != self._next:
            if not self._dirty:
                return False
            frame = Frame.of({**data, **run.names, "sequence_number": self._next})
        self._next += 1
        self._out.append(frame)
        self.fold.keep(data["delta"], size)
        return True

    def _go_on(self, deltas: Deltas) -> bool:
        """Send deltas on as one, where each would go on as the one before it did; False where they must be told apart.

        Those with which the fold becomes too large must be: it becomes so at one of them.
        """
        if not self.fold.takes(deltas.size):
            return False
        run = self._run
        told: Frame | str = deltas.text
        if run is None or deltas.type != run.kind:
            if self._state.get(deltas.type) is not self._state:
                return False
            told = Frame.of(deltas.data)  # unread before, and so under an address of its own
        elif not run.goes_on_in(deltas.data):
            return False
        elif run.names or deltas.number != self._next:
            if not self._dirty:
                return False
            deltas = deltas.renamed(run.names, self._next)
        self._next += deltas.count
        self._out.append(deltas)
        self.fold.keep(told, deltas.size)
        return True

    def _follow(self, frame: Frame, following: State) -> bool:
        """Whether the frame can pass unread; a frame that keeps the state was already judged by the one before it."""
        if not frame.typed:
            self._look_at(frame)
            return False
        self._shape.append(frame)
        self._state = following
        return True

    def _look_at(self, frame: Frame) -> None:
        self._run = None
        event = EVENTS.get(frame.type)
        if event is None:
            self._unknown(frame)
            return
        try:
            frame.data  # noqa: B018  # read here, so that no handler meets a frame it cannot read
        except ValueError:
            self._unreadable(frame, event)
            return
        self._HANDLERS[event.kind](self, frame, event)

    def _unknown(self, frame: Frame) -> None:
        if frame.type == DONE:
            return
        if not frame.type and error_of(data_of(frame) or {}) is not None:
            self._on_error(frame, EVENTS["error"])
        else:
            self._drop(frame)

    def _unreadable(self, frame: Frame, event: Event) -> None:
        """Proxies cut large lifecycle events; the stream goes on without them. A cut delta cannot be made up for."""
        if event.kind is Kind.TERMINAL:
            self._on_terminal(Frame.of({"type": frame.type}), event)
        elif event.kind in (Kind.LIFECYCLE, Kind.PROGRESS, Kind.LOOSE):
            self._drop(frame)
        else:
            parsed(frame)

    def _begin(self, response: Json) -> None:
        """Make sure that `response.created` went out first; `response` is the earliest one known."""
        if not self._begun:
            self._begun = True
            shown = self._public(response, "in_progress", [])
            for name in ("response.created", "response.in_progress"):
                self._make({"type": name, "response": shown})

    def _public(self, response: Json, status: str, output: list[Json]) -> Json:
        """The response object under the one id of this stream."""
        if not self._response_id:
            told = response.get("id")
            self._response_id = str(told) if ids.valid_id(told) else ids.derive("resp", self._seed)
        changes: Json = {"id": self._response_id, "status": status, "output": output, "object": "response"}
        if not isinstance(response.get("created_at"), int | float):
            changes["created_at"] = self._created_at
        if not isinstance(response.get("model"), str):
            changes["model"] = self._model
        if "id" in response and response["id"] != self._response_id:
            self._soil()
        return changed(response, changes)

    def _on_lifecycle(self, frame: Frame, event: Event) -> None:
        response = _object(frame.data, "response")
        first = not self._begun
        if first and frame.type == "response.created":
            self._begun = True
        elif frame.type == "response.created":
            self._drop(frame)
            return
        elif first:
            self._begin(response)
            if frame.type == "response.in_progress":
                return
        told = response.get("status")
        status = told if told in ("queued", "in_progress") else "in_progress"
        shown = self._public(response, status, [])
        self._created_at, self._model = shown["created_at"], shown["model"]
        self._pass(frame, changed(frame.data, {"response": shown}))

    def _on_terminal(self, frame: Frame, event: Event) -> None:
        self._distrust()
        response = self._whole(frame.data.get("response"))
        status = response.get("status")
        if not isinstance(status, str) or status not in TERMINALS:
            status = frame.type.removeprefix("response.")
        self._begin({**response, "error": None, "incomplete_details": None, "usage": None})
        told = response.get("output")
        self._end_items(told if isinstance(told, list) else [], "completed" if status == "completed" else "incomplete")
        shown = self._public(response, status, self.fold.items())
        if not usage.sound(shown.get("usage")):
            shown = {**shown, "usage": usage.complete(shown.get("usage"))}
        if _object(shown, "incomplete_details").get("reason") == "max_tokens":
            shown = {**shown, "incomplete_details": {**shown["incomplete_details"], "reason": "max_output_tokens"}}
        if TERMINALS[status] == "response.failed":
            shown = changed(shown, {"error": self._reason(shown, status)})
        self._pass(frame, changed(frame.data, {"type": TERMINALS[status], "response": shown}))
        self.terminal = self._out[-1]

    def _whole(self, response: object) -> Json:
        """The response of a terminal event; what a short one, or none at all, leaves out is as it was before."""
        told = response if isinstance(response, dict) else {"usage": None}
        if all(name in told for name in REQUIRED):
            return told
        return {**self.fold.base(), "status": None, **told}

    def _reason(self, response: Json, status: str) -> Json:
        """The error of a failed response; an `error` event that came before it goes out first."""
        told = response.get("error")
        if status == "cancelled" and not told:
            told = {"code": "response_cancelled", "message": "The response was cancelled."}
        self.error = merge_errors(told, self._pending_error)
        if self._pending_error is not None:
            self._make(_error_event(self.error))
        reason = {"code": self.error["code"], "message": self.error["message"]}
        return changed(told, reason) if isinstance(told, dict) else reason

    def _on_error(self, frame: Frame, event: Event) -> None:
        """A failure without details waits for the `response.failed` that may tell them; any other ends the stream."""
        told = error_of(frame.data) or {}
        merged = merge_errors(told, self._pending_error)
        if merged["code"] == "server_error":
            self._pending_error = merged
            self._soil()
        else:
            self._fail(merged)

    def _fail(self, error: Json) -> None:
        self.error = merge_errors(error, self._pending_error)
        self._close("failed", self.error)

    def _close(self, status: str, error: Json | None) -> None:
        """End a stream that its upstream does not end."""
        for catch_up in (self._distrust, self.fold.read):
            with suppress(UpstreamError):  # what cannot be read is lost; the items can still be closed
                catch_up()
        self._begin({})
        self._end_items([], "incomplete")
        told = None
        if error is not None:
            self._make(_error_event(error))
            told = {"code": error["code"], "message": error["message"]}
        base = {name: value for name, value in self.fold.base().items() if name != "completed_at"}
        shown = {**self._public(base, status, self.fold.items()), "error": told}
        self._make({"type": "response.failed", "response": shown})
        self.terminal = self._out[-1]

    def _on_renamed(self, frame: Frame, event: Event) -> None:
        data = {**frame.data, "type": RENAMED[frame.type]}
        if "reasoning_part" in frame.type:
            data["part"] = {**_object(data, "part"), "type": "reasoning_text"}
        self._look_at(Frame.of(data))

    def _on_loose(self, frame: Frame, event: Event) -> None:
        self._begin({})
        self._pass(frame, frame.data)

    _HANDLERS: Mapping[Kind, Callable[[Repair, Frame, Event], None]] = {
        Kind.LIFECYCLE: _on_lifecycle,
        Kind.TERMINAL: _on_terminal,
        Kind.ITEM_ADDED: PartRepair._on_item_added,
        Kind.ITEM_DONE: PartRepair._on_item_done,
        Kind.PART_ADDED: PartRepair._on_part_added,
        Kind.PART_DONE: PartRepair._on_part_done,
        Kind.TEXT_DELTA: PartRepair._on_text_delta,
        Kind.TEXT_DONE: PartRepair._on_text_done,
        Kind.ANNOTATION: PartRepair._on_annotation,
        Kind.FIELD_DELTA: PartRepair._on_field_delta,
        Kind.FIELD_DONE: PartRepair._on_field_done,
        Kind.PROGRESS: PartRepair._on_progress,
        Kind.LOOSE: _on_loose,
        Kind.ERROR: _on_error,
        Kind.RENAMED: _on_renamed,
    }


def _object(document: Json, name: str) -> Json:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _error_event(error: Json) -> Json:
    """Both forms in one: SDKs read the nested object, the published type is flat (translation §8.5)."""
    told = {name: error[name] for name in ("type", "code", "message", "param")}
    return {"type": "error", "code": told["code"], "message": told["message"], "param": told["param"], "error": told}
