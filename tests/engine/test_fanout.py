"""Several turns, one answer: what comes first, what ends all, and what the client is told in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.dialects import Bundle, Choices
from gateway.dialects.completions import DIALECT
from gateway.engine.fanout import Run, fan_out
from gateway.engine.plan import Batch, Plan
from gateway.engine.turn import Hints, Sink, Turn, Voice
from gateway.errors import GatewayError, UpstreamError, UpstreamTimeout
from tests.pure.chat_frames import events_of, frames, message, response
from tests.pure.text_asking import error_in
from tests.sdk_types import check_completion, check_completion_stream

Json = dict[str, Any]


class Client:
    """A client that takes its bytes when it likes: `slow` writes wait until `go`."""

    def __init__(self, *, slow: bool = False) -> None:
        self.committed = self.offers = False
        self.received = b""
        self.headers: dict[str, str] = {}
        self.ended = 0
        self.voice: Voice | None = None
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()
        self._lock = asyncio.Lock()
        if not slow:
            self.go.set()

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        self.received, self.headers, self.committed = body, headers, True
        self.ended += 1

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        self.headers, self.voice = headers, voice

    async def write(self, data: bytes) -> None:
        async with self._lock:
            self.committed = True
            self.waiting.set()
            await self.go.wait()
            assert not self.ended, "a write after the end"
            self.received += data

    def offer(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes = b"") -> None:
        if data:
            await self.write(data)
        self.ended += 1


class Script:
    """What the upstream does for each prompt, in place of the engine's attempts."""

    def __init__(self, *acts: Callable[[Turn, Plan, Sink], Awaitable[None]]) -> None:
        self._acts = list(acts)
        self.running = self.most = 0

    async def __call__(self, turn: Turn, plan: Plan, sink: Sink) -> None:
        assert plan.exchange is not None
        act = self._acts[plan.exchange.wishes.index]  # type: ignore[attr-defined]  # the exchanges are of completions
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await act(turn, plan, sink)
        finally:
            self.running -= 1


class Deaf:
    """The voice of one branch, which the client never hears."""

    def keep_alive(self, silent_seconds: float) -> bytes:
        raise AssertionError

    def fail(self, error: GatewayError) -> bytes:
        raise AssertionError


def telling(made: Json, *, upto: int | None = None, then: GatewayError | None = None) -> Any:
    """Answer with this response, as an attempt does; `upto` its so many events only, then fail as attempts do."""

    async def act(turn: Turn, plan: Plan, sink: Sink) -> None:
        assert plan.exchange is not None
        if not plan.stream:
            turn.facts["usage"] = made["usage"]
            await sink.document(plan.exchange.encode_response(made), plan.headers)
            return
        encoder = plan.exchange.stream_encoder(5)
        sink.stream(plan.headers, Deaf())
        for event in frames(events_of(made)[:upto]):
            if encoder.finished:
                break
            data = encoder.feed([event])
            if data:
                await sink.write(data)
            await asyncio.sleep(0)
        if then is not None:
            if not sink.committed:
                raise then
            await sink.write(encoder.fail(then))
        await sink.finish()
        turn.facts["usage"] = made["usage"]

    return act


def failing(error: GatewayError) -> Any:
    async def act(turn: Turn, plan: Plan, sink: Sink) -> None:
        raise error

    return act


def holding(cancelled: list[str]) -> Any:
    async def act(turn: Turn, plan: Plan, sink: Sink) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(turn.request_id)

    return act


def batch_of(count: int, *, stream: bool, **headers: str) -> Batch:
    body = {"model": "m", "prompt": [str(number) for number in range(count)], "stream": stream}
    asked = DIALECT.decode(body, Choices())
    assert isinstance(asked, Bundle)
    plans = [Plan("responses", stream, b"", "", exchange=one, headers=dict(headers)) for one in asked.exchanges]
    return Batch(plans, asked.joint, stream)


async def ran(client: Client, batch: Batch, run: Run, *, limit: int = 8) -> Turn:
    turn = Turn(DIALECT, b"", {}, "request-1", Hints(), facts={"key": "config"})
    async with asyncio.timeout(5):
        await fan_out(turn, batch, client, limit=limit, run=run)
    return turn


ONE, TWO = response(message("one")), response(message("two"), id="resp_2")
BROKEN = UpstreamTimeout("silence")
SPOKEN = 1 + next(at for at, event in enumerate(events_of(ONE)) if event["type"].endswith("text.delta"))
"""Events of a stream up to its first text."""


@pytest.mark.proves("TEXT-several")
@pytest.mark.parametrize("stream", [False, True])
async def test_headers_and_tokens_of_all_are_told_once(stream: bool) -> None:
    client = Client()
    batch = batch_of(2, stream=stream)
    batch.plans[0].headers["x-gateway-dropped"] = "seed"
    batch.plans[1].headers["x-gateway-dropped"] = "top_p"
    batch.headers["x-gateway-upstream"] = "other"
    turn = await ran(client, batch, Script(telling(ONE), telling(TWO)))
    assert set(client.headers["x-gateway-dropped"].split(",")) == {"seed", "top_p"}
    assert client.headers["x-gateway-upstream"] == "other"
    assert (turn.facts["usage"]["total_tokens"], turn.facts["key"]) == (58, "config")
    assert client.ended == 1
    if stream:
        assert check_completion_stream(client.received, expect_usage=False).texts == {0: "one", 1: "two"}
    else:
        assert [choice.text for choice in check_completion(client.received).choices] == ["one", "two"]


