"""The client of a request that passes through: its body as it comes, the answer as it goes, and whether it is there.

Back-pressure goes both ways: no more of the body is read than `READ_AHEAD_BYTES` beyond what the server took, and no
piece of the answer is taken from the server before the client has room for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.errors import RequestTimeout, RequestTooLarge, Stopping

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gateway.config import Limits

READ_AHEAD_BYTES = 128 * 1024
"""As much as a read from a socket brings, and so little that a slow server slows the client down at once."""

_GUARDS = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
"""What a server sends is data. A browser that opens it must not run it as a page of the gateway's."""


class Client:
    """One client; use through `serve`. An iterator over the pieces of the body."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.left = False
        self.started = False
        self.received = 0
        """Bytes of the body that came."""
        self._facts = scope["state"]["facts"]
        self._receive = receive
        self._send = send
        self._limit = limits.upload_bytes
        self._patience = limits.idle_seconds
        self._waiting = bytearray()
        self._body_ended = False
        self._finished = False
        self._changed = asyncio.Event()
        """The body has grown, or ended."""
        self._room = asyncio.Event()
        self._room.set()

    async def watch(self, task: asyncio.Task[object]) -> None:
        """Read the body ahead, a little; cancel `task` when the client leaves before its answer is complete."""
        while True:
            await self._room.wait()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
            self._waiting += message.get("body", b"")
            self._body_ended = not message.get("more_body", False)
            self._changed.set()
            if len(self._waiting) >= READ_AHEAD_BYTES and not self._body_ended:
                self._room.clear()
        if not self._finished:
            self.left = True
            task.cancel()

    # its body -------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the body.

        Raises RequestTooLarge beyond `limits.upload_bytes`, RequestTimeout after `limits.idle_seconds` of silence.
        """
        while not self._waiting and not self._body_ended:
            self._changed.clear()
            await self._more()
        if not self._waiting:
            raise StopAsyncIteration
        piece = bytes(self._waiting)
        self._waiting.clear()
        self._room.set()
        self.received += len(piece)
        if self.received > self._limit:
            raise too_large(self._limit)
        return piece

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._changed.wait()
        except TimeoutError as error:
            raise RequestTimeout(
                f"The rest of the request body did not come within {self._patience:g} seconds."
            ) from error

    # its answer -----------------------------------------------------------------------------------------------------

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send the status line."""
        self.started = True
        self._facts["status"] = status
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**headers, **_GUARDS}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Send a piece, once there is room for it. Raises RequestTimeout when the client takes nothing any more."""
        try:
            async with asyncio.timeout(self._patience):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError as error:
            raise RequestTimeout(f"The client took nothing of its answer for {self._patience:g} seconds.") from error

    async def finish(self) -> None:
        """End the answer in good order."""
        self._finished = True
        await self._send({"type": "http.response.body", "body": b""})


async def serve(
    scope: Scope, receive: Receive, send: Send, limits: Limits, run: Callable[[Client], Awaitable[None]]
) -> None:
    """Let `run` answer the client; when the client leaves, cancel it and end quietly.

    Whoever else cancels is the server, which stops: a client that has seen nothing is told, any other is cut off.
    Raises what `run` raises, and Stopping.
    """
    task = asyncio.current_task()
    assert task is not None
    client = Client(scope, receive, send, limits)
    facts = scope["state"]["facts"]
    watcher = asyncio.create_task(client.watch(task))
    try:
        await run(client)
    except asyncio.CancelledError:
        task.uncancel()
        facts["outcome"] = "client_left" if client.left else "stopped"
        if not client.left and not client.started:
            raise Stopping(
                "The gateway is being stopped; try again in a moment.", headers={"Retry-After": "2"}
            ) from None
    finally:
        watcher.cancel()
        facts["bytes_up"] = facts.get("bytes_up", 0) + client.received


def too_large(limit: int) -> RequestTooLarge:
    """The refusal of a body that passes through and is longer than the setting allows."""
    return RequestTooLarge(f"The request body is larger than {limit} bytes (limits.upload_bytes).")
