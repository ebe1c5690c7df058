"""The models of the simulated plan: rows as the Codex backend lists them, with its gates by version and plan."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

_PART = re.compile(r"[0-9]{1,9}")
UNGATED = "0.0.0"  # the client version that sees the whole catalogue
_LADDER = ("low", "medium", "high", "xhigh", "max", "ultra")
_PAID = ("plus", "pro", "prolite", "team", "business", "enterprise", "edu")
_ALL = ("free", "go", *_PAID)


def _row(
    slug: str,
    priority: int,
    version: str,
    *,
    top: str = "xhigh",
    effort: str = "medium",
    visible: bool = True,
    longest: int = 272_000,
    lite: bool = False,
    tiers: tuple[str, ...] = (),
    plans: tuple[str, ...] = _PAID,
    **more: Any,
) -> dict[str, Any]:
    efforts = _LADDER[: _LADDER.index(top) + 1]
    return {
        "slug": slug,
        "display_name": slug,
        "description": f"(simulated) {slug}",
        "priority": priority,
        "visibility": "list" if visible else "hide",
        "supported_in_api": True,
        "minimal_client_version": version,
        "available_in_plans": list(plans),
        "context_window": 272_000,
        "max_context_window": longest,
        "effective_context_window_percent": 95,
        "default_reasoning_level": effort,
        "supported_reasoning_levels": [{"effort": level, "description": level} for level in efforts],
        "supports_reasoning_summary_parameter": True,
        "default_reasoning_summary": "none",
        "support_verbosity": True,
        "default_verbosity": "low",
        "service_tiers": [{"id": tier, "name": tier, "description": tier} for tier in tiers],
        "input_modalities": ["text", "image"],
        "supports_parallel_tool_calls": True,
        "supports_search_tool": True,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "use_responses_lite": lite,
        "prefer_websockets": True,
        "upgrade": None,
        **more,
    }


def _retiring(model: str) -> dict[str, Any]:
    return {"model": model, "migration_markdown": "", "retirement_at": "2026-08-31T00:00:00Z"}


_P, _PU = ("priority",), ("priority", "ultrafast")
ROWS: tuple[dict[str, Any], ...] = (
    _row("gpt-6-astra", 1, "0.153.0", top="ultra", longest=872_000, lite=True, tiers=_P),
    _row("gpt-6-sol", 2, "0.155.0", top="ultra", longest=872_000, lite=True, tiers=_P),
    _row("gpt-6-luna", 3, "0.155.0", top="max", longest=872_000, lite=True, tiers=_P, plans=_ALL),
    _row("gpt-reserve", 3, "0.144.0", top="max", visible=False),
    _row(
        "gpt-daybreak-blue-latest", 3, "0.142.2", top="ultra", effort="low", visible=False, longest=872_000, lite=True
    ),
    _row("gpt-daybreak-red-latest", 3, "0.142.2", top="ultra", visible=False, longest=372_000, lite=True),
    _row("gpt-5.6-sol", 4, "0.144.0", top="ultra", effort="low", longest=872_000, lite=True, tiers=_PU),
    _row("gpt-5.6-terra", 7, "0.144.0", top="ultra", longest=872_000, lite=True, tiers=_P),
    _row("gpt-5.6-luna", 8, "0.144.0", top="max", longest=872_000, lite=True, tiers=_P, plans=_ALL),
    _row("gpt-5.5", 12, "0.124.0", tiers=_P, plans=_ALL),
    _row("gpt-5.4", 16, "0.98.0", visible=False, longest=1_000_000, tiers=_P, upgrade=_retiring("gpt-5.6-terra")),
    _row("gpt-5.4-mini", 23, "0.98.0", visible=False, upgrade=_retiring("gpt-5.6-luna"), plans=_ALL),
    _row("gpt-5.2", 29, "0.0.1", default_reasoning_summary="auto"),
    _row("codex-auto-review", 43, "0.98.0", top="max", visible=False, longest=872_000, lite=True, tiers=_P),
)


def rows(changes: Any) -> list[dict[str, Any]]:
    """The catalogue with a scenario's changes: rows by slug merged over the built-in ones, null takes one away."""
    known = {row["slug"]: row for row in ROWS}
    for slug, change in changes.items():
        if change is None:
            known.pop(slug, None)
        else:
            base = known.get(slug) or _row(slug, 50, "0.0.1", plans=_ALL)
            known[slug] = {**base, **change, "slug": slug}
    return sorted(known.values(), key=lambda row: (row["priority"], row["slug"]))


def etag(catalogue: list[dict[str, Any]]) -> str:
    """The catalogue's ETag."""
    return f'W/"{hashlib.sha256(orjson.dumps(catalogue)).hexdigest()[:16]}"'


def version(text: str) -> tuple[int, ...]:
    """`1.2.3` → (1, 2, 3); anything unreadable counts as the lowest version."""
    parts = text.split("-", maxsplit=1)[0].split(".")
    return tuple(int(part) for part in parts) if all(_PART.fullmatch(part) for part in parts) else (0,)


def visible(catalogue: list[dict[str, Any]], client: str) -> list[dict[str, Any]]:
    """The rows that a client version is shown; the sentinel is shown all of them."""
    if client == UNGATED:
        return catalogue
    return [row for row in catalogue if version(row["minimal_client_version"]) <= version(client)]
