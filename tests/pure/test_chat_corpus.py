"""Recorded streams on the chat path: translated from Responses, and relayed from chat servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.core import json
from gateway.core.frames import Frame
from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from gateway.dialects.relay import ChunkRelay
from gateway.errors import StreamTruncated
from gateway.wire.sse import SSEReader
from tests.pure.chat_invariants import fold
from tests.pure.invariants import read
from tests.pure.streams import CORPUS, repair
from tests.pure.test_repair_corpus import cuts

Json = dict[str, Any]
Way = Callable[[Iterable[bytes]], bytes]

END = b"data: [DONE]\n\n"
CUT = StreamTruncated("The stream was cut.")
CHAT = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent.parent / "corpus/chat").glob("*.sse"))}


def translated(chunks: Iterable[bytes]) -> bytes:
    """What a chat client gets when a Responses server's stream is read in these pieces and then ends."""
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    encoder = DIALECT.decode(body, Choices()).stream_encoder(1790000000)
    reader, machine = SSEReader(1 << 20), repair()
    out = [encoder.feed(machine.feed(reader.feed(chunk))) for chunk in chunks]
    out += [encoder.feed(machine.feed(reader.finish())), encoder.feed(machine.abort(CUT))]
    assert encoder.finished
    return b"".join(out)


def relayed(chunks: Iterable[bytes]) -> bytes:
    """What a chat client gets when a chat server's stream is read in these pieces and then ends."""
    relay, reader = ChunkRelay(include_usage=True), SSEReader(1 << 20)
    out = [relay.feed(reader.feed(chunk)) for chunk in chunks]
    out += [relay.feed(reader.finish()), relay.finish()]
    assert relay.finished
    return b"".join(out)


def documents(stream: bytes) -> list[Json]:
    """The chunks of a stream that ends with its end mark."""
    assert stream.endswith(END)
    return [json.loads(frame.payload) for frame in SSEReader(1 << 20).feed(stream)[:-1]]


def looks_complete(stream: bytes) -> bool:
    chunks = documents(stream)
    return "error" not in chunks[-1] and any(
        choice.get("finish_reason") for chunk in chunks for choice in chunk.get("choices", ())
    )


def says_how_it_ended(frame: Frame) -> bool:
    """Whether a server's frame settles the outcome: the end mark, a finish reason, or an error."""
    return frame.payload == b"[DONE]" or b'"finish_reason":"' in frame.payload.replace(b": ", b":")


EVERY = pytest.mark.parametrize(
    ("way", "source"),
    [pytest.param(translated, source, id=f"translated-{name}") for name, source in CORPUS.items()]
    + [pytest.param(relayed, source, id=f"relayed-{name}") for name, source in CHAT.items()],
)


@EVERY
@pytest.mark.proves("CHAT-corpus")
def test_byte_by_byte_gives_the_same_chunks_as_whole(way: Way, source: bytes) -> None:
    whole = way([source])
    assert way(source[at : at + 1] for at in range(len(source))) == whole
    assert way(source[at : at + 7] for at in range(0, len(source), 7)) == whole


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("CHAT-corpus")
def test_every_recorded_responses_stream_is_a_legal_chat_stream_or_an_error(name: str) -> None:
    fold(translated([CORPUS[name]]).decode())


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("CHAT-corpus", "CASE-83")
def test_a_cut_responses_stream_never_looks_complete_to_a_chat_client(name: str) -> None:
    source = CORPUS[name]
    whole = len(read(source))
    verdicts: dict[int, bool] = {}
    for cut in cuts(source):
        length = len(read(source[:cut]))
        if length < whole and length not in verdicts:
            verdicts[length] = looks_complete(translated([source[:cut]]))
    assert not any(verdicts.values())


@pytest.mark.parametrize("name", CHAT)
@pytest.mark.proves("CHAT-corpus", "CASE-83")
def test_a_cut_chat_stream_never_looks_complete(name: str) -> None:
    source = CHAT[name]
    for cut in cuts(source):
        settled = any(map(says_how_it_ended, read(source[:cut])))
        stream = relayed([source[:cut]])
        assert looks_complete(stream) is settled, f"cut at {cut}"
        assert settled or "error" in documents(stream)[-1]


@pytest.mark.parametrize("name", ["openai-text", "openai-tools", "vllm-reasoning"])
@pytest.mark.proves("CHAT-corpus")
def test_a_sound_chat_stream_is_relayed_byte_for_byte(name: str) -> None:
    source = CHAT[name]
    assert relayed([source]) == source.split(b"\n\n", 1)[1]
