"""The three layers around a small app, with a log that collects its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import httpx2
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.config import Cors
from gateway.engine.metrics import Metrics
from gateway.surfaces.middleware.auth import Auth
from gateway.surfaces.middleware.edge import Edge

Lines = list[dict[str, Any]]


def collecting_log() -> tuple[FilteringBoundLogger, Lines]:
    """A logger and the list its lines end up in."""
    lines: Lines = []

    def collect(_: object, level: str, line: Any) -> Any:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    wrapped = structlog.wrap_logger(
        None, processors=[collect], wrapper_class=structlog.make_filtering_bound_logger("debug")
    )
    return cast("FilteringBoundLogger", wrapped), lines


class Stack:
    """`app` inside edge, errors and auth. `lines` is what was logged."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        key: str = "",
        loopback: bool = True,
        allowed_hosts: Iterable[str] = (),
        origins: tuple[str, ...] = (),
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        log, self.lines = collecting_log()
        self.metrics = Metrics(("codex",))
        self.app: ASGIApp = Edge(
            Auth(app, key=key, loopback=loopback),
            loopback=loopback,
            allowed_hosts=allowed_hosts,
            cors=Cors(allow_origins=origins),
            metrics=self.metrics,
            log=log,
            clock=clock,
            new_id=lambda: "made-id",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    async def request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx2.Response:
        return await self.request("GET", path, **arguments)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request with the word hello."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def raising(error: BaseException) -> ASGIApp:
    """An app that fails before it has answered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


def telling(**facts: Any) -> ASGIApp:
    """An app that puts facts into the log line, and answers hello."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["facts"].update(facts)
        await hello(scope, receive, send)

    return app


def error_of(response: httpx2.Response) -> tuple[int, str, str | None]:
    """Status, type and code of an error answer in the OpenAI envelope, whose four keys must all be there."""
    assert response.headers["content-type"] == "application/json"
    envelope = response.json()
    assert list(envelope) == ["error"]
    error = envelope["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["message"]
    return response.status_code, error["type"], error["code"]
