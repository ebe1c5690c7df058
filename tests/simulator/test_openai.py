"""The OpenAI server, judged by the types of the openai package."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest

from gateway.simulator import BUILT_IN, Scenario, Simulator
from tests.sdk_types import check_chat, check_chat_stream, check_models, check_response, check_response_stream
from tests.simulator.asking import KEY, WEATHER

QUESTION = "What is the weather in Paris?"
CHAT_TOOL = {"type": "function", "function": {key: WEATHER[key] for key in ("name", "parameters")}}


def chat(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": QUESTION}], **changes}


def request(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "input": QUESTION, **changes}


CHATS = [{}, {"tools": [CHAT_TOOL]}, {"reasoning_effort": "low"},  {"max_tokens": 3},
         {"response_format": {"type": "json_object"}}]  # fmt: skip
REQUESTS = [{}, {"tools": [{**WEATHER, "strict": False}]}, {"max_output_tokens": 3},
            {"text": {"format": {"type": "json_object"}}},
            {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
]  # fmt: skip


@pytest.mark.proves("SIM-chat")
@pytest.mark.parametrize("extra", CHATS, ids=str)
async def test_chat_answers_are_of_the_sdks_types(client: httpx2.AsyncClient, extra: dict[str, Any]) -> None:
    whole = check_chat((await client.post("/v1/chat/completions", json=chat(**extra), headers=KEY)).content)
    body = chat(**extra, stream=True, stream_options={"include_usage": True})
    chunks = check_chat_stream((await client.post("/v1/chat/completions", json=body, headers=KEY)).content, True)
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices if choice.index == 0)
    assert said == (whole.choices[0].message.content or "")
    assert chunks[-1].usage == whole.usage


@pytest.mark.proves("SIM-responses")
@pytest.mark.parametrize("extra", REQUESTS, ids=str)
async def test_responses_are_of_the_sdks_types(client: httpx2.AsyncClient, extra: dict[str, Any]) -> None:
    whole = check_response((await client.post("/v1/responses", json=request(**extra), headers=KEY)).content)
    streamed = await client.post("/v1/responses", json=request(**extra, stream=True), headers=KEY)
    final = check_response_stream(streamed.content)
    assert [item.type for item in final.output] == [item.type for item in whole.output]
    assert final.output_text == whole.output_text


async def test_two_choices_each_have_their_own_chunks(client: httpx2.AsyncClient) -> None:
    check_chat((await client.post("/v1/chat/completions", json=chat(n=2), headers=KEY)).content)
    stream = await client.post("/v1/chat/completions", json=chat(n=2, stream=True), headers=KEY)
    frames = [line.removeprefix("data: ") for line in stream.text.splitlines() if line]
    choices = [orjson.loads(frame)["choices"] for frame in frames[:-1]]
    assert [choice["index"] for (choice,) in choices] == [0, 1] * (len(choices) // 2)


SCRIPTS = ["refusal", "reasoning", "web_search", "image", "max_output_tokens", "filtered", "commentary"]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_scripted_responses_are_of_the_sdks_types(client: httpx2.AsyncClient, script: str) -> None:
    headers = {**KEY, "x-simulate": script}
    check_response((await client.post("/v1/responses", json=request(), headers=headers)).content)
    check_response_stream((await client.post("/v1/responses", json=request(stream=True), headers=headers)).content)


@pytest.mark.proves("SIM-codex-only")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_events_of_the_codex_backend_are_not_sent_here(client: httpx2.AsyncClient, stream: bool) -> None:
    steps = [{"limits": "standard"}, {"metadata": {"a": 1}}, {"comment": "here"}, {"text": "said"}]
    headers = {**KEY, "x-simulate": orjson.dumps(steps).decode()}
    response = await client.post("/v1/responses", json=request(stream=stream), headers=headers)
    chat_answer = await client.post("/v1/chat/completions", json=chat(stream=stream), headers=headers)
    if stream:
        assert check_response_stream(response.content).output_text == "said"
        deltas = [chunk.choices[0].delta.content for chunk in check_chat_stream(chat_answer.content, False)]
        assert deltas == ["", "sa", "id", None]
    else:
        assert check_response(response.content).output_text == "said"
        assert check_chat(chat_answer.content).choices[0].message.content == "said"


@pytest.mark.proves("SIM-codex-only")
@pytest.mark.parametrize("name", [name for name in BUILT_IN if BUILT_IN[name].finish not in ("cut", "stall")])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_each_built_in_script_answers_here_too(client: httpx2.AsyncClient, name: str, stream: bool) -> None:
    for path, body in (("/v1/responses", request(stream=stream)), ("/v1/chat/completions", chat(stream=stream))):
        answer = client.post(path, json=body, headers={**KEY, "x-simulate": name})
        if BUILT_IN[name].finish == "end" and not stream:
            with pytest.raises(httpx2.RemoteProtocolError):
                await answer
            continue
        status = (await answer).status_code
        failing = not stream and not isinstance(BUILT_IN[name].finish, str)
        assert status == (BUILT_IN[name].status or 200) or (failing and status in {400, 429, 500, 503})


@pytest.mark.proves("SIM-reasoning-content")
@pytest.mark.parametrize("shown", [True, False])
async def test_chat_shows_reasoning_only_when_the_script_says_so(client: httpx2.AsyncClient, shown: bool) -> None:
    script = {"steps": [{"reasoning": ["One. ", "Two."]}, {"text": "x"}], "reasoning_content": shown}
    headers = {**KEY, "x-simulate": orjson.dumps(script).decode()}
    whole = (await client.post("/v1/chat/completions", json=chat(), headers=headers)).json()
    assert whole["choices"][0]["message"].get("reasoning_content") == ("One. Two." if shown else None)
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 19
    stream = await client.post("/v1/chat/completions", json=chat(stream=True), headers=headers)
    frames = [orjson.loads(line.removeprefix("data: ")) for line in stream.text.splitlines()[:-2] if line]
    thoughts = [frame["choices"][0]["delta"].get("reasoning_content") for frame in frames]
    assert [thought for thought in thoughts if thought] == (["One. ", "Two."] if shown else [])


async def test_models_are_listed_and_read(client: httpx2.AsyncClient) -> None:
    models = check_models((await client.get("/v1/models", headers=KEY)).content)
    assert "gpt-6-sol" in {model.id for model in models}
    assert (await client.get("/v1/models/gpt-6-sol", headers=KEY)).json() == models[1].model_dump(exclude_unset=True)
    missing = await client.get("/v1/models/none", headers=KEY)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.proves("SIM-keys")
async def test_a_key_is_needed_unless_the_scenario_is_open(sim: Simulator, client: httpx2.AsyncClient) -> None:
    wrong = {"authorization": "Bearer sk-wrong"}
    statuses = [(await client.get("/v1/models", headers=headers)).status_code for headers in ({}, wrong, KEY)]
    sim.scenario = Scenario(open=True)
    statuses.append((await client.get("/v1/models", headers=wrong)).status_code)
    assert statuses == [401, 401, 200, 200]
    assert [call.auth for call in sim.log] == ["missing", "unknown", "ok", "ok"]


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/v1/responses", {"input": "x"}, 400, "model"),
        ("/v1/responses", {"model": "gpt-5.5"}, 400, "input"),
        ("/v1/responses", request(model="none"), 404, "model"),
        ("/v1/responses", request(previous_response_id="resp_x"), 400, "previous_response_id"),
        ("/v1/chat/completions", chat(messages="x"), 400, "messages"),
    ],
)
async def test_wrong_requests_are_refused_by_field(
    client: httpx2.AsyncClient, path: str, body: Any, status: int, param: str
) -> None:
    answer = await client.post(path, json=body, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


@pytest.mark.proves("SIM-stored")
async def test_a_stored_response_is_read_continued_and_deleted(client: httpx2.AsyncClient) -> None:
    first = (await client.post("/v1/responses", json=request(tools=[WEATHER]), headers=KEY)).json()
    call = first["output"][0]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    after = request(input=[output], previous_response_id=first["id"])
    second = check_response((await client.post("/v1/responses", json=after, headers=KEY)).content)
    assert second.output_text == "(simulated) The tools returned: sunny"
    path = f"/v1/responses/{first['id']}"
    assert (await client.get(path, headers=KEY)).json() == first
    listed = (await client.get(f"{path}/input_items", headers=KEY)).json()
    assert [item["content"] for item in listed["data"]] == [[{"type": "input_text", "text": QUESTION}]]
    assert (await client.delete(path, headers=KEY)).json()["deleted"] is True
    assert (await client.get(path, headers=KEY)).status_code == 404
    unkept = (await client.post("/v1/responses", json=request(store=False), headers=KEY)).json()
    assert (await client.get(f"/v1/responses/{unkept['id']}", headers=KEY)).status_code == 404


async def test_a_failing_script_is_a_status_or_an_error_in_the_stream(client: httpx2.AsyncClient) -> None:
    headers = {**KEY, "x-simulate": "failed:server_is_overloaded"}
    for path, body in (("/v1/responses", request()), ("/v1/chat/completions", chat())):
        answer = await client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_is_overloaded")
    stream = await client.post("/v1/chat/completions", json=chat(stream=True), headers=headers)
    frames = [line.removeprefix("data: ") for line in stream.text.splitlines() if line]
    assert orjson.loads(frames[-1])["error"]["code"] == "server_is_overloaded"


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
async def test_a_cut_breaks_a_document_off(client: httpx2.AsyncClient, path: str) -> None:
    body = request() if path == "/v1/responses" else chat()
    with pytest.raises(httpx2.RemoteProtocolError):
        await client.post(path, json=body, headers={**KEY, "x-simulate": "cut"})


@pytest.mark.proves("SIM-honest")
async def test_every_answer_says_that_it_is_simulated(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.get("/v1/models"), await client.get("/nowhere"), await client.get("/codex/device"),
        await client.post("/v1/chat/completions", json=chat(), headers=KEY),
    ]  # fmt: skip
    assert {answer.headers["x-simulated"] for answer in answers} == {"true"}
    assert answers[3].json()["choices"][0]["message"]["content"].startswith("(simulated)")
