"""WebSocket clients of the gateway: a plain one, and the openai SDK's own behind one face."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI, OpenAI
from websockets.asyncio.client import ClientConnection, connect

from tests.live.stack import KEY, MODEL, Stack

Json = dict[str, Any]

ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
"""The last event of a turn is exactly one of these."""


class Socket:
    """A connection; what it asks for goes to one model."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **event: Any) -> None:
        await self.connection.send(json.dumps({"type": "response.create", "model": MODEL, **event}))

    async def event(self) -> Json:
        message = await self.connection.recv()
        assert isinstance(message, str), "events are text"
        event: Json = json.loads(message)
        return event

    async def rest(self) -> list[Json]:
        """What is still to come of the turn."""
        events = [await self.event()]
        while events[-1]["type"] not in ENDS:
            events.append(await self.event())
        return events

    async def turn(self, **event: Any) -> list[Json]:
        """Ask, and read to the end of the answer."""
        await self.send(**event)
        return await self.rest()

    async def answer(self, **event: Any) -> Json:
        """Ask, and get the finished response."""
        last = (await self.turn(**event))[-1]
        assert last["type"] == "response.completed", last
        response: Json = last["response"]
        return response

    async def closed(self) -> int:
        """The code the connection was closed with; what came before that is left out."""
        await self.connection.wait_closed()
        code = self.connection.close_code
        assert code is not None
        return code


@asynccontextmanager
async def connected(
    stack: Stack, *, key: str = KEY, path: str = "/v1/responses", **options: Any
) -> AsyncIterator[Socket]:
    """A connection with the key in its header. `options`: those of `websockets`."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= options.pop("additional_headers", {})
    url = stack.url.replace("http", "ws", 1) + path
    async with asyncio.timeout(20), connect(url, additional_headers=headers, proxy=None, **options) as connection:
        yield Socket(connection)


def text_of(response: Json) -> str:
    """All that a response says."""
    return "".join(part["text"] for item in response["output"] for part in item.get("content") or ())


def as_stream(events: list[Json]) -> bytes:
    """The events as an HTTP stream, for the judges of those."""
    blocks = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return "".join([*blocks, "data: [DONE]\n\n"]).encode()


async def sdk_turns(stack: Stack, kind: str, *creates: Json) -> list[list[Any]]:
    """Turns of one connection of the SDK, each event as the SDK types it.

    A create may name the response of an earlier turn by its number: `{"previous": 0}`.
    """
    options: Json = {"base_url": f"{stack.url}/v1", "api_key": KEY, "max_retries": 0}
    if kind == "SyncSdk":
        return await asyncio.to_thread(_sync_turns, options, creates)
    turns: list[list[Any]] = []
    async with AsyncOpenAI(**options) as client, client.responses.connect() as connection:
        for create in creates:
            await connection.response.create(**_arguments(create, turns))
            turns.append([])
            async for event in connection:
                turns[-1].append(event)
                if event.type in ENDS:
                    break
    return turns


def _sync_turns(options: Json, creates: tuple[Json, ...]) -> list[list[Any]]:
    turns: list[list[Any]] = []
    with OpenAI(**options) as client, client.responses.connect() as connection:
        for create in creates:
            connection.response.create(**_arguments(create, turns))
            turns.append([])
            for event in connection:
                turns[-1].append(event)
                if event.type in ENDS:
                    break
    return turns


def _arguments(create: Json, turns: list[list[Any]]) -> Json:
    arguments = {"model": MODEL, **create}
    if "previous" in arguments:
        arguments["previous_response_id"] = turns[arguments.pop("previous")][-1].response.id
    return arguments
