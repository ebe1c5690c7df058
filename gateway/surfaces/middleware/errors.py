"""The one renderer of errors: whatever is raised inside becomes an answer, or the abnormal end of one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed, RouteNotFound
from gateway.surfaces.errors import send_error
from gateway.surfaces.middleware.body import ClientLeft

if TYPE_CHECKING:
    from starlette.types import Scope, Send
    from structlog.typing import FilteringBoundLogger

_INTERNAL = 1011
"""The close code of a connection that a bug has ended (RFC 6455)."""


class Errors:
    """What `Edge` asks when something was raised inside of it.

    An answer that has started cannot become an error: it is left unfinished, so that the server closes the connection
    and no client takes it for complete. Cancellation is none of them.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    async def answer(self, scope: Scope, send: Send, error: Exception) -> None:
        """Tell the client, if there is still a way. To be awaited while the error is handled."""
        if isinstance(error, ClientLeft):
            scope["state"]["facts"]["outcome"] = "client_left"
        elif isinstance(error, GatewayError):
            await self._answer(scope, send, error)
        elif isinstance(error, HTTPException):
            await self._answer(scope, send, _translated(error, scope))
        else:  # the last guard: a bug must not take the connection's other requests along
            request_id = scope["state"]["request_id"]
            self._log.exception("internal error", request_id=request_id)
            message = f"The gateway failed; its log tells more about request {request_id}."
            await self._answer(scope, send, GatewayError(message))

    async def _answer(self, scope: Scope, send: Send, error: GatewayError) -> None:
        state: dict[str, Any] = scope["state"]
        state["facts"]["error"] = error.code
        state["facts"].setdefault("outcome", "refused" if error.status < 500 else "failed")
        if error.detail:
            state["facts"]["detail"] = error.detail
        if not state["sent"].status:
            await send_error(send, error)
            return
        state["facts"]["outcome"] = "failed"
        if scope["type"] == "websocket" and not state["sent"].complete:
            with contextlib.suppress(OSError, RuntimeError):  # the client has left, or the server closes it itself
                await send({"type": "websocket.close", "code": _INTERNAL, "reason": "the gateway failed"})
        self._log.error("answer cut short", request_id=state["request_id"], error=error.code, message=error.message)


def _translated(exception: HTTPException, scope: Scope) -> GatewayError:
    """Starlette's own refusals in our words."""
    method, path = scope["method"], scope["path"][:200]
    if exception.status_code == 404:
        return RouteNotFound(f"Unknown URL: {method} {path}")
    if exception.status_code == 405:
        # Starlette lists methods in the order of a set.
        allow = ", ".join(sorted((exception.headers or {}).get("Allow", "").split(", ")))
        return MethodNotAllowed(f"{path} does not take {method}, only {allow}.", headers={"allow": allow})
    error = InvalidRequest(exception.detail, headers=exception.headers)
    error.status = exception.status_code
    return error
