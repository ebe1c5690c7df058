"""What may be written into a conversation, and how it comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.conversations import ConversationItemList
from openai.types.responses import ResponseItemList

from gateway.core import json
from gateway.errors import InvalidRequest
from gateway.store.rows import Item, NewItem
from gateway.surfaces.state import showing
from gateway.surfaces.state.items import read_items
from tests.store.home import response
from tests.surfaces.state.conftest import World, problem
from tests.surfaces.state.test_conversations import body, checked

Json = dict[str, Any]

KINDS: dict[str, Json] = {
    "function_call": {"call_id": "c", "name": "f", "arguments": "{}"},
    "function_call_output": {"call_id": "c", "output": [{"type": "input_text", "text": "1"}]},
    "custom_tool_call_output": {"call_id": "c", "output": "1"},
    "custom_tool_call": {"call_id": "c", "name": "f", "input": ""},
    "reasoning": {"summary": [{"type": "summary_text", "text": "thought"}]},
    "compaction": {"encrypted_content": "x"},
    "web_search_call": {"action": {"type": "search", "query": "q"}},
    "file_search_call": {"queries": ["q"]},
    "code_interpreter_call": {"container_id": "k", "code": "1"},
    "image_generation_call": {"result": "eA=="},
    "computer_call": {"call_id": "c", "pending_safety_checks": []},
    "computer_call_output": {"call_id": "c", "output": {"type": "computer_screenshot", "file_id": "file-1"}},
    "local_shell_call": {"call_id": "c", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    "local_shell_call_output": {"output": "{}"},
    "shell_call": {"call_id": "c", "action": {"commands": ["ls"]}},
    "shell_call_output": {"call_id": "c", "output": []},
    "apply_patch_call": {"call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
    "apply_patch_call_output": {"call_id": "c"},
    "tool_search_call": {"arguments": {}, "execution": "server"},
    "tool_search_output": {"tools": [], "execution": "server"},
    "additional_tools": {"tools": [], "role": "developer"},
    "configuration_update": {},
    "mcp_list_tools": {"server_label": "s", "tools": []},
    "mcp_approval_request": {"server_label": "s", "name": "f", "arguments": "{}"},
    "mcp_approval_response": {"approval_request_id": "mcpr_1", "approve": False},
    "mcp_call": {"server_label": "s", "name": "f", "arguments": "{}"},
    "program": {"call_id": "c", "code": "1", "fingerprint": "f"},
    "program_output": {"call_id": "c", "result": "1"},
}

WITHOUT_STATUS_IN_THE_TYPE = {"custom_tool_call_output"}
"""Its type of stored items has one, its type of conversation items has not."""


async def written(world: World, *items: Json) -> list[Json]:
    made = await world.client.conversations.create()
    listed = await body(world, "POST", f"/v1/conversations/{made.id}/items", json={"items": list(items)})
    data: list[Json] = listed["data"]
    return data


@pytest.mark.proves("STATE-item-kinds")
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_item_comes_back_as_the_sdk_types_it(world: World, kind: str) -> None:
    sent = {"type": kind, **KINDS[kind]}
    (found,) = await written(world, sent)
    assert {name: found[name] for name in sent} == sent
    if kind not in WITHOUT_STATUS_IN_THE_TYPE:
        checked(
            ConversationItemList, {"data": [found], "object": "list", "has_more": False, "first_id": "", "last_id": ""}
        )


@pytest.mark.proves("STATE-item-kinds", "STATE-input-items")
async def test_every_kind_of_item_in_the_input_of_a_response_is_listed_as_the_sdk_types_it(world: World) -> None:
    drafts = [NewItem({"type": kind, **fields}, step=0) for kind, fields in KINDS.items()]
    said = [NewItem({"role": role, "content": "a"}, step=0) for role in ("user", "assistant", "developer")]
    await world.store.responses.save(response("resp_1"), [*drafts, *said])
    listed = await body(world, "GET", "/v1/responses/resp_1/input_items?limit=100&order=asc")
    assert [item.type for item in checked(ResponseItemList, listed).data] == [*KINDS, *["message"] * 3]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["message", "reasoning", "function_call", "item_reference", "", None, 5]),
                "id": st.sampled_from(["msg_1", "rs_1", "", None, 5, "x" * 65]),
                "role": st.sampled_from(["user", "assistant", "nobody", None, []]),
                "content": st.none()
                | st.text(max_size=3)
                | st.lists(
                    st.dictionaries(
                        st.sampled_from(["type", "text", "refusal", "image_url"]),
                        st.sampled_from(["input_text", "output_text", "refusal", "input_image", None, 5]),
                    ),
                    max_size=3,
                ),
                "call_id": st.sampled_from(["c", "", None, 5]),
                "name": st.sampled_from(["f", "", None]),
                "arguments": st.sampled_from(["{}", "", None, {}]),
                "summary": st.sampled_from([[], None, "x", ["odd"], [{"type": "summary_text"}]]),
            },
        ),
        max_size=3,
    )
)
def test_any_items_are_refused_by_name_or_can_be_shown(items: list[Json]) -> None:
    try:
        read = read_items(items)
    except InvalidRequest as error:
        assert error.param is not None
        assert error.param.startswith("items[")
        return
    for item in read:
        row = Item("k", "k", item["type"], item.get("role", ""), 0, json.dumps(item).decode(), None, 0)
        shown = showing.item(row, ())
        assert isinstance(shown["id"], str)
        assert shown["id"]
        lists = {"message": ["content"], "reasoning": ["summary"]}.get(shown["type"], [])
        assert all(isinstance(shown[name], list) for name in lists)


@pytest.mark.proves("STATE-item-kinds")
async def test_what_is_kept_for_the_model_is_what_was_sent(world: World) -> None:
    """Lists show items whole; the model gets them as the client would have sent them itself."""
    sent = {"role": "user", "content": "hi"}
    made = await world.client.conversations.create(items=[sent])  # type: ignore[list-item]
    kept = await world.store.conversations.items("operator", made.id)
    assert kept is not None
    assert [item.body() for item in kept] == [{"type": "message", **sent}]
    (shown,) = (await body(world, "GET", f"/v1/conversations/{made.id}/items"))["data"]
    assert shown == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
        "id": shown["id"],
        "status": "completed",
    }


@pytest.mark.proves("STATE-item-kinds")
async def test_parts_get_the_tag_that_their_role_needs(world: World) -> None:
    parts = [{"type": kind, "text": kind} for kind in ("text", "input_text", "output_text")]
    said = [*parts, {"type": "refusal", "refusal": "no"}]
    shown_image = {"type": "input_image", "image_url": "data:,", "detail": "low"}
    asked = [*parts, {"type": "input_image", "file_id": "file-1"}, shown_image, {"type": "input_file", "file_id": "f"}]
    items = await written(world, {"role": "assistant", "content": said}, {"role": "user", "content": asked})
    kinds = [[part["type"] for part in item["content"]] for item in items]
    assert kinds == [["output_text"] * 3 + ["refusal"], ["input_text"] * 3 + ["input_image"] * 2 + ["input_file"]]
    assert items[0]["content"][0] == {"type": "output_text", "text": "text", "annotations": [], "logprobs": []}
    assert [part.get("detail") for part in items[1]["content"][3:5]] == ["auto", "low"]
    checked(ConversationItemList, {"data": items, "object": "list", "has_more": False, "first_id": "", "last_id": ""})


BAD: dict[str, tuple[Any, str, str]] = {
    "no list": ("hi", "items", "invalid_request"),
    "no object": (["hi"], "items[0]", "invalid_request"),
    "no type": ([{}], "items[0].type", "invalid_request"),
    "a type that is no text": ([{"type": 5}], "items[0].type", "invalid_request"),
    "an unknown type": ([{"type": "telepathy"}], "items[0].type", "invalid_request"),
    "a trigger": ([{"type": "compaction_trigger"}], "items[0].type", "invalid_request"),
    "a reference": ([{"type": "item_reference", "id": "msg_1"}], "items[0]", "unsupported_value"),
    "a bare reference": ([{"id": "msg_1"}], "items[0]", "unsupported_value"),
    "no role": ([{"type": "message", "content": ""}], "items[0].role", "invalid_request"),
    "an odd role": ([{"role": "tool", "content": ""}], "items[0].role", "invalid_request"),
    "no content": ([{"role": "user"}], "items[0].content", "invalid_request"),
    "odd content": ([{"role": "user", "content": 5}], "items[0].content", "invalid_request"),
    "a part that is none": ([{"role": "user", "content": ["a"]}], "items[0].content[0]", "invalid_request"),
    "a part without a type": ([{"role": "user", "content": [{}]}], "items[0].content[0].type", "invalid_request"),
    "an unknown part": (
        [{"role": "user", "content": [{"type": "image_url"}]}],
        "items[0].content[0].type",
        "invalid_request",
    ),
    "a refusal of the user": (
        [{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}],
        "items[0].content[0].type",
        "invalid_request",
    ),
    "an image of the assistant": (
        [{"role": "assistant", "content": [{"type": "input_image", "file_id": "f"}]}],
        "items[0].content[0].type",
        "invalid_request",
    ),
    "a text without text": (
        [{"role": "user", "content": [{"type": "input_text", "text": None}]}],
        "items[0].content[0].text",
        "invalid_request",
    ),
    "an image without one": (
        [{"role": "user", "content": [{"type": "input_image"}]}],
        "items[0].content[0].image_url",
        "invalid_request",
    ),
    "the second": ([{"role": "user", "content": ""}, {"type": "reasoning"}], "items[1].summary", "invalid_request"),
    "a thought that is none": ([{"type": "reasoning", "summary": ["x"]}], "items[0].summary[0]", "invalid_request"),
    "a thought without text": (
        [{"type": "reasoning", "summary": [], "content": [{}]}],
        "items[0].content[0].text",
        "invalid_request",
    ),
    "thoughts that are a text": (
        [{"type": "reasoning", "summary": [], "content": "x"}],
        "items[0].content",
        "invalid_request",
    ),
    "an empty call id": (
        [{"type": "function_call", "call_id": "", "name": "f", "arguments": ""}],
        "items[0].call_id",
        "invalid_request",
    ),
    "arguments that are an object": (
        [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}],
        "items[0].arguments",
        "invalid_request",
    ),
    "a number as output": (
        [{"type": "function_call_output", "call_id": "c", "output": 5}],
        "items[0].output",
        "invalid_request",
    ),
    "21 items": ([{"role": "user", "content": ""}] * 21, "items", "array_above_max_length"),
}


@pytest.mark.proves("STATE-item-shape")
@pytest.mark.parametrize("case", BAD)
async def test_an_item_that_nobody_could_read_is_refused_and_nothing_is_kept(world: World, case: str) -> None:
    items, param, code = BAD[case]
    made = await world.client.conversations.create()
    path = f"/v1/conversations/{made.id}/items"
    for target in ("/v1/conversations", path):
        assert problem(await world.refused("POST", target, json={"items": items})) == (400, code, param)
    assert (await body(world, "GET", path))["data"] == []


@pytest.mark.proves("STATE-item-shape")
@pytest.mark.parametrize("sent", [{}, {"items": None}])
async def test_adding_needs_items(world: World, sent: Json) -> None:
    made = await world.client.conversations.create()
    path = f"/v1/conversations/{made.id}/items"
    assert problem(await world.refused("POST", path, json=sent)) == (400, "invalid_request", "items")
    assert problem(await world.refused("POST", path)) == (400, "invalid_request", None)


@pytest.mark.proves("STATE-item-kinds")
async def test_twenty_items_are_taken_at_once(world: World) -> None:
    assert len(await written(world, *[{"role": "user", "content": str(number)} for number in range(20)])) == 20


@pytest.mark.proves("STATE-item-kinds")
async def test_an_item_whose_content_is_null_is_listed_with_an_empty_list(world: World) -> None:
    """Turns may keep such input, which upstreams take."""
    made = await world.client.conversations.create()
    await world.store.conversations.add("operator", made.id, [NewItem({"role": "user", "content": None})])
    (shown,) = (await body(world, "GET", f"/v1/conversations/{made.id}/items"))["data"]
    assert (shown["type"], shown["content"], shown["status"]) == ("message", [], "completed")
