"""Beats → bytes on the wire, at the pace the script asks for, while watching whether the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.simulator.scenario import Script
from gateway.simulator.scripts import Beat, Event, Hold, Raw, Stop

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]  # seconds


class Gate(asyncio.Event):
    """A pause point: the stream stops at it until a test sets it. `reached` is set once the stream is there."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()


@dataclass(slots=True)
class Answer:
    """One HTTP answer. `stream` marks those that count as open streams; `script` sets pace, writes and line ends.

    `pieces`: a body that is made while it is sent, in place of beats.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    beats: list[Beat] = field(default_factory=list)
    script: Script = field(default_factory=Script)
    stream: bool = False
    document: Any = None
    pieces: Iterable[bytes] = ()


def document(content: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer. Header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, [Raw(orjson.dumps(content))], document=content)


def page(text: str, status: int = 200, **headers: str) -> Answer:
    """An HTML answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "text/html; charset=utf-8", **named}, [Raw(text.encode())])


def canned(script: Script) -> Answer:
    """The answer of a script that is a whole HTTP answer: objects and lists as JSON, text as it is."""
    if isinstance(script.body, dict | list):
        answer = document(script.body, script.status or 200)
    else:
        text = script.body.encode() if isinstance(script.body, str) else b""
        answer = Answer(script.status or 200, {"content-type": "text/plain; charset=utf-8"}, [Raw(text)])
    answer.headers.update({name.lower(): str(value) for name, value in script.headers.items()})
    return answer


def frame(event: Event, newline: bytes = b"\n") -> bytes:
    """One SSE frame."""
    data = event.data.encode() if isinstance(event.data, str) else orjson.dumps(event.data)
    head = b"event: " + event.name.encode() + newline if event.name else b""
    return head + b"data: " + data + newline + newline


def writes(data: bytes, mode: str | int) -> Iterable[bytes]:
    """Cut bytes into writes: whole, single bytes, a number of bytes, or inside every character of several bytes."""
    if mode == "split":
        start = 0
        for at in range(1, len(data)):
            if data[at - 1] >= 0xC0:
                yield data[start:at]
                start = at
        yield data[start:]
    elif mode == "byte" or isinstance(mode, int):
        size = 1 if mode == "byte" else int(mode)
        for start in range(0, len(data), size):
            yield data[start : start + size]
    else:
        yield data


class Player:
    """Plays one answer to one client.

    `closed_early` says afterwards that the client left before the answer was complete.
    """

    def __init__(self, answer: Answer, gate: Callable[[str], Gate], reached: Callable[[], None], sleep: Sleep) -> None:
        self.closed_early = False
        self._sleep = sleep
        self._answer = answer
        self._gate = gate
        self._reached = reached
        self._complete = False

    async def play(self, receive: Receive, send: Send) -> None:
        """Send the answer; returns early when the client leaves."""
        playing = asyncio.ensure_future(self._play(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self.closed_early = not self._complete and not playing.done()
        finally:
            for task in (playing, leaving):
                if not task.done():
                    task.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)
        if not playing.cancelled():
            playing.result()

    async def _play(self, send: Send) -> None:
        answer = self._answer
        await self._hold(Hold(seconds=answer.script.delay))
        if answer.script.gate is not None:
            await self._hold(Hold(gate=answer.script.gate))
        body = answer.beats[0].data if len(answer.beats) == 1 and isinstance(answer.beats[0], Raw) else None
        headers = dict(answer.headers)
        if body is not None:
            headers["content-length"] = str(len(body))
        wire = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": wire})
        for data in self._joined():
            if isinstance(data, Hold):
                await self._hold(data)
            elif isinstance(data, Stop):
                if data.cut:
                    # Returning without the last body message makes the server close the connection.
                    self._complete = True
                    return
                break
            else:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        self._complete = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _joined(self) -> Iterable[bytes | Hold | Stop]:
        """Beats as writes; in mode `all` everything between two pauses is one write."""
        yield from self._answer.pieces
        script = self._answer.script
        newline = b"\r\n" if script.crlf else b"\n"
        waiting = b""
        for beat in self._answer.beats:
            if isinstance(beat, Hold | Stop):
                if waiting:
                    yield waiting
                    waiting = b""
                yield beat
                continue
            data = beat.data if isinstance(beat, Raw) else frame(beat, newline)
            if script.write == "all":
                waiting += data
            else:
                yield from writes(data, script.write)
        if waiting:
            yield waiting

    async def _hold(self, hold: Hold) -> None:
        if hold.gate is not None:
            gate = self._gate(hold.gate)
            gate.reached.set()
            self._reached()
            await gate.wait()
        elif hold.stall:
            await asyncio.Event().wait()
        elif hold.seconds:
            await self._sleep(hold.seconds)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
