"""The calls of chat servers, told apart however they number them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.dialects.chat.outbound.inlet import ChatInlet
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import ToolMap
from tests.pure.inlet_streams import (
    ECHO,
    END,
    chunk,
    final,
    fragment,
    play,
    summary,
    types,
)

Json = dict[str, Any]

FINISH = chunk("tool_calls")


def called(*chunks: list[Json]) -> list[tuple[str, ...]]:
    """The calls, as names and arguments, that come of these fragments; one list a chunk."""
    frames = play([*[chunk(tool_calls=fragments) for fragments in chunks], FINISH, END])
    assert final(frames)["status"] == "completed"
    return [item[2:] for item in summary(final(frames))]


def ids(*chunks: list[Json]) -> list[str]:
    frames = play([*[chunk(tool_calls=fragments) for fragments in chunks], FINISH, END])
    return [item["call_id"] for item in final(frames)["output"]]


TWO = [("a", '{"k":1}'), ("b", '{"k":2}')]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [[fragment(0, "a", id="x")], [fragment(0, "", '{"k":1}')], [fragment(1, "b", '{"k":2}', id="y")]],
            id="numbered",
        ),
        pytest.param([[fragment(0, "a", '{"k":1}', id="x"), fragment(0, "b", '{"k":2}', id="y")]], id="all-0"),
        pytest.param([[fragment(0, "a", '{"k":1}', id=""), fragment(0, "b", '{"k":2}', id="")]], id="all-0-no-ids"),
        pytest.param([[fragment(None, "a", '{"k":1}'), fragment(None, "b", '{"k":2}')]], id="nothing"),
        pytest.param(
            [
                [fragment(None, "a", "", id="x")],
                [fragment(None, "", '{"k"', id="x")],
                [fragment(None, "", ":1}")],
                [fragment(None, "b", '{"k":', id="y")],
                [fragment(None, "", "2}", id="y")],
            ],
            id="ids",
        ),
        pytest.param(
            [
                [fragment(0, "a", '{"k"', id="x")],
                [fragment(1, "b", '{"k"', id="y")],
                [fragment(0, "", ":1}"), fragment(1, "", ":")],
                [fragment(1, "", "2}")],
            ],
            id="alternating",
        ),
        pytest.param(
            [
                [fragment(0, "a", '{"k"', id="x")],
                [fragment(0, "b", '{"k"', id="y")],
                [fragment(0, "", ":1}", id="x")],
                [fragment(0, "", ":2}", id="y")],
            ],
            id="alternating-all-0",
        ),
        pytest.param([[fragment(7, "a", '{"k":1}', id="x")], [fragment(3, "b", '{"k":2}', id="y")]], id="gaps"),
        pytest.param([[fragment(0, "a", {"k": 1}, id="x"), fragment(1, "b", {"k": 2}, id="y")]], id="objects"),
        pytest.param(
            [
                [fragment(0, "a", '{"k":', id="x")],
                [fragment(0, "a", "1}", id="x")],
                [fragment(1, "b", '{"k":2}', id="y")],
                [fragment(0, "a", '{"k":1}', id="x"), fragment(1, "b", '{"k":2}', id="y")],
            ],
            id="told-again",
        ),
        pytest.param(
            [
                [fragment(0, "a", "", id="v1")],
                [fragment(0, "", '{"k":', id="v2")],
                [fragment(0, "", "1}", id="v3")],
                [fragment(1, "b", '{"k":2}', id="v4")],
            ],
            id="an-id-a-fragment",
        ),
        pytest.param(
            [
                [fragment(0, "", '{"k":', id="x")],
                [fragment(0, "", "1}")],
                [fragment(0, "a")],
                [fragment(1, "b", '{"k":2}')],
            ],
            id="name-late",
        ),
        pytest.param(
            [
                [fragment(None, "a", '{"k":'), fragment(None, "", "1}", id="late")],
                [fragment(None, "b", '{"k":2}', id="y")],
            ],
            id="id-late",
        ),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-calls", "CASE-115", "CASE-116", "CASE-122")
def test_two_calls_are_told_apart(chunks: list[list[Json]]) -> None:
    assert called(*chunks) == TWO


@pytest.mark.proves("CHAT-ANSWER-calls")
def test_the_same_call_twice_is_two_calls() -> None:
    twice = [fragment(0, "a", "{}", id="x"), fragment(1, "a", "{}", id="y")]
    assert called(twice) == [("a", "{}"), ("a", "{}")]
    assert called([fragment(None, "a", "{}"), fragment(None, "a", "{}")]) == [("a", "{}"), ("a", "{}")]
    assert ids([fragment(None, "a", "{", id="x"), fragment(None, "", "}"), fragment(None, "a", id="y")]) == ["x", "y"]


@pytest.mark.proves("CHAT-ANSWER-calls")
def test_what_is_no_call_is_ignored() -> None:
    nothing: list[Any] = [
        {"index": 4},
        {"index": 0, "function": {}},
        {"function": 5, "id": 6},
        fragment(0, "", 7),
        "x",
        None,
    ]
    assert called([*nothing, fragment(0, "a", "{}", id="x"), {"index": "0", "function": {}}]) == [("a", "{}")]
    frames = play([chunk(content="Hi", tool_calls={"index": 0}), chunk("stop"), END])
    assert summary(final(frames)) == [("message", "Hi")]


@pytest.mark.proves("CHAT-ANSWER-call-ids")
def test_call_ids_are_the_server_s_own_where_they_can_be() -> None:
    given = ids([fragment(0, "a", "{}", id="x"), fragment(1, "b", "{}", id="x"), fragment(2, "c", "{}", id="")])
    assert given[0] == "x"
    assert len(set(given)) == 3
    assert all(made.startswith("call_") for made in given[1:])


@pytest.mark.proves("CHAT-ANSWER-call-ids")
def test_the_client_gets_back_the_id_that_was_changed_for_the_server() -> None:
    class Renamed(ToolMap):
        def client_call_id(self, wire_id: str) -> str:
            return {"abc123XYZ": "call_of_the_client"}.get(wire_id, wire_id)

    machine = ChatInlet(tools=Renamed(), quirks=Quirks(), echo_body=ECHO, seed="s", created=1)
    frames = machine.feed([chunk(tool_calls=[fragment(0, "a", "{}", id="abc123XYZ")]), FINISH, END])
    assert final(frames)["output"][0]["call_id"] == "call_of_the_client"


@pytest.mark.parametrize("arguments", ["", None, " \n", [], 5])
@pytest.mark.proves("CHAT-ANSWER-empty-arguments")
def test_a_call_without_arguments_has_an_empty_object(arguments: Any) -> None:
    frames = play([chunk(tool_calls=[fragment(0, "a", arguments, id="x")]), FINISH, END])
    deltas = "".join(f.data["delta"] for f in frames if f.type == "response.function_call_arguments.delta")
    done = final(frames)["output"][0]["arguments"]
    assert deltas == done
    assert done.strip() == "{}"


@pytest.mark.proves("CHAT-ANSWER-early-close")
def test_a_call_that_is_whole_ends_when_the_next_item_begins() -> None:
    frames = play(
        [
            chunk(tool_calls=[fragment(0, "a", '{"k":1}', id="x")]),
            chunk(tool_calls=[fragment(1, "b", "", id="y")]),
            chunk(tool_calls=[fragment(0, "", " ")]),
            chunk(content="Hi"),
            FINISH,
        ]
    )
    order = [(t, f.data["output_index"]) for t, f in zip(types(frames), frames, strict=True) if "output_item" in t]
    assert order == [
        ("output_item.added", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("output_item.added", 2),
        ("output_item.done", 1),
        ("output_item.done", 2),
    ]


@pytest.mark.proves("CASE-119")
def test_text_after_a_call_is_a_message_of_its_own() -> None:
    call = chunk(tool_calls=[fragment(0, "a", "{}", id="x")])
    frames = play([chunk(content="One"), call, chunk(content="Two"), FINISH, END])
    assert summary(final(frames)) == [("message", "One"), ("function_call", "x", "a", "{}"), ("message", "Two")]


def custom(*pieces: Any) -> tuple[list[Frame], str]:
    fragments = [fragment(0, "" if at else "apply_patch", piece, id="x") for at, piece in enumerate(pieces)]
    frames = play([*[chunk(tool_calls=[piece]) for piece in fragments], FINISH, END])
    (item,) = final(frames)["output"]
    assert item == {
        "id": item["id"],
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "x",
        "name": "apply_patch",
        "input": item["input"],
    }
    assert item["id"].startswith("ctc_")
    return frames, item["input"]


@pytest.mark.proves("CASE-123", "CHAT-ANSWER-custom")
def test_the_input_of_a_custom_tool_is_told_once_and_whole() -> None:
    frames, text = custom('{"inp', 'ut":"*** Begin', '\\n"}')
    assert text == "*** Begin\n"
    assert types(frames)[2:6] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert (frames[3].data["delta"], frames[4].data["input"]) == (text, text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"input": "x"}, "x"),
        ('{"input":"x","why":"y"}', "x"),
        ('{"patch":"x"}', "x"),
        ('"x"', "x"),
        ("*** Begin", "*** Begin"),
        ('{"input":', '{"input":'),
        ('{"input":5}', '{"input":5}'),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
        ("[1]", "[1]"),
        ('{"input":"x\ud83d"}', "x\ufffd"),
        ("{}", ""),
        ("", ""),
    ],
)
@pytest.mark.proves("CASE-123", "CHAT-ANSWER-custom")
def test_the_input_of_a_custom_tool_is_unwrapped(arguments: Any, text: str) -> None:
    assert custom(arguments)[1] == text


def search(*pieces: Any, finish: str = "tool_calls") -> tuple[list[Frame], Json]:
    fragments = [fragment(0, "" if at else "tool_search", piece, id="x") for at, piece in enumerate(pieces)]
    frames = play([*[chunk(tool_calls=[piece]) for piece in fragments], chunk(finish), END])
    (item,) = final(frames)["output"]
    assert item["id"].startswith("tsc_")
    return frames, item


@pytest.mark.proves("CHAT-ANSWER-search")
def test_a_search_for_tools_is_an_item_whose_arguments_are_an_object() -> None:
    frames, item = search('{"query":"pri', 'ce","limit":8}')
    shown = {"id": item["id"], "type": "tool_search_call", "call_id": "x", "execution": "client"}
    assert types(frames)[2:] == ["output_item.added", "output_item.done", "completed"]
    assert frames[2].data["item"] == {**shown, "status": "in_progress", "arguments": {}}
    assert item == {**shown, "status": "completed", "arguments": {"query": "price", "limit": 8}}
    assert frames[3].data["item"] == item


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": "x"}, {"query": "x"}),
        ('{"goal":["x"]}', {"goal": ["x"]}),
        ("", {}),
        (" ", {}),
        ("{}", {}),
        ('"price of fruit"', {"query": "price of fruit"}),
        ("price of fruit", {"query": "price of fruit"}),
        ("[1]", {"query": "[1]"}),
        ('{"query":"x\ud83d"}', {"query": "x\ufffd"}),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-search")
def test_the_arguments_of_a_search_are_an_object_whatever_the_model_said(arguments: Any, told: Json) -> None:
    assert search(arguments)[1]["arguments"] == told


@pytest.mark.proves("CHAT-ANSWER-search")
def test_a_search_that_is_nested_without_end_is_told_as_text() -> None:
    for depth, kept in ((31, True), (32, False), (900, False)):
        text = '{"k":' * depth + "1" + "}" * depth
        assert (search(text)[1]["arguments"] == {"query": text}) is not kept


@pytest.mark.proves("CHAT-ANSWER-search")
def test_a_search_that_was_cut_is_incomplete() -> None:
    item = search('{"query":"pri', finish="length")[1]
    assert (item["status"], item["arguments"]) == ("incomplete", {"query": '{"query":"pri'})
    assert search('{"query":"price"}', finish="stop")[1]["status"] == "completed"


@pytest.mark.proves("CHAT-ANSWER-search", "CHAT-ANSWER-call-ids")
def test_searches_and_calls_in_one_answer_keep_their_own_ids() -> None:
    calls = [fragment(0, "tool_search", "{}", id="x"), fragment(1, "get", "{}", id="x"), fragment(2, "tool_search")]
    frames = play([chunk(tool_calls=calls), FINISH, END])
    items = final(frames)["output"]
    assert [item["type"] for item in items] == ["tool_search_call", "function_call", "tool_search_call"]
    assert items[0]["call_id"] == "x"
    assert len({item["call_id"] for item in items}) == 3


@pytest.mark.proves("CHAT-ANSWER-namespaces")
def test_a_tool_of_a_namespace_is_named_as_the_client_names_it() -> None:
    frames = play([chunk(tool_calls=[fragment(0, "crm__find", "{}", id="x")]), FINISH])
    (item,) = final(frames)["output"]
    assert (item["namespace"], item["name"], item["type"]) == ("crm", "find", "function_call")
    assert frames[2].data["item"]["namespace"] == "crm"
    done = next(frame.data for frame in frames if frame.type == "response.function_call_arguments.done")
    assert done["name"] == "find"


@pytest.mark.proves("CHAT-ANSWER-unnamed")
def test_a_call_that_nobody_named_fails_the_answer() -> None:
    frames = play([chunk(content="Hi"), chunk(tool_calls=[fragment(0, "", "{}", id="x")]), FINISH, END])
    assert final(frames)["error"]["code"] == "server_error"
    assert "naming" in final(frames)["error"]["message"]
    assert summary(final(frames)) == [("message", "Hi", "incomplete")]
    frames = play([chunk(content="Hi"), chunk(tool_calls=[fragment(0, "", "{}", id="x")]), chunk("length")])
    assert summary(final(frames)) == [("message", "Hi", "incomplete")]
    assert final(frames)["status"] == "incomplete"


@pytest.mark.parametrize(
    "fragments",
    [
        [fragment(0, "get", "x" * 90, id="x"), fragment(0, "", "x" * 90, id="x")],
        [fragment(0, "apply_patch", "x" * 90, id="x"), fragment(0, "", "x" * 90, id="x")],
        [fragment(0, "tool_search", "x" * 90, id="x"), fragment(0, "", "x" * 90, id="x")],
        [fragment(0, "", "x" * 90, id="x")],
        [fragment(0, "", "", id="x"), fragment(1, "", "", id="y")],
    ],
    ids=["function", "custom", "search", "unnamed", "many"],
)
@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_calls_that_keep_too_much_fail_the_answer(fragments: list[Json]) -> None:
    frames = play([chunk(tool_calls=[piece]) for piece in fragments] + [END], open_bytes=200)
    assert final(frames)["error"]["code"] == "upstream_error"
    assert "200 bytes" in final(frames)["error"]["message"]


@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_what_waited_for_a_name_counts_once() -> None:
    late = [fragment(0, "", "{" + " " * 98), fragment(0, "a", "}")]
    frames = play([chunk(tool_calls=late), FINISH, END], open_bytes=128 + 100)
    assert final(frames)["status"] == "completed"


@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_what_is_done_is_kept_no_longer() -> None:
    whole = '{"k":"' + "x" * 80 + '"}'
    calls = [chunk(tool_calls=[fragment(0, "get", whole, id=f"c{at}")]) for at in range(50)]
    frames = play([*calls, FINISH, END], open_bytes=128 * 52 + 200)
    assert len(final(frames)["output"]) == 50
