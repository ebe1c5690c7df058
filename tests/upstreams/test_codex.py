"""The Codex adapter: what it sends, and how it takes what comes back."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import orjson
import pytest
import zstandard

from gateway import __version__
from gateway.core.request import Request
from gateway.errors import (
    GatewayError,
    OAuthUnavailable,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamUnavailable,
)
from gateway.simulator.app import Simulator
from gateway.upstreams import Hints, Model
from gateway.upstreams.catalogue import BUILT_IN
from gateway.upstreams.cookies import CookieJar
from tests.serving import serving
from tests.upstreams.backend import Reply, playing
from tests.upstreams.doubles import Clock, Login, Logins, call, codex

PATH = "/backend-api/codex/responses"
UNAUTHORIZED = Reply.json({"detail": "Unauthorized"}, 401)
LIMIT = Reply.json(
    {
        "error": {
            "type": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "resets_in_seconds": 7200,
        }
    },
    429,
)


def rows(*models: dict[str, Any], etag: str = '"v1"') -> Reply:
    return Reply.json({"models": list(models)}, etag=etag)


@pytest.mark.proves("UPSTREAM-codex-headers", "UPSTREAM-codex-lite", "FAIL-28", "FAIL-38")
async def test_a_call_carries_our_own_identity_and_the_login_of_the_moment() -> None:
    logins = Logins()
    async with playing(Reply(), Reply()) as backend, codex(backend.url, logins) as upstream:
        await (await upstream.open(call(b'{"a":1}', session_id="talk-1", lite=True))).read()
        logins.current = Login("access-2", "acct-2", fedramp=True)
        await (await upstream.open(call())).read()
        first, second = backend.received
    agent = first.headers.pop("user-agent")
    assert re.fullmatch(rf"codex-gateway/{re.escape(__version__)} \(\w+; \w+\)", agent)
    assert first.headers == {
        "host": backend.url.removeprefix("http://"),
        "authorization": "Bearer access-1",
        "chatgpt-account-id": "acct-1",
        "originator": "codex-gateway",
        "version": "0.161.0",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "7",
        "session-id": "talk-1",
        "x-openai-internal-codex-responses-lite": "true",
        "x-request-id": "req-1",
    }
    assert (first.method, first.path, first.body) == ("POST", PATH, b'{"a":1}')
    assert (second.headers["authorization"], second.headers["chatgpt-account-id"]) == ("Bearer access-2", "acct-2")
    assert second.headers["x-openai-fedramp"] == "true"
    assert "session-id" not in second.headers
    assert "x-openai-internal-codex-responses-lite" not in second.headers


@pytest.mark.proves("FAIL-30")
async def test_large_bodies_are_compressed() -> None:
    body = b"x" * (256 * 1024 + 1)
    async with playing(Reply(), Reply()) as backend, codex(backend.url) as upstream:
        await (await upstream.open(call(body))).read()
        await (await upstream.open(call(body[:-1]))).read()
        large, small = backend.received
    assert large.headers["content-encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompress(large.body) == body
    assert "content-encoding" not in small.headers
    assert small.body == body[:-1]


@pytest.mark.proves("UPSTREAM-401-once")
async def test_a_refused_login_is_renewed_and_the_call_made_once_more() -> None:
    logins = Logins(next=[Login("access-2")])
    async with playing(UNAUTHORIZED, Reply()) as backend, codex(backend.url, logins) as upstream:
        answer = await upstream.open(call(b"{}"))
        assert (answer.status, await answer.read()) == (200, b"data: {}\n\n")
        assert [seen.headers["authorization"] for seen in backend.received] == ["Bearer access-1", "Bearer access-2"]
        assert [seen.body for seen in backend.received] == [b"{}", b"{}"]
    assert logins.refused == ["access-1"]


@pytest.mark.proves("UPSTREAM-401-once", "FAIL-17")
async def test_a_second_refusal_ends_the_call() -> None:
    logins = Logins(next=[Login("access-2"), Login("access-3")])
    async with playing(UNAUTHORIZED, UNAUTHORIZED) as backend, codex(backend.url, logins) as upstream:
        with pytest.raises(OAuthUnavailable, match="auth login"):
            await upstream.open(call())
    assert logins.refused == ["access-1"]


@pytest.mark.proves("FAIL-17")
async def test_no_other_login_is_asked_for_a_closed_account() -> None:
    logins = Logins(next=[Login("access-2")])
    gone = Reply.json({"error": {"code": "account_deactivated", "message": "gone"}}, 401)
    async with playing(gone) as backend, codex(backend.url, logins) as upstream:
        with pytest.raises(OAuthUnavailable):
            await upstream.open(call())
    assert logins.refused == []


@pytest.mark.proves("UPSTREAM-token-hosts")
async def test_the_token_goes_to_no_host_that_may_not_have_it() -> None:
    async with codex("http://collector.example") as upstream:
        with pytest.raises(OAuthUnavailable, match=r"oauth\.token_hosts"):
            await upstream.open(call())
        with pytest.raises(OAuthUnavailable, match=r"oauth\.token_hosts"):
            await upstream.check()
        with pytest.raises(OAuthUnavailable, match=r"oauth\.token_hosts"):
            await upstream.models()


@pytest.mark.proves("UPSTREAM-plan-limit-memory")
async def test_a_used_up_plan_is_asked_again_only_by_one_probe() -> None:
    clock = Clock()
    async with playing(LIMIT, Reply()) as backend, codex(backend.url, clock=clock) as upstream:
        for _ in range(2):
            with pytest.raises(UpstreamRefusal) as caught:
                await upstream.open(call())
            assert (caught.value.status, caught.value.code) == (429, "usage_limit_reached")
            assert caught.value.headers["Retry-After"] == "7200"
            assert upstream.delay(1, caught.value) is None
        assert len(backend.received) == 1
        clock.time += 900
        await (await upstream.open(call())).read()


@pytest.mark.proves("UPSTREAM-plan-limit-memory")
async def test_a_plan_limit_inside_a_stream_is_remembered_too() -> None:
    async with playing(Reply()) as backend, codex(backend.url) as upstream:
        await (await upstream.open(call())).read()
        upstream.delay(1, UpstreamRefusal("used up", status=429, kind="x", code="usage_limit_reached"))
        with pytest.raises(UpstreamRefusal):
            await upstream.open(call())
        assert len(backend.received) == 1


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        pytest.param(Reply(404, (b"",), ()), UpstreamOverloaded, "upstream_unavailable", id="outage"),
        pytest.param(
            Reply(200, (b"<html>",), (("content-type", "text/html"),)), UpstreamError, "upstream_error", id="page"
        ),
        pytest.param(
            Reply.json({"error": {"code": "server_is_overloaded", "message": "x"}}),
            UpstreamOverloaded,
            "server_is_overloaded",
            id="an error with status 200",
        ),
    ],
)
@pytest.mark.proves("FAIL-40", "FAIL-22")
async def test_an_answer_that_is_no_stream_is_a_failure(reply: Reply, error: type[GatewayError], code: str) -> None:
    async with playing(reply, Reply()) as backend, codex(backend.url) as upstream:
        with pytest.raises(error) as caught:
            await upstream.open(call())
        assert caught.value.code == code
        await (await upstream.open(call())).read()  # Nothing was held against the account.


@pytest.mark.proves("UPSTREAM-leaves-at-once")
async def test_a_call_that_is_cancelled_leaves_the_backend() -> None:
    async with playing(Reply(silent=True)) as backend, codex(backend.url) as upstream, asyncio.timeout(5):
        opening = asyncio.create_task(upstream.open(call()))
        await backend.asked.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await backend.left.wait()


SOL = {
    "slug": "gpt-6-sol",
    "priority": 2,
    "visibility": "list",
    "supported_reasoning_levels": [{"effort": "low", "description": ""}, {"effort": "hyper"}],
    "service_tiers": [{"id": "priority", "name": "Fast"}],
    "model_messages": {"instructions_template": "very long"},
}


@pytest.mark.proves("FAIL-24", "FAIL-25")
async def test_models_are_the_backends_own_list_in_its_order_for_the_plan() -> None:
    reply = rows(
        {"slug": "odd"},
        {**SOL, "priority": 9, "slug": "last", "available_in_plans": ["plus", "pro"]},
        {"slug": "pro-only", "priority": 1, "available_in_plans": ["pro"]},
        {"slug": "hidden", "priority": 3, "visibility": "hide"},
        {"slug": "not-api", "priority": 4, "supported_in_api": False},
        SOL,
    )
    async with playing(reply) as backend, codex(backend.url) as upstream:
        assert await upstream.models() == [
            Model("gpt-6-sol", efforts=("low", "hyper"), tiers=("priority",)),
            Model("hidden", hidden=True),
            Model("not-api", hidden=True),
            Model("last", efforts=("low", "hyper"), tiers=("priority",)),
            Model("odd"),
        ]
        [received] = backend.received
    assert (received.method, received.path, received.query) == (
        "GET",
        "/backend-api/codex/models",
        "client_version=0.161.0",
    )
    assert received.headers["originator"] == "codex-gateway"


@pytest.mark.proves("UPSTREAM-models-cache")
async def test_models_are_kept_for_five_minutes_and_then_asked_for_by_version() -> None:
    clock = Clock()
    unchanged = Reply(304, (), (("etag", '"v1"'),))
    async with playing(rows(SOL), unchanged) as backend, codex(backend.url, clock=clock) as upstream:
        found = await asyncio.gather(*(upstream.models() for _ in range(5)))
        clock.time += 299
        assert await upstream.models() == found[0]
        assert len(backend.received) == 1
        clock.time += 1
        assert await upstream.models() == found[0]
        assert backend.received[1].headers["if-none-match"] == '"v1"'


@pytest.mark.proves("UPSTREAM-models-cache")
async def test_a_new_version_named_by_an_answer_is_fetched_at_once() -> None:
    def turn(etag: str) -> Reply:
        return Reply(headers=(("content-type", "text/event-stream"), ("X-Models-Etag", etag)))

    replies = (rows(SOL), turn('"v1"'), turn('"v2"'), rows({"slug": "new"}, etag='"v2"'))
    async with playing(*replies) as backend, codex(backend.url) as upstream:
        before = await upstream.models()
        await (await upstream.open(call())).read()
        assert await upstream.models() == before
        await (await upstream.open(call())).read()
        assert await upstream.models() == [Model("new")]


@pytest.mark.proves("UPSTREAM-models-offline")
async def test_without_the_backend_the_built_in_list_serves_for_a_while() -> None:
    clock = Clock()
    broken = Reply(500, (b"",), ())
    async with playing(broken, rows(SOL), broken) as backend, codex(backend.url, clock=clock) as upstream:
        assert await upstream.models() == list(BUILT_IN)
        assert await upstream.models() == list(BUILT_IN)
        clock.time += 30
        fetched = await upstream.models()
        assert [model.id for model in fetched] == ["gpt-6-sol"]
        clock.time += 300
        assert await upstream.models() == fetched


@pytest.mark.proves("UPSTREAM-models-offline")
async def test_without_a_login_there_is_no_list() -> None:
    async with codex("http://127.0.0.1:1", Logins(current=None)) as upstream:
        with pytest.raises(OAuthUnavailable):
            await upstream.models()
        with pytest.raises(OAuthUnavailable):
            await upstream.check()


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"models":3}', b'{"models":[1]}'])
@pytest.mark.proves("UPSTREAM-check")
async def test_a_check_reports_a_list_nobody_can_read(body: bytes) -> None:
    async with playing(Reply(pieces=(body,))) as backend, codex(backend.url) as upstream:
        with pytest.raises(UpstreamError):
            await upstream.check()


@pytest.mark.proves("UPSTREAM-check")
async def test_a_check_needs_a_backend() -> None:
    async with playing(rows(SOL)) as backend, codex(backend.url) as upstream:
        await upstream.check()
    async with codex(backend.url) as upstream:
        with pytest.raises(UpstreamUnavailable):
            await upstream.check()


@pytest.mark.proves("UPSTREAM-cookies")
def test_only_the_edges_own_cookies_are_kept_and_only_for_chatgpt() -> None:
    jar = CookieJar(httpx2.URL("https://chatgpt.com/backend-api"))
    jar.keep(
        ["__cf_bm=abc; path=/; HttpOnly", "session=secret", "_cfuvid=x\r\ny", "cf_chl_1=q", "__cflb=z; Max-Age=60"]
    )
    assert jar.header() == [(b"Cookie", b"__cf_bm=abc; cf_chl_1=q; __cflb=z")]
    jar.keep(["__cf_bm=; Max-Age=0", "__cflb=new"])
    assert jar.header() == [(b"Cookie", b"cf_chl_1=q; __cflb=new")]
    for url in ("http://chatgpt.com", "https://chatgpt.com.example", "https://api.openai.com"):
        other = CookieJar(httpx2.URL(url))
        other.keep(["__cf_bm=abc"])
        assert other.header() == []


LOADED: dict[str, Any] = {
    "model": "gpt-6-sol-high",
    "input": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {}}]},
        {"type": "reasoning", "id": "rs_" + "x" * 300, "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "call." + "x" * 80, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "id": "o", "call_id": "call." + "x" * 80, "output": "1"},
    ],
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}],
    "temperature": 0.5,
    "max_output_tokens": 10,
    "metadata": {"a": "b"},
    "user": "u",
    "truncation": "auto",
    "service_tier": "flex",
    "stream_options": {"include_usage": True},
    "unheard_of": True,
    "store": True,
}


@pytest.mark.proves("FAIL-1", "FAIL-3", "FAIL-4", "FAIL-11", "UPSTREAM-codex-body")
async def test_the_simulated_backend_accepts_the_shape_of_a_request_it_would_refuse() -> None:
    simulator = Simulator()
    tokens = simulator.issue_tokens()
    login = Login(tokens["access_token"], tokens["account_id"])
    async with serving(simulator) as url, codex(url, Logins(login)) as upstream:
        await upstream.models()
        shaped = upstream.shape(Request(LOADED, stream=False), Hints())
        answer = await upstream.open(call(orjson.dumps(shaped.body), session_id=shaped.session_id))
        assert b"response.completed" in await answer.read()
        [turn] = simulator.calls("codex.responses")
    assert turn.headers["session-id"] == turn.body["prompt_cache_key"]
    assert turn.body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert (turn.auth, turn.status) == ("ok", 200)


@pytest.mark.proves("FAIL-10", "FAIL-12")
async def test_a_mended_body_is_accepted_by_the_simulated_backend() -> None:
    simulator = Simulator()
    tokens = simulator.issue_tokens()
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA of another account"}
    stray = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    items = [foreign, {"role": "user", "content": "Hi"}, stray]
    login = Login(tokens["access_token"], tokens["account_id"])
    async with serving(simulator) as url, codex(url, Logins(login)) as upstream:
        body = upstream.shape(Request({"model": "gpt-6-sol", "input": items}, stream=True), Hints()).body
        mends = 0
        while True:
            try:
                answer = await upstream.open(call(orjson.dumps(body), session_id="s"))
                break
            except UpstreamRefusal as error:
                mended = upstream.repair(body, error)
                assert mended is not None, error.message
                body, mends = mended, mends + 1
        await answer.aclose()
    assert (body["input"], mends) == ([{"role": "user", "content": "Hi"}], 2)
