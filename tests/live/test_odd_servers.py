"""Chat servers that tell failures in their own ways, relayed natively: no failure may look like an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.live.origin import Exchange, passing
from tests.live.stack import MODEL
from tests.sdk_types import check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
ASKED: Json = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.proves("ENGINE-failures-with-200")
@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"error": {"message": "boom"}}, "boom"),
        ({"error": "model loading"}, "model loading"),
        ({"object": "error", "message": "out of memory", "code": 500}, "out of memory"),
        ({}, "no choices"),
        ({"choices": []}, "no choices"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_failure_with_status_200_is_a_failure(tmp_path: Path, document: Json, words: str, stream: bool) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(json.dumps(document).encode())

    async with passing(act, tmp_path) as (_, stack):
        answer = await stack.http.post("/v1/chat/completions", json={**ASKED, "stream": stream})
    assert answer.status_code == 502
    told = check_error(answer.content)
    assert words in told.message or (stream and "document" in told.message)


@pytest.mark.proves("ENGINE-failures-with-200")
async def test_a_failure_behind_the_bare_beginning_of_an_answer_is_an_http_status(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.start(headers={"content-type": "text/event-stream"})
        await exchange.write(b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n')
        await exchange.write(b'data: {"error":{"message":"out of memory"}}\n\n')
        await exchange.end()

    async with passing(act, tmp_path) as (_, stack):
        answer = await stack.http.post("/v1/chat/completions", json={**ASKED, "stream": True})
    assert answer.status_code == 502
    assert "out of memory" in check_error(answer.content).message
