"""Bodies that are huge, deep, dense or compressed to nothing: refused early or served, in bounded memory.

Nothing here looks at a clock: what is bounded is how much was read, how much was held, and how often code ran.
"""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import zstandard

from gateway.dialects import Choices, chat, responses
from gateway.surfaces.middleware.body import parse_json
from tests.hardening.asking import Reply, ask
from tests.hardening.mounting import AUTHORIZED, Mounted, mounted
from tests.live.stack import CODEX, MODEL
from tests.sdk_types import check_error

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.proves("HARD-big")]

MEGABYTE = 1024 * 1024
LIMIT = 4 * MEGABYTE
PIECE = 64 * 1024
PATHS = ("/v1/chat/completions", "/v1/responses")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mounted]:
    async with mounted(CODEX, tmp_path_factory.mktemp("big"), limits={"body_bytes": LIMIT}) as gateway:
        yield gateway


class Offered(Collection[bytes]):
    """A body that is made while it is read; counts what was taken of it."""

    def __init__(self, pieces: Iterator[bytes], count: int) -> None:
        self._pieces = pieces
        self._count = count
        self.taken = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, piece: object) -> bool:
        return False  # nobody looks: what is made is taken at once

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


async def offered(gateway: Mounted, path: str, pieces: Iterator[bytes], count: int) -> tuple[Reply, int]:
    body = Offered(pieces, count)
    reply = await ask(gateway.app, "POST", path, headers=AUTHORIZED, pieces=body)
    return reply, body.taken


def refused(reply: Reply, status: int, *, param: str | None = None) -> str:
    error = check_error(reply.body)
    assert (reply.status, error.param) == (status, param), error
    return error.message


def filled(path: str, field: str, raw: bytes) -> bytes:
    """A sound body of a route with one field more, in raw JSON."""
    said = b'"messages":[{"role":"user","content":"hi"}]' if "chat" in path else b'"input":"hi"'
    return b'{"model":"%b",%b,"%b":%b}' % (MODEL.encode(), said, field.encode(), raw)


@pytest.mark.parametrize("path", PATHS)
async def test_of_100_mb_little_more_than_the_limit_is_read(gateway: Mounted, path: str) -> None:
    count = 100 * MEGABYTE // PIECE
    reply, taken = await offered(gateway, path, (b" " * PIECE for _ in range(count)), count)
    assert str(LIMIT) in refused(reply, 413)
    assert taken == LIMIT // PIECE + 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_is_announced_too_large_is_not_read_at_all(gateway: Mounted, path: str) -> None:
    body = Offered(iter([b"{}"]), 1)
    length = (b"content-length", b"104857600")
    reply = await ask(gateway.app, "POST", path, headers=[*AUTHORIZED, length], pieces=body)
    refused(reply, 413)
    assert body.taken == 0


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd}


