"""The settings tree. A validator's message says what was expected; `mistakes` adds where and what was found."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.config.addresses import parse_address
from gateway.config.values import (
    Aliases,
    AnyCase,
    Bytes,
    Days,
    HostName,
    HttpUrl,
    Key,
    Listen,
    Origin,
    PassedPath,
    Path,
    ProxyUrl,
    RegisteredHost,
    Seconds,
    StoreUrl,
    Switch,
    Version,
    Words,
)


class Misplaced(ValueError):
    """A mistake further down than the validator that finds it; `below`: the way there."""

    def __init__(self, text: str, *below: str | int) -> None:
        super().__init__(text)
        self.below = below


class Section(BaseModel):
    """Base of every section: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """To pydantic, true is 1: `workers: true` would be one worker."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in (int, float):
            raise ValueError("a number")
        return value


DEFAULT_PROVIDER = "upstream"
"""How the section `upstream` is called among the providers."""

ServerKind = Literal[
    "auto",
    "generic",
    "openai",
    "vllm",
    "ollama",
    "llamacpp",
    "lmstudio",
    "mistral",
    "deepseek",
    "gemini",
    "anthropic",
    "openrouter",
    "groq",
]


class Server(Section):
    listen: Listen = "127.0.0.1:8080"
    extra_listen: tuple[Listen, ...] = ()
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    allowed_hosts: tuple[HostName, ...] = ()
    """Host names a loopback listener answers to besides localhost and loopback addresses."""

    @model_validator(mode="after")
    def _listen_once(self) -> Server:
        seen = set()
        for text in (self.listen, *self.extra_listen):
            address = parse_address(text)
            if address in seen and (address.port or address.path):
                raise ValueError(f"every listen address once, found {text} twice")
            seen.add(address)
        return self


class Network(Section):
    proxy_url: ProxyUrl = SecretStr("")


class Auth(Section):
    downstream_api_key: Key = SecretStr("")


class LogFile(Section):
    dir: str = ""
    name: str = "codex-gateway.log"
    max_size_mb: Annotated[int, Field(gt=0)] = 100
    max_backups: Annotated[int, Field(gt=0)] = 10
    max_age_days: Annotated[int, Field(gt=0)] = 7
    compress: bool = False


class Logging(Section):
    level: Annotated[Literal["debug", "info", "warn", "error"], AnyCase] = "info"
    format: Annotated[Literal["auto", "text", "json"], AnyCase] = "auto"
    output: Annotated[Literal["stdout", "stderr", "file", "both"], AnyCase] = "stderr"
    color: Annotated[Literal["auto", "always", "never"], AnyCase] = "auto"
    file: LogFile = LogFile()


class OAuth(Section):
    client_id: str = "app_EMoamEEZ73f0CkXaXp7hrann"
    client_secret: SecretStr = SecretStr("")
    authorize_endpoint: HttpUrl = "https://auth.openai.com/oauth/authorize"
    token_endpoint: HttpUrl = "https://auth.openai.com/oauth/token"  # noqa: S105 - an address
    revoke_endpoint: HttpUrl = "https://auth.openai.com/oauth/revoke"
    device_authorization_endpoint: HttpUrl = "https://auth.openai.com/api/accounts/deviceauth/usercode"
    redirect_host: RegisteredHost = "localhost"
    redirect_port: Annotated[int, Field(ge=0, le=65535)] = 1455
    redirect_path: Path = "/auth/callback"
    originator: str = "codex-gateway"
    scopes: Annotated[tuple[str, ...], Words] = ("openid", "profile", "email", "offline_access")
    audience: str = ""
    token_hosts: tuple[HostName, ...] = ()
    """Further hosts the ChatGPT token may be sent to, beyond openai.com, chatgpt.com and loopback."""


class Upstream(Section):
    mode: Annotated[Literal["codex_oauth", "openai_api"], AnyCase] = "codex_oauth"
    base_url: HttpUrl = "https://api.openai.com"
    api_key: Key = SecretStr("")
    codex_base_url: HttpUrl = "https://chatgpt.com"
    codex_responses_path: Path = "/backend-api/codex/responses"
    models_path: Path = "/v1/models"
    chat_completions_path: Path = "/v1/chat/completions"
    responses_path: Path = "/v1/responses"
    completions_path: Path = "/v1/completions"
    timeout_seconds: Seconds = 60
    """Bounds connecting, and the first byte of a refusal. Never a whole turn."""
    dialects: tuple[Literal["chat", "responses", "completions"], ...] = ("chat", "responses")
    """What the server of `openai_api` speaks itself. One of chat and responses at least: turns are run through it."""
    server: ServerKind = "auto"
    """Which server it is, for the quirks of chat-only ones; auto goes by its address."""
    default_instructions: str = "You are a helpful assistant."
    state: Annotated[Literal["auto", "gateway", "upstream", "off"], Switch] = "auto"
    """Who keeps responses and conversations; auto: its server where that speaks Responses, else the gateway."""
    unsupported: Literal["default", "strict", "lenient"] = "default"
    version: Version = "0.161.0"
    """The Codex version whose models are asked for; the backend hides newer models from older versions."""
    aliases: Aliases = {}
    models: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Models that are run here under their bare names, whatever the server lists."""
    passthrough: tuple[PassedPath, ...] = ("embeddings", "images", "audio", "moderations")
    """Paths below /v1 that are sent on untranslated to the server of `openai_api`; "*" for all others."""
    transport: Annotated[Literal["own", "httpx2"], AnyCase] = "own"
    """What speaks HTTP to the server. Through `network.proxy_url` it is always httpx2."""
    fallback: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Providers, `name` or `name/model`, that are asked in this order when this one fails before its first byte."""

    @field_validator("dialects")
    @classmethod
    def _runs_turns(cls, dialects: tuple[str, ...]) -> tuple[str, ...]:
        if not {"chat", "responses"} & set(dialects):
            raise ValueError("chat or responses among them")
        return dialects

    @property
    def keeper(self) -> Literal["gateway", "upstream", "off"]:
        """What `state` amounts to."""
        if self.state != "auto":
            return self.state
        return "upstream" if self.mode == "openai_api" and "responses" in self.dialects else "gateway"

    @model_validator(mode="after")
    def _plan_keeps_nothing(self) -> Self:
        if self.mode == "codex_oauth" and self.state == "upstream":
            raise Misplaced("gateway or off: the backend of a ChatGPT plan keeps nothing", "state")
        return self

    @model_validator(mode="after")
    def _version_prefix_once(self) -> Self:
        """Take `/v1` off the base URL when every path begins with it: SDK base URLs end in it, and get pasted here."""
        paths = (self.models_path, self.chat_completions_path, self.responses_path, self.completions_path)
        if self.base_url.endswith("/v1") and all(path.startswith("/v1/") for path in paths):
            # Frozen for everybody else; an after-validator may only return the instance it was given.
            object.__setattr__(self, "base_url", self.base_url.removesuffix("/v1"))
        return self


class Provider(Upstream):
    """One more upstream, beside the default one."""

    mode: Annotated[Literal["codex_oauth", "openai_api"], AnyCase] = "openai_api"

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.mode == "openai_api" and "base_url" not in self.model_fields_set:
            raise ValueError("a base_url: no address is known for a provider of this name")
        return self


def _providers(providers: dict[str, Provider]) -> dict[str, Provider]:
    for name in providers:
        if name == DEFAULT_PROVIDER:
            raise Misplaced(f"another name: {name!r} is how the section of that name is called", name)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise Misplaced("a name of letters, digits, '.', '_' and '-', which begins with a letter or digit", name)
    return providers


class Chat(Section):
    reasoning: Literal["reasoning_content", "reasoning", "think", "hide"] = "reasoning_content"
    custom_calls: Literal["as-function", "native"] = "as-function"


class Cors(Section):
    allow_origins: tuple[Origin, ...] = ()
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
    parallel_calls: Annotated[int, Field(ge=0)] = 0
    """Calls of one ChatGPT account at the same time; further ones wait. 0: no limit."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    cool_down_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 900
    """The longest a plan limit is answered from memory before one request probes the upstream again."""
    upload_bytes: Bytes = 1024 * 1024 * 1024
    """A request body that passes through, and is never held."""
    parallel_prompts: Annotated[int, Field(gt=0)] = 8
    """Upstream calls at the same time for one request of several prompts."""
    reasoning_bytes: Annotated[int, Field(ge=0)] = 16 * 1024 * 1024
    """Reasoning that is kept for the tool calls of chat clients. 0: none."""
    background_responses: Annotated[int, Field(gt=0)] = 100
    """Background responses of one process that run at the same time; further ones are queued."""
    websocket_connections: Annotated[int, Field(gt=0)] = 500
    """Open WebSocket connections of clients."""
    websocket_seconds: Seconds = 3600
    """The life of a WebSocket connection; it ends between two turns."""
    websocket_responses: Annotated[int, Field(gt=0)] = 256
    """Responses that a WebSocket connection remembers."""
    websocket_bytes: Bytes = 32 * 1024 * 1024
    """What these responses may weigh together."""


