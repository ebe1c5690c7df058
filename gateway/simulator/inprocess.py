"""The simulator on a free loopback port, inside a running event loop: what `serve --demo` talks to."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

import uvicorn


class InProcess:
    """`async with InProcess(app) as server: server.base_url`. Takes no signals; ends open requests when left."""

    def __init__(self, app: Any) -> None:
        # asyncio only switches Nagle off for sockets that say they are TCP.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(self._config)
        self.base_url = ""

    async def __aenter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        self.base_url = "http://{}:{}".format(*self._socket.getsockname())
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=[self._socket])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Apps whose client is gone end by themselves, at once and without a logged traceback.
        connections: list[Any] = list(self._server.server_state.connections)
        for connection in connections:
            connection.transport.abort()
        await self._server.shutdown(sockets=[self._socket])
