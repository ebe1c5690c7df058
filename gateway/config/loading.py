"""Filling the tree: the YAML file, then the environment over it; and finding the work directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config import document, environment, presets
from gateway.config.fields import Location, dotted, member_of, section_of
from gateway.config.mistakes import ConfigError, Mistake, describe
from gateway.config.tree import Section, Settings

CONFIG_NAME = "config.yaml"
HOME_VARIABLE = "CODEX_GATEWAY_HOME"
CONFIG_VARIABLE = "CODEX_GATEWAY_CONFIG"

_ORIGINAL = frozenset(
    f"{section}.{name}"
    for section, names in {
        "server": "listen",
        "network": "proxy_url",
        "auth": "downstream_api_key",
        "logging": "level format output color",
        "logging.file": "dir name max_size_mb max_backups max_age_days compress",
        "oauth": "client_id client_secret authorize_endpoint token_endpoint device_authorization_endpoint "
        "redirect_host redirect_port redirect_path originator scopes audience",
        "upstream": "mode base_url codex_base_url codex_responses_path models_path chat_completions_path "
        "responses_path timeout_seconds",
    }.items()
    for name in names.split()
)
"""Keys of the original codex-gateway, where an empty text and a zero mean the default. Ours mean what they say."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, the file they came from (None: there was none), and dotted path → variable for what it overrode."""

    settings: Settings
    path: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workdir:
    """An absolute directory, and in words why this one."""

    path: Path
    source: str


def find_workdir(option: Path | None, environ: Mapping[str, str]) -> Workdir:
    """`--workdir`, else `$CODEX_GATEWAY_HOME`, else `.` when it holds config.yaml, else the platform's directory."""
    home = environ.get(HOME_VARIABLE)
    if option is not None:
        return Workdir(option.expanduser().resolve(), "from --workdir")
    if home:
        return Workdir(Path(home).expanduser().resolve(), f"from {HOME_VARIABLE}")
    if Path(CONFIG_NAME).is_file():
        return Workdir(Path.cwd(), f"it holds {CONFIG_NAME}")
    from platformdirs import user_config_path  # noqa: PLC0415 - only needed when nothing else decides

    return Workdir(user_config_path("codex-gateway", appauthor=False).absolute(), "the default")


def load_workdir(environ: Mapping[str, str]) -> tuple[Settings, Path]:
    """Settings and work directory from the environment alone, for an ASGI server that calls the app factory.

    Raises ConfigError.
    """
    workdir = find_workdir(None, environ).path
    named = environ.get(CONFIG_VARIABLE)
    return load(Path(named) if named else workdir / CONFIG_NAME, environ), workdir


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file and the environment; without a file, defaults and the environment.

    Raises ConfigError.
    """
    return read(path, environ).settings


def read(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """As `load`, and says what came from where.

    Raises ConfigError.
    """
    path = path if path is not None and path.exists() else None
    source = str(path) if path else "the environment"
    file = document.parse(_text(path)) if path else document.Document()
    named = environment.variables(environ)
    values = _without_blanks(file.values, Settings)
    for location, name in named.items():
        _put(values, location, environment.decode(location, environ[name]))
    named |= presets.add(values, environ)
    origins = {dotted(location): name for location, name in named.items()}
    mistakes = list(file.mistakes)
    try:
        settings = Settings.model_validate(_without_blanks(values, Settings))
    except ValidationError as error:
        for found in error.errors(include_url=False):
            below = getattr(found.get("ctx", {}).get("error"), "below", ())
            location = (*found["loc"], *below)
            mistakes.append(Mistake(dotted(location), describe(found, Settings), _place(location, file.lines, named)))
    if mistakes:
        raise ConfigError(source, mistakes)
    return Loaded(settings, path, origins)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), [Mistake("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Mistake("", f"not UTF-8 text (byte {error.start})")]) from error


def _without_blanks(values: dict[str, Any], section: type[Section], above: str = "") -> dict[str, Any]:
    """A copy without nulls anywhere, and without the blanks that mean "default" in the original's keys."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        inner, member = section_of(section.model_fields.get(key)), member_of(section.model_fields.get(key))
        if inner is not None and isinstance(value, dict):
            kept[key] = _without_blanks(value, inner, f"{above}{key}.")
        elif member is not None and isinstance(value, dict):
            kept[key] = {
                name: _without_blanks(entry, member, f"{above}{key}.{name}.") if isinstance(entry, dict) else entry
                for name, entry in ((name, {} if entry is None else entry) for name, entry in value.items())
            }
        elif value is not None and not (f"{above}{key}" in _ORIGINAL and _is_blank(value, section, key)):
            kept[key] = value
    return kept


def _is_blank(value: Any, section: type[Section], key: str) -> bool:
    number = section.model_fields[key].annotation in (int, float) and not isinstance(value, bool)
    return value == "" or (number and value in (0, "0"))


def _put(values: dict[str, Any], location: Location, value: Any) -> None:
    """Set a value deep inside. A section that the file wrote as something else stays: that is the mistake to tell."""
    for step in location[:-1]:
        inner = values.setdefault(str(step), {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[str(location[-1])] = value


def _place(location: Location, lines: Mapping[Location, int], named: Mapping[Location, str]) -> str:
    """The variable or the line that set this location, or the nearest place above it."""
    for length in range(len(location), 0, -1):
        known = location[:length]
        if known in named:
            return named[known]
        if known in lines:
            return f"line {lines[known]}"
    return ""
