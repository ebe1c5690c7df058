"""Threads that do what an event loop must not wait for. A job is one hop there and one back; jobs that wait share both.

An executor costs several times as much: for each job two futures with their locks, and a call of the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from gateway.store.connection import Work

Job = Work[Any]
Outcome = tuple[Any, BaseException | None]
"""What a job returned, or what it raised."""


class Hand(Protocol):
    """What a thread works with. Made in the event loop, used in the thread only."""

    def work(self, jobs: Sequence[Job], /) -> Sequence[Outcome]:
        """Do the jobs, in their order; an outcome for each."""

    def close(self) -> None: ...


class Threads:
    """At most `size` threads, begun when they are needed, that take jobs from one queue in its order.

    `together`: so many waiting jobs may be done at once. Used in one event loop.
    """

    def __init__(self, name: str, hand: Callable[[], Hand], *, size: int, together: int = 1) -> None:
        self._name = name
        self._hand = hand
        self._size = size
        self._together = together
        self._queue: SimpleQueue[tuple[Job | None, asyncio.Future[Any]]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Have a job done. It is done even if nobody waits for it any more."""
        if len(self._threads) < min(self._unfinished + 1, self._size):
            self._begin()
        self._unfinished += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put((job, future))
        return future

    async def aclose(self) -> None:
        """Finish every job, then end the threads."""
        loop = asyncio.get_running_loop()
        gone = [loop.create_future() for _ in self._threads]
        for future in gone:
            self._queue.put((None, future))
        if gone:
            await asyncio.wait(gone)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _begin(self) -> None:
        # A daemon: a program that ends without closing the store must not wait for it for ever.
        thread = threading.Thread(target=self._run, args=(self._hand(),), name=self._name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self, hand: Hand) -> None:
        last = False
        while not last:
            taken = self._take()
            last = taken[-1][0] is None
            jobs = [job for job, _ in taken if job is not None]
            try:
                outcomes = list(hand.work(jobs)) if jobs else []
            except BaseException as error:  # whoever waits must hear of it, or would wait for ever
                outcomes = [(None, error)] * len(jobs)
            if last:
                with suppress(Exception):  # nothing of it is needed any more
                    hand.close()
                outcomes.append((None, None))
            futures = [future for _, future in taken]
            with suppress(RuntimeError):  # the loop has been closed, and nobody waits
                futures[0].get_loop().call_soon_threadsafe(self._settle, futures, outcomes)

    def _take(self) -> list[tuple[Job | None, asyncio.Future[Any]]]:
        """What waits, or the first thing that comes. `None` is always the last."""
        taken = [self._queue.get()]
        with suppress(Empty):
            while len(taken) < self._together and taken[-1][0] is not None:
                taken.append(self._queue.get_nowait())
        return taken

    def _settle(self, futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Outcome]) -> None:
        self._unfinished -= len(futures)
        for future, (result, error) in zip(futures, outcomes, strict=True):
            if future.done():  # whoever asked has left
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
