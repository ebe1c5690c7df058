"""The corpus of Responses streams, and how the tests play one through a `Repair`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.core.frames import Frame
from gateway.core.repair import Repair
from gateway.errors import StreamTruncated
from gateway.wire.sse import SSEReader
from tests.pure.invariants import read

Json = dict[str, Any]

CORPUS = {
    path.stem: path.read_bytes() for path in sorted((Path(__file__).parent.parent / "corpus/responses").glob("*.sse"))
}

CLEAN = (
    "openai-text",
    "openai-web-search",
    "openai-two-calls-at-once",
    "openai-incomplete",
    "openai-code-image-mcp",
    "openai-refusal",
    "openai-emoji",
)
"""Streams in which there is nothing to repair."""


def repair(*, trusted: bool = False, open_item_bytes: int = 1 << 20, response_id: str = "") -> Repair:
    return Repair(
        "seed",
        created=1790000000,
        model="model-x",
        trusted=trusted,
        open_item_bytes=open_item_bytes,
        response_id=response_id,
    )


def play(source: bytes | Iterable[Frame], *, trusted: bool = False) -> tuple[Repair, list[Frame]]:
    """A whole stream through a repair, closed as cut when the upstream left its end out."""
    machine = repair(trusted=trusted)
    frames = machine.feed(read(source) if isinstance(source, bytes) else source)
    if not machine.finished:
        frames += machine.abort(StreamTruncated("The stream was cut."))
    return machine, frames


def play_chunks(chunks: Iterable[bytes], *, trusted: bool = False) -> bytes:
    """The bytes that come out when the network delivers these reads and then ends."""
    machine, reader = repair(trusted=trusted), SSEReader(1 << 20)
    out = [frame.raw for chunk in chunks for frame in machine.feed(reader.feed(chunk))]
    out += [frame.raw for frame in machine.feed(reader.finish())]
    out += [frame.raw for frame in machine.abort(StreamTruncated("The stream was cut."))]
    return b"".join(out)


def event(kind: str, number: int | None = None, **fields: Any) -> Frame:
    """A frame as it comes from the network."""
    data: Json = {"type": kind, **({} if number is None else {"sequence_number": number}), **fields}
    return read(Frame.of(data).raw)[0]


def of_type(frames: Iterable[Frame], kind: str) -> list[Json]:
    return [frame.data for frame in frames if frame.type == kind]


def types(frames: list[Frame]) -> list[str]:
    return [frame.type.removeprefix("response.") for frame in frames]


def output(frames: list[Frame]) -> list[Json]:
    found: list[Json] = frames[-1].data["response"]["output"]
    return found


def texts(items: list[Json]) -> list[str]:
    return [part["text"] for item in items for part in item.get("content") or []]
