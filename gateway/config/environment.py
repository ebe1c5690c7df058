"""Settings from the environment: `GATEWAY_UPSTREAM__BASE_URL=…` is `upstream.base_url`.

Lists are written with commas or as JSON, maps as JSON; an empty value is no value. Only names with `__` are ours:
orchestrators set `GATEWAY_PORT` and the like for a service that is called gateway.
pydantic-settings would read `os.environ` itself and stop at the first value it cannot decode; all mistakes are told at
once here, each with the name of its variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.config.fields import Location, field_at, is_list, is_map
from gateway.config.tree import Settings

PREFIX = "GATEWAY_"


def variables(environ: Mapping[str, str]) -> dict[Location, str]:
    """Location of a setting (known or not) → the variable that sets it."""
    found: dict[Location, str] = {}
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX) and "__" in name and value:
            found[tuple(name.removeprefix(PREFIX).lower().split("__"))] = name
    return found


def decode(location: Location, text: str) -> Any:
    """The value of a variable; what cannot be decoded stays text, for validation to refuse."""
    field = field_at(Settings, location)
    if field is None:
        return text
    if is_map(field) or (is_list(field) and text.lstrip().startswith("[")):
        try:
            return json.loads(text)
        except ValueError:
            pass  # `[::1]:8080` begins a list of addresses as well
    if is_list(field):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
