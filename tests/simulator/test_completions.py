"""Legacy completions of the simulator, judged by the types of the openai package."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest

from gateway.simulator import Simulator
from tests.sdk_types import check_completion, check_completion_stream, check_error
from tests.simulator.asking import KEY

PATH = "/v1/completions"


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "prompt": "Reply with exactly: one two three", **changes}


async def ask(client: httpx2.AsyncClient, script: Any = None, **changes: Any) -> httpx2.Response:
    steering = (
        {} if script is None else {"x-simulate": script if isinstance(script, str) else orjson.dumps(script).decode()}
    )
    return await client.post(PATH, json=body(**changes), headers={**KEY, **steering})


BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["one two three"]),
    ({"echo": True}, ["Reply with exactly: one two threeone two three"]),
    ({"n": 2}, ["one two three"] * 2),
    ({"prompt": ["Reply with exactly: a", "Reply with exactly: b c d e"], "n": 2}, ["a", "a", "b c d e", "b c d e"]),
    ({"prompt": [1, 2, 3]}, ["(simulated) You said: 3 tokens"]),
    ({"prompt": [[1, 2], [3]]}, ["(simulated) You said: 2 tokens", "(simulated) You said: 1 tokens"]),
    ({"prompt": None}, ["(simulated) You said: 0 tokens"]),
    ({"max_tokens": 1}, ["one "]),
    ({"stop": "two"}, ["one "]),
    ({"stop": ["three", "zzz"], "logprobs": 2}, ["one two "]),
]


@pytest.mark.proves("SIM-completions")
@pytest.mark.parametrize(("changes", "texts"), BODIES, ids=str)
async def test_answers_are_of_the_sdks_types(
    client: httpx2.AsyncClient, changes: dict[str, Any], texts: list[str]
) -> None:
    whole = check_completion((await ask(client, **changes)).content)
    assert [choice.text for choice in whole.choices] == texts
    options = {"stream": True, "stream_options": {"include_usage": True}}
    judge = check_completion_stream((await ask(client, **changes, **options)).content, expect_usage=True)
    assert judge.texts == dict(enumerate(texts))
    assert judge.finish == {choice.index: choice.finish_reason for choice in whole.choices}
    assert judge.chunks[-1].usage == whole.usage


@pytest.mark.proves("SIM-completions")
async def test_choices_come_interleaved(client: httpx2.AsyncClient) -> None:
    prompts = ["Reply with exactly: one two three", "Reply with exactly: eins zwei drei"]
    judge = check_completion_stream((await ask(client, prompt=prompts, stream=True)).content, expect_usage=False)
    assert [chunk.choices[0].index for chunk in judge.chunks] == [0, 1, 0, 1, 0, 1]


@pytest.mark.proves("SIM-completions")
async def test_a_script_is_played_for_all_prompts(client: httpx2.AsyncClient) -> None:
    script = [{"reasoning": "hm"}, {"comment": "here"}, {"text": ["a", {"wait": 0}, "b"]}, {"refusal": "no"}]
    answer = await ask(client, script, prompt=["x", "y"], stream=True)
    assert check_completion_stream(answer.content, expect_usage=False).texts == {0: "abno", 1: "abno"}
    assert answer.text.count(": here") == 1


@pytest.mark.proves("SIM-completions")
async def test_an_event_of_a_script_goes_out_as_it_is(client: httpx2.AsyncClient) -> None:
    answer = await ask(client, [{"event": {"odd": 1}}, {"text": "x"}], prompt=["x", "y"], stream=True)
    assert answer.text.startswith('data: {"odd":1}\n\n')
    assert answer.text.count("odd") == 1


@pytest.mark.proves("SIM-completions")
@pytest.mark.parametrize(("script", "reason"), [("max_output_tokens", "length"), ("filtered", "content_filter")])
async def test_an_incomplete_answer_says_why(client: httpx2.AsyncClient, script: str, reason: str) -> None:
    assert check_completion((await ask(client, script)).content).choices[0].finish_reason == reason


@pytest.mark.proves("SIM-completions")
async def test_failures_have_their_forms(client: httpx2.AsyncClient) -> None:
    script = {"text": ["x"], "finish": {"failed": "server_error"}}
    told = (await ask(client, script, stream=True)).text.strip().split("\n\n")
    assert orjson.loads(told[-1].removeprefix("data: "))["error"]["code"] == "server_error"
    assert (await ask(client, script)).status_code == 500
    for stream in (False, True):
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(client, "cut", stream=stream)


@pytest.mark.proves("SIM-completions")
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": 5}, "prompt"),
        ({"prompt": ["a", {}]}, "prompt[1]"),
        ({"logprobs": 6}, "logprobs"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"prompt": ["a"] * 129}, "n"),
        ({"prompt": ["a", "b"], "n": 65}, "n"),
        ({"model": "nope"}, "model"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_wrong_bodies_are_400_and_named(client: httpx2.AsyncClient, changes: dict[str, Any], param: str) -> None:
    answer = await ask(client, **changes)
    assert answer.status_code == (404 if param == "model" else 400)
    assert check_error(answer.content).param == param


async def test_the_route_has_a_name(client: httpx2.AsyncClient, sim: Simulator) -> None:
    sim.queue("openai.completions", {"text": "queued"})
    assert check_completion((await ask(client)).content).choices[0].text == "queued"
    assert sim.counters["openai.completions"] == 1
