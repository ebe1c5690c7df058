"""What a connection remembers: whole chains, kept once, within bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.history import replayable
from gateway.surfaces.websocket.memory import Memory, history

Json = dict[str, Any]


def said(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def roomy() -> Memory:
    return Memory(responses=100, size=10**6)


def texts(memory: Memory, response_id: str) -> list[str]:
    chain = memory.chain(response_id)
    assert chain is not None
    return [item["content"] for item in history(chain)[0]]


@pytest.mark.proves("WS-memory")
def test_a_chain_is_every_item_from_its_beginning_in_order() -> None:
    memory = roomy()
    memory.keep("r1", None, [said("a"), said("b")])
    memory.keep("r2", memory.chain("r1"), [])
    memory.keep("r3", memory.chain("r2"), [said("c")])
    assert texts(memory, "r3") == ["a", "b", "c"]
    assert texts(memory, "r1") == ["a", "b"]
    assert memory.chain("r4") is None


@pytest.mark.proves("WS-memory")
def test_a_chain_tells_the_response_of_the_upstream_that_it_begins_at() -> None:
    memory = roomy()
    memory.keep("r1", None, [said("a")], base="resp_theirs")
    memory.keep("r2", memory.chain("r1"), [said("b")])
    chain = memory.chain("r2")
    assert chain is not None
    assert history(chain)[1] == "resp_theirs"


@pytest.mark.proves("WS-memory")
def test_a_long_conversation_takes_no_more_than_what_was_said_in_it() -> None:
    memory = Memory(responses=1000, size=10**6)
    parent = None
    for turn in range(500):
        memory.keep(f"r{turn}", parent, [said("x" * 100)])
        parent = memory.chain(f"r{turn}")
    assert memory.bytes < 500 * 200
    assert len(texts(memory, "r499")) == 500


@pytest.mark.proves("WS-memory")
def test_forgetting_a_parent_leaves_its_children_whole() -> None:
    memory = roomy()
    memory.keep("r1", None, [said("a")])
    memory.keep("r2", memory.chain("r1"), [said("b")])
    before = memory.bytes
    memory.forget("r1")
    assert memory.chain("r1") is None
    assert memory.bytes == before
    assert texts(memory, "r2") == ["a", "b"]
    memory.forget("r2")
    assert memory.bytes == 0


@pytest.mark.proves("WS-bounds")
def test_a_chain_that_outgrows_the_bound_is_forgotten_as_a_whole() -> None:
    memory = Memory(responses=100, size=1000)
    parent = None
    for turn in range(30):
        memory.keep(f"r{turn}", parent, [said("x" * 100)])
        parent = memory.chain(f"r{turn}")
        assert memory.bytes <= 1000
    memory.keep("huge", None, [said("x" * 2000)])
    assert memory.chain("huge") is None
    assert (len(memory), memory.bytes) == (0, 0)


@pytest.mark.proves("WS-memory")
def test_an_id_that_comes_again_names_the_newer_response() -> None:
    memory = roomy()
    memory.keep("r1", None, [said("a")])
    memory.keep("r1", memory.chain("r1"), [said("b")])
    assert texts(memory, "r1") == ["a", "b"]
    memory.forget("r1")
    assert memory.bytes == 0


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5)), st.integers(0, 300), st.booleans()),
    max_size=60,
)


@pytest.mark.proves("WS-bounds", "WS-memory")
@given(STEPS)
def test_the_bounds_hold_and_all_is_given_back_whatever_happens(steps: list[tuple[int, int | None, int, bool]]) -> None:
    memory = Memory(responses=4, size=800)
    for name, parent, size, forget in steps:
        if forget:
            memory.forget(f"r{name}")
        else:
            memory.keep(f"r{name}", None if parent is None else memory.chain(f"r{parent}"), [said("x" * size)])
        assert len(memory) <= 4
        assert memory.bytes <= 800
    for name in range(6):
        memory.forget(f"r{name}")
    assert (len(memory), memory.bytes) == (0, 0)


@pytest.mark.proves("WS-continuation")
def test_ids_of_items_go_where_servers_refuse_them_and_stay_where_they_are_needed() -> None:
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "mcp_approval_request", "id": "mcpr_1", "name": "f"},
    ]
    assert [(item["type"], item.get("id")) for item in replayable(output)] == [
        ("reasoning", None),
        ("message", None),
        ("function_call", None),
        ("mcp_approval_request", "mcpr_1"),
    ]
