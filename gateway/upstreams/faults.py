"""What went wrong on the way to an upstream, or in its answer, as one of our errors.

Two entrances: `Faults` for a connection that fails, `refusal` for an answer that is not what was asked for. Codes of
error objects are read by `core.failures`, which also reads them inside streams; here are the bodies and the statuses
that only HTTP has (codex-upstream §10, translation §8.4). Where they differ, design §5.3 decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import httpx2
from socksio import SOCKSError

from gateway.core.failures import failure
from gateway.core.redact import redact
from gateway.errors import (
    GatewayError,
    OAuthUnavailable,
    UpstreamAuth,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstreams import Model
from gateway.upstreams.catalogue import names
from gateway.upstreams.refusals import Problem, read

Kind = Literal["codex", "openai"]

_BLOCKED_SECONDS = 30
_OUTAGE_SECONDS = 10
_LOGGED_BYTES = 4096
"""Read before it is cut to what the log needs, so that no cut hides half a secret."""


class Faults:
    """A context around everything that touches the network; one may be entered again.

    Raises UpstreamUnavailable (no connection, or a broken one), UpstreamTimeout (silence), UpstreamError (an answer
    that is not HTTP). `host`: with its port, when that is not the usual one; messages name nothing else of the address.
    """

    __slots__ = ("host",)

    def __init__(self, host: str) -> None:
        self.host = host

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (told := self.told(error)) is not None:
            raise told from error

    def told(self, error: BaseException) -> GatewayError | None:
        """The error that it is for our side; None for one that is no failure of the network."""
        host = self.host
        match error:
            case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
                return UpstreamUnavailable(f"No connection to {host} within the time allowed.", detail=_detail(error))
            case httpx2.TimeoutException():
                return UpstreamTimeout(f"{host} did not answer within the time allowed.", detail=_detail(error))
            case httpx2.ProxyError() | SOCKSError():
                return UpstreamUnavailable(f"The proxy cannot reach {host}.", detail=_detail(error))
            case httpx2.ConnectError():
                return UpstreamUnavailable(f"Cannot connect to {host}.", detail=_detail(error))
            case httpx2.NetworkError() | httpx2.RemoteProtocolError():
                return UpstreamUnavailable(f"The connection to {host} broke.", detail=_detail(error))
            case httpx2.HTTPError() | httpx2.StreamError():
                return UpstreamError(f"The answer of {host} cannot be read.", detail=_detail(error))
        return None


def _detail(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class _Refused:
    """An answer on its way through the table."""

    status: int
    headers: Mapping[str, str]
    problem: Problem
    upstream: Kind
    section: str
    models: Sequence[Model]

    @property
    def text(self) -> str:
        return self.problem.message.lower()

    def says(self, *phrases: str) -> bool:
        return any(phrase in self.text for phrase in phrases)

    def client_error(
        self, status: int, code: str, *, kind: str = "invalid_request_error", param: str | None = None
    ) -> UpstreamRefusal:
        return UpstreamRefusal(self.problem.message, status=status, kind=kind, code=code, param=param)


_KEPT_HEADERS = ("x-should-retry", "allow")
"""What of its headers a refusal cannot do without."""


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    upstream: Kind,
    now: float,
    section: str = "upstream",
    models: Sequence[Model] = (),
) -> GatewayError:
    """The error for an answer that is not 2xx, or not what was asked for.

    `headers`: names in lower case; `now` is Unix time; `section` holds its settings; `models` are named
    when the one asked for is unknown.
    """
    problem = read(status, headers, body)
    refused = _Refused(status, headers, problem, upstream, section, models)
    for rule in _RULES:
        error = rule(refused)
        if error is not None:
            break
    else:
        error = failure(problem.error, status=status, headers=headers, now=now)
    if isinstance(error, UpstreamRefusal):
        if error.status == status and problem.sound == error.error_object():
            error.body = body
        elif error.code is None:
            error.code = _missing_code(status, problem)
    for name in _KEPT_HEADERS:
        if name in headers:
            error.headers.setdefault(name, headers[name])
    if isinstance(error, UpstreamFault):
        error.answered = status
    error.detail = error.detail or redact(f"HTTP {status}: {body[:_LOGGED_BYTES].decode('utf-8', 'replace')}")[:500]
    return error


def _missing_code(status: int, problem: Problem) -> str | None:
    """A code where the upstream gave none: clients decide by it."""
    if status == 429:
        return "rate_limit_exceeded"
    return None if problem.is_object else "upstream_error"


def _proxy(refused: _Refused) -> GatewayError | None:
    """The outbound proxy answered in the server's place."""
    if refused.status != 407:
        return None
    error = UpstreamUnavailable("The outbound proxy wants other credentials (HTTP 407). Check network.proxy_url.")
    error.retryable = False
    return error


def _not_an_answer(refused: _Refused) -> GatewayError | None:
    """A redirect, or a 2xx of the wrong kind that names no error."""
    if refused.status >= 400 or (refused.status < 300 and refused.problem.is_object):
        return None
    if refused.status >= 300:
        return UpstreamError(f"The upstream redirects (HTTP {refused.status}). Check its address in the configuration.")
    return UpstreamError("The upstream answered something else than an event stream.")


