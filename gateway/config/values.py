"""Values of settings: their types, and what is accepted. A validator's message says what was expected."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from gateway.config.addresses import parse_address

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def _split(url: str) -> SplitResult:
    """Split an absolute URL that has a host.

    Raises ValueError for anything else, a port out of range too.
    """
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname or any(character.isspace() for character in url):
        raise ValueError("not an absolute URL")
    _ = parts.port
    return parts


def _scheme(url: str) -> str:
    """The scheme of an absolute URL with a host, "" for anything else."""
    try:
        return _split(url).scheme
    except ValueError:
        return ""


def _http_url(url: str) -> str:
    if _scheme(url) not in ("http", "https") or "?" in url or "#" in url:
        raise ValueError("an absolute http or https URL without query and fragment")
    return url.rstrip("/")


def _proxy_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text and _scheme(text) not in PROXY_SCHEMES:
        raise ValueError(f"an absolute URL with a host, of scheme {', '.join(PROXY_SCHEMES)}")
    return url


def _key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key that a header can carry: visible ASCII characters, without spaces")
    return key


def _version(text: str) -> str:
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", text):
        raise ValueError('a version such as "0.161.0"')
    return text


def _aliases(aliases: dict[str, str]) -> dict[str, str]:
    for name, model in aliases.items():
        if not name.strip() or not model.strip():
            raise ValueError("a name and a model, neither of them empty")
        if model in aliases:
            raise ValueError(f"models, not other aliases ({name} → {model} → {aliases[model]})")
    return aliases


def _passthrough(name: str) -> str:
    name = name.strip("/")
    name = name.removeprefix("v1/")
    if name != "*" and not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", name):
        raise ValueError('"*" or a path below /v1, such as embeddings or audio/speech')
    return name


def _path(path: str) -> str:
    if not path.startswith("/") or any(character.isspace() for character in path):
        raise ValueError('a path that begins with "/"')
    return path


def _listen(text: str) -> str:
    parse_address(text)
    return text


def _origin(text: str) -> str:
    if text != "*" and (not _scheme(text) or text.count("/") > 2):
        raise ValueError('"*" or an origin such as "https://app.example", with nothing after host and port')
    return text


def _host_name(text: str) -> str:
    if not text or any(character in "/@*" or character.isspace() for character in text):
        raise ValueError("a host name, without a scheme or a path")
    return text.lower()


def _registered_host(host: str) -> str:
    # The redirect address registered with the auth server says localhost; the original accepted both names.
    return "localhost" if host == "127.0.0.1" else host


def _lower(value: Any) -> Any:
    value = value.lower() if isinstance(value, str) else value
    return "warn" if value == "warning" else value


def _words(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _store_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    form = r"sqlite:///.*[^/]|postgres(ql)?://.+"
    if text and not re.fullmatch(form, text):
        raise ValueError('"" for gateway.db in the work directory, sqlite:///PATH or postgresql://USER:KEY@HOST/NAME')
    return url


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0)]
Days = Annotated[int, Field(ge=0)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Path = Annotated[str, AfterValidator(_path)]
Listen = Annotated[str, AfterValidator(_listen)]
Key = Annotated[SecretStr, AfterValidator(_key)]
PassedPath = Annotated[str, AfterValidator(_passthrough)]
HostName = Annotated[str, AfterValidator(_host_name)]
Switch = BeforeValidator(lambda value: "off" if value is False else value)
"""YAML reads a bare `off` as false."""

AnyCase = BeforeValidator(_lower)
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy_url)]
Version = Annotated[str, AfterValidator(_version)]
Aliases = Annotated[dict[str, str], AfterValidator(_aliases)]
Origin = Annotated[str, AfterValidator(_origin)]
RegisteredHost = Annotated[str, AfterValidator(_registered_host)]
StoreUrl = Annotated[SecretStr, AfterValidator(_store_url)]
Words = BeforeValidator(_words)
