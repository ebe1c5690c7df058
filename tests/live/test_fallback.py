"""Another upstream stands in for one that cannot answer: when, when not, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from tests.live.stack import CODEX, MODEL, NATIVE, DialectName, Json, Mode
from tests.live.team import DEFAULT, PATHS, PLAN, Team, body, nobody, team, text_of
from tests.sdk_types import check_error, check_failed_chat_stream, check_failed_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIALECTS: tuple[DialectName, ...] = ("chat", "responses")
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
STANDS_IN = "x-gateway-upstream"

WORLDS: dict[str, tuple[Mode, dict[str, Json]]] = {
    "plan → server": (CODEX, {"second": {}}),
    "plan → inner server": (CODEX, {"second": {"dialects": ["responses"]}}),
    "plan → chat server": (CODEX, {"second": {"dialects": ["chat"]}}),
    "server → plan": (NATIVE, {"second": PLAN}),
    "server → server": (NATIVE, {"second": {}}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=WORLDS)
async def pair_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Team]:
    mode, providers = WORLDS[request.param]
    upstream, limits = {"fallback": ["second"]}, {"idle_seconds": 1, "json_seconds": 1}
    async with team(
        mode, tmp_path_factory.mktemp("pair"), providers=providers, upstream=upstream, limits=limits
    ) as made:
        yield made


@pytest.fixture
def pair(pair_of: Team) -> Iterator[Team]:
    """A default upstream, and a second one that stands in for it; both wait a second for an answer."""
    yield pair_of
    pair_of.reset()


@asynccontextmanager
async def planned(workdir: Path, fallback: list[str], *names: str, **changes: Any) -> AsyncIterator[Team]:
    """A plan and servers."""
    upstream = {"fallback": fallback, **changes.pop("upstream", {})}
    async with team(CODEX, workdir, providers={name: {} for name in names}, upstream=upstream, **changes) as made:
        yield made


def early(code: str) -> Json:
    """A failure that comes as the first event of a stream."""
    return {"steps": [], "opening": False, "finish": {"failed": code}}


# when -----------------------------------------------------------------------------------------------------------------

CAUSES: dict[str, Any] = {
    "500": {
        "status": 500,
        "body": {"error": {"message": "broken", "type": "server_error", "code": None, "param": None}},
    },
    "html": "bad_gateway",
    "overloaded": "overloaded",
    "overloaded, as an event": early("server_is_overloaded"),
    "burst": {"status": 429, "body": "slow down"},
    "plan limit": "usage_limit_reached",
    "plan limit, as an event": early("usage_limit_reached"),
    "not paid": {"status": 402, "body": {"error": {"message": "pay", "type": "x", "code": None, "param": None}}},
    "silence": {"gate": "never"},
    "a stream without an end": {"steps": [], "opening": False, "finish": "end"},
    "a cut connection": {"steps": [], "opening": False, "finish": "cut"},
}


def streamed(text: str) -> Json:
    return {"status": 200, "body": text, "headers": {"content-type": "text/event-stream"}}


CHAT_STREAMS: dict[str, Json] = {
    "overloaded, as an event": streamed('data: {"error": {"code": "server_is_overloaded", "message": "busy"}}\n\n'),
    "plan limit, as an event": streamed('data: {"error": {"code": "usage_limit_reached", "message": "spent"}}\n\n'),
    "context, as an event": streamed('data: {"error": {"code": "context_length_exceeded", "message": "long"}}\n\n'),
    "policy, as an event": streamed('data: {"error": {"code": "cyber_policy", "message": "no"}}\n\n'),
    "a stream without an end": streamed(""),
    "a cut connection": streamed(": nothing\n\n"),
}
"""What the simulator's chat streams cannot be told to do: they begin with a piece that the client is shown."""


def script_for(made: Team, dialect: DialectName, cause: str, script: Any, *, stream: bool) -> Any:
    native = stream and made.modes[DEFAULT].route(dialect) == "openai.chat"
    return CHAT_STREAMS.get(cause, script) if native else script