def _credential(refused: _Refused) -> GatewayError | None:
    """Our own credential was refused. Never a 401: the client would take it for its own key."""
    if refused.upstream == "codex" and refused.status == 401:
        return OAuthUnavailable(
            "The ChatGPT login is not accepted any more. Run `codex-gateway auth login`.",
            detail=f"{refused.problem.code or ''} {refused.problem.message}".strip(),
        )
    # Gemini says it with a 400.
    if refused.upstream == "openai" and (
        (refused.status in (401, 403) and not _is_policy(refused)) or refused.says("api key not valid")
    ):
        _, _, name = refused.section.partition(".")
        who = f"The provider {name!r}" if name else "The upstream"
        return UpstreamAuth(
            f"{who} refused the gateway's own key (HTTP {refused.status}). Check `{refused.section}.api_key`.",
            detail=refused.problem.message,
        )
    return None


_POLICY = ("policy", "unsupported_country", "model_not_found", "moderation")


def _is_policy(refused: _Refused) -> bool:
    """A 403 about what was asked, or from where: no other key would change it."""
    return refused.status == 403 and any(word in (refused.problem.code or "") for word in _POLICY)


def _edge(refused: _Refused) -> GatewayError | None:
    """The edge in front of the server answered in its place."""
    challenged = refused.headers.get("cf-mitigated") is not None
    if refused.status not in (403, 503) or not (challenged or refused.problem.is_html):
        return None
    if refused.status == 403 and refused.says("you have been blocked", "unsupported country", "unsupported_country"):
        return refused.client_error(403, "upstream_blocked", kind="permission_error")
    if refused.status == 503 and not challenged and not refused.says("just a moment", "attention required"):
        return None
    error = UpstreamOverloaded(
        "The network in front of the upstream holds back requests from this address. A different network or "
        "`network.proxy_url` may help.",
        code="upstream_blocked",
        headers=_come_back(_BLOCKED_SECONDS),
    )
    error.retryable = False
    return error


def _outage(refused: _Refused) -> GatewayError | None:
    """An empty 404 is a broken edge, seen for 40 minutes at a time; it says nothing about the account."""
    if refused.upstream == "codex" and refused.status == 404 and refused.problem.is_empty:
        return UpstreamOverloaded(
            "The Codex backend is out of order.", code="upstream_unavailable", headers=_come_back(_OUTAGE_SECONDS)
        )
    return None


_BUGS = (
    "store must be set to false",
    "stream must be set to true",
    "instructions are required",
    "instructions are not valid",
    "system messages are not allowed",
)


def _our_bug(refused: _Refused) -> GatewayError | None:
    """The profile is there so that these never come."""
    if refused.upstream == "codex" and refused.status == 400 and refused.says(*_BUGS):
        return GatewayError(
            f"The gateway sent a request that the Codex backend refuses: {refused.problem.message}",
            headers={"x-should-retry": "false"},
        )
    return None


_UNSUPPORTED = re.compile(r"Unsupported parameter: '?([\w.\[\]]+)", re.IGNORECASE)


def _parameter(refused: _Refused) -> GatewayError | None:
    if refused.problem.code is not None:
        return None
    if refused.says("unsupported service_tier"):
        return refused.client_error(400, "unsupported_value", param="service_tier")
    match = _UNSUPPORTED.search(refused.problem.message)
    if match is None:
        return None
    return refused.client_error(400, "unsupported_parameter", param=match[1].rstrip("."))


def _model(refused: _Refused) -> GatewayError | None:
    """A version that is too old, a plan without the model, a retired or unknown name."""
    if refused.upstream != "codex" or refused.status not in (400, 404):
        return None
    if refused.says("requires a newer version of codex"):
        return UpstreamRefusal(
            f"{refused.problem.message} (In the gateway: raise `{refused.section}.version`.)",
            status=400,
            kind="invalid_request_error",
            code="model_not_found",
            param="model",
        )
    unknown = refused.says("not supported when using codex with a chatgpt account", "model not found")
    if not unknown and refused.problem.code != "model_not_found":
        return None
    current = names(refused.models)
    return UpstreamRefusal(
        f"The model does not exist, is not part of the plan, or needs a newer `{refused.section}.version`."
        + (f" Current models: {current}." if current else ""),
        status=404,
        kind="invalid_request_error",
        code="model_not_found",
        param="model",
        detail=refused.problem.message,
    )


def _billing(refused: _Refused) -> GatewayError | None:
    """A workspace that does not pay: as final as a used-up quota, and SDKs know what that is."""
    if refused.status != 402 and refused.problem.code != "deactivated_workspace":
        return None
    error = refused.client_error(429, "insufficient_quota", kind="insufficient_quota")
    error.headers["x-should-retry"] = "false"
    return error


def _plain(refused: _Refused) -> GatewayError | None:
    """Statuses that say enough by themselves."""
    if refused.status == 413:
        return refused.client_error(413, "request_too_large")
    if refused.says("does not represent a valid image") and refused.problem.code is None:
        return refused.client_error(400, "invalid_image")
    return None


_RULES: tuple[Callable[[_Refused], GatewayError | None], ...] = (
    _proxy,
    _not_an_answer,
    _edge,
    _credential,
    _outage,
    _our_bug,
    _parameter,
    _model,
    _billing,
    _plain,
)
"""Asked in order; the first answer counts. What none of them knows is read by its code."""


def _come_back(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds), "retry-after-ms": str(seconds * 1000)}
