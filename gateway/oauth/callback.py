"""The local address the browser comes back to: sockets, three routes and two pages (codex-upstream §1.2)."""

from __future__ import annotations

import asyncio
import errno
import html
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.oauth.endpoint import LoginFailed

_LOOPBACK = ("127.0.0.1", "::1")
_HEADERS = {
    "cache-control": "no-store",
    # The address of the page holds the code: it must not travel further.
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "connection": "close",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


def page(title: str, text: str) -> Response:
    """A page of ours; both texts are escaped."""
    return HTMLResponse(_PAGE.format(title=html.escape(title), text=html.escape(text)), headers=_HEADERS)


def plain(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_HEADERS)


def listen(host: str, ports: Sequence[int]) -> tuple[list[socket.socket], int]:
    """Sockets for `host` on the first free port, and that port. localhost is both loopback addresses where possible.

    Raises LoginFailed when all ports are taken or the host is not of this machine.
    """
    addresses = _LOOPBACK if host in ("localhost", *_LOOPBACK) else (host,)
    for port in ports:
        try:
            return _listen_on(addresses, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise LoginFailed(
                    f"oauth.redirect_host {host!r} cannot be listened on ({error.strerror}). "
                    "Use localhost, or log in with `codex-gateway auth login --device`.",
                    code="redirect_failed",
                ) from error
    taken = " and ".join(map(str, ports))
    raise LoginFailed(
        f"Port {taken} of this machine is taken, probably by another login that is still waiting. End that program, or "
        f"open http://{host}:{ports[0]}/cancel to end its login, then try again; "
        "`codex-gateway auth login --device` needs no port.",
        code="port_in_use",
    )


def _listen_on(addresses: Sequence[str], port: int) -> tuple[list[socket.socket], int]:
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                opened.append(_socket(address, port))
            except OSError as error:
                # Another program on [::1] would get the code, so a taken port counts there too; no IPv6 does not.
                if not opened or error.errno in (errno.EADDRINUSE, errno.EACCES):
                    raise
            port = opened[0].getsockname()[1]
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened, port


def _socket(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        # From here on the system queues connections, so the browser may come before the server runs.
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    return listener


@asynccontextmanager
async def serving(
    sockets: list[socket.socket],
    path: str,
    on_callback: Callable[[str], Awaitable[Response]],
    on_cancel: Callable[[], Response],
) -> AsyncIterator[None]:
    """Serve until the block ends; answers under way are finished first. `on_callback` gets the query as sent."""

    async def callback(request: Request) -> Response:
        return await on_callback(request.url.query)

    async def cancel(_: Request) -> Response:
        return on_cancel()

    app = Starlette(routes=[Route(path, callback, methods=["GET"]), Route("/cancel", cancel, methods=["GET"])])
    config = uvicorn.Config(
        # No access log: a line would hold the address, and the address holds the code.
        app,
        log_config=None,
        log_level=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({running})
        for one in sockets:
            one.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Ctrl-C belongs to the command, not to this server."""
        yield
