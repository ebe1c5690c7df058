"""Everything that can go wrong, as one tree. Raise these; only `surfaces/reply.py` and the dialects render them.

GatewayError                     500 internal_error         the gateway itself
├── InvalidRequest               400 invalid_request        `param` names the field
│   ├── UnsupportedParameter     400 unsupported_parameter  the upstream has no such parameter
│   ├── UnsupportedValue         400 unsupported_value      the parameter exists, this value does not
│   ├── UnknownCursor            400 invalid_value          `after` names nothing in this list
│   ├── ConversationLocked       400 conversation_locked    a response is running on it
│   └── PreviousResponseNotFound 400 previous_response_not_found
├── InvalidApiKey                401 invalid_api_key
├── HostNotAllowed               403 host_not_allowed       a browser page tries to reach a loopback listener
├── RouteNotFound                404 unknown_url
├── NotFound                     404 (no code)              a stored thing that is unknown, deleted or another's
├── ModelNotFound                404 model_not_found
├── MethodNotAllowed             405 method_not_allowed
├── RequestTimeout               408 request_timeout        the client stopped sending its body
├── IdempotencyConflict          409 idempotency_conflict   the key came with another body before
├── Remembered                   (as it was)                a failure of before, for the same Idempotency-Key
├── RequestTooLarge              413 request_too_large
├── UnsupportedEncoding          415 unsupported_encoding
├── HeadTooLarge                 431 request_header_fields_too_large
├── Restarted                    500 gateway_restarted      the process that ran it is gone
├── OAuthUnavailable             503 oauth_unavailable      the ChatGPT login cannot be used
├── Stopping                     503 shutting_down          the gateway ends; another may take over
├── StoreUnavailable             503 store_unavailable      the session store cannot be used; the rest goes on
└── UpstreamFault                                           the upstream, or the way to it
    ├── UpstreamUnavailable      502 upstream_unavailable   no connection
    ├── UpstreamTimeout          504 upstream_timeout       silence
    ├── UpstreamAuth             502 upstream_auth          the upstream refused the gateway's own key
    ├── UpstreamError            502 upstream_error         its 5xx, or an answer nobody can read
    ├── StreamTruncated          502 upstream_stream_truncated
    ├── UpstreamOverloaded       503 (its own code)         with Retry-After
    └── UpstreamRefusal          (its own status and code)  a 4xx that is relayed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Source = Literal["client", "gateway", "upstream"]


class GatewayError(Exception):
    """A failure with an HTTP status and an OpenAI error object.

    `headers` are sent with the answer (`Retry-After`, `Allow`, `x-should-retry`). `retryable` says whether the gateway
    may try the same upstream call again before anything was sent to the client. `detail` is for the log only.
    """

    status: int = 500
    code: str | None = "internal_error"
    type: str = "gateway_error"
    source: Source = "gateway"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code
        self.headers: dict[str, str] = dict(headers or {})
        self.detail = detail

    def error_object(self) -> dict[str, Any]:
        """The value of `error` in the OpenAI envelope: message, type, code, param."""
        return {"message": self.message, "type": self.type, "code": self.code, "param": self.param}


class InvalidRequest(GatewayError):
    """The client's request cannot be served as it is; `param` names the field, the message what was expected."""

    status, code, source = 400, "invalid_request", "client"


class UnsupportedParameter(InvalidRequest):
    """A parameter that the upstream cannot honour and that is too important to leave out silently."""

    code = "unsupported_parameter"


class UnsupportedValue(InvalidRequest):
    """A known parameter with a value that cannot be honoured here."""

    code = "unsupported_value"


class PreviousResponseNotFound(InvalidRequest):
    """`previous_response_id` names a response that is not kept here."""

    code = "previous_response_not_found"


class UnknownCursor(InvalidRequest):
    """`after` names nothing that is in the list."""

    code = "invalid_value"


class ConversationLocked(InvalidRequest):
    """A response is running on the conversation; only one may at a time."""

    code = "conversation_locked"


class InvalidApiKey(GatewayError):
    """No key, or a key that is not one of ours."""

    status, code, source = 401, "invalid_api_key", "client"


