"""The upstream of `serve --demo`: simulated answers until somebody has logged in, then the real backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.core.request import Request
from gateway.errors import GatewayError, UpstreamUnavailable
from gateway.upstreams import Answer, Call, Forward, Hints, Json, Model, Shaped, Upstream


@dataclass(frozen=True, slots=True)
class SimulatedLogin:
    """A login that only the simulator knows; a source of itself."""

    access_token: str = field(repr=False)
    account_id: str
    plan: str = ""
    fedramp: bool = False

    async def credentials(self) -> SimulatedLogin:
        return self

    async def recover(self, rejected_access_token: str) -> SimulatedLogin:
        return self


class UntilLogin:
    """Delegates each call to the simulator, or to the real upstream as soon as `logged_in` says so.

    `simulated` is set once the simulator listens.
    """

    def __init__(self, real: Upstream, logged_in: Callable[[], bool]) -> None:
        self.simulated: Upstream | None = None
        self._real = real
        self._logged_in = logged_in

    @property
    def _current(self) -> Upstream:
        if self._logged_in():
            return self._real
        if self.simulated is None:
            raise UpstreamUnavailable("The simulator is not running.")
        return self.simulated

    @property
    def name(self) -> str:
        return self._current.name

    @property
    def native(self) -> frozenset[str]:
        return self._current.native

    @property
    def streams_only(self) -> bool:
        return self._current.streams_only

    @property
    def trusted(self) -> bool:
        return self._current.trusted

    @property
    def known(self) -> Sequence[Model]:
        return self._current.known

    @property
    def passthrough(self) -> tuple[str, ...] | None:
        return self._current.passthrough

    @property
    def account(self) -> str:
        return self._current.account

    async def origin(self) -> str:
        return await self._current.origin()

    def secrets(self) -> tuple[str, ...]:
        return self._current.secrets()

    def shape(self, request: Request, hints: Hints) -> Shaped:
        return self._current.shape(request, hints)

    def repair(self, body: Json, error: GatewayError) -> Json | None:
        return self._current.repair(body, error)

    def delay(self, attempt: int, error: GatewayError) -> float | None:
        return self._current.delay(attempt, error)

    async def open(self, call: Call) -> Answer:
        return await self._current.open(call)

    async def forward(self, forward: Forward) -> Answer:
        return await self._current.forward(forward)

    async def models(self) -> list[Model]:
        return await self._current.models()

    async def check(self) -> None:
        await self._current.check()

    async def aclose(self) -> None:
        await self._real.aclose()
