"""`truncation: "auto"` before upstreams that do not have it: a history that is too long is sent again, shorter."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.live.sdk import Sdk, broken, helped
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, NATIVE, TRANSLATED, Stack, only

pytestmark = pytest.mark.asyncio(loop_scope="session")
without_it = only(CODEX, CHAT_ONLY)

Json = dict[str, Any]

CREATE, HELPER = "responses.create", "responses.stream"
TOO_LONG: Json = {
    "status": 400,
    "body": {
        "error": {
            "message": "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "type": "invalid_request_error",
            "param": "input",
            "code": "context_length_exceeded",
        }
    },
}
LLAMA: Json = {
    "status": 400,
    "body": {
        "error": {
            "code": 400,
            "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 14429,
            "n_ctx": 8192,
        }
    },
}
SIGNS: list[Any] = [TOO_LONG, "first:context_length_exceeded", "error:context_length_exceeded"]
OF_CODEX = pytest.mark.parametrize("sign", SIGNS, ids=["status", "failed in the stream", "error in the stream"])
OF_CHAT = pytest.mark.parametrize("sign", [TOO_LONG, LLAMA], ids=["openai", "llamacpp"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
MOST_CALLS = 7


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def turn(number: int) -> list[Json]:
    """A turn of a history: a question, a call and its output, an answer."""
    call_id = f"call_{number}"
    return [
        user(f"Question {number}"),
        {"type": "function_call", "call_id": call_id, "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": call_id, "output": f"Output {number}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"Answer {number}"}]},
    ]


GUIDANCE: Json = {"type": "message", "role": "developer", "content": "Be brief."}
ASKED = user("Reply with exactly: fits")
HISTORY: list[Json] = [GUIDANCE, *turn(1), *turn(2), *turn(3), *turn(4), ASKED]


def request(**changes: Any) -> Json:
    return {"model": MODEL, "input": HISTORY, "truncation": "auto", "store": False, **changes}


def questions(body: Json) -> list[str]:
    """What users say in a body of either form."""
    entries = body.get("input") or body["messages"]
    return [text_of(entry) for entry in entries if entry.get("role") == "user"]


def text_of(entry: Json) -> str:
    content = entry["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def calls_and_outputs(body: Json) -> tuple[list[str], list[str]]:
    entries = body.get("input") or body["messages"]
    calls = [item["call_id"] for item in entries if item.get("type") == "function_call"]
    calls += [call["id"] for item in entries for call in item.get("tool_calls", ())]
    outputs = [item["call_id"] for item in entries if item.get("type") == "function_call_output"]
    return calls, outputs + [item["tool_call_id"] for item in entries if item.get("role") == "tool"]


async def shortened(sdk: Sdk, stack: Stack, *, stream: bool) -> None:
    """Ask before an upstream that refuses twice."""
    if stream:
        _, answer = await helped(sdk, HELPER, **request())
    else:
        answer = await sdk.call(CREATE, **request())
    assert (answer.output_text, answer.truncation) == ("fits", "auto")
    bodies = stack.sent("responses")
    asked = [f"Question {number}" for number in (1, 2, 3, 4)]
    assert [questions(body)[:-1] for body in bodies] == [asked, asked[2:], asked[3:]]
    for body in bodies:
        calls, outputs = calls_and_outputs(body)
        assert calls == outputs
        assert len(calls) == len(questions(body)) - 1
        assert text_of((body.get("input") or body["messages"])[0]) == "Be brief."
        assert questions(body)[-1] == "Reply with exactly: fits"
    first, *others = ({**body, "input": None, "messages": None} for body in bodies)
    assert others == [first, first], "the cache key among all else"
    assert len({call.headers.get("session-id") for call in stack.sim.calls(stack.upstream_route)}) == 1


@pytest.mark.proves("TRUNCATION-auto", "TRUNCATION-whole", "TRUNCATION-same")
@only(CODEX)
@STREAMS
@OF_CODEX
async def test_the_oldest_turns_are_left_out_until_it_fits(sdk: Sdk, stack: Stack, sign: Any, stream: bool) -> None:
    stack.play("responses", sign, sign)
    await shortened(sdk, stack, stream=stream)


@pytest.mark.proves("TRUNCATION-auto", "TRUNCATION-whole")
@only(CHAT_ONLY)
@STREAMS
@OF_CHAT
async def test_messages_of_a_chat_only_server_are_left_out_alike(
    sdk: Sdk, stack: Stack, sign: Json, stream: bool
) -> None:
    stack.play("responses", sign, sign)
    await shortened(sdk, stack, stream=stream)


@pytest.mark.proves("TRUNCATION-auto", "ENGINE-dropped")
@without_it
async def test_it_is_not_told_as_left_out(stack: Stack) -> None:
    answer = await stack.http.post("/v1/responses", json=request())
    assert "x-gateway-dropped" not in answer.headers
    assert answer.json()["truncation"] == "auto"
    assert "truncation" not in stack.sent("responses")[0]


@pytest.mark.proves("TRUNCATION-disabled")
@without_it
@pytest.mark.parametrize("wish", ["disabled", None], ids=["disabled", "unsaid"])
async def test_the_refusal_is_relayed_where_it_was_not_asked_for(sdk: Sdk, stack: Stack, wish: str | None) -> None:
    stack.play("responses", TOO_LONG)
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.call(CREATE, **request(truncation=wish))
    assert refused.value.code == "context_length_exceeded"
    assert len(stack.sent("responses")) == 1


@pytest.mark.proves("TRUNCATION-disabled")
@only(CODEX)
async def test_what_the_client_has_begun_to_read_is_not_begun_anew(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", "failed:context_length_exceeded")
    seen, _ = await broken(sdk, CREATE, **request(stream=True))
    assert any(event.type == "response.output_text.delta" for event in seen)
    assert seen[-1].response.error.code == "context_length_exceeded"
    assert len(stack.sent("responses")) == 1


@pytest.mark.proves("TRUNCATION-bounded")
@without_it
async def test_the_refusal_is_relayed_when_only_the_last_turn_is_left(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", *[TOO_LONG] * 4)
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.call(CREATE, **request())
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")
    assert [len(questions(body)) for body in stack.sent("responses")] == [5, 3, 2, 1]


@pytest.mark.proves("TRUNCATION-bounded")
@without_it
async def test_a_long_history_is_not_asked_for_ever(sdk: Sdk, stack: Stack) -> None:
    history = [item for number in range(300) for item in turn(number)]
    stack.play("responses", *[TOO_LONG] * MOST_CALLS)
    with pytest.raises(openai.BadRequestError):
        await sdk.call(CREATE, **request(input=history))
    sizes = [len(questions(body)) for body in stack.sent("responses")]
    assert len(sizes) == MOST_CALLS
    assert 1 < sizes[-1] < 10


@pytest.mark.proves("TRUNCATION-auto")
@only(CODEX)
async def test_an_error_names_the_item_of_the_client(stack: Stack) -> None:
    refused = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": "input[2].name"}
    stack.play("responses", TOO_LONG, {"status": 400, "body": {"error": refused}})
    answer = await stack.http.post("/v1/responses", json=request())
    assert stack.sent("responses")[1]["input"][2]["type"] == "function_call"
    assert answer.json()["error"]["param"] == "input[10].name"


@pytest.mark.proves("TRUNCATION-native")
@only(NATIVE, TRANSLATED)
async def test_a_server_that_has_it_does_it_itself(stack: Stack) -> None:
    stack.play("responses", TOO_LONG)
    answer = await stack.http.post("/v1/responses", json=request())
    assert (answer.status_code, answer.json()) == (400, TOO_LONG["body"])
    [body] = stack.sent("responses")
    assert (body["truncation"], len(body["input"])) == ("auto", len(HISTORY))


@pytest.mark.proves("TRUNCATION-native")
@only(TRANSLATED)
async def test_a_responses_body_on_the_chat_path_is_no_exception(stack: Stack) -> None:
    stack.play("chat", TOO_LONG)
    answer = await stack.http.post("/v1/chat/completions", json=request())
    assert answer.status_code == 400
    [body] = stack.sent("chat")
    assert (body["truncation"], len(body["input"])) == ("auto", len(HISTORY))
