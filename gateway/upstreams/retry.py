"""When to try again, and when not to ask at all. The clock and the dice are passed in.

Delays are Codex's own (200 ms, doubled each time, ±10 %), lengthened to what the upstream itself advises
(codex-upstream §7.4, §10.2). A plan limit is remembered, so that SDKs which repeat a 429 twice do not cost three calls
(§11.4: never longer than the operator's cap, since quotas are often given back early).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import GatewayError, UpstreamRefusal

_FIRST_SECONDS = 0.2
_LONGEST_ADVICE_SECONDS = 15.0
"""A client that must wait longer is told to come back instead."""
_BURST_SECONDS = (2.0, 10.0)
_UNKNOWN_RESET_SECONDS = 60.0

PLAN_LIMIT = "usage_limit_reached"


def delay(attempt: int, error: GatewayError, *, limit: int, random: Callable[[], float]) -> float | None:
    """Seconds before retry number `attempt` (from 1), or None: give up.

    `random` returns a number in [0, 1).
    """
    if attempt > limit or not error.retryable:
        return None
    advice = advised_seconds(error)
    if advice is not None:
        return None if advice > _LONGEST_ADVICE_SECONDS else advice * (1 + 0.1 * random())
    if error.status == 429:
        shortest, longest = _BURST_SECONDS
        return shortest + (longest - shortest) * random()
    return float(_FIRST_SECONDS * 2 ** (attempt - 1) * (0.9 + 0.2 * random()))


def advised_seconds(error: GatewayError) -> float | None:
    """How long the upstream asked to wait, from the headers that the client would get; None when it said nothing."""
    headers = {name.lower(): value for name, value in error.headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def is_plan_limit(error: GatewayError) -> bool:
    """Whether the account's plan is used up: every call fails until its window resets."""
    return PLAN_LIMIT in (error.code, error.type)


@dataclass(slots=True)
class _Limit:
    message: str
    kind: str
    code: str | None
    resets_at: float
    quiet_until: float
    probing: bool = False


class CoolDown:
    """Plan limits by account. After `cap` seconds at most, one call at a time may look whether the limit still holds.

    `clock` counts seconds and never goes back.
    """

    def __init__(self, *, cap: float, clock: Callable[[], float]) -> None:
        self._cap = cap
        self._clock = clock
        self._limits: dict[str, _Limit] = {}

    @contextmanager
    def watch(self, account: str) -> Iterator[None]:
        """Around one call: refuses it from memory, or lets it through and learns from how it ends.

        Raises UpstreamRefusal, the limit as it was, with the time that is left.
        """
        probing = self._enter(account)
        try:
            yield
        except GatewayError as error:
            self.note(account, error)
            raise
        else:
            self._limits.pop(account, None)
        finally:
            limit = self._limits.get(account)
            if probing and limit is not None:
                limit.probing = False

    def note(self, account: str, error: GatewayError) -> None:
        """Remember a plan limit, wherever it was met; any other failure says nothing about the account."""
        if not is_plan_limit(error) or self._cap <= 0:
            return
        seconds = advised_seconds(error)
        left = _UNKNOWN_RESET_SECONDS if seconds is None else seconds
        now = self._clock()
        self._limits[account] = _Limit(
            message=error.message,
            kind=error.type,
            code=error.code,
            resets_at=now + left,
            quiet_until=now + min(left, self._cap),
        )

    def _enter(self, account: str) -> bool:
        """Whether the call that may go on is a probe."""
        limit = self._limits.get(account)
        if limit is None:
            return False
        now = self._clock()
        if now < limit.quiet_until or limit.probing:
            raise _refusal(limit, now)
        limit.probing = True
        return True


def _refusal(limit: _Limit, now: float) -> UpstreamRefusal:
    seconds = max(1, math.ceil(limit.resets_at - now))
    headers = {"Retry-After": str(seconds), "retry-after-ms": str(seconds * 1000)}
    if seconds > 60:
        headers["x-should-retry"] = "false"
    return UpstreamRefusal(
        limit.message, status=429, kind=limit.kind, code=limit.code, headers=headers, detail="answered from memory"
    )
