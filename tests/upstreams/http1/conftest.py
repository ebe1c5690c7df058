"""Every test that awaits runs on both loops: asyncio's, and uvloop, which the server runs on. Tests with a `clock` need
a loop whose time they can let pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


class Clock:
    """Lets the time of the running loop pass."""

    async def skip(self, seconds: float) -> None:
        """So much later, everything that was due has been done."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        loop.skipped += seconds
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops of a test."""
    if "clock" in getattr(item, "fixturenames", ()):
        return {"skipping": SkippingLoop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
