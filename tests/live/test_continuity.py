"""Chat clients in a tool loop: what the model thought before a call stands before it again when the call comes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.dialects import chat, responses
from gateway.engine.turn import Hints, Turn, Voice
from gateway.simulator import Simulator
from tests.live.chat import ASK_WEATHER, CREATE, HELPER, PIXEL, TIME, WEATHER, judged, user
from tests.live.sdk import Sdk, helped
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, TRANSLATED, Stack, only, running, settings_for, write_login
from tests.serving import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

OTHER_MODEL = "gpt-5.4"
SEALED: Json = {"reasoning": ["I look it up."], "encrypted": True}
REFUSED: Json = {
    "status": 400,
    "body": {
        "error": {
            "type": "invalid_request_error",
            "code": "invalid_encrypted_content",
            "message": "The encrypted content could not be verified.",
            "param": None,
        }
    },
}


def calling(call_id: str, *before: Json, tool: str = "get_weather") -> Json:
    """An answer that thinks and then calls a tool."""
    return {"steps": [*(before or (SEALED,)), {"call": tool, "arguments": {"location": "Paris"}, "call_id": call_id}]}


def result(call_id: str, content: Any = "18C") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def kinds(body: Json) -> list[str]:
    return [item["type"] for item in body["input"]]


async def step(sdk: Sdk, messages: Sequence[Json], *, stream: bool = False, model: str = MODEL) -> Json:
    """One request of the loop; the assistant's message as the SDK hands it to the program."""
    arguments: Json = {"model": model, "messages": messages, "tools": [WEATHER, TIME]}
    if stream:
        _, answer = await helped(sdk, HELPER, **arguments)
    else:
        answer = judged(await sdk.call(CREATE, **arguments))
    message: Json = answer.choices[0].message.model_dump(mode="json", exclude_none=True)
    return {name: message[name] for name in ("role", "content", "tool_calls") if name in message}


def of_answer(call_id: str) -> Json:
    """The message that a chat client makes of `calling`."""
    function = {"name": "get_weather", "arguments": '{"location": "Paris"}'}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


# the loop -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CONTINUITY-chat")
@only(CODEX)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_the_reasoning_of_every_step_stands_before_its_call(sdk: Sdk, stack: Stack, stream: bool) -> None:
    names = [f"call_{type(sdk).__name__}_{stream}_{number}" for number in (1, 2)]
    thoughts = [{**SEALED, "reasoning": [f"Thought {name}."]} for name in names]
    stack.play("chat", *map(calling, names, thoughts))
    messages: list[Json] = [*ASK_WEATHER]
    for name in names:
        messages += [await step(sdk, messages, stream=stream), result(name)]
    final = await step(sdk, messages, stream=stream)
    assert "18C" in final["content"]
    bodies = stack.sent("chat")
    loop = ["reasoning", "function_call", "function_call_output"]
    assert [kinds(body) for body in bodies] == [["message"], ["message", *loop], ["message", *loop, *loop]]
    items = bodies[-1]["input"]
    assert items[1].keys() == {"type", "summary", "encrypted_content"}, "as the backend takes it"
    assert [items[place]["summary"][0]["text"] for place in (1, 4)] == [f"Thought {name}." for name in names]
    assert bodies[1]["input"][1] == items[1], "the same bytes again, so that the prompt cache holds"
    assert len({body["prompt_cache_key"] for body in bodies}) == 1


@pytest.mark.proves("CONTINUITY-chat", "CONTINUITY-pairs")
@only(CODEX)
async def test_reasoning_stands_before_the_first_of_several_calls_and_before_words_between(
    sdk: Sdk, stack: Stack
) -> None:
    name = f"call_several_{type(sdk).__name__}"
    words = {"text": "I look.", "phase": "commentary"}
    second = {"call": "get_time", "arguments": {"zone": "CET"}, "call_id": f"{name}_b"}
    stack.play("chat", {"steps": [*calling(name, SEALED, words)["steps"], second]})
    message = await step(sdk, ASK_WEATHER)
    await step(sdk, [*ASK_WEATHER, message, result(name), result(f"{name}_b")])
    calls = ["function_call", "function_call", "function_call_output", "function_call_output"]
    assert kinds(stack.sent("chat")[-1]) == ["message", "reasoning", "message", *calls]
    first, last = message["tool_calls"]
    await step(sdk, [*ASK_WEATHER, {**message, "tool_calls": [last]}, result(last["id"])])
    assert "reasoning" not in kinds(stack.sent("chat")[-1]), "the first call is not in the history"
    await step(sdk, [*ASK_WEATHER, {"role": "assistant", "tool_calls": [first]}, result(first["id"])])
    assert "reasoning" not in kinds(stack.sent("chat")[-1]), "nor are the words that it led to"