@pytest.mark.proves("PROVIDERS-fallback")
@streamed_or_not
@each_dialect
@pytest.mark.parametrize("cause", CAUSES)
async def test_another_answers_in_place_of_one_that_cannot(
    pair: Team, dialect: DialectName, stream: bool, cause: str
) -> None:
    pair.play(DEFAULT, dialect, script_for(pair, dialect, cause, CAUSES[cause], stream=stream))
    answer = await pair.post(dialect, MODEL, stream=stream)
    assert text_of(dialect, answer) == "hello"
    assert answer.headers[STANDS_IN] == "second"
    assert pair.asked == {DEFAULT: 1, "second": 1}
    assert pair.calls("second")[0].body["model"] == MODEL


@pytest.mark.proves("PROVIDERS-fallback")
@streamed_or_not
@each_dialect
async def test_a_connection_that_is_refused_is_stood_in_for(tmp_path: Path, dialect: DialectName, stream: bool) -> None:
    with nobody() as gone:
        for mode, address in ((CODEX, {"codex_base_url": gone}), (NATIVE, {"base_url": gone})):
            upstream = {"fallback": ["second"], **address}
            async with team(mode, tmp_path, providers={"second": {}}, upstream=upstream) as made:
                answer = await made.post(dialect, MODEL, stream=stream)
                assert (text_of(dialect, answer), answer.headers[STANDS_IN]) == ("hello", "second")


@pytest.mark.proves("PROVIDERS-fallback")
@streamed_or_not
async def test_without_a_login_a_server_stands_in(tmp_path: Path, stream: bool) -> None:
    async with planned(tmp_path, ["second"], "second", login=False) as made:
        for dialect in DIALECTS:
            answer = await made.post(dialect, f"{MODEL}-high", stream=stream)
            assert (text_of(dialect, answer), answer.headers[STANDS_IN]) == ("hello", "second")


@pytest.mark.proves("PROVIDERS-fallback", "PROVIDERS-efforts")
@each_dialect
@pytest.mark.parametrize("spoken", [["chat", "responses"], ["chat"], ["responses"]], ids="+".join)
async def test_the_effort_behind_the_name_goes_along(tmp_path: Path, dialect: DialectName, spoken: list[str]) -> None:
    upstream = {"fallback": ["second"]}
    async with team(CODEX, tmp_path, providers={"second": {"dialects": spoken}}, upstream=upstream) as made:
        made.play(DEFAULT, dialect, "overloaded")
        assert text_of(dialect, await made.post(dialect, f"{MODEL}-low")) == "hello"
        (call,) = made.calls("second")
        effort = call.body.get("reasoning_effort") or call.body["reasoning"]["effort"]
        assert (call.body["model"], effort) == (MODEL, "low")


@pytest.mark.proves("PROVIDERS-fallback")
async def test_a_provider_has_stand_ins_too_the_default_among_them(tmp_path: Path) -> None:
    providers: dict[str, Json] = {"first": {"fallback": ["third/gpt-6-sol", "upstream"]}, "third": {}}
    async with team(CODEX, tmp_path, providers=providers) as made:
        made.play("first", "chat", "overloaded", "overloaded")
        made.play("third", "chat", None, "overloaded")
        third = await made.post("chat", f"first/{MODEL}")
        assert (text_of("chat", third), third.headers[STANDS_IN]) == ("hello", "third")
        default = await made.post("chat", f"first/{MODEL}")
        assert (text_of("chat", default), default.headers[STANDS_IN]) == ("hello", DEFAULT)
        assert [call.body["model"] for call in made.calls("third")] == ["gpt-6-sol", "gpt-6-sol"]
        assert [call.body["model"] for call in made.calls(DEFAULT)] == [MODEL]