@pytest.mark.proves("TEXT-several-limit")
async def test_the_limit_holds_and_everything_runs() -> None:
    run = Script(*(telling(response(message(str(number)))) for number in range(20)))
    client = Client()
    await ran(client, batch_of(20, stream=True), run, limit=3)
    assert run.most == 3
    assert check_completion_stream(client.received, expect_usage=False).texts == {n: str(n) for n in range(20)}


@pytest.mark.proves("TEXT-several-failure")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_early_failure_is_raised_and_the_others_are_cancelled(stream: bool) -> None:
    client, cancelled = Client(), list[str]()
    with pytest.raises(UpstreamTimeout):
        await ran(client, batch_of(3, stream=stream), Script(holding(cancelled), failing(BROKEN), holding(cancelled)))
    assert (client.received, client.committed, client.ended) == (b"", False, 0)
    assert cancelled == ["request-1"] * 2


@pytest.mark.proves("TEXT-several-failure")
async def test_a_late_failure_of_a_silent_prompt_is_told_inside_the_stream() -> None:
    client, cancelled = Client(), list[str]()
    client.committed = True
    turn = await ran(client, batch_of(2, stream=True), Script(failing(BROKEN), holding(cancelled)))
    assert error_in(client.received)["code"] == "upstream_timeout"
    assert (turn.facts["error"], client.ended, cancelled) == ("upstream_timeout", 1, ["request-1"])


@pytest.mark.proves("TEXT-several-failure")
async def test_a_failure_after_text_is_told_once_and_cancels_the_others() -> None:
    client, cancelled = Client(), list[str]()
    run = Script(telling(ONE, upto=SPOKEN, then=BROKEN), holding(cancelled), telling(TWO, upto=SPOKEN, then=BROKEN))
    await ran(client, batch_of(3, stream=True), run)
    assert error_in(client.received)["code"] == "upstream_timeout"
    assert client.received.count(b'"error"') == client.received.count(b"[DONE]") == client.ended == 1
    assert cancelled == ["request-1"]


@pytest.mark.proves("TEXT-several-failure")
async def test_the_last_words_reach_a_slow_client_whatever_fails_meanwhile() -> None:
    """Two prompts fail one way, a third one another, while the first write has not left yet."""
    client = Client(slow=True)

    async def later(turn: Turn, plan: Plan, sink: Sink) -> None:
        await client.waiting.wait()
        raise UpstreamError("also broken")

    acts = [telling(ONE, upto=SPOKEN, then=BROKEN), telling(TWO, upto=SPOKEN, then=BROKEN), later]
    async with asyncio.timeout(5):
        running = asyncio.create_task(ran(client, batch_of(3, stream=True), Script(*acts)))
        await client.waiting.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        client.go.set()
        await running
    assert error_in(client.received)["code"] in ("upstream_timeout", "upstream_error")
    assert client.received.count(b"[DONE]") == client.ended == 1


@pytest.mark.proves("TEXT-several-failure")
async def test_two_failures_at_the_same_moment_are_told_as_one() -> None:
    """The first is raised, the second is inside the stream already when the first is looked at."""

    async def at_once(turn: Turn, plan: Plan, sink: Sink) -> None:
        assert plan.exchange is not None
        encoder = plan.exchange.stream_encoder(5)
        await sink.write(encoder.feed(frames(events_of(ONE)[:SPOKEN])))
        await sink.write(encoder.fail(BROKEN))

    client = Client()
    client.committed = True
    await ran(client, batch_of(2, stream=True), Script(failing(UpstreamError("broken")), at_once))
    assert error_in(client.received)["code"] == "upstream_timeout"
    assert client.received.count(b"[DONE]") == client.ended == 1


@pytest.mark.proves("TEXT-several")
async def test_the_end_waits_for_a_slow_client() -> None:
    client = Client(slow=True)
    async with asyncio.timeout(5):
        running = asyncio.create_task(ran(client, batch_of(2, stream=True), Script(telling(ONE), telling(TWO))))
        await client.waiting.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        early = client.ended
        client.go.set()
        await running
    assert check_completion_stream(client.received, expect_usage=False).texts == {0: "one", 1: "two"}
    assert (early, client.ended) == (0, 1)


@pytest.mark.proves("TEXT-several-left")
async def test_cancelling_the_request_cancels_every_prompt() -> None:
    client, cancelled = Client(), list[str]()
    running = asyncio.create_task(ran(client, batch_of(3, stream=True), Script(*[holding(cancelled)] * 3)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (cancelled, client.received, client.ended) == (["request-1"] * 3, b"", 0)


@pytest.mark.proves("TEXT-several-failure")
async def test_the_stream_speaks_for_all_its_prompts() -> None:
    client, cancelled = Client(), list[str]()

    async def announced(turn: Turn, plan: Plan, sink: Sink) -> None:
        sink.stream({}, Deaf())
        await holding(cancelled)(turn, plan, sink)

    running = asyncio.create_task(ran(client, batch_of(2, stream=True), Script(announced, announced)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.voice is not None
    assert client.voice.keep_alive(30) == b": keep-alive\n\n"
    assert error_in(client.voice.fail(BROKEN))["code"] == "upstream_timeout"
    running.cancel()
    await asyncio.wait([running])