class Store(Section):
    """What is kept, where and for how long. 0 days: for ever."""

    enabled: bool = True
    url: StoreUrl = SecretStr("")
    """"" is the SQLite file gateway.db in the work directory."""
    busy_seconds: Seconds = 5
    """How long a write waits for another process's write, and a connection to PostgreSQL for the server."""
    responses_days: Days = 30
    conversations_days: Days = 0
    """Since the last change."""
    ledger_days: Days = 0
    frames_minutes: Annotated[int, Field(ge=10)] = 60
    """How long the stream of an ended response can be resumed."""
    idempotency_hours: Annotated[int, Field(gt=0)] = 24
    events_minutes: Annotated[int, Field(gt=0)] = 60
    ledger_batch: Annotated[int, Field(gt=0, le=1000)] = 500
    """Rows that make the ledger write before its 100 ms are over."""
    ledger_queue: Annotated[int, Field(gt=0)] = 10_000
    """Rows that wait for the ledger's writer; further ones are lost, and counted."""


class Settings(Section):
    """The whole tree."""

    server: Server = Server()
    network: Network = Network()
    auth: Auth = Auth()
    logging: Logging = Logging()
    oauth: OAuth = OAuth()
    upstream: Upstream = Upstream()
    providers: Annotated[dict[str, Provider], AfterValidator(_providers)] = {}
    chat: Chat = Chat()
    cors: Cors = Cors()
    store: Store = Store()
    limits: Limits = Limits()

    @property
    def uses_login(self) -> bool:
        """Some upstream is a ChatGPT plan."""
        return any(section.mode == "codex_oauth" for section in (self.upstream, *self.providers.values()))

    @model_validator(mode="after")
    def _fallback_exists(self) -> Settings:
        for name, section in {DEFAULT_PROVIDER: self.upstream, **self.providers}.items():
            above = (name,) if section is self.upstream else ("providers", name)
            others = [other for other in (DEFAULT_PROVIDER, *self.providers) if other != name]
            for index, entry in enumerate(section.fallback):
                if entry.partition("/")[0] not in others:
                    text = (
                        f"one of {', '.join(others) or 'the providers, of which there are none'}, found {entry[:80]!r}"
                    )
                    raise Misplaced(text, *above, "fallback", index)
        return self