@pytest.mark.proves("PROVIDERS-fallback")
async def test_the_retries_of_the_first_come_before_the_next(tmp_path: Path) -> None:
    async with planned(tmp_path, ["second"], "second", limits={"retries": 2}) as made:
        passing = {"status": 503, "body": "busy", "headers": {"retry-after-ms": "1"}}
        made.play(DEFAULT, "chat", passing, passing, passing)
        assert text_of("chat", await made.post("chat", MODEL)) == "hello"
        assert made.asked == {DEFAULT: 3, "second": 1}
        made.play(DEFAULT, "chat", passing, passing)
        answer = await made.post("chat", MODEL)
        assert (text_of("chat", answer), STANDS_IN in answer.headers) == ("hello", False)
        assert made.asked == {DEFAULT: 6, "second": 1}


@pytest.mark.proves("PROVIDERS-fallback")
@streamed_or_not
async def test_a_stand_in_answers_rather_than_that_the_client_waits_for_a_retry(tmp_path: Path, stream: bool) -> None:
    async with planned(tmp_path, ["second"], "second", limits={"retries": 2}) as made:
        made.play(DEFAULT, "chat", {"status": 503, "body": "busy", "headers": {"retry-after": "8"}})
        answer = await made.post("chat", MODEL, stream=stream)
        assert answer.headers[STANDS_IN] == "second"
        assert made.asked == {DEFAULT: 1, "second": 1}


@pytest.mark.proves("PROVIDERS-fallback")
async def test_without_a_login_a_stand_in_that_only_chats_compacts(tmp_path: Path) -> None:
    second = {"second": {"dialects": ["chat"]}}
    async with team(CODEX, tmp_path, login=False, providers=second, upstream={"fallback": ["second"]}) as made:
        answer = await made.stack.http.post("/v1/responses/compact", json={"model": MODEL, "input": "A long talk."})
        assert answer.status_code == 200
        assert [item["type"] for item in answer.json()["output"]] == ["message", "compaction"]
        assert made.asked == {"second": 1}


@pytest.mark.proves("PROVIDERS-fallback")
async def test_a_plan_limit_that_is_remembered_costs_no_call(tmp_path: Path) -> None:
    async with planned(tmp_path, ["second"], "second", limits={"cool_down_seconds": 900}) as made:
        made.play(DEFAULT, "chat", "usage_limit_reached")
        for _ in range(2):
            assert (await made.post("chat", MODEL)).headers[STANDS_IN] == "second"
        assert made.asked == {DEFAULT: 1, "second": 2}


# when not -------------------------------------------------------------------------------------------------------------


def refusing(status: int, code: str) -> Json:
    error = {"message": "no", "type": "invalid_request_error", "code": code, "param": None}
    return {"status": status, "body": {"error": error}}


REFUSALS: dict[str, tuple[int, Json]] = {
    "400": (400, refusing(400, "invalid_value")),
    "404": (404, refusing(404, "model_not_found")),
    "413": (413, refusing(413, "too_large")),
    "context": (400, refusing(400, "context_length_exceeded")),
    "context, as an event": (400, early("context_length_exceeded")),
    "policy, as an event": (400, early("cyber_policy")),
}


@pytest.mark.proves("PROVIDERS-fallback-not")
@streamed_or_not
@each_dialect
@pytest.mark.parametrize("cause", REFUSALS)
async def test_a_refusal_of_the_request_is_told_and_not_tried_elsewhere(
    pair: Team, dialect: DialectName, stream: bool, cause: str
) -> None:
    status, script = REFUSALS[cause]
    pair.play(DEFAULT, dialect, script_for(pair, dialect, cause, script, stream=stream))
    answer = await pair.post(dialect, MODEL, stream=stream)
    check_error(answer.content)
    assert (answer.status_code, pair.asked) == (status, {DEFAULT: 1})
    assert STANDS_IN not in answer.headers


