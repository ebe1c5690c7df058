"""Plan limits as the Codex backend tells them: response headers, the stream event and the usage document."""

from __future__ import annotations

from typing import Any

_CREDITS = {"has_credits": False, "unlimited": False, "balance": "0"}
_WEEK, _FIVE_HOURS = 10_080, 300


def _window(used: float, minutes: int, reset: int | None) -> dict[str, Any]:
    return {"used_percent": used, "window_minutes": minutes, "reset_after_seconds": reset}


# The names are those of `scenario.LIMITS`.
# `reset_after_seconds` None: the slot is unused, its headers are 0 and its reset time is empty.
PRESETS: dict[str, dict[str, Any]] = {
    "standard": {"primary": _window(12, _FIVE_HOURS, 9_000), "secondary": _window(3, _WEEK, 400_000)},
    "weekly_primary": {"primary": _window(3, _WEEK, 400_000), "secondary": _window(0, 0, None)},
    "exhausted": {
        "primary": _window(100, _FIVE_HOURS, 12_345),
        "secondary": _window(40, _WEEK, 400_000),
        "reached": "rate_limit_reached",
    },
    "none": {},
}


def resolve(limits: Any) -> dict[str, Any]:
    """A preset by name, or an object {primary, secondary, credits, active, reached} merged over the standard one."""
    if isinstance(limits, str):
        return PRESETS[limits]
    standard = PRESETS["standard"]
    windows = {slot: {**standard[slot], **limits.get(slot, {})} for slot in ("primary", "secondary")}
    return {**limits, **windows}


def headers(limits: dict[str, Any], plan: str, now: float) -> dict[str, str]:
    """The x-codex-* headers of one answer; {} for limits `none`."""
    if not limits:
        return {}
    found = {"x-codex-plan-type": plan, "x-codex-active-limit": limits.get("active", "premium")}
    for slot in ("primary", "secondary"):
        window = limits[slot]
        reset = window.get("reset_after_seconds")
        prefix = f"x-codex-{slot}"
        found[f"{prefix}-used-percent"] = str(window["used_percent"])
        found[f"{prefix}-window-minutes"] = str(window["window_minutes"])
        found[f"{prefix}-reset-at"] = "" if reset is None else str(int(now) + reset)
        found[f"{prefix}-reset-after-seconds"] = str(reset or 0)
    credits_left = {**_CREDITS, **limits.get("credits", {})}
    found["x-codex-credits-has-credits"] = str(bool(credits_left["has_credits"]))
    found["x-codex-credits-unlimited"] = str(bool(credits_left["unlimited"]))
    found["x-codex-credits-balance"] = str(credits_left["balance"])
    if limits.get("reached"):
        found["x-codex-rate-limit-reached-type"] = limits["reached"]
    return found


def event(limits: dict[str, Any], plan: str, now: float) -> dict[str, Any]:
    """The fields of a codex.rate_limits event."""
    windows = {}
    for slot in ("primary", "secondary"):
        window = limits.get(slot) or _window(0, 0, None)
        reset = window.get("reset_after_seconds")
        windows[slot] = {
            "used_percent": window["used_percent"],
            "window_minutes": window["window_minutes"],
            "reset_at": None if reset is None else int(now) + reset,
        }
    return {
        "plan_type": plan,
        "rate_limits": windows,
        "credits": {**_CREDITS, **limits.get("credits", {})},
        "metered_limit_name": limits.get("active", "premium"),
        "limit_name": None,
    }


def usage(limits: dict[str, Any], plan: str, now: float) -> dict[str, Any]:
    """The document of /wham/usage; windows are in seconds there."""
    reached = limits.get("reached")
    windows = {}
    for slot in ("primary", "secondary"):
        window = limits.get(slot) or _window(0, 0, None)
        reset = window.get("reset_after_seconds")
        windows[f"{slot}_window"] = (
            None
            if reset is None
            else {
                "used_percent": window["used_percent"],
                "limit_window_seconds": window["window_minutes"] * 60,
                "reset_after_seconds": reset,
                "reset_at": int(now) + reset,
            }
        )
    return {
        "plan_type": plan,
        "rate_limit": {"allowed": not reached, "limit_reached": bool(reached), **windows},
        "credits": {**_CREDITS, **limits.get("credits", {})},
        "spend_control": {"reached": False, "individual_limit": None},
        "additional_rate_limits": [],
        "rate_limit_reached_type": {"type": reached} if reached else None,
        "rate_limit_reset_credits": {"available_count": 0},
    }
