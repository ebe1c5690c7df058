"""Legacy completions as the openai SDK sees them, in front of every kind of upstream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.live.completions import CREATE, NATIVE, PATH, asked, body, everywhere, streamed_or_not, translated
from tests.live.sdk import Sdk, broken, events
from tests.live.stack import CODEX, MODEL, TRANSLATED, Stack, only, running
from tests.sdk_types import check_completion, check_completion_stream, check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


# one prompt -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("TEXT-sdk")
@everywhere
async def test_create_answers_with_the_text(sdk: Sdk) -> None:
    answer = await sdk.call(CREATE, **body("PONG-42"))
    [choice] = check_completion(answer.model_dump(mode="json", exclude_unset=True)).choices
    assert (choice.text, choice.finish_reason) == ("PONG-42", "stop")
    assert answer.id.startswith("cmpl-") and answer.model == MODEL
    assert answer.usage is not None and answer.usage.prompt_tokens > 0


@pytest.mark.proves("TEXT-sdk")
@everywhere
async def test_a_stream_brings_the_text_in_pieces(sdk: Sdk) -> None:
    chunks = await events(sdk, CREATE, **body("one two three four five"), stream=True)
    pieces = [chunk.choices[0].text for chunk in chunks]
    assert "".join(pieces) == "one two three four five"
    assert sum(map(bool, pieces)) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.proves("TEXT-sdk", "CASE-152")
@everywhere
@pytest.mark.parametrize("include_usage", [False, True])
async def test_the_bytes_of_a_stream_are_a_sound_transcript(stack: Stack, include_usage: bool) -> None:
    options: Json = {"stream_options": {"include_usage": True}} if include_usage else {}
    answer = await asked(stack, "grüße, 世界, 🌍!", stream=True, **options)
    assert answer.headers["content-type"].startswith("text/event-stream")
    judge = check_completion_stream(answer.content, include_usage)
    assert judge.texts == {0: "grüße, 世界, 🌍!"}
    assert b'"usage":null' in answer.content or not include_usage


@pytest.mark.parametrize(
    "script", ["reasoning", "commentary", "no_ids", "long_ids", "crlf", "byte_by_byte", "split_utf8", "late_arguments"]
)
@translated
async def test_odd_streams_of_the_upstream_are_sound_texts(stack: Stack, script: str) -> None:
    stack.play("completions", script, script)
    streamed = check_completion_stream((await asked(stack, "x", stream=True)).content, expect_usage=False)
    [choice] = check_completion((await asked(stack, "x")).content).choices
    assert streamed.texts == {0: choice.text}


@pytest.mark.proves("TEXT-echo", "CASE-154")
@everywhere
async def test_an_echo_comes_before_the_text(stack: Stack) -> None:
    wanted = "Reply with exactly: there." + "there."
    [choice] = check_completion((await asked(stack, "there.", echo=True)).content).choices
    streamed = await asked(stack, "there.", echo=True, stream=True)
    assert choice.text == wanted
    assert check_completion_stream(streamed.content, expect_usage=False).texts == {0: wanted}
    first = json.loads(streamed.text.split("\n")[0].removeprefix("data: "))
    assert first["choices"][0]["text"] == "Reply with exactly: there."


@pytest.mark.proves("TEXT-stop")
@everywhere
async def test_a_stop_string_ends_the_text(sdk: Sdk) -> None:
    arguments = body("alpha beta @@ gamma delta", stop=["@@"])
    answer = await sdk.call(CREATE, **arguments)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("alpha beta ", "stop")
    chunks = await events(sdk, CREATE, **arguments, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "alpha beta "


@pytest.mark.proves("TEXT-finish")
@everywhere
@pytest.mark.parametrize(
    ("script", "reason"), [("max_output_tokens", "length"), ("filtered", "content_filter")], ids=["length", "filter"]
)
async def test_an_incomplete_answer_says_why(stack: Stack, script: str, reason: str) -> None:
    stack.play("completions", script, script)
    assert check_completion((await asked(stack, "x")).content).choices[0].finish_reason == reason
    streamed = check_completion_stream((await asked(stack, "x", stream=True)).content, expect_usage=False)
    assert streamed.finish == {0: reason}


@pytest.mark.proves("TEXT-refusal")
@everywhere
async def test_the_text_of_a_refusal_is_the_text(stack: Stack) -> None:
    stack.play("completions", "refusal", "refusal")
    said = "I cannot help with that. (simulated)"
    assert check_completion((await asked(stack, "x")).content).choices[0].text == said
    streamed = check_completion_stream((await asked(stack, "x", stream=True)).content, expect_usage=False)
    assert streamed.texts == {0: said}


@pytest.mark.proves("TEXT-logprobs")
@only(TRANSLATED)
async def test_logprobs_of_the_responses_api_come_in_the_legacy_form(stack: Stack) -> None:
    tokens = [
        {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2.5}]},
        {"token": " you", "logprob": -0.5, "bytes": [32], "top_logprobs": []},
    ]
    part = {"type": "output_text", "text": "Hi you", "annotations": [], "logprobs": tokens}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    stack.play("completions", {"item": item}, _spoken(item, part))
    told = {
        "tokens": ["Hi", " you"],
        "token_logprobs": [-0.25, -0.5],
        "top_logprobs": [{"Hi": -0.25, "Ho": -2.5}, {" you": -0.5}],
        "text_offset": [0, 2],
    }
    [choice] = check_completion((await asked(stack, "x", logprobs=1)).content).choices
    assert choice.logprobs is not None and choice.logprobs.model_dump() == told
    streamed = check_completion_stream((await asked(stack, "x", logprobs=1, stream=True)).content, expect_usage=False)
    pieces = [c.choices[0].logprobs.model_dump() for c in streamed.chunks if c.choices[0].logprobs]
    assert len(pieces) == 2
    assert {name: pieces[0][name] + pieces[1][name] for name in told} == told
    assert {(body["top_logprobs"], *body["include"]) for body in stack.sent("completions")} == {
        (1, "message.output_text.logprobs")
    }


def _spoken(item: Json, part: Json) -> list[Json]:
    """The steps of a stream that tells each token in a delta of its own."""
    place = {"item_id": item["id"], "output_index": 0}
    inside = {**place, "content_index": 0}
    empty = {**item, "status": "in_progress", "content": []}
    told = [
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.content_part.added", **inside, "part": {**part, "text": "", "logprobs": []}},
        *(
            {"type": "response.output_text.delta", **inside, "delta": token["token"], "logprobs": [token]}
            for token in part["logprobs"]
        ),
        {"type": "response.output_text.done", **inside, "text": part["text"], "logprobs": part["logprobs"]},
        {"type": "response.content_part.done", **inside, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    return [{"event": {**event, "sequence_number": number + 2}} for number, event in enumerate(told)]


# what cannot be done --------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Json, str, str]] = {
    "suffix": ({"suffix": "x"}, "unsupported_parameter", "suffix"),
    "tokens": ({"prompt": [1, 2]}, "unsupported_value", "prompt"),
    "token-lists": ({"prompt": [[1, 2], [3]]}, "unsupported_value", "prompt"),
    "no-prompt": ({"prompt": None}, "invalid_request", "prompt"),
    "n": ({"n": 2}, "unsupported_value", "n"),
    "best_of": ({"best_of": 2}, "unsupported_value", "best_of"),
    "echo-logprobs": ({"echo": True, "logprobs": 1}, "unsupported_parameter", "echo"),
    "logprobs": ({"logprobs": 6}, "invalid_request", "logprobs"),
    "max_tokens": ({"max_tokens": "5"}, "invalid_request", "max_tokens"),
}


@pytest.mark.proves("TEXT-refused", "CASE-151", "CASE-153")
@translated
@pytest.mark.parametrize(("fields", "code", "param"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_done_is_a_400_that_names_the_field(
    stack: Stack, fields: Json, code: str, param: str
) -> None:
    answer = await asked(stack, "x", **fields)
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (400, code, param)
    assert stack.sim.log == []


@pytest.mark.proves("TEXT-refused")
@only(CODEX)
async def test_logprobs_that_codex_does_not_tell_are_refused_by_the_clients_name(sdk: Sdk, stack: Stack) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.call(CREATE, **body("x"), logprobs=2)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "logprobs")
    assert "'logprobs'" in str(caught.value)
    assert stack.sim.log == []


@pytest.mark.proves("TEXT-dropped")
@only(CODEX)
@pytest.mark.parametrize("texts", [("a",), ("a", "b")], ids=["one", "several"])
async def test_what_the_backend_does_not_take_is_left_out_and_named(stack: Stack, texts: tuple[str, ...]) -> None:
    wishes = {"temperature": 0.2, "max_tokens": 5, "presence_penalty": 1, "seed": 7, "user": "u", "best_of": 1}
    answer = await asked(stack, *texts, **wishes)
    assert set(answer.headers["x-gateway-dropped"].split(",")) == {"temperature", "max_tokens", "presence_penalty"}
    assert [choice.text for choice in check_completion(answer.content).choices] == list(texts)


# a server that speaks it itself ---------------------------------------------------------------------------------------


@pytest.mark.proves("TEXT-relay")
@only(NATIVE)
@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": [1, 2, 3]},
        {"prompt": [[1, 2], [3]]},
        {"prompt": "def f(x):", "suffix": "return x", "top_k": 4},
        {"prompt": "Hi", "n": 2, "best_of": 2, "logprobs": 1, "echo": True},
        {"prompt": ["a", "b"], "max_tokens": 3, "logit_bias": {"50256": -100}},
    ],
    ids=["tokens", "token-lists", "suffix", "choices", "prompts"],
)
@streamed_or_not
async def test_a_body_goes_through_as_it_is(stack: Stack, fields: Json, stream: bool) -> None:
    sent = json.dumps({"model": MODEL, **fields, "stream": stream}, indent=1).encode()
    answer = await stack.http.post(PATH, content=sent)
    [call] = stack.sim.calls("openai.completions")
    if stream:
        check_completion_stream(answer.content, expect_usage=False)
        assert call.body == {"model": MODEL, **fields, "stream": True, "stream_options": {"include_usage": True}}
    else:
        check_completion(answer.content)
        assert call.raw == sent


@pytest.mark.proves("TEXT-relay")
async def test_only_the_model_is_renamed(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path, upstream={"aliases": {"writer": MODEL}}) as stack:
        answer = await stack.http.post(PATH, json={"model": "writer", "prompt": [1, 2], "suffix": "x"})
        assert answer.status_code == 200, answer.text
        assert [call.body for call in stack.sim.log] == [{"model": MODEL, "prompt": [1, 2], "suffix": "x"}]


@pytest.mark.proves("TEXT-relay")
@only(NATIVE)
async def test_logprobs_of_the_server_pass(stack: Stack) -> None:
    answer = await stack.http.post(PATH, json={"model": MODEL, "prompt": "Hi", "logprobs": 2})
    [choice] = check_completion(answer.content).choices
    assert choice.logprobs is not None and choice.logprobs.tokens == [choice.text]


@pytest.mark.proves("TEXT-relay-end")
@only(NATIVE)
async def test_a_native_stream_that_was_cut_ends_in_an_error(sdk: Sdk, stack: Stack) -> None:
    stack.play("completions", "cut")
    seen, error = await broken(sdk, CREATE, **body("a", "b"), stream=True)
    assert seen and type(error) is openai.APIError


@pytest.mark.proves("TEXT-relay-end")
@only(NATIVE)
async def test_a_client_that_leaves_a_native_stream_ends_the_call(sdk: Sdk, stack: Stack) -> None:
    stack.play("completions", "stall")
    async with asyncio.timeout(10):
        async with sdk.stream(CREATE, **body("a", "b"), stream=True) as shown:
            await anext(shown)
            assert stack.sim.open_streams == 1
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