def held(run: Callable[[], object]) -> int:
    """The most memory that was in use at once, in bytes, beyond what was in use before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_bomb_is_left_when_it_has_grown_to_the_limit(gateway: Mounted, encoding: str, rounds: int) -> None:
    """100 MB of zeros in 100 KB, and that once more in less than one."""
    bomb = b"\0" * (100 * MEGABYTE)
    for _ in range(rounds):
        bomb = PACKERS[encoding](bomb)
    assert len(bomb) < 110 * 1024
    coding = (b"content-encoding", ", ".join([encoding] * rounds).encode())
    tracemalloc.start()
    try:
        reply = await gateway.post(PATHS[0], bomb, coding)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    refused(reply, 413)
    # One more slice than the limit: of zstd it may grow to 32 MiB.
    assert most < 2 * LIMIT + 40 * MEGABYTE


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "bomb",
    [b"[" * 10**6, b"[" * 10**6 + b"]" * 10**6, b'{"a":' * 600_000, b'{"a":' * 500_000 + b"1" + b"}" * 500_000],
    ids=["open-lists", "lists", "open-objects", "objects"],
)
async def test_a_million_levels_are_refused(gateway: Mounted, path: str, bomb: bytes) -> None:
    assert "not valid JSON" in refused(await gateway.post(path, filled(path, "user", bomb)), 400)


@pytest.mark.parametrize("path", PATHS)
async def test_levels_beyond_the_limit_are_refused_by_the_field_they_are_in(gateway: Mounted, path: str) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    assert "128 levels" in refused(await gateway.post(path, filled(path, "metadata", deep)), 400, param="metadata")
    wide = b"[" + b",".join([b"[[1]]"] * 100_000) + b"]"
    assert (await gateway.post(path, filled(path, "unknown", wide))).status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "number", [b"9" * 10**6, b"-" + b"9" * 10**6, b"1e" + b"9" * 10**6], ids=["long", "minus", "exponent"]
)
async def test_a_number_of_a_million_digits_is_refused(gateway: Mounted, path: str, number: bytes) -> None:
    assert "not valid JSON" in refused(await gateway.post(path, filled(path, "temperature", number)), 400)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("number", [b"0." + b"1" * 10**6, b"1e-" + b"9" * 10**6], ids=["long", "exponent"])
async def test_a_million_digits_behind_the_point_are_a_number(gateway: Mounted, path: str, number: bytes) -> None:
    assert (await gateway.post(path, filled(path, "temperature", number))).status == 200


def keys(count: int, value: str = "1") -> bytes:
    return b"{" + b",".join(b'"k%d":%b' % (number, value.encode()) for number in range(count)) + b"}"


DENSE: dict[str, tuple[str, bytes, int, str | None]] = {
    "unknown keys": ("unknown", keys(300_000), 200, None),
    "keys of metadata": ("metadata", keys(200_000, '"v"'), 0, "metadata"),
    "small texts": ("stop", b"[" + b",".join([b'"a"'] * 500_000) + b"]", 0, "stop"),
    "one long text": ("user", b'"' + b"a" * (3 * MEGABYTE) + b'"', 200, None),
    "escapes": ("user", b'"' + b"\\u0041" * 500_000 + b'"', 200, None),
    "halves of pairs": ("user", b'"' + b"\\ud83d" * 500_000 + b'"', 200, None),
    "the same key": ("user", b'"a"' + b',"user":"a"' * 300_000, 200, None),
    "tools": (
        "tools",
        b"[" + b",".join(b'{"type":"function","name":"t%d"}' % n for n in range(50_000)) + b"]",
        200,
        None,
    ),
    "tools of one name": (
        "tools",
        b"[" + b",".join([b'{"type":"function","name":"t"}'] * 50_000) + b"]",
        0,
        "tools[1]",
    ),
    "wishes": ("include", b"[" + b",".join([b'"a"'] * 500_000) + b"]", 200, None),
    "empty objects": ("tools", b"[" + b",".join([b"{}"] * 500_000) + b"]", 400, "tools[0]"),
}
"""Field, its raw JSON, the status (0: the upstream's or the dialect's to say), and the field that is named."""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", DENSE)
async def test_a_body_dense_with_small_things_is_served_or_refused(gateway: Mounted, path: str, name: str) -> None:
    field, raw, status, param = DENSE[name]
    body = filled(path, field, raw)
    assert len(body) <= LIMIT
    reply = await gateway.post(path, body)
    assert reply.status in ((200, 400) if status == 0 else (status,)), reply.body[:300]
    if reply.status == 400:
        assert (check_error(reply.body).param or "").startswith(param or "?"), reply.body[:300]
    assert sum(len(name) + len(value) for name, value in reply.headers.items()) < 8 * 1024, "headers stay small"


def message(number: int) -> dict[str, Any]:
    return {"role": "assistant", "function_call": {"name": f"f{number % 2}", "arguments": "{}"}}


def histories(count: int) -> dict[str, dict[str, Any]]:
    """Conversations of so many pieces, each of a kind that could be costly in a row."""
    call = {"type": "function", "function": {"name": "x" * 70, "arguments": "{}"}}
    calls = [{**call, "id": f"call {number}"} for number in range(count)]
    answers = [{"role": "tool", "tool_call_id": f"call {number}", "content": "x"} for number in range(count)]
    legacy = [message(number) for number in range(count)]
    results = [{"role": "function", "name": f"f{number % 2}", "content": "x"} for number in range(0, count, 2)]
    parts = [{"type": "text", "text": "x"}] * count
    user = {"role": "user", "content": "x"}
    return {
        "messages": {"messages": [user] * count},
        "parts": {"messages": [{"role": "user", "content": parts}]},
        "calls": {"messages": [{"role": "assistant", "tool_calls": calls}, *answers]},
        "legacy calls": {"messages": [*legacy, *results]},
        "names": {
            "messages": [user],
            "tools": [{"type": "function", "function": {"name": f"a.{n}"}} for n in range(count)],
        },
        "items": {"input": [user] * count},
    }


def work(document: dict[str, Any]) -> int:
    """How many steps of Python the reading of a body takes: lines run, in the dialects and below."""
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    body = json.dumps({"model": MODEL, **document}).encode()
    before = sys.gettrace()
    sys.settrace(count)
    try:
        chat.DIALECT.decode(parse_json(body, 128), Choices())
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("kind", histories(1))
async def test_the_work_of_reading_grows_no_faster_than_the_body(kind: str) -> None:
    small, large = (work(histories(count)[kind]) for count in (200, 800))
    assert large < small * 5, f"four times the body is {large / small:.1f} times the work"


async def test_a_body_within_the_limit_is_held_a_few_times_over_and_no_more(tmp_path: Path) -> None:
    body = filled(PATHS[1], "instructions", b'"' + b"a" * (32 * MEGABYTE) + b'"')

    def read() -> object:
        exchange = responses.DIALECT.decode(parse_json(body, 128), Choices())
        return exchange.request

    # The parser reserves twelve times the text for its tree, and leaves most of it untouched.
    assert held(read) < 15 * len(body)
