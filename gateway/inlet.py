"""Where the connections of an event loop read into, one after the other.

A piece of memory for each read would first have to be brought to the processor. What is read is done with, or copied,
before the next of them reads.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

READ_BYTES = 256 * 1024
"""The most that is read at once."""

_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


def buffer_of(loop: asyncio.AbstractEventLoop) -> memoryview:
    """The buffer of an event loop, `READ_BYTES` long, one for all who read there."""
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = memoryview(bytearray(READ_BYTES))
    return buffer
