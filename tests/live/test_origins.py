"""Encrypted reasoning in chains: only the account, and the server, that made it gets it again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.live.sdk import Sdk
from tests.live.stack import CODEX, MODEL, Stack, running
from tests.live.talk import SEALED, WEATHER, calling, dumped, heard, last_heard, result, say, user
from tests.live.team import DEFAULT, Team, team

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

THOUGHT = {"steps": [SEALED, {"text": "Done."}]}
OTHER = "acct-other"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planned(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(CODEX, tmp_path_factory.mktemp("accounts")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made_team(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Team]:
    server: Json = {"dialects": ["responses"], "state": "gateway"}
    changes: Json = {"upstream": {"fallback": ["other"]}}
    async with team(CODEX, tmp_path_factory.mktemp("upstreams"), providers={"other": server}, **changes) as made:
        yield made


@pytest.fixture
def planned_team(made_team: Team) -> Iterator[Team]:
    yield made_team
    made_team.reset()


@pytest.fixture(params=["SyncSdk", "AsyncSdk"])
def sdk(request: pytest.FixtureRequest, planned: Stack) -> Sdk:
    planned.sim.reset()
    planned.log_in()
    return planned.sdks[request.param]


def seals(body: Json) -> list[str]:
    return [item["encrypted_content"] for item in body["input"] if item.get("type") == "reasoning"]


@pytest.mark.proves("RECALL-origins")
async def test_the_account_that_made_it_gets_it_again(planned: Stack, sdk: Sdk) -> None:
    planned.play("responses", THOUGHT, None)
    first = await say(sdk, "one", include=["reasoning.encrypted_content"])
    await say(sdk, "two", previous_response_id=first.id)
    assert seals(planned.sent("responses")[-1]) == [dumped(first.output[0])["encrypted_content"]]
    assert last_heard(planned) == ["user: one", "reasoning sealed", "assistant: Done.", "user: two"]


@pytest.mark.proves("RECALL-origins")
async def test_another_account_is_not_sent_it_and_each_gets_its_own(planned: Stack, sdk: Sdk) -> None:
    planned.play("responses", calling("call_w", SEALED), THOUGHT, None, None)
    first = await say(sdk, "one", tools=[WEATHER])
    planned.log_in(account_id=OTHER)
    second = await say(sdk, [result("call_w")], previous_response_id=first.id, tools=[WEATHER])
    assert last_heard(planned) == ["user: one", "call call_w: get_weather", "output call_w: 18C"]
    third = await say(sdk, "three", previous_response_id=second.id, tools=[WEATHER])
    told = ["user: one", "call call_w: get_weather", "output call_w: 18C"]
    assert last_heard(planned) == [*told, "reasoning sealed", "assistant: Done.", "user: three"]
    planned.log_in()
    await say(sdk, "four", previous_response_id=third.id, tools=[WEATHER])
    heard_now = last_heard(planned)
    assert heard_now[:4] == ["user: one", "reasoning sealed", "call call_w: get_weather", "output call_w: 18C"]
    assert heard_now.count("reasoning sealed") == 1
    assert len(planned.sent("responses")) == 4  # nobody was refused, and asked again without


@pytest.mark.proves("RECALL-origins")
async def test_a_conversation_too_remembers_who_can_read_it(planned: Stack, sdk: Sdk) -> None:
    made = await sdk.call("conversations.create")
    planned.play("responses", THOUGHT, None, None)
    await say(sdk, "one", conversation=made.id)
    planned.log_in(account_id=OTHER)
    await say(sdk, "two", conversation=made.id)
    assert "reasoning sealed" not in last_heard(planned)
    planned.log_in()
    await say(sdk, "three", conversation=made.id)
    assert last_heard(planned)[:3] == ["user: one", "reasoning sealed", "assistant: Done."]
    assert len(planned.sent("responses")) == 3


@pytest.mark.proves("RECALL-origins")
async def test_a_reference_too_is_left_out_for_who_cannot_read_it(planned: Stack, sdk: Sdk) -> None:
    planned.play("responses", THOUGHT, None)
    first = await say(sdk, "one")
    planned.log_in(account_id=OTHER)
    references = [{"type": "item_reference", "id": item.id} for item in first.output]
    await say(sdk, [*references, user("x")])
    assert last_heard(planned) == ["assistant: Done.", "user: x"]
    assert len(planned.sent("responses")) == 2


@pytest.mark.proves("RECALL-origins")
async def test_another_server_is_not_sent_it(planned_team: Team) -> None:
    found = planned_team
    sdk = found.stack.sdks["AsyncSdk"]
    found.play(DEFAULT, "responses", THOUGHT, None)
    found.play("other", "responses", THOUGHT, None)

    async def turn(text: str, model: str, previous: Any = None) -> tuple[Any, list[str]]:
        more = {} if previous is None else {"previous_response_id": previous.id}
        answered = await sdk.call("responses.create", model=model, input=text, **more)
        name = "other" if model.startswith("other/") else DEFAULT
        return answered, heard(found.calls(name)[-1].body)

    one, _ = await turn("one", MODEL)
    two, told = await turn("two", f"other/{MODEL}", one)
    assert told == ["user: one", "assistant: Done.", "user: two"]
    three, told = await turn("three", f"other/{MODEL}", two)
    assert told == ["user: one", "assistant: Done.", "user: two", "reasoning sealed", "assistant: Done.", "user: three"]
    _, told = await turn("four", MODEL, three)
    assert told[:4] == ["user: one", "reasoning sealed", "assistant: Done.", "user: two"]
    assert told.count("reasoning sealed") == 1
    assert found.asked == {DEFAULT: 2, "other": 2}


@pytest.mark.proves("RECALL-origins")
async def test_a_stand_in_is_not_sent_it_either_and_its_answer_is_its_own(planned_team: Team) -> None:
    found = planned_team
    sdk = found.stack.sdks["AsyncSdk"]
    found.play(DEFAULT, "responses", THOUGHT, "server_error", None)
    found.play("other", "responses", THOUGHT)
    one = await sdk.call("responses.create", model=MODEL, input="one")
    two = await sdk.call("responses.create", model=MODEL, input="two", previous_response_id=one.id)
    assert heard(found.calls(DEFAULT)[-1].body) == ["user: one", "reasoning sealed", "assistant: Done.", "user: two"]
    assert heard(found.calls("other")[-1].body) == ["user: one", "assistant: Done.", "user: two"]
    await sdk.call("responses.create", model=MODEL, input="three", previous_response_id=two.id)
    told = heard(found.calls(DEFAULT)[-1].body)
    assert told == ["user: one", "reasoning sealed", "assistant: Done.", "user: two", "assistant: Done.", "user: three"]
