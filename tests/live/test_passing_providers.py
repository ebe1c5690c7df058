"""Which provider takes a request that passes through, and what its model is called there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.live.origin import Exchange, Origin, playing
from tests.live.stack import CODEX, NATIVE, Mode, Stack, running
from tests.sdk_types import check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
FORM = {"content-type": 'multipart/form-data; boundary="b0"'}
SOUND = bytes(range(256)) * 4096
"""Longer than any look ahead."""


@dataclass
class Servers:
    """The default upstream and the two providers `first` and `second`."""

    stack: Stack
    default: Origin
    first: Origin
    second: Origin

    @property
    def calls(self) -> list[tuple[str, Exchange]]:
        """What was sent on to whom; the lists of models that a choice may look at are not."""
        named = {"default": self.default, "first": self.first, "second": self.second}
        return [(name, seen) for name, origin in named.items() for seen in origin.seen if seen.path != "/v1/models"]

    @property
    def asked(self) -> list[str]:
        return [name for name, _ in self.calls]

    @property
    def body(self) -> bytes:
        """What the one that was asked got."""
        [(_, seen)] = self.calls
        assert seen.headers.get("content-length", str(seen.size)) == str(seen.size)
        return seen.body if seen.size == len(seen.body) else b""


@asynccontextmanager
async def servers(mode: Mode, workdir: Path) -> AsyncIterator[Servers]:
    """The default upstream takes embeddings, `first` too and audio, `second` files only."""
    async with playing() as default, playing() as first, playing() as second:
        upstream: Json = {"aliases": {"embed": "first/text-1", "own": "text-0"}, "passthrough": ["embeddings"]}
        providers = {
            "first": {
                "base_url": f"{first.url}/v1",
                "api_key": "sk-first",
                "passthrough": ["embeddings", "audio"],
                "aliases": {"small": "text-small"},
                "models": ["listed"],
            },
            "second": {"base_url": second.url, "passthrough": ["files"]},
        }
        url = None if mode.codex else default.url
        async with running(mode, workdir, upstream_url=url, upstream=upstream, providers=providers) as stack:
            yield Servers(stack, default, first, second)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[NATIVE, CODEX], ids=["openai", "codex"])
async def shared_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Servers]:
    async with servers(request.param, tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def three(shared_servers: Servers) -> Servers:
    for origin in (shared_servers.default, shared_servers.first, shared_servers.second):
        origin.seen.clear()
    return shared_servers


only_openai = pytest.mark.parametrize("shared_servers", [NATIVE], indirect=True, ids=["openai"])
only_codex = pytest.mark.parametrize("shared_servers", [CODEX], indirect=True, ids=["codex"])


def form(model: str | None, *, file_first: bool = False) -> bytes:
    """A form as the SDK sends it: fields, then the file."""
    file = b'--b0\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + SOUND + b"\r\n"
    field = (
        b"" if model is None else b'--b0\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n' % model.encode()
    )
    return (file + field if file_first else field + file) + b"--b0--\r\n"


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    """The body in small pieces, of unknown length."""
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


# by the model ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-model")
@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("first/text-2", "text-2"),
        ("first%2Ftext-2", "text-2"),
        ("first/maker/text-2", "maker/text-2"),
        ("first/small", "text-small"),
        ("small", "text-small"),
        ("listed", "listed"),
        ("embed", "text-1"),
    ],
)
async def test_the_models_name_chooses_and_only_it_is_changed(three: Servers, name: str, there: str) -> None:
    raw = b'{ "input": ["model", 1.50], "model" : "%s", "x":{"model":"y"} }'
    answer = await three.stack.http.post(
        "/v1/embeddings", content=raw % name.encode(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, three.asked, three.body) == (200, ["first"], raw % there.encode())
    assert three.first.seen[0].path == "/v1/embeddings"
    assert three.first.seen[0].headers["authorization"] == "Bearer sk-first"


@pytest.mark.proves("PASS-model")
@only_openai
@pytest.mark.parametrize(
    ("name", "there"), [("text-9", "text-9"), ("maker/text", "maker/text"), ("own", "text-0"), ("upstream/t", "t")]
)
async def test_any_other_name_is_for_the_default_upstream(three: Servers, name: str, there: str) -> None:
    await three.stack.http.post("/v1/embeddings", json={"model": name, "input": "x"})
    assert (three.asked, orjson.loads(three.body)["model"]) == (["default"], there)


@pytest.mark.proves("PASS-provider")
@only_codex
async def test_with_a_login_any_other_name_is_for_the_first_that_takes_the_path(three: Servers) -> None:
    await three.stack.http.post("/v1/embeddings", json={"model": "text-9", "input": "x"})
    assert (three.asked, orjson.loads(three.body)["model"]) == (["first"], "text-9")


@pytest.mark.proves("PASS-model")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize(("name", "there"), [("first/whisper-1", "whisper-1"), ("small", "text-small"), ("w", "w")])
async def test_a_forms_model_chooses_and_only_it_is_changed(
    three: Servers, name: str, there: str, chunked: bool
) -> None:
    body = form(name)
    content: Any = chunks(body) if chunked else body
    answer = await three.stack.http.post("/v1/audio/transcriptions", content=content, headers=FORM)
    assert (answer.status_code, three.asked) == (200, ["first"])
    [seen] = three.first.seen
    assert seen.size == len(form(there)) and form(there).startswith(seen.body)
    assert seen.headers["content-type"] == FORM["content-type"]
    assert seen.headers.get("content-length") == (None if chunked else str(len(form(there))))


@pytest.mark.proves("PASS-provider")
@pytest.mark.parametrize("model", [None, "whisper-1"], ids=["none", "behind the file"])
async def test_a_form_without_a_model_in_front_goes_to_the_first_that_takes_it(
    three: Servers, model: str | None
) -> None:
    body = form(model, file_first=True)
    await three.stack.http.post("/v1/audio/transcriptions", content=body, headers=FORM)
    assert three.asked == ["first"]
    assert three.first.seen[0].size == len(body)


# by the header and the path -------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-provider")
@pytest.mark.parametrize("name", ["text-9", "first/text-9"])
async def test_the_header_chooses_before_the_model(three: Servers, name: str) -> None:
    headers = {"x-gateway-provider": "first"}
    await three.stack.http.post("/v1/embeddings", json={"model": name, "input": "x"}, headers=headers)
    assert (three.asked, orjson.loads(three.body)["model"]) == (["first"], "text-9")


@pytest.mark.proves("PASS-provider")
async def test_what_names_no_model_goes_to_the_first_that_takes_the_path(three: Servers) -> None:
    await three.stack.http.get("/v1/files?limit=5")
    assert (three.asked, three.second.seen[0].path) == (["second"], "/v1/files")


@pytest.mark.proves("PASS-provider")
@only_openai
async def test_the_default_upstream_comes_first(three: Servers) -> None:
    await three.stack.http.get("/v1/embeddings/anything")
    await three.stack.http.get("/v1/embeddings/anything", headers={"x-gateway-provider": "upstream"})
    assert three.asked == ["default", "default"]


@pytest.mark.proves("PASS-provider")
async def test_a_provider_that_does_not_exist_is_refused_by_name(three: Servers) -> None:
    answer = await three.stack.http.get("/v1/files", headers={"x-gateway-provider": "third"})
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (400, "invalid_request", "x-gateway-provider")
    assert "upstream, first, second" in error.message and three.asked == []


# what nobody takes ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-not-allowed")
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"url": "/v1/files", "headers": {"x-gateway-provider": "first"}}, "provider 'second' has"),
        ({"url": "/v1/files", "json": {"model": "first/x"}}, "provider 'second' has"),
        (
            {"url": "/v1/batches", "headers": {"x-gateway-provider": "first"}},
            "'batches' to providers.first.passthrough",
        ),
    ],
    ids=["header", "model", "nobody"],
)
async def test_a_provider_that_does_not_take_a_path_is_a_404_that_names_one_that_does(
    three: Servers, sent: Json, told: str
) -> None:
    answer = await three.stack.http.request("POST", **sent)
    error = check_error(answer.content)
    assert (answer.status_code, error.code, three.asked) == (404, "unknown_url", [])
    assert told in error.message


@pytest.mark.proves("PASS-not-allowed")
@only_codex
async def test_a_login_names_the_provider_that_has_the_route(three: Servers) -> None:
    answer = await three.stack.http.post("/v1/files", headers={"x-gateway-provider": "upstream"})
    message = check_error(answer.content).message
    assert "ChatGPT login" in message and "provider 'second' has" in message
    answer = await three.stack.http.post("/v1/batches/1", json={})
    message = check_error(answer.content).message
    assert "ChatGPT login" in message and "'batches' to providers.first.passthrough" in message


@pytest.mark.proves("PASS-not-allowed")
@only_codex
async def test_an_unknown_provider_in_front_of_a_model_is_told(three: Servers) -> None:
    answer = await three.stack.http.post("/v1/embeddings", json={"model": "third/x", "input": "x"})
    error = check_error(answer.content)
    assert (answer.status_code, error.code, three.asked) == (404, "model_not_found", [])
