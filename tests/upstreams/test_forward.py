"""Requests that are sent on as they are: what leaves for a server, and how its body ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import __version__
from gateway.config import Settings
from gateway.errors import RequestTooLarge, RouteNotFound, UpstreamError, UpstreamRefusal
from gateway.upstreams import Forward
from gateway.upstreams.demo import UntilLogin
from tests.upstreams.backend import Reply, playing
from tests.upstreams.doubles import codex, openai


def forward(path: str = "embeddings", body: Any = b"", **changes: Any) -> Forward:
    given: dict[str, Any] = {"method": "POST", "query": b"", "headers": (), "request_id": "req-1", **changes}
    return Forward(path=path, body=body, **given)


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


@pytest.mark.proves("PASS-headers")
async def test_a_forwarded_request_carries_what_it_was_given_and_our_key() -> None:
    async with playing(Reply.json({})) as backend, openai(backend.url, upstream={"api_key": "sk-own"}) as upstream:
        headers = ((b"content-type", b"text/csv"), (b"openai-beta", b"x"))
        answer = await upstream.forward(
            forward("files/1/content", b"a,b", query=b"a=%2F&b[]=c", headers=headers, codings=("gzip", "deflate"))
        )
        assert await answer.read() == b"{}"
        [seen] = backend.received
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/v1/files/1/content", "a=%2F&b[]=c", b"a,b")
    assert seen.headers == {
        "host": backend.url.removeprefix("http://"),
        "user-agent": f"codex-gateway/{__version__}",
        "authorization": "Bearer sk-own",
        "content-type": "text/csv",
        "openai-beta": "x",
        "x-request-id": "req-1",
        "accept-encoding": "gzip, deflate",
        "content-length": "3",
    }


@pytest.mark.proves("UPSTREAM-openai-urls")
@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/v1/embeddings"), ("/v1", "/v1/embeddings"), ("/v1beta/openai", "/v1beta/openai/embeddings")],
)
async def test_paths_are_below_the_version_of_the_server(base: str, path: str) -> None:
    async with playing(Reply.json({})) as backend, openai(backend.url + base) as upstream:
        await (await upstream.forward(forward())).read()
        assert [seen.path for seen in backend.received] == [path]


@pytest.mark.proves("PASS-bytes")
@pytest.mark.parametrize(
    ("method", "body", "length", "framing"),
    [
        ("POST", [b"some", b"", b"text"], 8, {"content-length": "8"}),
        ("PUT", [b"some", b"", b"text"], None, {"transfer-encoding": "chunked"}),
        ("POST", b"", None, {"content-length": "0"}),
        ("GET", b"", None, {}),
    ],
)
async def test_the_server_is_told_where_the_body_ends(method: str, body: Any, length: int | None, framing: Any) -> None:
    async with playing(Reply.json({})) as backend, openai(backend.url) as upstream:
        streamed = pieces(*body) if isinstance(body, list) else body
        await (await upstream.forward(forward("x", streamed, method=method, length=length))).read()
        [seen] = backend.received
    assert seen.body == b"".join(body) if isinstance(body, list) else seen.body == body
    told = {name: value for name, value in seen.headers.items() if name in ("content-length", "transfer-encoding")}
    assert told == framing


async def test_what_a_body_raises_ends_the_call() -> None:
    async def too_long() -> AsyncIterator[bytes]:
        yield b"some"
        raise RequestTooLarge("enough")

    async with playing() as backend, openai(backend.url) as upstream:
        with pytest.raises(RequestTooLarge):
            await upstream.forward(forward(body=too_long()))


@pytest.mark.proves("PASS-errors")
async def test_only_what_is_an_answer_is_one() -> None:
    replies = [Reply(304, ()), Reply(206, (b"part",)), Reply(302, ()), Reply.json({"error": {"message": "no"}}, 409)]
    async with playing(*replies) as backend, openai(backend.url) as upstream:
        for status in (304, 206):
            answer = await upstream.forward(forward(method="GET"))
            assert answer.status == status
            await answer.read()
        with pytest.raises(UpstreamError, match="redirects"):
            await upstream.forward(forward(method="GET"))
        with pytest.raises(UpstreamRefusal) as caught:
            await upstream.forward(forward(method="GET"))
    assert caught.value.status == 409


@pytest.mark.proves("PASS-not-allowed")
async def test_a_login_takes_no_other_paths() -> None:
    async with playing() as backend, codex(backend.url) as plan, openai(backend.url) as server:
        assert plan.passthrough is None
        with pytest.raises(RouteNotFound, match="/v1/embeddings"):
            await plan.forward(forward())
        assert server.passthrough == Settings().upstream.passthrough
        until = UntilLogin(plan, lambda: True)
        assert until.passthrough is None
        with pytest.raises(RouteNotFound):
            await until.forward(forward())
        assert backend.received == []
