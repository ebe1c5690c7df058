"""Abuse of HTTP itself, over raw sockets: a proper answer or a closed connection, and the server goes on serving."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.app import create_app
from gateway.simulator import Simulator
from tests.hardening.talking import check, connected, said
from tests.live.stack import KEY, MODEL, NATIVE, settings_for
from tests.serving import serving

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
AUTHORIZED = b"Host: 127.0.0.1\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + AUTHORIZED
LIMITS: Json = {"body_bytes": 1024 * 1024}
IMPATIENT: Json = {**LIMITS, "idle_seconds": 0.2}
"""For requests that never end."""


@dataclass
class Server:
    """A gateway on a socket, and what went wrong in its loop behind its answers."""

    url: str
    sim: Simulator
    complaints: list[dict[str, Any]]

    async def still_serves(self) -> bool:
        answer = await said(self.url, POST + LENGTH + b"\r\n" + BODY)
        return answer is not None and answer.status == 200 and not self.complaints


@contextlib.asynccontextmanager
async def gateway(workdir: Path, limits: Json) -> AsyncIterator[Server]:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    sim = Simulator(keep=10)
    async with serving(sim) as upstream:
        app = create_app(settings_for(NATIVE, upstream, limits=limits), workdir=workdir)
        async with serving(app) as url:
            yield Server(url, sim, complaints)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with gateway(tmp_path_factory.mktemp("sockets"), LIMITS) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with gateway(tmp_path_factory.mktemp("sockets"), IMPATIENT) as server:
        yield server


HEADERS: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "one of 100 KB": (b"X-Long: " + b"a" * 100_000 + b"\r\n", (200,)),
    "one of 1 MB": (b"X-Long: " + b"a" * 1_000_000 + b"\r\n", (431,)),
    "two thousand": (b"".join(b"X-%d: a\r\n" % number for number in range(2000)), (200,)),
    "a hundred thousand": (b"X: a\r\n" * 100_000, (431,)),
    "a long name": (b"X" * 60_000 + b": a\r\n", (200,)),
    "a blank in the name": (b"X Y: a\r\n", (400,)),
    "a blank behind the name": (b"X : a\r\n", (400,)),
    "no name": (b": a\r\n", (400,)),
    "no colon": (b"nonsense\r\n", (400,)),
    "a name beyond ASCII": ("Ä: a\r\n".encode(), (400,)),
    "a NUL in the name": (b"X\0: a\r\n", (400,)),
    "a NUL in the value": (b"X: a\0b\r\n", (400,)),
    "a bare CR in the value": (b"X: a\rb\r\n", (400,)),
    "a bare LF at the end": (b"X: a\n", (200, 400)),
    "a folded line": (b"X: a\r\n b\r\n", (200, 400)),
    "latin-1 in the value": ("X: grüße\r\n".encode("latin-1"), (200,)),
    "UTF-8 in the value": ("X: 😀\r\n".encode(), (200,)),
    "control characters in the value": (b"X: \x01\x7f\r\n", (200, 400)),
    "an empty value": (b"X:\r\n", (200,)),
    "a request id of garbage": (b"X-Request-ID: \xff\xfe\r\n", (200,)),
    "a long request id": (b"X-Request-ID: " + b"a" * 5000 + b"\r\n", (200,)),
    "two request ids": (b"X-Request-ID: a\r\nX-Request-ID: b\r\n", (200,)),
    "a second key": (b"Authorization: Bearer other\r\n", (200, 401)),
    "a session id of garbage": (b"session-id: \xff\xfe" + b"a" * 5000 + b"\r\n", (200,)),
    "another host too": (b"Host: rebound.example\r\n", (400, 403)),
    "an origin of garbage": (b"Origin: \xff://[::\r\n", (200, 403)),
    "a content type of garbage": (b"Content-Type: \xff;;;charset=\r\n", (200,)),
    "another charset": (b"Content-Type: application/json; charset=utf-16\r\n", (200,)),
    "no JSON at all": (b"Content-Type: multipart/form-data\r\n", (200,)),
    "a coding nobody knows": (b"Content-Encoding: br\r\n", (415,)),
    "a coding of garbage": (b"Content-Encoding: \xff,,;q=0\r\n", (415,)),
    "a thousand codings": (b"Content-Encoding: " + b"gzip," * 1000 + b"\r\n", (415,)),
    "gzip that is none": (b"Content-Encoding: gzip\r\n", (400,)),
    "an upgrade to websocket": (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", (200, 400, 426)),
    "an upgrade to h2c": (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        (200,),
    ),
    "an upgrade to nothing": (b"Connection: Upgrade\r\nUpgrade:\r\n", (200,)),
    "an expectation nobody knows": (b"Expect: wonders\r\n", (200, 417)),
    "a trailer": (b"TE: trailers\r\nTrailer: X\r\n", (200,)),
    "headers of proxies": (b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: x\r\n", (200,)),
    "a method in a header": (b"X-HTTP-Method-Override: DELETE\r\n", (200,)),
}


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("name", HEADERS)
async def test_odd_headers_are_answered_or_refused(server: Server, name: str) -> None:
    lines, statuses = HEADERS[name]
    check(await said(server.url, POST + lines + LENGTH + b"\r\n" + BODY), statuses)
    assert await server.still_serves()


FRAMING: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "two lengths": (LENGTH + LENGTH + b"\r\n" + BODY, (200, 400)),
    "two different lengths": (LENGTH + b"Content-Length: 5\r\n\r\n" + BODY, (400,)),
    "a list of lengths": (b"Content-Length: 5, 5\r\n\r\n" + BODY, (400,)),
    "a negative length": (b"Content-Length: -1\r\n\r\n" + BODY, (400,)),
    "a length with a sign": (b"Content-Length: +5\r\n\r\n" + BODY, (400,)),
    "a hexadecimal length": (b"Content-Length: 0x10\r\n\r\n" + BODY, (400,)),
    "a length in other digits": ("Content-Length: ٣\r\n\r\n".encode() + BODY, (400,)),
    "an empty length": (b"Content-Length:\r\n\r\n" + BODY, (400,)),
    "a length beyond 64 bits": (b"Content-Length: 99999999999999999999\r\n\r\n" + BODY, (400,)),
    "a length of an exabyte": (b"Content-Length: 1000000000000000000\r\n\r\n" + BODY, (413,)),
    "100 MB announced": (b"Content-Length: 104857600\r\n\r\n", (413,)),
    "no length": (b"\r\n" + BODY, (0, 400)),
    "length and chunks": (LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), (200,)),
    "chunks of a byte": (
        b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
        (200,),
    ),
    "chunks with extensions": (
        b"Transfer-Encoding: chunked\r\n\r\n%x;a=b;c\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY),
        (200,),
    ),
    "an endless chunk extension": (b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * 300_000, (0, 400, 408, 413, 431)),
    "a chunk size of garbage": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)),
    "a chunk size beyond 64 bits": (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", (400,)),
    "a negative chunk size": (b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", (400,)),
    "a chunk without its end": (b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", (400,)),
    "no chunks at all": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    "chunks twice": (b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", (400,)),
    "another transfer coding": (b"Transfer-Encoding: gzip\r\n\r\n" + BODY, (0, 400, 408)),
    "a transfer coding like chunked": (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (0, 400, 408)),
    "chunks, but not last": (b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", (0, 400, 408)),
    "a body that stops": (b"Content-Length: 100\r\n\r\n{", (408,)),
    "chunks that stop": (b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", (408,)),
}


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("name", FRAMING)
async def test_odd_framing_is_read_or_refused(impatient: Server, name: str) -> None:
    rest, statuses = FRAMING[name]
    check(await said(impatient.url, POST + rest), statuses)
    assert await impatient.still_serves()


TARGETS: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "a NUL": (b"/%00", (400, 404)),
    "a NUL in a model": (b"/v1/models/%00", (400, 404)),
    "a raw NUL": (b"/v1/models/\0", (400,)),
    "a raw blank": (b"/v1/mod els", (400,)),
    "dots": (b"/v1/../v1/models", (400, 404)),
    "escaped dots": (b"/v1/%2e%2e/%2e%2e/etc/passwd", (400, 404)),
    "two slashes": (b"//v1/models", (400, 404)),
    "two slashes inside": (b"/v1//models", (400, 404)),
    "slashes behind": (b"/v1/models////", (200,)),
    "an escaped slash": (b"/v1%2fmodels", (200, 404)),
    "another case": (b"/V1/MODELS", (400, 404)),
    "a parameter": (b"/v1/models;x=1", (400, 404)),
    "half an escape": (b"/v1/models/%", (400, 404)),
    "an escape of garbage": (b"/v1/models/%zz", (400, 404)),
    "an escape that is no UTF-8": (b"/v1/models/%ff%fe", (400, 404)),
    "raw UTF-8": ("/v1/models/größe".encode(), (400, 404)),
    "a lone surrogate": (b"/v1/models/%ed%a0%80", (400, 404)),
    "line ends": (b"/v1/models/a%0d%0aX-Evil:%20yes", (400, 404)),
    "60 KB": (b"/v1/models/" + b"a" * 60_000, (400, 404)),
    "1 MB": (b"/v1/models/" + b"a" * 1_000_000, (431,)),
    "a query of 60 KB": (b"/v1/models?" + b"a=b&" * 15_000, (200,)),
    "a query of 80 KB": (b"/v1/models?" + b"a=b&" * 20_000, (431,)),
    "a query of garbage": (b"/v1/models?%ff=%zz&&=", (200,)),
    "a fragment": (b"/v1/models#x", (200, 400, 404)),
    "no slash": (b"v1/models", (400, 404)),
    "a star": (b"*", (400, 404)),
    "a whole URL": (b"http://127.0.0.1/v1/models", (200, 404)),
    "a whole URL of another host": (b"http://evil.example/v1/models", (200, 400, 403, 404)),
    "a scheme of garbage": (b"gopher://x/nowhere", (400, 404)),
    "files of the machine": (b"/assets/../../../../etc/passwd", (400, 404)),
    "files of the machine, escaped": (b"/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", (400, 404)),
    "files of the machine, by backslash": (b"/assets/..%5c..%5cetc%5cpasswd", (400, 404)),
    "files of the machine, absolute": (b"/assets//etc/passwd", (400, 404)),
    "an asset with a NUL": (b"/assets/%00", (400, 404)),
    "an asset of 5 KB": (b"/assets/" + b"a" * 5000, (400, 404)),
    "an asset of dots": (b"/assets/.", (400, 404)),
    "a template": (b"/v1/models/{model}", (400, 404)),
    "quotes and brackets": (b'/v1/models/"<script>[]|^`', (400, 404)),
}


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("name", TARGETS)
async def test_odd_paths_are_found_or_not(server: Server, name: str) -> None:
    target, statuses = TARGETS[name]
    answer = await said(server.url, b"GET " + target + b" HTTP/1.1\r\n" + AUTHORIZED + b"\r\n")
    check(answer, statuses)
    assert answer is not None and "x-evil" not in answer.headers
    assert await server.still_serves()


METHODS = b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND M-SEARCH PRI FOO get \xff".split()


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("method", [*METHODS, b"G" * 100_000, b""], ids=lambda method: repr(method[:10]))
@pytest.mark.parametrize("path", [b"/", b"/v1/models", b"/v1/chat/completions", b"/healthz", b"/metrics", b"/assets/x"])
async def test_any_method_on_any_path_is_answered(server: Server, method: bytes, path: bytes) -> None:
    raw = method + b" " + path + b" HTTP/1.1\r\n" + AUTHORIZED + b"\r\n"
    answer = await said(server.url, raw, head=method == b"HEAD")
    assert answer is not None
    assert answer.status in (200, 204, 400, 404, 405, 431), (answer.status, answer.body)
    if answer.status == 405:
        assert answer.headers["allow"]
    assert await server.still_serves()


VERSIONS: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "HTTP/1.0": (b"GET /v1/models HTTP/1.0\r\n" + AUTHORIZED + b"\r\n", (200,)),
    "HTTP/1.0 without a host": (b"GET /healthz HTTP/1.0\r\n\r\n", (200,)),
    "HTTP/1.1 without a host": (b"GET /healthz HTTP/1.1\r\n\r\n", (200, 400)),
    "HTTP/1.0 kept alive": (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", (200,)),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", (0, 200, 400)),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2\r\n\r\n", (200, 400)),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 404, 405)),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n\r\n", (400,)),
    "a version of garbage": (b"GET / HTTP/x\r\n\r\n", (400,)),
    "no version": (b"GET / \r\n\r\n", (0, 400)),
    "another protocol": (b"SSH-2.0-client\r\n\r\n", (400,)),
    "line feeds alone": (b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n", (200, 400)),
    "blank lines first": (b"\r\n\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", (200,)),
    "a blank first": (b" GET /healthz HTTP/1.1\r\n\r\n", (400,)),
}


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("name", VERSIONS)
async def test_odd_versions_are_answered_or_refused(server: Server, name: str) -> None:
    raw, statuses = VERSIONS[name]
    async with connected(server.url) as line:
        await line.send(raw)
        check(await line.heard(), statuses)
    assert await server.still_serves()


# how a conversation goes ----------------------------------------------------------------------------------------------


@pytest.mark.proves("HARD-http")
async def test_a_body_is_asked_for_when_the_client_expects_it(server: Server) -> None:
    async with connected(server.url) as line:
        await line.send(POST + LENGTH + b"Expect: 100-continue\r\n\r\n")
        first = await line.heard()
        assert first is not None and first.status == 100
        await line.send(BODY)
        answer = await line.heard()
        assert answer is not None and answer.status == 200


@pytest.mark.proves("HARD-http")
async def test_a_body_over_the_limit_is_refused_before_it_is_asked_for(server: Server) -> None:
    async with connected(server.url) as line:
        await line.send(POST + b"Content-Length: 104857600\r\nExpect: 100-continue\r\n\r\n")
        answer = await line.heard()
        assert answer is not None and answer.status == 413


@pytest.mark.proves("HARD-http")
async def test_requests_that_do_not_wait_are_answered_in_their_order(server: Server) -> None:
    get = b"GET /v1/models/%d HTTP/1.1\r\n" + AUTHORIZED + b"\r\n"
    post = POST + LENGTH + b"\r\n" + BODY
    async with connected(server.url) as line:
        await line.send(get % 1 + post + get % 2 + post + get % 3)
        answers = [await line.heard() for _ in range(5)]
    assert [answer and answer.status for answer in answers] == [404, 200, 404, 200, 404]
    asked = [answer.error["message"] for answer in answers[::2] if answer]
    assert [f"'{number}'" in message for number, message in enumerate(asked, 1)] == [True] * 3


@pytest.mark.proves("HARD-http")
async def test_garbage_behind_a_sound_request_spoils_no_answer(server: Server) -> None:
    async with connected(server.url) as line:
        await line.send(POST + LENGTH + b"\r\n" + BODY + b"\x16\x03\x01 garbage\r\n\r\n")
        first = await line.heard()
        assert first is None or first.status in (200, 400)
        assert b"HTTP/1.1 200" not in await line.until_closed()
    assert await server.still_serves()


@pytest.mark.proves("HARD-http")
async def test_the_same_connection_goes_on_after_every_refusal_of_ours(server: Server) -> None:
    bad = b"{"
    async with connected(server.url) as line:
        for _ in range(20):
            await line.send(POST + b"Content-Length: 1\r\n\r\n" + bad)
            refused = await line.heard()
            assert refused is not None and refused.status == 400
        await line.send(POST + LENGTH + b"\r\n" + BODY)
        answer = await line.heard()
        assert answer is not None and answer.status == 200


@pytest.mark.proves("HARD-http")
async def test_a_request_in_single_bytes_is_a_request(server: Server) -> None:
    raw = POST + LENGTH + b"\r\n" + BODY
    async with connected(server.url) as line:
        for byte in raw:
            await line.send(bytes([byte]))
        answer = await line.heard()
        assert answer is not None and answer.status == 200


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("size", [0, 5, 60, len(POST) + 10, len(POST + LENGTH) + 20])
@pytest.mark.parametrize("way", ["closed", "half-closed", "aborted"])
async def test_a_client_that_leaves_in_its_request_is_forgotten(server: Server, size: int, way: str) -> None:
    raw = POST + LENGTH + b"\r\n" + BODY
    async with connected(server.url) as line:
        await line.send(raw[:size])
        if way == "half-closed":
            line.writer.write_eof()
            assert await line.until_closed() == b""
        elif way == "aborted":
            line.abort()
    assert await server.still_serves()


@pytest.mark.proves("HARD-http")
@pytest.mark.parametrize("way", ["closed", "half-closed", "aborted"])
async def test_a_client_that_leaves_in_its_answer_ends_the_upstream_call(server: Server, way: str) -> None:
    body = json.dumps({**json.loads(BODY), "stream": True}).encode()
    server.sim.queue("openai.chat", {"steps": [{"text": ["begun"]}, {"gate": f"left {way}"}, {"text": ["never"]}]})
    async with connected(server.url) as line:
        await line.send(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(10):
            await line.reader.readuntil(b"begun")
        assert server.sim.open_streams == 1
        if way == "half-closed":
            line.writer.write_eof()
            await line.until_closed()
        elif way == "aborted":
            line.abort()
    async with asyncio.timeout(10):
        await server.sim.until(lambda: server.sim.open_streams == 0)
    assert await server.still_serves()


@pytest.mark.proves("HARD-http")
async def test_a_crowd_that_says_nothing_keeps_nobody_out(server: Server) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(_linger(server.url, POST[: number % 50]))
        assert await server.still_serves()


async def _linger(url: str, raw: bytes) -> None:
    async with connected(url) as line:
        await line.send(raw)
        line.abort()


@pytest.mark.proves("HARD-big")
async def test_a_body_beyond_the_limit_is_answered_long_before_its_end(server: Server) -> None:
    """100 MB are offered in chunks; the answer comes when little more than the limit of 1 MB was taken."""
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    offered = 0
    async with connected(server.url) as line:
        await line.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        answered = asyncio.create_task(line.heard())
        while not answered.done() and offered < 100 * 1024 * 1024:
            await line.send(piece)
            offered += len(piece)
            await asyncio.sleep(0)
        answer = await answered
    assert answer is not None and answer.status == 413
    assert offered < 50 * 1024 * 1024, "what the sockets between hold, and not much more"
    assert await server.still_serves()
