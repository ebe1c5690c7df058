"""Runs ASGI apps on real sockets inside the event loop of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import uvicorn

from gateway.cli.protocol import Protocol
from gateway.cli.sockets import WebSockets

MESSAGE_BYTES = 1024 * 1024
"""The largest WebSocket message that a test's server takes."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, its ticking loop and its pause at shutdown, which a test would wait for."""

    async def open(self) -> str:
        """Start listening; returns the base URL. Raises RuntimeError when the app's lifespan fails."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError("the app failed to start; its traceback is in the captured log")
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._protocol, host=self.config.host, port=0)
        self.servers = [listener]
        host, port = listener.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def close(self) -> None:
        """Stop listening, drop every connection, end every request, then run the lifespan's end."""
        for listener in self.servers:
            listener.close()
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        tasks = list(self.server_state.tasks)
        if tasks:
            # Apps see http.disconnect first; whatever ignores it is cancelled.
            _, stubborn = await asyncio.wait(tasks, timeout=1)
            for task in stubborn:
                task.cancel()
            await asyncio.gather(*stubborn, return_exceptions=True)
        await self.lifespan.shutdown()


@contextlib.asynccontextmanager
async def serving(app: Any, *, host: str = "127.0.0.1", http: Any = Protocol) -> AsyncIterator[str]:
    """`async with serving(app) as base_url:` serves an ASGI app on a free port, with its lifespan.

    `http`: the protocol class, the gateway's own unless something else is served. Several may run in one loop. Leaving
    the block drops open connections, so a request that never ends does not hang.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=0,
        http=http,
        ws=WebSockets,
        ws_max_size=MESSAGE_BYTES,
        log_config=None,
        access_log=False,
        lifespan="auto",
    )
    server = _Server(config)
    base_url = await server.open()
    try:
        yield base_url
    finally:
        await server.close()
