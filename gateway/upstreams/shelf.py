"""A list of models, kept for a while: fetched once however many ask, and still there when the backend is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import OAuthUnavailable, UpstreamFault
from gateway.upstreams import Model

_RETRY_SECONDS = 30
"""After a fetch that failed, the old list is good for so long, so that an outage does not slow every request down."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list and its version."""

    models: tuple[Model, ...]
    etag: str = ""


Fetch = Callable[[str], Awaitable[Listing | None]]
"""Fetch the list, given the version already known; None: that is still the current one."""


class Shelf:
    """`spare` is offered until a first fetch succeeds; `clock` counts seconds."""

    def __init__(
        self, fetch: Fetch, *, clock: Callable[[], float], fresh_seconds: float, spare: tuple[Model, ...] = ()
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._listing = Listing(spare)
        self._has_spare = bool(spare)
        self._fetched = False
        self._good_until = float("-inf")
        self._lock = asyncio.Lock()

    @property
    def known(self) -> tuple[Model, ...]:
        """What is known now, without asking."""
        return self._listing.models

    def noticed(self, etag: str) -> None:
        """An answer names the version of the list that the backend has now."""
        if etag and self._fetched and etag != self._listing.etag:
            self._good_until = float("-inf")

    async def models(self) -> list[Model]:
        """The list, a little old or the spare one when no new one is to be had.

        Raises OAuthUnavailable without a login, UpstreamFault when there never was a list and there is no spare one.
        """
        if self._clock() >= self._good_until:
            async with self._lock:
                if self._clock() >= self._good_until:
                    await self._renew()
        return list(self._listing.models)

    async def verify(self) -> None:
        """Fetch the list unless it is fresh. Raises whatever keeps it from coming."""
        async with self._lock:
            if self._clock() >= self._good_until:
                await self._load()

    async def _renew(self) -> None:
        try:
            await self._load()
        except OAuthUnavailable:
            raise
        except UpstreamFault:
            if not self._fetched and not self._has_spare:
                raise
            self._good_until = self._clock() + _RETRY_SECONDS

    async def _load(self) -> None:
        listing = await self._fetch(self._listing.etag)
        if listing is not None:
            self._listing = listing
        self._fetched = True
        self._good_until = self._clock() + self._fresh_seconds