@pytest.mark.proves("PROVIDERS-fallback-not")
async def test_nobody_stands_in_where_the_operator_named_nobody(tmp_path: Path) -> None:
    async with planned(tmp_path, [], "second") as made:
        made.play(DEFAULT, "chat", "overloaded")
        assert (await made.post("chat", MODEL)).status_code == 503
        assert made.asked == {DEFAULT: 1}


def told(dialect: DialectName, received: bytes) -> str | None:
    """The code of the error at the end of a stream that must not look complete."""
    return check_failed_chat_stream(received).code if dialect == "chat" else check_failed_response_stream(received)


@pytest.mark.proves("PROVIDERS-fallback-early")
@each_dialect
async def test_nobody_stands_in_once_output_was_shown(pair: Team, dialect: DialectName) -> None:
    pair.play(DEFAULT, dialect, {"steps": [{"text": ["so ", "far"]}], "finish": {"failed": "slow_down"}})
    answer = await pair.post(dialect, MODEL, stream=True)
    assert answer.status_code == 200
    assert told(dialect, answer.content) == "slow_down"
    assert pair.asked == {DEFAULT: 1}


@pytest.mark.proves("PROVIDERS-fallback-early")
@each_dialect
async def test_a_json_answer_that_broke_off_was_never_seen(pair: Team, dialect: DialectName) -> None:
    pair.play(DEFAULT, dialect, {"steps": [{"text": ["so ", "far"]}], "finish": "cut"})
    answer = await pair.post(dialect, MODEL)
    assert (text_of(dialect, answer), answer.headers[STANDS_IN]) == ("hello", "second")


@pytest.mark.proves("PROVIDERS-fallback-early")
@each_dialect
async def test_a_sign_of_life_is_a_byte(tmp_path: Path, dialect: DialectName) -> None:
    async with planned(
        tmp_path, ["second"], "second", limits={"hold_seconds": 0.02, "keep_alive_seconds": 0.02}
    ) as made:
        gate = made.sims[DEFAULT].gate("late")
        made.play(DEFAULT, dialect, {"status": 500, "body": "late", "gate": "late"})
        received = b""
        request = made.stack.http.stream("POST", PATHS[dialect], json=body(dialect, MODEL, stream=True))
        async with asyncio.timeout(10), request as answer:
            async for chunk in answer.aiter_raw():
                received += chunk
                gate.set()
        assert (answer.status_code, told(dialect, received)) == (200, "upstream_error")
        assert made.asked == {DEFAULT: 1}


@pytest.mark.proves("PROVIDERS-fallback-early")
@each_dialect
async def test_a_stand_in_that_fails_after_a_sign_of_life_ends_the_stream_with_an_error(
    tmp_path: Path, dialect: DialectName
) -> None:
    limits = {"hold_seconds": 1, "keep_alive_seconds": 1}  # the first one fails long before that
    async with planned(tmp_path, ["second", "third"], "second", "third", limits=limits) as made:
        gate = made.sims["second"].gate("late")
        made.play(DEFAULT, dialect, "overloaded")
        made.play("second", dialect, {"status": 500, "body": "late", "gate": "late"})
        received = b""
        request = made.stack.http.stream("POST", PATHS[dialect], json=body(dialect, MODEL, stream=True))
        async with asyncio.timeout(10), request as answer:
            async for chunk in answer.aiter_raw():
                received += chunk
                gate.set()
        assert (answer.status_code, answer.headers[STANDS_IN]) == (200, "second")
        assert told(dialect, received) == "upstream_error"
        assert made.asked == {DEFAULT: 1, "second": 1}


# what is told ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-fallback-last")
@streamed_or_not
@each_dialect
async def test_when_all_fail_the_first_error_is_told(pair: Team, dialect: DialectName, stream: bool) -> None:
    pair.play(DEFAULT, dialect, "usage_limit_reached")
    pair.play("second", dialect, {"status": 500, "body": "broken"})
    answer = await pair.post(dialect, MODEL, stream=stream)
    assert (answer.status_code, check_error(answer.content).code) == (429, "usage_limit_reached")
    assert pair.asked == {DEFAULT: 1, "second": 1}
    assert STANDS_IN not in answer.headers


