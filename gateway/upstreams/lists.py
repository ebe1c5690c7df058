"""The lists of models of several upstreams, where none that is slow may hold up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import GatewayError, UpstreamTimeout
from gateway.upstreams import Model, Upstream

QUIET_SECONDS = 30.0
"""How long a list that did not come in time is not waited for again."""


class Lists:
    """Asks upstreams for their lists, each at most `patience` seconds (None: as long as it takes).

    A refused connection costs nothing and is tried every time: who starts a server sees its models at once. Only
    silence is remembered. `clock` counts seconds and never goes back.
    """

    def __init__(self, *, patience: float | None, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._quiet_until: dict[Upstream, float] = {}

    async def of(self, upstream: Upstream) -> list[Model]:
        """The models of an upstream; those known from before when new ones do not come in time.

        Raises GatewayError when there are none to be had.
        """
        if self._clock() >= self._quiet_until.get(upstream, 0):
            try:
                async with asyncio.timeout(self._patience):
                    return await upstream.models()
            except TimeoutError:
                self._quiet_until[upstream] = self._clock() + QUIET_SECONDS
        if not upstream.known:
            raise UpstreamTimeout(f"The list of models of {upstream.name!r} does not come.")
        return list(upstream.known)

    async def known(self, upstream: Upstream) -> list[Model]:
        """As `of`, but what is known from before rather than an error: to read a name, that may be enough."""
        try:
            return await self.of(upstream)
        except GatewayError:
            return list(upstream.known)
