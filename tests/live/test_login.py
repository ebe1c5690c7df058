"""The ChatGPT login behind the gateway: refreshed when it ends, missed with a clear word, picked up when it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.live.sdk import events
from tests.live.stack import CODEX, MODEL, Stack, running
from tests.sdk_types import check_chat, check_models

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
CHAT: Json = {"model": MODEL, "messages": [{"role": "user", "content": "Reply with exactly: ok"}]}
RESPONSES: Json = {"model": MODEL, "input": "Reply with exactly: ok"}


@pytest_asyncio.fixture(loop_scope="session")
async def codex(tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway of its own: these tests change its login."""
    async with running(CODEX, tmp_path) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway that nobody has logged in to."""
    async with running(CODEX, tmp_path, login=False) as stack:
        yield stack


async def unavailable(stack: Stack, method: str, **arguments: Any) -> openai.InternalServerError:
    sdk = stack.sdks["AsyncSdk"]
    with pytest.raises(openai.InternalServerError) as caught:
        await (events(sdk, method, **arguments) if arguments.get("stream") else sdk.call(method, **arguments))
    assert (caught.value.status_code, caught.value.code) == (503, "oauth_unavailable")
    assert caught.value.type == "gateway_error"
    return caught.value


def stored(stack: Stack) -> Json:
    document: Json = json.loads((stack.workdir / "oauth-token.json").read_text("utf-8"))
    return document


@pytest.mark.proves("ENGINE-refresh")
@pytest.mark.parametrize("refusal", ["unauthorized", "token_expired"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_refused_token_is_refreshed_and_the_turn_goes_on(codex: Stack, refusal: str, stream: bool) -> None:
    before = stored(codex)
    codex.play("chat", refusal)
    answer = await codex.http.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert answer.status_code == 200
    assert len(codex.sim.calls("token")) == 1
    after = stored(codex)
    assert after["access_token"] != before["access_token"]
    first, second = codex.sim.calls("codex.responses")
    assert first.headers["authorization"] == f"Bearer {before['access_token']}"
    assert second.headers["authorization"] == f"Bearer {after['access_token']}"


async def test_turns_that_meet_a_refused_token_together_refresh_once(codex: Stack) -> None:
    codex.sim.auth.access[stored(codex)["access_token"]].expires = 0
    sdk = codex.sdks["AsyncSdk"]
    answers = await asyncio.gather(*(sdk.call("chat.completions.create", **CHAT) for _ in range(5)))
    assert [answer.choices[0].message.content for answer in answers] == ["ok"] * 5
    assert len(codex.sim.calls("token")) == 1


async def test_an_expired_login_is_refreshed_before_it_is_used(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, login=False) as stack:
        old = stack.log_in(expires_in=-10)
        answer = await stack.sdks["AsyncSdk"].call("chat.completions.create", **CHAT)
        assert answer.choices[0].message.content == "ok"
        [call] = stack.sim.calls("codex.responses")
        assert call.headers["authorization"] != f"Bearer {old['access_token']}"


@pytest.mark.proves("ENGINE-no-login")
@pytest.mark.parametrize(
    "refusal", ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "invalid_grant"]
)
async def test_a_login_that_cannot_be_refreshed_is_unavailable(codex: Stack, refusal: str) -> None:
    codex.play("chat", "token_expired")
    codex.sim.queue("token", refusal)
    error = await unavailable(codex, "chat.completions.create", **CHAT)
    assert "auth login" in error.message
    assert len(codex.sim.calls("token")) == 1


async def test_a_dead_login_is_not_tried_again_with_every_turn(codex: Stack) -> None:
    codex.play("chat", "token_invalidated")
    codex.sim.queue("token", "refresh_token_invalidated")
    await unavailable(codex, "chat.completions.create", **CHAT)
    await unavailable(codex, "responses.create", **RESPONSES)
    assert len(codex.sim.calls("token")) == 1


@pytest.mark.proves("ENGINE-no-login")
async def test_without_a_login_every_route_says_so(nobody: Stack) -> None:
    for stream in (False, True):
        await unavailable(nobody, "chat.completions.create", **CHAT, stream=stream)
        await unavailable(nobody, "responses.create", **RESPONSES, stream=stream)
    error = await unavailable(nobody, "models.list")
    assert "auth login" in error.message
    assert nobody.sim.log == []


@pytest.mark.proves("ENGINE-new-login")
async def test_a_new_login_is_picked_up_without_a_restart(nobody: Stack) -> None:
    await unavailable(nobody, "chat.completions.create", **CHAT)
    nobody.log_in()
    sdk = nobody.sdks["AsyncSdk"]
    assert (await sdk.call("chat.completions.create", **CHAT)).choices[0].message.content == "ok"
    assert MODEL in [model.id for model in (await sdk.call("models.list")).data]
    again = nobody.log_in()
    await sdk.call("responses.create", **RESPONSES)
    assert nobody.sim.calls("codex.responses")[-1].headers["authorization"] == f"Bearer {again['access_token']}"


@pytest.mark.proves("ENGINE-demo")
async def test_a_demo_answers_simulated_until_somebody_logs_in(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, login=False, demo=True) as stack:
        answer = await stack.http.post("/v1/chat/completions", json=CHAT)
        assert check_chat(answer.content).choices[0].message.content == "ok"
        assert answer.headers["x-simulated"] == "true"
        assert MODEL in [model.id for model in check_models((await stack.http.get("/v1/models")).content)]
        assert stack.sim.log == [], "the real backend was asked without a login"
        stack.log_in()
        assert (await stack.http.post("/v1/responses", json=RESPONSES)).status_code == 200
        assert len(stack.sim.calls("codex.responses")) == 1


async def test_a_login_that_goes_away_is_missed(codex: Stack) -> None:
    (codex.workdir / "oauth-token.json").unlink()
    await unavailable(codex, "chat.completions.create", **CHAT)


async def test_the_account_and_our_own_name_go_to_the_backend(codex: Stack) -> None:
    await codex.sdks["AsyncSdk"].call("chat.completions.create", **CHAT)
    [call] = codex.sim.calls("codex.responses")
    assert call.headers["chatgpt-account-id"] == "acct-simulated"
    assert call.headers["originator"] == "codex-gateway"
    assert call.headers["user-agent"].startswith("codex-gateway/")
    assert not any(name.startswith(("x-stainless", "x-forwarded")) for name in call.headers)