@pytest.mark.proves("PROVIDERS-fallback-last", "PROVIDERS-fallback")
async def test_a_stand_in_that_refuses_the_request_is_passed_over(tmp_path: Path) -> None:
    async with planned(tmp_path, ["second/no-such-model", "third"], "second", "third") as made:
        made.play(DEFAULT, "chat", "overloaded")
        answer = await made.post("chat", MODEL)
        assert (text_of("chat", answer), answer.headers[STANDS_IN]) == ("hello", "third")
        assert made.asked == {DEFAULT: 1, "second": 1, "third": 1}


@pytest.mark.proves("PROVIDERS-fallback-last", "PROVIDERS-login")
async def test_without_a_login_and_with_a_broken_stand_in_the_login_is_told(tmp_path: Path) -> None:
    async with planned(tmp_path, ["second"], "second", login=False) as made:
        made.play("second", "chat", "overloaded")
        error = check_error((await made.post("chat", MODEL)).content)
        assert error.code == "oauth_unavailable"
        assert "codex-gateway auth login" in error.message
        assert error.message.endswith("need no login: second/…")


@pytest.mark.proves("PROVIDERS-facts")
async def test_log_and_metrics_name_who_answered(pair: Team) -> None:
    kind = "codex" if pair.modes[DEFAULT].codex else "openai"
    pair.play(DEFAULT, "chat", "overloaded", "overloaded", None)
    pair.play("second", "chat", None, {"status": 500, "body": "broken"}, None)
    with structlog.testing.capture_logs() as lines:
        for name in (MODEL, MODEL, MODEL, f"second/{MODEL}"):
            await pair.post("chat", name)
    asked = [line for line in lines if line["event"] == "request"]
    seen = [tuple(line.get(key) for key in ("upstream", "instead_of", "upstream_status", "error")) for line in asked]
    assert seen == [
        ("second", kind, 200, None),
        (kind, None, 503, "server_is_overloaded"),
        (kind, None, 200, None),
        ("second", None, 200, None),
    ]
    counted = (await pair.stack.http.get("/metrics")).text
    for name, statuses in ((kind, ("503", "200")), ("second", ("500", "200"))):
        for status in statuses:
            assert f'gateway_upstream_answers_total{{status="{status}",upstream="{name}"}}' in counted


@pytest.mark.proves("PROVIDERS-facts")
async def test_a_default_whose_kind_is_a_providers_name_is_told_apart(tmp_path: Path) -> None:
    async with team(NATIVE, tmp_path, providers={"openai": {}}) as made:
        with structlog.testing.capture_logs() as lines:
            for name in (MODEL, f"openai/{MODEL}"):
                await made.post("chat", name)
        assert [line["upstream"] for line in lines if line["event"] == "request"] == [DEFAULT, "openai"]
        assert f'upstream="{DEFAULT}"' in (await made.stack.http.get("/metrics")).text


# a client that leaves -------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-fallback-cancel")
@streamed_or_not
@each_dialect
async def test_a_client_that_leaves_ends_the_call_of_the_stand_in(
    tmp_path: Path, dialect: DialectName, stream: bool
) -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(planned(tmp_path, ["second", "third"], "second", "third"))
        second = made.sims["second"]
        gate = second.gate("never")
        made.play(DEFAULT, dialect, "overloaded")
        made.play("second", dialect, {"gate": "never"})
        asking = asyncio.create_task(made.post(dialect, MODEL, stream=stream))
        async with asyncio.timeout(10):
            await gate.reached.wait()
            asking.cancel()
            [call] = made.calls("second")
            await call.finished.wait()
        assert call.closed_early
        assert made.asked == {DEFAULT: 1, "second": 1}
