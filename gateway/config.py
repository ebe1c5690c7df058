"""One typed, frozen settings tree. `config.example.yaml` is its commented form; `load` (below) fills it.

Read once by `cli` and `app`, then handed down as arguments; other packages import these classes for types only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """Base of every section: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]


class Server(Section):
    listen: str = "127.0.0.1:8080"
    extra_listen: tuple[str, ...] = ()
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    allowed_hosts: tuple[str, ...] = ()
    """Host names a loopback listener answers to besides localhost and loopback addresses."""


class Network(Section):
    proxy_url: SecretStr = SecretStr("")


class Auth(Section):
    downstream_api_key: SecretStr = SecretStr("")


class LogFile(Section):
    dir: str = ""
    name: str = "codex-gateway.log"
    max_size_mb: Annotated[int, Field(gt=0)] = 100
    max_backups: Annotated[int, Field(gt=0)] = 10
    max_age_days: Annotated[int, Field(gt=0)] = 7
    compress: bool = False


class Logging(Section):
    level: Literal["debug", "info", "warn", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    output: Literal["stdout", "stderr", "file", "both"] = "stderr"
    color: Literal["auto", "always", "never"] = "auto"
    file: LogFile = LogFile()


class OAuth(Section):
    client_id: str = "app_EMoamEEZ73f0CkXaXp7hrann"
    client_secret: SecretStr = SecretStr("")
    authorize_endpoint: str = "https://auth.openai.com/oauth/authorize"
    token_endpoint: str = "https://auth.openai.com/oauth/token"  # noqa: S105 - an address
    revoke_endpoint: str = "https://auth.openai.com/oauth/revoke"
    device_authorization_endpoint: str = "https://auth.openai.com/api/accounts/deviceauth/usercode"
    redirect_host: str = "localhost"
    redirect_port: Annotated[int, Field(ge=0, le=65535)] = 1455
    redirect_path: str = "/auth/callback"
    originator: str = "codex-gateway"
    scopes: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    audience: str = ""
    token_hosts: tuple[str, ...] = ()
    """Further hosts the ChatGPT token may be sent to, beyond openai.com, chatgpt.com and loopback."""


class Upstream(Section):
    mode: Literal["codex_oauth", "openai_api"] = "codex_oauth"
    base_url: str = "https://api.openai.com"
    api_key: SecretStr = SecretStr("")
    codex_base_url: str = "https://chatgpt.com"
    codex_responses_path: str = "/backend-api/codex/responses"
    models_path: str = "/v1/models"
    chat_completions_path: str = "/v1/chat/completions"
    responses_path: str = "/v1/responses"
    timeout_seconds: Seconds = 60
    """Bounds connecting, and the first byte of a refusal. Never a whole turn."""
    dialects: tuple[Literal["chat", "responses"], ...] = ("chat", "responses")
    """What the server of `openai_api` speaks itself."""
    default_instructions: str = "You are a helpful assistant."
    unsupported: Literal["default", "strict", "lenient"] = "default"
    version: str = "0.161.0"
    """The Codex version whose models are asked for; the backend hides newer models from older versions."""
    aliases: dict[str, str] = {}


class Chat(Section):
    reasoning: Literal["reasoning_content", "reasoning", "think", "hide"] = "reasoning_content"
    custom_calls: Literal["as-function", "native"] = "as-function"


class Cors(Section):
    allow_origins: tuple[str, ...] = ()
    """Origins of browser pages that may call the gateway; "*" for any. Empty: CORS is off."""
    max_age_seconds: Annotated[int, Field(ge=0)] = 600


class Limits(Section):
    body_bytes: Bytes = 64 * 1024 * 1024
    """A request body, as sent and once decompressed."""
    json_depth: Annotated[int, Field(ge=4, le=500)] = 128
    event_bytes: Bytes = 32 * 1024 * 1024
    """One event of an upstream's stream."""
    open_item_bytes: Bytes = 8 * 1024 * 1024
    """Deltas kept of items whose done event has not come yet."""
    response_bytes: Bytes = 128 * 1024 * 1024
    """An upstream's whole answer, where it has to be held."""
    idle_seconds: Seconds = 300
    json_seconds: Seconds = 900
    hold_seconds: Seconds = 10
    """How long the status line waits for the first output event."""
    keep_alive_seconds: Seconds = 15
    drain_seconds: Seconds = 30
    """How long SIGTERM waits for open requests."""
    upstream_connections: Annotated[int, Field(gt=0)] = 1000
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    cool_down_seconds: Annotated[float, Field(ge=0)] = 900
    """The longest a plan limit is answered from memory before one request probes the upstream again."""


class Settings(Section):
    """The whole tree."""

    server: Server = Server()
    network: Network = Network()
    auth: Auth = Auth()
    logging: Logging = Logging()
    oauth: OAuth = OAuth()
    upstream: Upstream = Upstream()
    chat: Chat = Chat()
    cors: Cors = Cors()
    limits: Limits = Limits()
