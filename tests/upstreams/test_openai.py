"""The adapter of servers that speak OpenAI's API."""

from __future__ import annotations

import pytest

from gateway import __version__
from gateway.core.request import Request
from gateway.errors import UpstreamAuth, UpstreamError, UpstreamRefusal, UpstreamUnavailable
from gateway.upstreams import Hints, Model
from gateway.upstreams.openai import join
from tests.upstreams.backend import Reply, playing
from tests.upstreams.doubles import Clock, call, openai


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://api.openai.com", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("https://api.openai.com/v1", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("https://api.openai.com/v1/", "/v1/models", "https://api.openai.com/v1/models"),
        ("http://h:1/openai", "/v1/models", "http://h:1/openai/v1/models"),
        ("https://h/v1beta/openai/", "/v1/chat/completions", "https://h/v1beta/openai/chat/completions"),
        ("https://h/v1", "/custom/path", "https://h/v1/custom/path"),
        ("https://h", "chat/completions", "https://h/chat/completions"),
    ],
)
@pytest.mark.proves("UPSTREAM-openai-urls")
def test_the_version_is_never_doubled(base: str, path: str, url: str) -> None:
    assert str(join(base, path)) == url


@pytest.mark.proves("UPSTREAM-openai-headers")
async def test_a_call_carries_our_key_and_nothing_of_the_client() -> None:
    async with playing(Reply(), Reply.json({})) as backend:
        async with openai(backend.url + "/v1", upstream={"api_key": "sk-own"}) as upstream:
            await (await upstream.open(call(b'{"a":1}'))).read()
            await (await upstream.open(call(route="chat", stream=False))).read()
        streamed, plain = backend.received
    assert streamed.headers == {
        "host": backend.url.removeprefix("http://"),
        "authorization": "Bearer sk-own",
        "user-agent": f"codex-gateway/{__version__}",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "7",
        "x-request-id": "req-1",
    }
    assert (streamed.method, streamed.path, streamed.body) == ("POST", "/v1/responses", b'{"a":1}')
    assert (plain.path, plain.headers["accept"]) == ("/v1/chat/completions", "application/json")


@pytest.mark.proves("UPSTREAM-openai-no-key")
async def test_without_a_key_no_authorization_is_sent() -> None:
    async with playing(Reply(), Reply.json({"data": []})) as backend, openai(backend.url) as upstream:
        await (await upstream.open(call())).read()
        await upstream.models()
        assert not any("authorization" in seen.headers for seen in backend.received)


@pytest.mark.proves("CASE-146")
async def test_a_key_the_server_refuses_is_our_fault_not_the_clients() -> None:
    async with playing(Reply.json({"error": {"message": "bad key"}}, 401)) as backend, openai(backend.url) as upstream:
        with pytest.raises(UpstreamAuth) as caught:
            await upstream.open(call())
    assert (caught.value.status, caught.value.code) == (502, "upstream_auth")


@pytest.mark.proves("UPSTREAM-relay-bytes")
async def test_a_refusal_is_relayed_byte_for_byte_and_nothing_is_mended() -> None:
    body = (
        b'{"error": {"message": "no", "type": "invalid_request_error", "param": "x", "code": "unsupported_parameter"}}'
    )
    async with playing(Reply(400, (body,))) as backend, openai(backend.url) as upstream:
        with pytest.raises(UpstreamRefusal) as caught:
            await upstream.open(call())
        assert (caught.value.status, caught.value.body) == (400, body)
        assert upstream.repair({"x": 1}, caught.value) is None
        assert upstream.delay(1, caught.value) is None
        assert upstream.delay(1, UpstreamUnavailable("x")) == pytest.approx(0.2)


@pytest.mark.proves("UPSTREAM-openai-models")
async def test_models_are_the_servers_own_rows_and_kept_for_a_minute() -> None:
    row = {"id": "m-1", "object": "model", "created": 5, "owned_by": "me", "more": {"x": 1}}
    clock = Clock()
    replies = (
        Reply.json({"object": "list", "data": [row, {"id": "m-2"}, {"no": "id"}, 3]}),
        Reply.json({"data": [row]}),
    )
    async with playing(*replies) as backend, openai(backend.url, clock=clock) as upstream:
        found = await upstream.models()
        assert found == [
            Model("m-1", created=5, owned_by="me", document=row),
            Model("m-2", document={"id": "m-2", "object": "model", "created": 0, "owned_by": "openai"}),
        ]
        clock.time += 59
        assert await upstream.models() == found
        clock.time += 1
        assert await upstream.models() == found[:1]


@pytest.mark.proves("UPSTREAM-openai-models")
async def test_a_server_without_a_list_has_no_models_and_one_that_fails_says_so() -> None:
    async with playing(Reply.json({}, 404)) as backend, openai(backend.url) as upstream:
        assert await upstream.models() == []
    for reply in (Reply(500, (b"",), ()), Reply(pieces=(b"<html>",)), Reply.json({"data": 3})):
        async with playing(reply) as backend, openai(backend.url) as upstream:
            with pytest.raises(UpstreamError):
                await upstream.models()


@pytest.mark.proves("UPSTREAM-check")
async def test_a_check_asks_for_the_list() -> None:
    async with playing(Reply.json({"data": []})) as backend, openai(backend.url) as upstream:
        await upstream.check()
    async with openai(backend.url) as upstream:
        with pytest.raises(UpstreamUnavailable):
            await upstream.check()


@pytest.mark.proves("UPSTREAM-openai-kind")
async def test_what_the_server_speaks_is_a_setting_and_only_openai_itself_is_trusted() -> None:
    async with openai("https://api.openai.com") as upstream:
        assert (upstream.native, upstream.trusted, upstream.streams_only) == (
            frozenset({"chat", "responses"}),
            True,
            False,
        )
    async with openai("http://api.openai.com", upstream={"dialects": ["chat"]}) as upstream:
        assert (upstream.native, upstream.trusted) == (frozenset({"chat"}), False)
    async with openai("https://api.openai.com.example") as upstream:
        assert upstream.trusted is False


@pytest.mark.proves("UPSTREAM-openai-as-sent")
async def test_the_body_is_the_clients_own() -> None:
    body = {"model": "m", "input": [], "temperature": 0, "stream": True}
    async with openai("http://127.0.0.1:1") as upstream:
        shaped = upstream.shape(Request(body, stream=True), Hints(session_id="s"))
    assert shaped.body is body
    assert (shaped.session_id, shaped.dropped) == ("s", ())
