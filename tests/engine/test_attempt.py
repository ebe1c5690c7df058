"""One attempt at a native stream: whose secrets it keeps, and that its answer is closed however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from gateway.config import Limits
from gateway.dialects.chat import DIALECT
from gateway.engine.attempt import Attempt
from gateway.engine.metrics import Metrics
from gateway.engine.plan import Plan
from gateway.engine.turn import Hints, Turn, Voice
from gateway.errors import GatewayError, UpstreamUnavailable
from gateway.upstreams import Call, Taker, Upstream
from gateway.wire.sse import END
from tests.pure.test_relay_reads import COUNTS, delta, event

BODY = {"model": "m", "messages": [], "stream": True}


class Answered:
    """An answer of these pieces, after which its connection may break."""

    status = 200
    over = False

    def __init__(self, pieces: list[bytes], *, breaks: bool) -> None:
        self.headers = {"content-type": "text/event-stream", "x-ratelimit-limit": "5", "openai-organization": "acme"}
        self.closed = 0
        self._pieces = pieces
        self._breaks = breaks

    async def chunks(self, take: Taker | None = None) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._breaks:
            raise UpstreamUnavailable("The connection broke.")

    def whole(self) -> bytes | None:
        """It comes in pieces."""
        return None

    async def aclose(self) -> None:
        self.closed += 1


class Server:
    """An upstream whose login is refreshed while it is being called."""

    name = "server"
    trusted = False

    def __init__(self, *pieces: bytes, breaks: bool = False) -> None:
        self.answer = Answered(list(pieces), breaks=breaks)
        self._token = "token-before-the-call"

    def secrets(self) -> tuple[str, ...]:
        return (self._token,)

    async def open(self, call: Call) -> Answered:
        self._token = "token-of-the-call"
        return self.answer


class Client:
    """A sink that remembers."""

    committed = False
    offers = False

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.written: list[bytes] = []
        self.finished = 0

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        pytest.fail("a stream was asked for")

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        self.headers = headers

    async def write(self, data: bytes) -> None:
        self.committed = True
        self.written.append(data)

    def offer(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes = b"") -> None:
        if data:
            await self.write(data)
        self.finished += 1


async def attempted(server: Server) -> tuple[Client, Turn]:
    relayed = DIALECT.relay(BODY, None)
    assert relayed is not None
    turn = Turn(DIALECT, b"", BODY, "req", Hints())
    plan = Plan("chat", stream=True, body=b"", session_id="", relay=relayed.relay, relayed=True)
    client = Client()
    attempt = Attempt(cast(Upstream, server), Limits(), Metrics(["server"]), now=0.0)
    await attempt.run(turn, plan, client, Call("chat", b"", stream=True, request_id="req"))
    return client, turn


@pytest.mark.proves("CHAT-relay")
async def test_a_stream_in_one_read_is_one_write() -> None:
    whole = delta("Hi") * 3 + delta("", reason="stop", usage=COUNTS) + END
    server = Server(whole)
    client, turn = await attempted(server)
    assert (client.written, client.finished, server.answer.closed) == ([whole], 1, 1)
    assert client.headers == {"x-ratelimit-limit": "5"}
    assert turn.facts == {"upstream_status": 200, "usage": COUNTS}


@pytest.mark.proves("REDACT-literals")
async def test_the_token_that_a_call_was_made_with_is_taken_out_of_its_stream() -> None:
    server = Server(delta("Hi"), event({"error": {"message": "bad token-of-the-call"}}))
    client, _ = await attempted(server)
    assert client.written == [delta("Hi"), event({"error": {"message": "bad [secret]"}}) + END]


@pytest.mark.proves("REDACT-literals")
async def test_the_token_that_a_call_was_made_with_is_taken_out_of_an_early_failure() -> None:
    server = Server(event({"error": {"message": "bad token-of-the-call"}}))
    with pytest.raises(GatewayError) as failure:
        await attempted(server)
    assert failure.value.message == "bad [secret]"
    assert server.answer.closed == 1


@pytest.mark.proves("CHAT-relay-end")
async def test_a_connection_that_breaks_is_told_in_the_stream_that_has_begun() -> None:
    server = Server(delta("Hi"), breaks=True)
    client, turn = await attempted(server)
    assert client.written[0] == delta("Hi")
    assert b'"upstream_unavailable"' in client.written[1]
    assert client.written[1].endswith(END)
    assert (client.finished, server.answer.closed, turn.facts["error"]) == (1, 1, "upstream_unavailable")
