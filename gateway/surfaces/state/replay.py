"""The stream of a response out of the log of its frames, and on with what is still to come (translation §7.6)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.core.frames import Frame
from gateway.errors import GatewayError, InvalidRequest
from gateway.store.rows import StoredResponse
from gateway.surfaces import reply
from gateway.surfaces.reply import Reply
from gateway.surfaces.state.endpoint import Asked
from gateway.wire.sse import END, KEEP_ALIVE

if TYPE_CHECKING:
    from gateway.store.frames import FrameLog


SURFACE = "responses"


async def replay(asked: Asked, row: StoredResponse, log: FrameLog, *, after: int) -> None:
    """Answer with the events beyond number `after`, until the response ends; bytes and numbers as they first were.

    Raises InvalidRequest when the log has nothing of it, or nothing any more.
    """
    # The log of another surface is in that surface's words, that of a whole answer is no stream.
    streamed = row.surface == SURFACE and (row.background or row.request.get("stream") is True)
    if not row.logged or not streamed or (row.ended and not await log.read(row.key, limit=1)):
        raise InvalidRequest(_why_not(row), param="stream")
    run = partial(_follow, row, log, after)
    await reply.answer(asked.scope, asked.receive, asked.send, asked.limits, run)


def _why_not(row: StoredResponse) -> str:
    """Why its stream cannot be read again, and what can be done instead."""
    if row.status == "cancelled" and row.error is not None:
        return (
            f"{row.error['message']} Its stream cannot be resumed: only one that was created with `background` runs on "
            "without its client. Get the response without stream for what came until then."
        )
    return "The stream of this response is not kept, or not any longer. Get the response without stream."


async def _follow(row: StoredResponse, log: FrameLog, after: int, sink: Reply) -> None:
    voice = _Voice(after)
    sink.stream({}, voice)
    async for frame in log.follow(row.key, after):
        voice.last = frame.seq
        await sink.write(frame.data)
    await sink.finish(END)


class _Voice:
    """What the stream says when the log is silent or out of reach. The response itself may be well."""

    def __init__(self, last: int) -> None:
        self.last = last

    def keep_alive(self, silent_seconds: float) -> bytes:
        return KEEP_ALIVE

    def fail(self, error: GatewayError) -> bytes:
        """An error event in both of its forms (§8.5): nested for SDKs, flat for the published type.

        The log does not have it, so it has the last number that was seen: who goes on behind that misses nothing.
        """
        told = error.error_object()
        flat = {name: told[name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": max(self.last, 0), **flat, "error": told}
        return Frame.of(event).raw + END