class HostNotAllowed(GatewayError):
    """The Host header of a request to a loopback listener is not a loopback name (DNS rebinding)."""

    status, code, source = 403, "host_not_allowed", "client"


class RouteNotFound(GatewayError):
    """No such path."""

    status, code, source = 404, "unknown_url", "client"


class NotFound(GatewayError):
    """No such response, conversation, item or completion for this owner. OpenAI gives no code here either."""

    status, code, source = 404, None, "client"


class ModelNotFound(GatewayError):
    """Unknown or retired model; the message names current ones."""

    status, code, source = 404, "model_not_found", "client"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not; `Allow` lists those that do."""

    status, code, source = 405, "method_not_allowed", "client"


class RequestTimeout(GatewayError):
    """The client stopped in the middle of its request body."""

    status, code, source = 408, "request_timeout", "client"


class IdempotencyConflict(GatewayError):
    """The Idempotency-Key belongs to a request with another body."""

    status, code, source = 409, "idempotency_conflict", "client"


class Remembered(GatewayError):
    """A failure of before, told again to who repeats its request with the same Idempotency-Key."""

    source = "upstream"

    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: its error object, and its `status`."""
        headers = {"x-should-retry": "false", "x-gateway-replayed": "true"}
        super().__init__(str(told.get("message") or "The request failed."), param=told.get("param"), headers=headers)
        self.status = int(told.get("status") or 500)
        self.type = str(told.get("type") or self.type)
        self.code = told.get("code")


class RequestTooLarge(GatewayError):
    """The body is larger than `limits.body_bytes`, as sent or once decompressed."""

    status, code, source = 413, "request_too_large", "client"


class UnsupportedEncoding(GatewayError):
    """A Content-Encoding the gateway does not read."""

    status, code, source = 415, "unsupported_encoding", "client"


class HeadTooLarge(GatewayError):
    """The request line and the headers are longer than any program needs."""

    status, code, source = 431, "request_header_fields_too_large", "client"


class Restarted(GatewayError):
    """The process that ran the response ended before it; how far it had come is kept."""

    code = "gateway_restarted"


class OAuthUnavailable(GatewayError):
    """The ChatGPT login is missing, expired or revoked; the message says what to run."""

    status, code = 503, "oauth_unavailable"


class Stopping(GatewayError):
    """The gateway was told to stop, and the time to finish open requests is over."""

    status, code = 503, "shutting_down"


class StoreUnavailable(GatewayError):
    """The session store is off, full, locked, damaged or out of reach. Requests that need no store go on."""

    status, code = 503, "store_unavailable"


class UpstreamFault(GatewayError):
    """The upstream, or the way to it, failed."""

    status = 502
    code: str | None = "upstream_error"
    source: Source = "upstream"
    answered: int = 0
    """The HTTP status it answered with; 0 when no answer came."""


class UpstreamUnavailable(UpstreamFault):
    """No connection, or it broke before an answer came."""

    code, retryable = "upstream_unavailable", True


class UpstreamTimeout(UpstreamFault):
    """The upstream stayed silent longer than the setting allows."""

    status, code = 504, "upstream_timeout"


class UpstreamAuth(UpstreamFault):
    """The upstream refused the gateway's own credential. Not a 401: the client's key is fine."""

    code = "upstream_auth"


class UpstreamError(UpstreamFault):
    """The upstream answered 5xx, or with something nobody can read."""

    code = "upstream_error"


class StreamTruncated(UpstreamFault):
    """The upstream's stream ended without its terminal event."""

    code = "upstream_stream_truncated"


class UpstreamOverloaded(UpstreamFault):
    """The upstream has no capacity now; `Retry-After` says when to come back."""

    status, code, type, retryable = 503, "server_is_overloaded", "server_error", True


class UpstreamRefusal(UpstreamFault):
    """The upstream's own refusal, relayed with its status, type, code and param.

    `kind` is the wire's `type`. `body` is the upstream's body when it can be relayed byte for byte; None when it had
    to be wrapped or renamed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str,
        code: str | None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        detail: str = "",
        body: bytes | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, param=param, headers=headers, detail=detail)
        self.status = status
        self.type = kind
        self.code = code
        self.body = body
        self.retryable = retryable
