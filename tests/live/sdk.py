"""The openai SDK, synchronous and asynchronous, behind one face, so that each test is written once and runs with both.

The synchronous client runs in threads; nothing of either client is changed or replaced.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any, Protocol

import openai

_END = object()


class Stream(Protocol):
    """An open stream of the SDK: raw, or one of its helpers."""

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def __anext__(self) -> Any: ...

    async def final(self) -> Any:
        """What the helper made of the whole stream."""
        ...


class Sdk(Protocol):
    """A client. `method` is a dotted path, such as `chat.completions.create`."""

    def at(self, method: str, **arguments: Any) -> Any: ...

    async def call(self, method: str, /, **arguments: Any) -> Any: ...

    def stream(self, method: str, /, **arguments: Any) -> Any:
        """Async context manager of a `Stream`."""
        ...

    async def aclose(self) -> None: ...


async def events(sdk: Sdk, method: str, /, **arguments: Any) -> list[Any]:
    """Every event of a stream."""
    async with sdk.stream(method, **arguments) as stream:
        return [event async for event in stream]


async def broken(sdk: Sdk, method: str, /, **arguments: Any) -> tuple[list[Any], openai.APIError | None]:
    """What a stream shows before it breaks, and the error it breaks with, if the SDK raises one."""
    seen = []
    try:
        async with sdk.stream(method, **arguments) as stream:
            async for event in stream:
                seen.append(event)  # noqa: PERF401 - a comprehension would lose what came before the error
    except openai.APIError as error:
        return seen, error
    return seen, None


async def helped(sdk: Sdk, method: str, /, **arguments: Any) -> tuple[list[Any], Any]:
    """Every event that a stream helper shows, and the object it makes of them."""
    async with sdk.stream(method, **arguments) as stream:
        shown = [event async for event in stream]
        return shown, await stream.final()


class AsyncSdk:
    """AsyncOpenAI."""

    def __init__(self, base_url: str, api_key: str, **options: Any) -> None:
        self.client = openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=20, **options)

    def at(self, method: str, **arguments: Any) -> Any:
        return attrgetter(method)(self.client)(**arguments)

    async def call(self, method: str, /, **arguments: Any) -> Any:
        return await self.at(method, **arguments)

    @asynccontextmanager
    async def stream(self, method: str, /, **arguments: Any) -> AsyncIterator[_AsyncStream]:
        opened = self.at(method, **arguments)
        async with await opened if inspect.isawaitable(opened) else opened as stream:
            yield _AsyncStream(stream)

    async def aclose(self) -> None:
        await self.client.close()


class SyncSdk:
    """OpenAI, each blocking step of it in a thread."""

    def __init__(self, base_url: str, api_key: str, **options: Any) -> None:
        self.client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=20, **options)

    def at(self, method: str, **arguments: Any) -> Any:
        return attrgetter(method)(self.client)(**arguments)

    async def call(self, method: str, /, **arguments: Any) -> Any:
        return await asyncio.to_thread(self.at, method, **arguments)

    @asynccontextmanager
    async def stream(self, method: str, /, **arguments: Any) -> AsyncIterator[_SyncStream]:
        opened = await asyncio.to_thread(self.at, method, **arguments)
        stream = await asyncio.to_thread(opened.__enter__)
        try:
            yield _SyncStream(stream)
        finally:
            await asyncio.to_thread(opened.__exit__, None, None, None)

    async def aclose(self) -> None:
        await asyncio.to_thread(self.client.close)


class _AsyncStream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._stream.__anext__()

    async def final(self) -> Any:
        return await _finisher(self._stream)()


class _SyncStream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        # StopIteration cannot leave a thread through a future.
        event = await asyncio.to_thread(next, self._stream, _END)
        if event is _END:
            raise StopAsyncIteration
        return event

    async def final(self) -> Any:
        return await asyncio.to_thread(_finisher(self._stream))


def _finisher(stream: Any) -> Any:
    return getattr(stream, "get_final_completion", None) or stream.get_final_response
