"""Who gets which connection, and when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx2
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.upstreams.http1.message import Origin
from gateway.upstreams.http1.pool import Pool
from tests.upstreams.http1.conftest import Clock

A: Origin = ("http", b"a", 80)
B: Origin = ("http", b"b", 80)


@dataclass(eq=False)
class Link:
    """A connection, as far as a pool looks at it."""

    origin: Origin
    pool: Pool[Link]
    closed: bool = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True
        self.pool.gone(self)


def pool(limit: int = 2) -> Pool[Link]:
    return Pool(limit=limit, idle_seconds=30)


async def opened(pool: Pool[Link], origin: Origin = A) -> Link:
    """A new connection, in use."""
    assert await pool.wait(origin, None) is None
    link = Link(origin, pool)
    pool.opened(link)
    return link


def waiting(pool: Pool[Link], origin: Origin | None = A, seconds: float | None = None) -> asyncio.Task[Link | None]:
    return asyncio.create_task(pool.wait(origin, seconds))


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.proves("TRANSPORT-pool")
async def test_the_connection_given_back_last_is_taken_first() -> None:
    connections = pool(3)
    first, second, other = await opened(connections), await opened(connections), await opened(connections, B)
    for link in (first, other, second):
        connections.give(link)
    assert [connections.take(A), connections.take(A), connections.take(A)] == [second, first, None]
    assert connections.take(B) is other
    connections.close()


@pytest.mark.proves("TRANSPORT-pool")
async def test_whoever_finds_everything_in_use_waits_in_line() -> None:
    connections = pool(1)
    link = await opened(connections)
    callers = [waiting(connections) for _ in range(3)]
    for caller in callers:
        await turn()
        assert not caller.done()
        connections.give(link)
        assert await caller is link
        assert [done.done() for done in callers] == [
            *[True] * (callers.index(caller) + 1),
            *[False] * (2 - callers.index(caller)),
        ]
    assert connections.held == 1


@pytest.mark.proves("TRANSPORT-pool")
async def test_a_place_that_becomes_free_goes_to_the_first_in_line() -> None:
    connections = pool(1)
    link = await opened(connections)
    first, second = waiting(connections, B), waiting(connections)
    await turn()
    connections.give(link)
    assert await first is None and link.closed
    connections.vacate()
    assert await second is None
    connections.vacate()
    assert connections.held == 0


@pytest.mark.proves("TRANSPORT-pool")
async def test_who_needs_a_new_connection_after_a_dead_one_comes_first() -> None:
    connections = pool(1)
    link = await opened(connections)
    patient, again = waiting(connections), waiting(connections, None)
    await turn()
    connections.give(link)
    assert await again is None and link.closed
    assert not patient.done()
    connections.vacate()
    assert await patient is None


@pytest.mark.proves("TRANSPORT-pool")
async def test_an_idle_connection_to_another_server_makes_room() -> None:
    connections = pool(2)
    older, newer = await opened(connections), await opened(connections)
    connections.give(older)
    connections.give(newer)
    assert await connections.wait(B, None) is None
    assert (older.closed, newer.closed, connections.held) == (True, False, 2)
    connections.close()


@pytest.mark.proves("TRANSPORT-pool", "TRANSPORT-timeouts")
async def test_waiting_has_an_end(clock: Clock) -> None:
    connections = pool(1)
    link = await opened(connections)
    hasty, patient = waiting(connections, A, 5), waiting(connections, A, 50)
    await turn()
    await clock.skip(6)
    with pytest.raises(httpx2.PoolTimeout):
        await hasty
    connections.give(link)
    assert await patient is link


@pytest.mark.proves("TRANSPORT-pool", "TRANSPORT-leaves")
async def test_who_leaves_the_line_takes_nothing_along() -> None:
    connections = pool(1)
    link = await opened(connections)
    leaving, staying = waiting(connections), waiting(connections)
    await turn()
    leaving.cancel()
    await turn()
    connections.give(link)
    assert await staying is link


@pytest.mark.parametrize("what", ["connection", "place", "closed connection"])
@pytest.mark.proves("TRANSPORT-pool", "TRANSPORT-leaves")
async def test_who_leaves_in_the_moment_of_his_turn_passes_it_on(what: str) -> None:
    connections = pool(1)
    link = await opened(connections)
    leaving, staying = waiting(connections), waiting(connections)
    await turn()
    if what == "place":
        connections.gone(link)
    else:
        connections.give(link)
    if what == "closed connection":
        link.abort()
    leaving.cancel()
    assert await staying is (link if what == "connection" else None)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert connections.held == 1


@pytest.mark.proves("TRANSPORT-idle")
async def test_idle_connections_are_closed_after_their_time(clock: Clock) -> None:
    connections = pool(3)
    first, second = await opened(connections), await opened(connections)
    connections.give(first)
    await clock.skip(20)
    connections.give(second)
    await clock.skip(15)
    assert (first.closed, second.closed, connections.held, connections.idle) == (True, False, 1, 1)
    assert connections.take(A) is second
    await clock.skip(100)
    connections.give(second)
    await clock.skip(29)
    assert not second.closed
    await clock.skip(2)
    assert (second.closed, connections.held) == (True, 0)


@pytest.mark.proves("TRANSPORT-idle")
async def test_a_connection_that_was_used_again_in_between_has_its_whole_time(clock: Clock) -> None:
    connections = pool()
    link = await opened(connections)
    connections.give(link)
    await clock.skip(25)
    assert connections.take(A) is link
    connections.give(link)
    await clock.skip(25)
    assert not link.closed
    await clock.skip(6)
    assert link.closed


@pytest.mark.proves("TRANSPORT-idle")
async def test_an_idle_connection_that_ends_is_forgotten_at_once() -> None:
    connections = pool()
    first, second = await opened(connections), await opened(connections)
    connections.give(first)
    connections.give(second)
    second.abort()
    assert (connections.take(A), connections.held) == (first, 1)
    first.abort()
    assert (connections.take(A), connections.held, connections.idle) == (None, 0, 0)


@pytest.mark.proves("TRANSPORT-pool")
async def test_closing_the_pool_closes_what_is_idle_and_what_is_in_use() -> None:
    connections = pool()
    idle, used = await opened(connections), await opened(connections)
    connections.give(idle)
    connections.close()
    assert (idle.closed, used.closed, connections.held) == (True, True, 0)


@dataclass
class Caller:
    """Somebody who wants a connection to an origin."""

    origin: Origin
    task: asyncio.Task[Link | None]
    link: Link | None = None
    place: bool = field(default=False)


class Pooling(RuleBasedStateMachine):
    """Callers come, wait, leave, use and break connections in any order; nothing is lost, and nothing is doubled."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.pool = pool(3)
        self.callers: list[Caller] = []
        self.made: list[Link] = []

    def teardown(self) -> None:
        tasks = [caller.task for caller in self.callers]
        self.callers.clear()
        self.run(self.pool.close)
        self.run(lambda: [task.cancel() for task in tasks])
        self.loop.close()

    def run(self, act: object) -> None:
        async def acting() -> None:
            assert callable(act)
            act()
            await turn()

        self.loop.run_until_complete(acting())
        for caller in self.callers:
            if caller.task.done() and caller.link is None and not caller.place:
                caller.link = caller.task.result()
                caller.place = caller.link is None

    @rule(origin=st.sampled_from([A, B]))
    def comes(self, origin: Origin) -> None:
        def come() -> None:
            link = self.pool.take(origin)
            task: asyncio.Task[Link | None] = asyncio.create_task(
                self.pool.wait(origin, None) if link is None else _got(link)
            )
            self.callers.append(Caller(origin, task))

        self.run(come)

    def served(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.link is not None or caller.place]

    @precondition(lambda self: any(caller.place for caller in self.callers))
    @rule(worked=st.booleans())
    def connects(self, worked: bool) -> None:
        caller = next(caller for caller in self.callers if caller.place)
        if worked:
            link = Link(caller.origin, self.pool)
            caller.link, caller.place = link, False
            self.made.append(link)
            self.run(lambda: self.pool.opened(link))
        else:
            self.callers.remove(caller)
            self.run(self.pool.vacate)

    @precondition(lambda self: any(caller.link for caller in self.callers))
    @rule(which=st.integers(0, 5), how=st.sampled_from(["give", "give", "break"]))
    def ends(self, which: int, how: str) -> None:
        using = [caller for caller in self.callers if caller.link is not None]
        caller = using[which % len(using)]
        link = caller.link
        assert link is not None and not link.closed
        self.callers.remove(caller)
        self.run(lambda: self.pool.give(link) if how == "give" else link.abort())

    @precondition(lambda self: self.pool.idle)
    @rule()
    def idle_one_breaks(self) -> None:
        idle = next(iter(self.pool._expiries))
        self.run(idle.abort)

    @precondition(lambda self: len(self.callers) > len(self.served()))
    @rule(which=st.integers(0, 5))
    def leaves(self, which: int) -> None:
        waiting = [caller for caller in self.callers if caller not in self.served()]
        caller = waiting[which % len(waiting)]
        self.callers.remove(caller)
        self.run(caller.task.cancel)

    @invariant()
    def adds_up(self) -> None:
        links = [caller.link for caller in self.callers if caller.link is not None]
        places = sum(caller.place for caller in self.callers)
        assert len(set(links)) == len(links)
        assert self.pool.held == len(links) + places + self.pool.idle <= 3
        assert sum(not link.closed for link in self.made) == len(links) + self.pool.idle
        assert all(link.origin == caller.origin for caller in self.callers if (link := caller.link))
        # Nobody waits while there is room.
        assert len(self.served()) == len(self.callers) or (self.pool.held == 3 and not self.pool.idle)


async def _got(link: Link) -> Link:
    return link


@pytest.mark.proves("TRANSPORT-pool")
def test_nothing_is_lost_or_doubled_whatever_callers_do() -> None:
    run_state_machine_as_test(Pooling, settings=settings(deadline=None, max_examples=60, stateful_step_count=30))
