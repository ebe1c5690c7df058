"""Embeddings, images, moderations, audio and files of the OpenAI server, judged by the types of the openai package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openai.types import (
    CreateEmbeddingResponse,
    FileDeleted,
    FileObject,
    ImagesResponse,
    ModerationCreateResponse,
)
from openai.types.audio import Transcription, TranscriptionTextDoneEvent
from openai.types.image_gen_completed_event import ImageGenCompletedEvent
from openai.types.image_gen_partial_image_event import ImageGenPartialImageEvent

from gateway.simulator import Call, Simulator
from gateway.simulator.forms import Kept, Upload, form
from tests.sdk_types import check_error
from tests.simulator.asking import KEY, events_of

Json = dict[str, Any]
EMBEDDING = {"model": "text-embedding-3-small", "input": "hello"}


async def post(client: httpx2.AsyncClient, path: str, **sent: Any) -> httpx2.Response:
    return await client.post(f"/v1/{path}", headers=KEY, **sent)


@pytest.mark.proves("SIM-others")
@pytest.mark.parametrize("texts", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]], ids=["text", "texts", "tokens", "lists"])
async def test_embeddings_are_of_the_sdks_type(client: httpx2.AsyncClient, texts: Any) -> None:
    found = CreateEmbeddingResponse.model_validate_json(
        (await post(client, "embeddings", json={**EMBEDDING, "input": texts, "dimensions": 8})).content
    )
    expected = 2 if texts in (["a", "b"], [[1], [2, 3]]) else 1
    assert [len(row.embedding) for row in found.data] == [8] * expected
    assert found.usage.total_tokens > 0


@pytest.mark.proves("SIM-others")
async def test_images_are_of_the_sdks_types(client: httpx2.AsyncClient) -> None:
    ask: Json = {"model": "gpt-image-2", "prompt": "a dot"}
    made = ImagesResponse.model_validate_json((await post(client, "images/generations", json={**ask, "n": 2})).content)
    assert made.data is not None and len(made.data) == 2
    streamed = await post(client, "images/generations", json={**ask, "stream": True, "partial_images": 1})
    first, last = events_of(streamed.content)
    ImageGenPartialImageEvent.model_validate(first)
    ImageGenCompletedEvent.model_validate(last)
    edits = await post(client, "images/edits", data={**ask, "n": "2"}, files=[("image[]", b"1"), ("image[]", b"2")])
    assert len(edits.json()["data"]) == 2
    varied = await post(client, "images/variations", files={"image": b"1"})
    assert varied.status_code == 200
    streamed = await post(client, "images/edits", data={**ask, "stream": "true"}, files={"image": b"1"})
    assert [event["type"] for event in events_of(streamed.content)] == ["image_edit.completed"]


@pytest.mark.proves("SIM-others")
async def test_moderations_are_of_the_sdks_type(client: httpx2.AsyncClient) -> None:
    for asked, flags in (
        ("I will shoot", [True]),
        (["kind", "kill"], [False, True]),
        ([{"type": "text", "text": "stab"}], [True]),
    ):
        judged = ModerationCreateResponse.model_validate_json(
            (await post(client, "moderations", json={"input": asked})).content
        )
        assert [result.flagged for result in judged.results] == flags


@pytest.mark.proves("SIM-others")
async def test_audio_goes_both_ways(client: httpx2.AsyncClient, sim: Simulator) -> None:
    ask = {"model": "tts-1", "voice": "alloy", "input": "one two"}
    sound = await post(client, "audio/speech", json={**ask, "response_format": "wav"})
    assert (sound.headers["content-type"], sound.content) == ("audio/wav", b"(simulated) one (simulated) two ")
    events = events_of((await post(client, "audio/speech", json={**ask, "stream_format": "sse"})).content)
    assert [event["type"] for event in events] == [*["speech.audio.delta"] * 2, "speech.audio.done"]
    heard = await post(client, "audio/translations", data={"model": "whisper-1"}, files={"file": ("a.wav", b"xyz")})
    assert Transcription.model_validate_json(heard.content).text == "(simulated) a.wav, 3 bytes"
    streamed = await post(
        client,
        "audio/transcriptions",
        data={"model": "gpt-4o-transcribe", "stream": "true"},
        files={"file": ("a.wav", b"xyz")},
    )
    TranscriptionTextDoneEvent.model_validate(events_of(streamed.content)[-1])


@pytest.mark.proves("SIM-others")
async def test_a_file_is_kept_listed_read_and_forgotten(client: httpx2.AsyncClient) -> None:
    kept = [
        FileObject.model_validate_json(
            (
                await post(client, "files", data={"purpose": purpose}, files={"file": (f'{purpose}"ü.txt', b"abc")})
            ).content
        )
        for purpose in ("batch", "vision", "batch")
    ]
    pages = [
        (await client.get("/v1/files", params=params, headers=KEY)).json()
        for params in ({}, {"purpose": "batch"}, {"limit": "1", "after": kept[2].id}, {"after": kept[0].id})
    ]
    ids = [file.id for file in kept]
    assert [[row["id"] for row in page["data"]] for page in pages] == [ids[::-1], [ids[2], ids[0]], [ids[1]], []]
    assert [page["has_more"] for page in pages] == [False, False, True, False]
    content = await client.get(f"/v1/files/{ids[0]}/content", headers=KEY)
    assert content.content == b"abc" and content.headers["content-disposition"].isascii()
    gone = await client.delete(f"/v1/files/{ids[0]}", headers=KEY)
    assert FileDeleted.model_validate_json(gone.content).deleted
    for method, path in (("DELETE", ids[0]), ("GET", ids[0]), ("GET", f"{ids[0]}/content")):
        missing = await client.request(method, f"/v1/files/{path}", headers=KEY)
        assert (missing.status_code, check_error(missing.content).param) == (404, "id")


@pytest.mark.proves("SIM-others")
async def test_a_made_file_is_as_long_as_its_name_says(client: httpx2.AsyncClient) -> None:
    whole = await client.get("/v1/files/file-made-100000/content", headers=KEY)
    assert whole.content == (bytes(range(256)) * 400)[:100_000]
    for asked, status, content in (
        ("bytes=70000-70004", 206, whole.content[70_000:70_005]),
        ("bytes=99990-", 206, whole.content[-10:]),
        ("bytes=99990-200000", 206, whole.content[-10:]),
        ("bytes=100000-", 416, b""),
        ("lines=1-2", 200, whole.content),
    ):
        part = await client.get("/v1/files/file-made-100000/content", headers={**KEY, "range": asked})
        assert (part.status_code, part.content) == (status, content)
    known = {**KEY, "if-none-match": whole.headers["etag"]}
    assert (await client.get("/v1/files/file-made-100000/content", headers=known)).status_code == 304
    assert (await client.get("/v1/files/file-made-999999999999", headers=KEY)).status_code == 404


@pytest.mark.proves("SIM-others")
@pytest.mark.parametrize("behind", [False, True], ids=["field before the file", "field behind the file"])
async def test_of_a_long_upload_only_the_size_is_kept(client: httpx2.AsyncClient, sim: Simulator, behind: bool) -> None:
    size = 4 << 20
    field = b'--b0\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    file = b'--b0\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    head, tail = (file, b"\r\n" + field) if behind else (field + file, b"\r\n")

    async def body() -> AsyncIterator[bytes]:
        yield head
        yield bytes(size)
        yield tail + b"--b0--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=b0"}
    kept = (await client.post("/v1/files", content=body(), headers={**KEY, **kind})).json()
    assert (kept["bytes"], kept["purpose"]) == (size, "batch")
    assert sim.log[0].size == len(head) + size + len(tail) + 8
    assert len(sim.log[0].raw) < 3 << 20
    made = await client.get(f"/v1/files/{kept['id']}/content", headers=KEY)
    assert len(made.content) == size


@pytest.mark.proves("SIM-others")
@pytest.mark.parametrize(
    ("path", "sent", "status", "param"),
    [
        ("embeddings", {"json": {**EMBEDDING, "model": "gpt-5.5"}}, 404, "model"),
        ("embeddings", {"json": {"input": "x"}}, 400, "model"),
        ("embeddings", {"json": {"model": EMBEDDING["model"]}}, 400, "input"),
        ("embeddings", {"json": {**EMBEDDING, "encoding_format": "hex"}}, 400, "encoding_format"),
        ("embeddings", {"content": b"{"}, 400, None),
        ("embeddings", {"json": []}, 400, None),
        ("images/generations", {"json": {"prompt": "x", "n": 11}}, 400, "n"),
        ("images/edits", {"files": {"image": b"x"}}, 400, "prompt"),
        ("images/edits", {"json": [1]}, 400, None),
        ("moderations", {"json": {}}, 400, "input"),
        ("audio/speech", {"json": {"model": "tts-1", "voice": "alloy"}}, 400, "input"),
        ("audio/transcriptions", {"files": {"file": b"x"}}, 400, "model"),
        ("audio/transcriptions", {"files": {"other": b"x"}, "data": {"model": "whisper-1"}}, 400, "file"),
        ("files", {"files": {"file": b"x"}}, 400, "purpose"),
        ("files", {"json": {"file": "x", "purpose": "batch"}}, 400, "file"),
        ("files", {"content": b"no form", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "file"),
    ],
)
async def test_what_is_missing_or_of_another_kind_is_named(
    client: httpx2.AsyncClient, path: str, sent: Json, status: int, param: str | None
) -> None:
    answer = await client.post(f"/v1/{path}", **{**sent, "headers": {**KEY, **sent.get("headers", {})}})
    assert (answer.status_code, check_error(answer.content).param) == (status, param)


async def test_a_key_is_needed_and_scripts_are_played(client: httpx2.AsyncClient, sim: Simulator) -> None:
    assert (await client.post("/v1/embeddings", json=EMBEDDING)).status_code == 401
    sim.queue("openai.embeddings", "overloaded", {"headers": {"x-a": "b"}})
    assert (await post(client, "embeddings", json=EMBEDDING)).status_code == 503
    assert (await post(client, "embeddings", json=EMBEDDING)).headers["x-a"] == "b"


def test_the_oldest_of_many_files_is_forgotten(sim: Simulator) -> None:
    files = sim.others.files
    for number in range(1001):
        sent = {"file": Upload(str(number), "text/plain", 1, b"x"), "purpose": "batch"}
        files.upload(Call("POST", "/v1/files", {}, {}, body=sent), None)
    rows = files.page(Call("GET", "/v1/files", {}, {}), None).document["data"]
    assert (len(rows), rows[0]["filename"], rows[-1]["filename"]) == (1000, "1000", "1")


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n', 'x; boundary="b"', {"a": "1"}),
        (b"--b\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--b--\r\n", "x; boundary=b", {}),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nunfinished', "x; boundary=b", None),
        (b"", "x; boundary=b", None),
        (b"--b--", "multipart/form-data", None),
        (
            b'--b\r\nContent-Disposition: form-data; name="f[]"; filename="x"\r\n'
            b"Content-Type: a/b\r\n\r\n\x00\r\n\r\n--b--",
            "x; boundary=b",
            {"f": [Upload("x", "a/b", 3, b"\x00\r\n")]},
        ),
    ],
)
def test_a_form_is_taken_apart(body: bytes, kind: str, expected: Json | None) -> None:
    assert form(Kept(body, len(body)), kind) == expected
