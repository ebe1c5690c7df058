"""Stores for tests: on a file or on PostgreSQL, with a clock that stands still until it is told to move."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.config import Store as Settings
from gateway.store import Store
from gateway.store.rows import Ending, Frame, NewItem, NewResponse, Status

Json = dict[str, Any]
OWNER = "operator"

_numbers = itertools.count()


class Clock:
    """Seconds since 1970, as `time.time`."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def forward(self, *, days: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        self.seconds += days * 86_400 + minutes * 60 + seconds


class Home:
    """A place for a store. Every `store()` of it is a process of its own, as far as the store can tell."""

    def __init__(self, url: str, workdir: Path) -> None:
        self.url = url
        self.workdir = workdir
        self.clock = Clock()

    @property
    def postgresql(self) -> bool:
        return bool(self.url)

    def settings(self, **changes: Any) -> Settings:
        return Settings.model_validate({"url": self.url, **changes})

    @asynccontextmanager
    async def store(self, **changes: Any) -> AsyncIterator[Store]:
        async with Store(self.settings(**changes), self.workdir, now=self.clock) as store:
            yield store


def message(text: str, role: str = "user", *, step: int = 0, id: str | None = None) -> NewItem:  # noqa: A002
    part = {"type": "input_text" if role == "user" else "output_text", "text": text}
    body: Json = {"type": "message", "role": role, "content": [part]}
    return NewItem(body if id is None else {"id": id, **body}, step=step)


def answer(text: str, *, id: str | None = None) -> NewItem:  # noqa: A002
    return message(text, "assistant", step=1, id=id)


def call(call_id: str, *, step: int = 1) -> NewItem:
    return NewItem({"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}, step=step)


def output(call_id: str, *, step: int = 0) -> NewItem:
    return NewItem({"type": "function_call_output", "call_id": call_id, "output": "1"}, step=step)


def response(id: str = "", *, owner: str = OWNER, status: Status = "completed", **fields: Any) -> NewResponse:  # noqa: A002
    """A response; without an id one that nobody had before."""
    name = id or f"resp_{next(_numbers):08}"
    result = {"id": name, "object": "response", "status": status, "output": []}
    return NewResponse(owner=owner, id=name, status=status, result=fields.pop("result", result), **fields)


def running(id: str = "", **fields: Any) -> NewResponse:  # noqa: A002
    return response(id, status=fields.pop("status", "in_progress"), background=True, logged=True, **fields)


def ending(status: Status = "completed", *drafts: NewItem, frames: tuple[Frame, ...] = ()) -> Ending:
    return Ending(status=status, result={"object": "response", "status": status}, drafts=drafts, frames=frames)


def frames(*numbers: int) -> list[Frame]:
    return [Frame(number, f"data: {number}\n\n".encode()) for number in numbers]
