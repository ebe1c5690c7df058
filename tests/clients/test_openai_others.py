"""The openai SDK for Node on legacy completions, and on what the gateway sends on untranslated."""

from __future__ import annotations

import pytest

from tests.clients.served import Served
from tests.live.stack import MODEL, NATIVE, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE = "completions.create"
EMBEDDING = "text-embedding-3-small"


@pytest.mark.proves("CLIENTS-openai-completions")
async def test_a_completion_has_text_and_usage(gateway: Served) -> None:
    params = {"model": MODEL, "prompt": "Reply with exactly: pong"}
    answer = (await gateway.run("openai.create", method=CREATE, params=params))["data"]
    [choice] = answer["choices"]
    assert (answer["object"], choice["text"], choice["finish_reason"]) == ("text_completion", "pong", "stop")
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.proves("CLIENTS-openai-completions")
async def test_a_stream_of_a_completion(gateway: Served) -> None:
    params = {"model": MODEL, "prompt": "Reply with exactly: one two three", "stream": True}
    params["stream_options"] = {"include_usage": True}
    answer = await gateway.run("openai.events", method=CREATE, params=params)
    assert answer["error"] is None
    choices = [chunk["choices"][0] for chunk in answer["events"] if chunk["choices"]]
    assert "".join(choice["text"] for choice in choices) == "one two three"
    assert choices[-1]["finish_reason"] == "stop"
    assert answer["events"][-1]["usage"]["total_tokens"] > 0


@pytest.mark.proves("CLIENTS-openai-completions")
async def test_several_prompts_are_answered_in_order(gateway: Served) -> None:
    params = {"model": MODEL, "prompt": [f"Reply with exactly: {word}" for word in ("one", "two", "three")]}
    answer = (await gateway.run("openai.create", method=CREATE, params=params))["data"]
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(0, "one"), (1, "two"), (2, "three")]


@only(NATIVE)
@pytest.mark.proves("CLIENTS-openai-others")
async def test_embeddings_come_as_numbers(gateway: Served) -> None:
    """The SDK asks for base64 and reads it."""
    params = {"model": EMBEDDING, "input": ["one", "two"]}
    answer = (await gateway.run("openai.create", method="embeddings.create", params=params))["data"]
    assert [len(row["embedding"]) for row in answer["data"]] == [1536, 1536]
    [call] = gateway.sim.calls("openai.embeddings")
    assert call.body == {**params, "encoding_format": "base64"}


@only(NATIVE)
@pytest.mark.proves("CLIENTS-openai-others")
async def test_moderations_and_images_reach_the_server(gateway: Served) -> None:
    params = {"model": "omni-moderation-latest", "input": "I will kill this process"}
    found = await gateway.run("openai.create", method="moderations.create", params=params)
    assert found["data"]["results"][0]["flagged"] is True
    params = {"model": "gpt-image-2", "prompt": "a dot"}
    made = await gateway.run("openai.create", method="images.generate", params=params)
    assert made["data"]["data"][0]["b64_json"].startswith("iVBOR")


@only(NATIVE)
@pytest.mark.proves("CLIENTS-openai-others")
async def test_audio_is_uploaded_and_made(gateway: Served) -> None:
    """A form with a file one way, bytes the other way."""
    heard = await gateway.run("openai.transcribed", bytes=2048)
    assert heard["text"] != ""
    [call] = gateway.sim.calls("openai.transcriptions")
    assert call.headers["content-type"].startswith("multipart/form-data")
    spoken = await gateway.run("openai.spoken", text="Say this")
    assert spoken["length"] > 0 and spoken["type"].startswith("audio/")
