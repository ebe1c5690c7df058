"""Whatever the login server answers, no token and no code gets into a message, a log line, a traceback or a mark."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import structlog
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from gateway.errors import OAuthUnavailable
from gateway.oauth.endpoint import TokenEndpoint
from gateway.oauth.file import TokenFile
from gateway.oauth.login import Login
from gateway.oauth.source import TokenSource
from gateway.oauth.token import Token
from tests.serving import serving

from .issuer import NOW, Issuer, cut, jwt, settings

MARK = "markedsecret"
ACCESS = jwt(NOW - 1, name=MARK)
REFRESH = f"rt_{MARK}_x9"
CODE = f"ac-{MARK}"

ECHOES: dict[str, Response] = {
    "error code": JSONResponse({"error": {"message": REFRESH, "type": REFRESH, "code": REFRESH}}, 400),
    "error text": JSONResponse({"error": REFRESH, "error_description": CODE}, 401),
    "top-level code": JSONResponse({"code": REFRESH}, 403),
    "known code": JSONResponse({"error": {"message": REFRESH, "code": "refresh_token_reused"}}, 400),
    "text": PlainTextResponse(f"your token {REFRESH} {CODE}", 500),
    "page": PlainTextResponse(f"<html>{REFRESH} {CODE}</html>", 403),
    "success": PlainTextResponse(f"{REFRESH} {CODE}"),
    "success without tokens": JSONResponse({"token": REFRESH}),
    "redirect": RedirectResponse(f"https://elsewhere.example/?t={REFRESH}&c={CODE}"),
    "cut": cut(),
}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Issuer, str, TokenFile, httpx2.AsyncClient]]:
    issuer = Issuer()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(issuer.app()))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        await stack.enter_async_context(asyncio.timeout(20))
        yield issuer, base_url, TokenFile(tmp_path / "oauth-token.json"), client


async def _fails(work: Awaitable[object]) -> str:
    """All that can be seen of a failure."""
    with structlog.testing.capture_logs() as logs, pytest.raises(OAuthUnavailable) as failed:
        await work
    error = failed.value
    trace = "".join(traceback.format_exception(error))
    return "\n".join(
        [*map(repr, logs), trace, repr(error), error.detail, repr(error.error_object()), repr(error.headers)]
    )


@pytest.mark.proves("OAUTH-no-secrets")
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
async def test_a_refused_refresh_shows_no_secret(
    place: tuple[Issuer, str, TokenFile, httpx2.AsyncClient], answer: Response
) -> None:
    issuer, base_url, file, client = place
    file.write(Token.read({"access_token": ACCESS, "refresh_token": REFRESH}))
    issuer.answers.append(answer)
    source = TokenSource(file.path, settings=settings(base_url), client=client, clock=lambda: NOW)
    seen = await _fails(source.credentials())
    assert MARK not in seen + file.mark_path.read_text() + repr(source.status()) + repr(source.status().document())
    assert issuer.refreshes == 1


@pytest.mark.proves("OAUTH-no-secrets")
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
async def test_a_refused_exchange_shows_no_secret(
    place: tuple[Issuer, str, TokenFile, httpx2.AsyncClient], answer: Response
) -> None:
    issuer, base_url, file, client = place
    issuer.answers.append(answer)
    login = Login(TokenEndpoint(settings(base_url), client), file, lambda: NOW)
    assert MARK not in await _fails(login.finish(CODE, f"verifier-{MARK}", "http://localhost/"))
    assert file.read() is None


def test_the_settings_keep_the_client_secret_out_of_sight() -> None:
    assert MARK not in repr(settings("https://auth.openai.com", client_secret=MARK))
