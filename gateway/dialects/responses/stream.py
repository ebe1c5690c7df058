"""Repaired frames → bytes for a Responses client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.events import EVENTS, Kind
from gateway.core.frames import Frame
from gateway.core.items import changed
from gateway.core.repair import Repair
from gateway.core.response import complete_response
from gateway.errors import GatewayError
from gateway.wire.sse import END, KEEP_ALIVE

Json = dict[str, Any]

_LOOKED_AT = {name: event.kind for name, event in EVENTS.items() if event.kind in (Kind.LIFECYCLE, Kind.TERMINAL)}


class ResponsesEncoder:
    """Passes bytes; only lifecycle and terminal frames are looked at, to show the client what it asked for."""

    def __init__(self, echo: Json, *, created: int, model: str) -> None:
        self.finished = False
        self._echo = echo
        self._created = created
        self._model = model
        self._sent = 0
        self._last: Json = {}

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The frames' bytes in one piece, and the end mark after the terminal one."""
        pieces: list[bytes] = []
        for frame in frames:
            kind = _LOOKED_AT.get(frame.type)
            pieces.append(frame.raw if kind is None else self._shown(frame).raw)
            if kind is Kind.TERMINAL:
                self.finished = True
                pieces.append(END)
            self._sent += frame.count
        return b"".join(pieces)

    def fail(self, error: GatewayError) -> bytes:
        """An `error` event, then `response.failed`. For callers without a `Repair`: items that are open stay open."""
        repair = Repair("", created=self._created, model=self._model, trusted=False, open_item_bytes=0)
        frames = repair.abort(error)
        if self._last:
            frames = [self._continued(frame, place) for place, frame in enumerate(frames[-2:])]
        return self.feed(frames)

    def keep_alive(self, silent_seconds: float) -> bytes:
        """A comment. A repeated `response.in_progress` needs a number of its own: see `Repair.in_progress_again`."""
        return KEEP_ALIVE

    def _shown(self, frame: Frame) -> Frame:
        """A lifecycle frame with the client's own values and every field that strict decoders want.

        It passes as it is when nothing is missing.
        """
        response = frame.data["response"]
        shown = complete_response(response, self._echo)
        self._last = shown
        return frame if shown is response else Frame.of(changed(frame.data, {"response": shown}))

    def _continued(self, frame: Frame, place: int) -> Frame:
        data = {**frame.data, "sequence_number": self._sent + place}
        if "response" in data:
            data["response"] = {**self._last, "status": "failed", "error": data["response"]["error"]}
        return Frame.of(data)
