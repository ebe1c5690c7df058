"""What the gateway does not serve itself, through it, with the SDK: embeddings, images, moderations, audio, files."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.live.sdk import Sdk, events
from tests.live.stack import CODEX, KEY, NATIVE, Stack, only, running
from tests.sdk_types import check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
EMBEDDING = "text-embedding-3-small"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def passing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A gateway that sends files on, too."""
    allowed = {"passthrough": ["embeddings", "images", "audio", "moderations", "files"]}
    async with running(NATIVE, tmp_path_factory.mktemp("passing"), upstream=allowed) as stack:
        yield stack


@pytest.fixture
def stack(passing: Stack) -> Stack:
    passing.sim.reset()
    return passing


@pytest.fixture(params=["SyncSdk", "AsyncSdk"], ids=["sync", "async"])
def sdk(request: pytest.FixtureRequest, stack: Stack) -> Sdk:
    return stack.sdks[request.param]


@pytest.mark.proves("PASS-sdk")
async def test_embeddings_come_as_numbers_though_they_travel_in_base64(sdk: Sdk, stack: Stack) -> None:
    found = await sdk.call("embeddings.create", model=EMBEDDING, input=["one", "two", "one"])
    assert [len(row.embedding) for row in found.data] == [1536] * 3
    assert found.data[0].embedding == found.data[2].embedding != found.data[1].embedding
    [call] = stack.sim.calls("openai.embeddings")
    assert call.body["encoding_format"] == "base64"
    plain = await sdk.call(
        "embeddings.create", model=EMBEDDING, input=[[1, 2, 3]], encoding_format="float", dimensions=3
    )
    assert len(plain.data[0].embedding) == 3 and sum(x * x for x in plain.data[0].embedding) == pytest.approx(1)


@pytest.mark.proves("PASS-sdk")
async def test_an_image_is_made_and_edited(sdk: Sdk) -> None:
    made = await sdk.call("images.generate", model="gpt-image-2", prompt="a dot", n=2)
    assert len(made.data) == 2 and made.data[0].b64_json.startswith("iVBOR")
    edited = await sdk.call(
        "images.edit", model="gpt-image-2", prompt="bluer", image=("a.png", b"\x89PNG", "image/png")
    )
    assert edited.data[0].b64_json


@pytest.mark.proves("PASS-sdk", "PASS-at-once")
async def test_an_image_streams(sdk: Sdk) -> None:
    shown = await events(sdk, "images.generate", model="gpt-image-2", prompt="a dot", stream=True, partial_images=2)
    assert [event.type for event in shown] == [*["image_generation.partial_image"] * 2, "image_generation.completed"]


@pytest.mark.proves("PASS-sdk")
async def test_a_text_is_moderated(sdk: Sdk) -> None:
    judged = await sdk.call("moderations.create", input=["I will kill you", "Good morning"])
    assert [result.flagged for result in judged.results] == [True, False]
    assert judged.results[0].categories.violence


@pytest.mark.proves("PASS-sdk")
async def test_speech_streams_as_bytes(stack: Stack) -> None:
    sdk = openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)
    async with sdk.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello there"
    ) as answer:
        sound = b"".join([piece async for piece in answer.iter_bytes()])
        assert answer.headers["content-type"] == "audio/mpeg"
    assert sound == b"(simulated) Hello (simulated) there "
    await sdk.close()


@pytest.mark.proves("PASS-sdk")
async def test_a_recording_is_transcribed(sdk: Sdk, stack: Stack) -> None:
    sound = b"RIFF" + bytes(range(256)) * 1000
    heard = await sdk.call("audio.transcriptions.create", model="whisper-1", file=("talk.wav", sound, "audio/wav"))
    assert heard.text == f"(simulated) talk.wav, {len(sound)} bytes"
    [call] = stack.sim.calls("openai.transcriptions")
    assert call.body["file"].content == sound
    plain = await sdk.call(
        "audio.transcriptions.create", model="whisper-1", file=("talk.wav", b"x"), response_format="text"
    )
    assert plain == "(simulated) talk.wav, 1 bytes\n"


@pytest.mark.proves("PASS-sdk", "PASS-at-once")
async def test_a_transcription_streams(sdk: Sdk) -> None:
    shown = await events(
        sdk, "audio.transcriptions.create", model="gpt-4o-transcribe", file=("a.wav", b"x"), stream=True
    )
    assert [event.type for event in shown] == [*["transcript.text.delta"] * 4, "transcript.text.done"]


@pytest.mark.proves("PASS-sdk")
async def test_a_file_goes_up_is_listed_comes_down_and_goes(sdk: Sdk) -> None:
    content = bytes(range(256)) * 100
    kept = await sdk.call("files.create", file=("notes.bin", io.BytesIO(content)), purpose="user_data")
    assert (kept.bytes, kept.filename, kept.purpose) == (len(content), "notes.bin", "user_data")
    page = await sdk.call("files.list", purpose="user_data", limit=1)
    assert [file.id for file in page.data] == [kept.id]
    assert (await sdk.call("files.retrieve", file_id=kept.id)).id == kept.id
    assert (await sdk.call("files.content", file_id=kept.id)).read() == content
    assert (await sdk.call("files.delete", file_id=kept.id)).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.call("files.retrieve", file_id=kept.id)
    assert "No such File" in caught.value.message


@pytest.mark.proves("PASS-errors")
async def test_what_the_server_refuses_the_sdk_raises(sdk: Sdk) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.call("embeddings.create", model="no-such-model", input="x")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        await sdk.call("embeddings.create", model=EMBEDDING, input="x", dimensions=5000)
    assert bad.value.param == "dimensions"


@pytest.mark.proves("PASS-not-allowed")
async def test_a_path_that_is_not_listed_is_a_404_that_says_where_to_list_it(sdk: Sdk, stack: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.call("batches.list")
    assert caught.value.code == "unknown_url"
    assert "'batches' to upstream.passthrough" in caught.value.message
    assert stack.sim.log == []


@pytest.mark.proves("PASS-not-allowed")
@only(CODEX)
async def test_a_login_has_none_of_these_routes(shared: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await shared.sdks["AsyncSdk"].call("embeddings.create", model=EMBEDDING, input="hi")
    assert caught.value.code == "unknown_url"
    assert "ChatGPT login" in caught.value.message and "OPENAI_API_KEY" in caught.value.message
    assert shared.sim.log == []


@pytest.mark.proves("PASS-not-allowed")
async def test_in_the_demo_there_are_none_either(tmp_path: Any) -> None:
    async with asyncio.timeout(20), running(CODEX, tmp_path, login=False, demo=True) as demo:
        answer = await demo.http.post("/v1/embeddings", json={"model": EMBEDDING, "input": "x"})
    assert (answer.status_code, check_error(answer.content).code) == (404, "unknown_url")
