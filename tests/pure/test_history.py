"""Items of a conversation on their way back to a server."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.history import call_of, is_reference, nameless, orphan, replayable

Json = dict[str, Any]

CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
RESULT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
SAID: Json = {"role": "user", "content": "hello"}


@pytest.mark.proves("RECALL-items")
def test_ids_that_mean_nothing_to_another_server_are_left_out() -> None:
    items = [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}, CALL, {**SAID, "id": "msg_1"}]
    assert [item.get("id") for item in replayable(items)] == [None, None, None]
    kept = {"type": "mcp_approval_request", "id": "mcpr_1"}
    assert nameless(kept) is kept
    assert nameless(SAID) is SAID


@pytest.mark.proves("RECALL-items")
def test_reasoning_that_nobody_can_read_again_is_left_out() -> None:
    assert replayable([{"type": "reasoning", "id": "rs_1", "summary": []}, SAID]) == [SAID]


@pytest.mark.proves("RECALL-items")
def test_an_output_needs_its_call_before_it_or_beside_it() -> None:
    assert orphan([RESULT], [CALL]) is None
    assert orphan([SAID, CALL, RESULT], []) is None
    assert orphan([SAID, RESULT], [SAID]) == 1
    assert orphan([SAID], []) is None
    assert orphan([RESULT], [RESULT]) == 0
    assert orphan([{**RESULT, "call_id": {}}], [{**CALL, "call_id": {}}, {**SAID, "call_id": []}]) == 0


def test_what_names_an_item_is_told_apart_from_items() -> None:
    assert is_reference({"type": "item_reference", "id": "msg_1"})
    assert is_reference({"id": "msg_1"})
    assert not is_reference(SAID)
    assert not is_reference({**SAID, "id": "msg_1"})
    assert not is_reference(CALL)
    assert (call_of(CALL), call_of(RESULT)) == (("function_call", "call_1"), ("function_call_output", "call_1"))
    assert call_of(SAID) is None
