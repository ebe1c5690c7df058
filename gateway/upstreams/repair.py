"""Refusals that another body would not meet: what to send instead, once. Pure (codex-upstream §10.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.errors import GatewayError
from gateway.upstreams.history import without_ids, without_orphans, without_reasoning

Json = dict[str, Any]
Mend = Callable[[Sequence[Any]], list[Any]]

_NEEDED = frozenset({"model", "input", "instructions", "store", "stream"})

# From another account or model: nobody but its maker can read it.
_FOREIGN = (frozenset({"invalid_encrypted_content"}), ("encrypted content", "encrypted_content"), without_reasoning)

_MENDS: tuple[tuple[frozenset[str], tuple[str, ...], Mend], ...] = (
    _FOREIGN,
    (
        frozenset({"missing_tool_output", "missing_tool_call"}),
        ("no tool output found for", "no tool call found for"),
        without_orphans,
    ),
    (
        frozenset({"string_above_max_length", "invalid_id_prefix"}),
        ("items are not persisted",),
        without_ids,
    ),
)


def repair(body: Json, error: GatewayError) -> Json | None:
    """A body without what the refusal names, or None when there is nothing to take out.

    It ends by itself: what was taken out cannot be taken out again.
    """
    if error.status not in (400, 404):
        return None
    if error.code == "unsupported_parameter":
        return _without_field(body, error.param or "")
    return _mended(body, error, _MENDS)


def without_foreign(body: Json, error: GatewayError) -> Json | None:
    """A body without reasoning, when the refusal says that it cannot be read; None for every other refusal."""
    return _mended(body, error, (_FOREIGN,)) if error.status in (400, 404) else None


def _mended(
    body: Json, error: GatewayError, mends: Sequence[tuple[frozenset[str], tuple[str, ...], Mend]]
) -> Json | None:
    text = error.message.lower()
    for codes, phrases, mend in mends:
        if error.code in codes or any(phrase in text for phrase in phrases):
            items = body.get("input", [])
            mended = mend(items)
            return {**body, "input": mended} if mended and mended != items else None
    return None


def _without_field(body: Json, path: str) -> Json | None:
    """The body less one field, `name` or `name.inner`."""
    name, _, inner = path.partition(".")
    if name in _NEEDED or name not in body:
        return None
    if not inner:
        return {key: value for key, value in body.items() if key != name}
    section = body[name]
    if not isinstance(section, dict) or inner not in section:
        return None
    return {**body, name: {key: value for key, value in section.items() if key != inner}}
