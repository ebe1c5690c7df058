"""How long an attempt holds on to its request: until its client has bytes, for it may have to be sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gateway.config import Limits
from gateway.dialects.chat import DIALECT
from gateway.engine.attempt import Attempt
from gateway.engine.metrics import Metrics
from gateway.engine.plan import Plan
from gateway.engine.turn import Hints, Turn
from gateway.errors import GatewayError
from gateway.upstreams import Call, Taker, Upstream
from gateway.wire.sse import END
from tests.engine.test_attempt import BODY, Answered, Client, Server
from tests.pure.test_relay_reads import COUNTS, delta, event

TEXT = b'{"model":"m","messages":[],"stream":true}'


class Watched(Answered):
    """An answer that sees, before each of its pieces, what is still known of the request."""

    def __init__(self, pieces: list[bytes], asked: Asked) -> None:
        super().__init__(pieces, breaks=False)
        self.known: list[Any] = []
        self._asked = asked

    async def chunks(self, take: Taker | None = None) -> AsyncIterator[bytes]:
        async for piece in super().chunks(take):
            self.known.append(self._asked.known())
            yield piece


class Asked:
    """One attempt, and everything that its request is kept in."""

    def __init__(self, *pieces: bytes) -> None:
        relayed = DIALECT.relay(BODY, None)
        assert relayed is not None
        self.turn = Turn(DIALECT, TEXT, BODY, "req", Hints())
        self.plan = Plan("chat", True, TEXT, "", relay=relayed.relay, document=BODY, relayed=True)
        self.call = Call("chat", TEXT, stream=True, request_id="req")
        self.server = Server()
        self.server.answer = self.answer = Watched(list(pieces), self)

    def known(self) -> list[Any]:
        return [self.turn.body, self.turn.document, self.plan.body, self.plan.document, self.call.body]

    async def run(self) -> None:
        attempt = Attempt(cast(Upstream, self.server), Limits(), Metrics(["server"]), now=0.0)
        await attempt.run(self.turn, self.plan, Client(), self.call)


ALL = [TEXT, BODY, TEXT, BODY, TEXT]
NOTHING: list[Any] = [b"", {}, b"", None, b""]


@pytest.mark.proves("MEMORY-request")
async def test_a_request_is_let_go_of_once_its_client_has_bytes() -> None:
    asked = Asked(delta(""), delta("Hi"), delta("", reason="stop", usage=COUNTS) + END)
    await asked.run()
    assert asked.answer.known == [ALL, ALL, NOTHING]


@pytest.mark.proves("MEMORY-request")
async def test_a_request_that_can_be_sent_again_is_kept() -> None:
    asked = Asked(delta(""), event({"error": {"message": "overloaded"}}))
    with pytest.raises(GatewayError):
        await asked.run()
    assert asked.known() == ALL