@pytest.mark.proves("CONTINUITY-chat")
@only(CODEX)
async def test_a_call_under_an_id_that_upstreams_refuse_has_its_reasoning_too(stack: Stack) -> None:
    name = "call.with.dots/" + "x" * 80
    stack.play("chat", calling(name))
    body: Json = {"model": MODEL, "messages": ASK_WEATHER, "tools": [WEATHER]}
    message = (await stack.http.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]
    assert message["tool_calls"][0]["id"] == name
    after = {**body, "messages": [*ASK_WEATHER, message, result(name)]}
    assert (await stack.http.post("/v1/chat/completions", json=after)).status_code == 200
    assert kinds(stack.sent("chat")[-1]) == ["message", "reasoning", "function_call", "function_call_output"]


@pytest.mark.proves("CONTINUITY-chat")
async def test_thoughts_of_a_chat_only_server_go_back_to_it(tmp_path: Path) -> None:
    """What chat has no relay for is translated also there, and this server refuses calls without their thoughts."""
    upstream = {"server": "deepseek"}
    answer = {"reasoning_content": True, **calling("call_thoughts", {"reasoning": ["I ", "look."]})}
    async with running(CHAT_ONLY, tmp_path, upstream={**CHAT_ONLY.upstream, **upstream}) as stack:
        stack.play("chat", answer)
        body: Json = {"model": MODEL, "input": ASK_WEATHER, "tools": [WEATHER]}
        first = await stack.http.post("/v1/chat/completions", json=body)
        message = first.json()["choices"][0]["message"]
        del message["reasoning_content"]
        after = {**body, "input": [*ASK_WEATHER, message, result("call_thoughts")]}
        assert (await stack.http.post("/v1/chat/completions", json=after)).status_code == 200
        sent = stack.sent("chat")
    assert [entry.get("reasoning_content") for entry in sent[-1]["messages"]] == [None, "I look.", None]


# whose it is ----------------------------------------------------------------------------------------------------------


class Silent:
    """A sink that nobody reads."""

    committed = offers = False

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        self.committed = True

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        """Announced, and no more."""

    async def write(self, data: bytes) -> None:
        self.committed = True

    def offer(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes = b"") -> None:
        """Nobody waits for it."""


@pytest.mark.proves("CONTINUITY-owners", "CONTINUITY-own")
async def test_reasoning_is_for_chat_requests_of_its_owner(tmp_path: Path) -> None:
    messages = [*ASK_WEATHER, of_answer("call_mine"), result("call_mine")]
    items = [
        {"type": "message", **ASK_WEATHER[0]},
        {"type": "function_call", "call_id": "call_mine", "name": "get_weather", "arguments": '{"location": "Paris"}'},
        {"type": "function_call_output", "call_id": "call_mine", "output": "18C"},
    ]
    sim = Simulator()
    async with serving(sim) as sim_url:
        write_login(tmp_path, sim.issue_tokens())
        app = create_app(settings_for(CODEX, sim_url), workdir=tmp_path)

        async def run(owner: str, dialect: Any, **body: Any) -> list[str]:
            document = {"model": MODEL, "tools": [], "store": False, **body}
            turn = Turn(dialect, json.dumps(document).encode(), document, f"req-{owner}", Hints(owner=owner))
            await app.engine.run(turn, Silent())
            return kinds(sim.calls("codex.responses")[-1].body)

        async with serving(app):
            sim.queue("codex.responses", calling("call_mine"))
            assert await run("alice", chat.DIALECT, messages=ASK_WEATHER) == ["message"]
            assert "reasoning" in await run("alice", chat.DIALECT, messages=messages)
            assert "reasoning" not in await run("bob", chat.DIALECT, messages=messages)
            assert "reasoning" not in await run("alice", responses.DIALECT, input=items)
            own = [items[0], {"type": "reasoning", "summary": [], "encrypted_content": "own"}, *items[1:]]
            sent = await run("alice", chat.DIALECT, input=own)
            assert sent == ["message", "reasoning", "function_call", "function_call_output"]
            assert sim.calls("codex.responses")[-1].body["input"][1]["encrypted_content"] == "own"


