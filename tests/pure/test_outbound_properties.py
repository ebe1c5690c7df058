"""Whatever a history holds: a chat-only server gets messages it can take, or the client gets a 400."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.chat.outbound import GENERIC, Quirks, encode
from gateway.dialects.responses.request import checked, items
from gateway.errors import InvalidRequest, PreviousResponseNotFound
from tests.pure.outbound_requests import check_messages

Json = dict[str, Any]

CAPTURES = Path(__file__).parent.parent / "corpus" / "captures"
STRICT = Quirks(
    merge_user=True,
    assistant_after_tool="Understood.",
    tool_names=True,
    call_ids="nine",
    thoughts="reasoning_content",
    refusal_field=True,
)
OPEN = Quirks(merge_system=False, developer_role=True, call_ids="safe")

_TEXTS = st.sampled_from(["", "hi", "so\n", "\ud83d"])
_IDS = st.sampled_from(["a", "b", "c", "call_" + "x" * 70])
_NAMES = st.sampled_from(["look", "patch", "a.b", "x" * 70])
_PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("input_text"), "text": _TEXTS}),
        st.just({"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}),
    ),
    max_size=3,
)
_SAID = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("output_text"), "text": _TEXTS}),
        st.fixed_dictionaries({"type": st.just("refusal"), "refusal": _TEXTS}),
    ),
    max_size=2,
)
_TALK = st.one_of(
    st.fixed_dictionaries({"type": st.just("message"), "role": st.just("user"), "content": _TEXTS | _PARTS}),
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer"]), "content": _TEXTS}),
    st.fixed_dictionaries({"type": st.just("message"), "role": st.just("assistant"), "content": _TEXTS | _SAID}),
    st.fixed_dictionaries(
        {"type": st.just("reasoning"), "summary": st.just([]), "content": st.just([{"text": "Hm"}]) | st.none()}
    ),
    st.sampled_from([{"type": "web_search_call", "id": "ws_1"}, {"type": "item_reference", "id": "rs_1"}]),
)
_CALLS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("function_call"), "call_id": _IDS, "name": _NAMES, "arguments": st.just("{}") | _TEXTS},
        optional={"namespace": st.sampled_from(["files", None])},
    ),
    st.fixed_dictionaries({"type": st.just("custom_tool_call"), "call_id": _IDS, "name": _NAMES, "input": _TEXTS}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_search_call"),
            "call_id": _IDS,
            "execution": st.just("client"),
            "arguments": st.sampled_from([{"query": "look"}, {}, "", "{}", None]),
        }
    ),
)
_FOUND = st.lists(
    st.sampled_from(
        [
            {"type": "function", "name": "look"},
            {"type": "namespace", "name": "files", "tools": [{"type": "custom", "name": "x" * 70}]},
        ]
    ),
    max_size=2,
)
_OUTPUTS = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["function_call_output", "custom_tool_call_output"]),
            "call_id": _IDS,
            "output": _TEXTS | _PARTS,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_search_output"),
            "call_id": _IDS,
            "execution": st.just("client"),
            "tools": _FOUND | st.none(),
        }
    ),
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "user", "message", "type"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "role", "id"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Json]:
    """Talk and calls in any order; each call has its output somewhere after it."""
    made: list[Json] = []
    owed: list[Any] = []
    for item in draw(st.lists(_TALK | _CALLS | st.just({}), max_size=12)):
        if item:
            made.append(item)
            if "call_id" in item:
                owed.append(item["call_id"])
        elif owed:
            place = draw(st.integers(0, len(owed) - 1))
            made.append({**draw(_OUTPUTS), "call_id": owed.pop(place)})
    return made + [{**draw(_OUTPUTS), "call_id": call_id} for call_id in owed]


def _encode(history: list[Any], quirks: Quirks, **fields: Any) -> list[Json]:
    made: list[Json] = encode({"model": "m", "input": history, **fields}, quirks, stream=True).body["messages"]
    return made


@pytest.mark.proves("CHAT-SERVER-adjacency")
@given(history=histories(), quirks=st.sampled_from([GENERIC, STRICT, OPEN]))
def test_any_history_with_all_its_outputs_satisfies_the_strictest_server(history: list[Json], quirks: Quirks) -> None:
    messages = _encode([*history, {"role": "user", "content": "and?"}], quirks)
    check_messages(messages, quirks)
    sent = [call for message in messages for call in message.get("tool_calls", ())]
    assert len(sent) == sum("call_id" in item and item["type"].endswith("_call") for item in history)
    for one in sent:
        assert isinstance(json.loads(one["function"]["arguments"]), dict)


@pytest.mark.proves("CHAT-SERVER-adjacency")
@given(history=st.lists(_TALK | _CALLS | _OUTPUTS, max_size=10), quirks=st.sampled_from([GENERIC, STRICT, OPEN]))
def test_any_list_of_items_is_sound_or_refused(history: list[Json], quirks: Quirks) -> None:
    try:
        messages = _encode(history, quirks)
    except InvalidRequest as error:
        assert error.param is not None
        assert error.param.startswith("input")
    else:
        check_messages(messages, quirks)


@given(
    history=st.lists(_JSON | _TALK | _CALLS, max_size=4),
    fields=st.dictionaries(
        st.sampled_from(["tools", "tool_choice", "text", "reasoning", "include", "instructions", "top_p", "stop"]),
        _JSON,
        max_size=3,
    ),
)
def test_no_nonsense_causes_more_than_a_refusal(history: list[Any], fields: Json) -> None:
    try:
        messages = _encode(history, GENERIC, **fields)
    except InvalidRequest as error:
        assert error.param
    else:
        check_messages(messages, GENERIC)


def _recorded() -> list[Path]:
    return [file for file in sorted(CAPTURES.rglob("*.json")) if _inner(file) is not None]


def _inner(file: Path) -> Json | None:
    """The body of a recorded Responses request, with its input as a list; None for all others, malformed ones too."""
    capture = json.loads(file.read_text("utf-8"))
    body = capture.get("body")
    if capture["path"] != "/v1/responses" or capture["transport"] == "websocket" or not isinstance(body, dict):
        return None
    try:
        checked(body)
    except InvalidRequest:
        return None
    return {**body, "input": items(body.get("input"))}


@pytest.mark.proves("CHAT-SERVER-corpus")
@pytest.mark.parametrize("file", [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in _recorded()])
@pytest.mark.parametrize("quirks", [GENERIC, STRICT, OPEN], ids=["generic", "strict", "open"])
def test_what_programs_send_can_be_sent_on_to_a_chat_server(file: Path, quirks: Quirks) -> None:
    body = _inner(file)
    assert body is not None
    if body.get("previous_response_id") or body.get("conversation"):
        with pytest.raises(InvalidRequest) as caught:
            encode(body, quirks, stream=False)
        assert caught.value.param in ("previous_response_id", "conversation")
        assert isinstance(caught.value, PreviousResponseNotFound) == (caught.value.param == "previous_response_id")
        return
    made = encode(body, quirks, stream=bool(body.get("stream")))
    check_messages(made.body["messages"], quirks)
    said = json.dumps(made.body["messages"])
    for text in _texts(body):
        assert json.dumps(text)[1:-1] in said
    assert len(made.body.get("tools", ())) == len(body.get("tools") or ())


def _texts(body: Json) -> list[str]:
    found = [body.get("instructions") or ""]
    for item in body["input"]:
        if "role" in item:
            content = item["content"]
            found += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return found
