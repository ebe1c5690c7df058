"""Streams of chat-only servers, recorded and made, and how the tests play one through a `ChatInlet`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.repair import Repair
from gateway.dialects.chat.outbound.inlet import ChatInlet
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import SEARCH, Original, ToolMap
from gateway.wire.sse import SSEReader
from tests.pure.invariants import check_response_stream, read

Json = dict[str, Any]

STREAMS = {
    path.stem: path.read_bytes()
    for path in sorted((Path(__file__).parent.parent / "corpus/chat_servers").glob("*.sse"))
}
END = read(b"data: [DONE]\n\n")[0]
ECHO: Json = {"model": "asked-for", "input": [], "instructions": "Be brief.", "include": []}


def tools() -> ToolMap:
    """A custom tool, one in a namespace, and the client's own search for more."""
    known = ToolMap()
    known.declare(Original("custom", "apply_patch"))
    assert known.declare(Original("function", "find", "crm")) == "crm__find"
    assert known.declare(SEARCH) == "tool_search"
    return known


def quirks_for(name: str) -> Quirks:
    """What a recorded server is known for."""
    return Quirks(think_tags=name == "think-tags")


def inlet(quirks: Quirks | None = None, *, open_bytes: int = 1 << 20, **echo: Any) -> ChatInlet:
    return ChatInlet(
        tools=tools(),
        quirks=quirks or Quirks(),
        echo_body={**ECHO, **echo},
        seed="seed",
        created=1790000000,
        open_bytes=open_bytes,
    )


def play(
    source: bytes | Iterable[Frame], quirks: Quirks | None = None, *, open_bytes: int = 1 << 20, **echo: Any
) -> list[Frame]:
    """The inner frames for a whole stream that then ends, checked."""
    machine = inlet(quirks, open_bytes=open_bytes, **echo)
    frames = machine.feed(read(source) if isinstance(source, bytes) else list(source)) + machine.finish()
    check_response_stream(frames)
    assert machine.feed([END]) == machine.finish() == []
    return frames


def play_chunks(chunks: Iterable[bytes], quirks: Quirks) -> bytes:
    """The inner bytes when the network delivers these reads and then ends."""
    machine, reader = inlet(quirks), SSEReader(1 << 20)
    out = [frame.raw for chunk in chunks for frame in machine.feed(reader.feed(chunk))]
    out += [frame.raw for frame in machine.feed(reader.finish())]
    return b"".join(out + [frame.raw for frame in machine.finish()])


def repaired(frames: list[Frame], *, trusted: bool) -> list[Frame]:
    """The same stream behind the engine's `Repair`."""
    machine = Repair("seed", created=1790000000, model="asked-for", trusted=trusted, open_item_bytes=1 << 20)
    out = machine.feed(frames)
    assert machine.finished
    return out


def chunk(finish: str | None = None, *, choice: Json | None = None, top: Json | None = None, **delta: Any) -> Frame:
    """A frame as it comes from a server."""
    told = {"index": 0, "delta": delta, "finish_reason": finish, **(choice or {})}
    return raw({"id": "x", "object": "chat.completion.chunk", "choices": [told], **(top or {})})


def raw(document: Any, event: str = "") -> Frame:
    """A frame with this data."""
    head = f"event: {event}\n".encode() if event else b""
    return read(head + b"data: " + json.dumps(document) + b"\n\n")[0]


def usage(**counts: Any) -> Frame:
    """The chunk that only counts."""
    return raw({"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": counts})


def fragment(index: int | None = None, name: str = "", arguments: Any = "", **more: Any) -> Json:
    """An entry of `tool_calls`."""
    place = {} if index is None else {"index": index}
    named = {"name": name} if name else {}
    return {**place, **more, "function": {**named, "arguments": arguments}}


def final(frames: list[Frame]) -> Json:
    """The response of the terminal event."""
    response: Json = frames[-1].data["response"]
    return response


def summary(response: Json) -> list[tuple[str, ...]]:
    """Each item as its type and what it says; with its status, where that is not *completed*."""
    return [_summary(item) for item in response["output"]]


def _summary(item: Json) -> tuple[str, ...]:
    status = () if item["status"] == "completed" else (item["status"],)
    if "call_id" in item:
        names = [item[name] for name in ("namespace", "name") if name in item]
        given = item.get("arguments", item.get("input"))
        text = given if isinstance(given, str) else json.dumps(given).decode()
        return (item["type"], item["call_id"], *names, text, *status)
    parts = [*item.get("summary", ()), *item.get("content", ())]
    texts = [part.get("text", part.get("refusal")) for part in parts]
    return (item["type"], *texts, *status)


def types(frames: list[Frame]) -> list[str]:
    return [frame.type.removeprefix("response.") for frame in frames]