@pytest.mark.proves("CONTINUITY-owners")
@only(CODEX)
async def test_reasoning_is_for_the_model_that_made_it(sdk: Sdk, stack: Stack) -> None:
    name = f"call_model_{type(sdk).__name__}"
    stack.play("chat", calling(name))
    history = [*ASK_WEATHER, await step(sdk, ASK_WEATHER), result(name)]
    await step(sdk, history, model=OTHER_MODEL)
    assert "reasoning" not in kinds(stack.sent("chat")[-1])
    await step(sdk, history, model=f"{MODEL}-high")
    assert "reasoning" in kinds(stack.sent("chat")[-1]), "the same model, thinking harder"


@pytest.mark.proves("CONTINUITY-owners", "CONTINUITY-refused")
async def test_reasoning_does_not_outlive_a_change_of_accounts(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path) as stack:
        sdk = stack.sdks["AsyncSdk"]
        stack.play("chat", calling("call_account"))
        history = [*ASK_WEATHER, await step(sdk, ASK_WEATHER), result("call_account")]
        stack.log_in(account_id="acct-other")
        for _ in range(2):
            assert "18C" in (await step(sdk, history))["content"]
        *_, last = stack.sim.calls("codex.responses")
        assert last.account == "acct-other"
        assert "reasoning" not in kinds(last.body)


@pytest.mark.proves("CONTINUITY-bounded")
async def test_nothing_is_kept_where_that_is_switched_off(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"reasoning_bytes": 0}) as stack:
        sdk = stack.sdks["AsyncSdk"]
        stack.play("chat", calling("call_off"))
        await step(sdk, [*ASK_WEATHER, await step(sdk, ASK_WEATHER), result("call_off")])
        assert "reasoning" not in kinds(stack.sent("chat")[-1])


# refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CONTINUITY-refused")
@only(CODEX)
@pytest.mark.parametrize(
    "refusal", [REFUSED, {"use": "error:invalid_encrypted_content"}], ids=["status", "in the stream"]
)
async def test_reasoning_that_is_refused_is_left_out_once(sdk: Sdk, stack: Stack, refusal: Json) -> None:
    name = f"call_refused_{type(sdk).__name__}_{len(refusal)}"
    stack.play("chat", calling(name), refusal)
    answer = await step(sdk, [*ASK_WEATHER, await step(sdk, ASK_WEATHER), result(name)], stream=True)
    assert "18C" in answer["content"]
    _, refused, again = stack.sent("chat")
    assert kinds(refused) == ["message", "reasoning", "function_call", "function_call_output"]
    assert kinds(again) == ["message", "function_call", "function_call_output"]


@pytest.mark.proves("CONTINUITY-refused")
@only(TRANSLATED)
async def test_a_server_of_responses_gets_what_it_sealed_and_may_refuse_it(stack: Stack) -> None:
    stack.play("chat", calling("call_translated"), REFUSED)
    body: Json = {"model": MODEL, "tools": [WEATHER], "include": ["reasoning.encrypted_content"]}
    messages = [*ASK_WEATHER, of_answer("call_translated"), result("call_translated")]
    for asked in (ASK_WEATHER, messages):
        answer = await stack.http.post("/v1/chat/completions", json={**body, "messages": asked})
        assert answer.status_code == 200
    _, refused, again = stack.sent("chat")
    assert kinds(refused) == ["message", "reasoning", "function_call", "function_call_output"]
    assert "id" not in refused["input"][1], "the server has kept nothing that it could name"
    assert kinds(again) == ["message", "function_call", "function_call_output"]


@pytest.mark.proves("CONTINUITY-places")
@only(CODEX)
async def test_an_error_names_the_message_of_the_client(stack: Stack) -> None:
    refused = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": "input[3].output"}
    stack.play("chat", calling("call_places"), {"status": 400, "body": {"error": refused}})
    sdk = stack.sdks["AsyncSdk"]
    message = await step(sdk, ASK_WEATHER)
    shown = [{"type": "text", "text": "SHOWN"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages = [*ASK_WEATHER, message, result("call_places", shown), user("And now?")]
    body = {"model": MODEL, "messages": messages, "tools": [WEATHER, TIME]}
    answer = await stack.http.post("/v1/chat/completions", json=body)
    assert kinds(stack.sent("chat")[-1])[1] == "reasoning"
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages[2].content")
