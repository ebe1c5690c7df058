"""Compaction: what is asked of an upstream, what clients get, and the summaries that the gateway makes itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.compaction import expanded, opened, sealed
from gateway.dialects import Choices
from gateway.dialects.responses import Responses
from gateway.dialects.responses.compact import KEPT_CHARACTERS, Compact, Summary
from gateway.errors import InvalidRequest, UpstreamError

Json = dict[str, Any]

COMPACT = Compact(seed="seed", created=7)
SUMMARY = Summary(seed="seed", created=7)
OURS: Json = {"type": "compaction", "id": "cmp_1", "encrypted_content": sealed("They agreed on Monday.")}
THEIRS: Json = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAAB"}


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def said(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part, {"type": "refusal", "refusal": "no"}]}


# summaries ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("COMPACT-readable")
@given(st.text())
def test_a_summary_is_read_back_as_it_was(text: str) -> None:
    sound = text.encode("utf-8", "replace").decode()
    assert opened({"type": "compaction", "encrypted_content": sealed(text)}) == sound
    assert sealed(text).isascii()


@pytest.mark.proves("COMPACT-readable")
@pytest.mark.parametrize(
    "item",
    [
        "text",
        user("hi"),
        THEIRS,
        {"type": "compaction"},
        {"type": "compaction", "encrypted_content": 7},
        {"type": "message", "encrypted_content": OURS["encrypted_content"]},
        {"type": "compaction", "encrypted_content": OURS["encrypted_content"] + "x"},
        {"type": "compaction", "encrypted_content": "gateway-summary._w=="},
        {"type": "compaction", "encrypted_content": "gateway-summary.\u00e9"},
    ],
)
def test_what_is_no_summary_of_ours_stays_as_it_is(item: Any) -> None:
    assert opened(item) is None
    assert expanded([item]) is None


@pytest.mark.proves("COMPACT-readable")
def test_a_later_request_has_the_summary_in_words_every_upstream_can_read() -> None:
    document: Json = {"model": "m", "input": [user("a"), OURS, THEIRS]}
    decoded = Responses().decode(document, Choices()).request.body
    relayed = Responses().relay(document, None).body
    assert relayed is not None
    for body in (decoded, relayed):
        first, summary, theirs = body["input"]
        assert (first, theirs) == (user("a"), THEIRS)
        assert (summary["type"], summary["role"]) == ("message", "developer")
        assert summary["content"][0]["text"].endswith("They agreed on Monday.")
    assert document["input"][1] is OURS
    assert Responses().relay({"model": "m", "input": [THEIRS]}, None).body is None


# asking an upstream ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("COMPACT-native")
def test_an_upstream_is_asked_with_the_clients_own_document() -> None:
    document: Json = {"model": "m", "input": [user("a")], "new_field": 1}
    relayed = COMPACT.relay(document, None)
    assert relayed.body is None
    renamed = COMPACT.relay({**document, "input": [OURS]}, "other")
    assert renamed.body is not None
    assert (renamed.body["model"], renamed.body["input"][0]["role"]) == ("other", "developer")
    request = COMPACT.decode({**document, "input": "a"}, Choices()).request
    assert (request.compact, request.stream, request.body["input"]) == (True, False, [user("a")])
    with pytest.raises(InvalidRequest) as caught:
        COMPACT.decode({"input": "a"}, Choices())
    assert caught.value.param == "model"


@pytest.mark.proves("COMPACT-native")
def test_what_an_upstream_leaves_out_of_its_answer_is_filled_in() -> None:
    exchange = COMPACT.decode({"model": "m", "input": "a"}, Choices())
    output = [{"role": "user", "content": "hi"}, {"type": "message", "role": "assistant", "content": "ho"}, THEIRS]
    answer = json.loads(exchange.encode_response({"output": output}))
    assert (answer["object"], answer["created_at"], answer["usage"]["total_tokens"]) == ("response.compaction", 7, 0)
    assert answer["id"].startswith("resp_")
    kept, reply, compaction = answer["output"]
    assert (kept["type"], kept["status"], kept["id"][:4]) == ("message", "completed", "msg_")
    assert kept["content"] == [{"type": "input_text", "text": "hi"}]
    assert reply["content"][0]["type"] == "output_text"
    assert compaction == THEIRS
    told = {"id": "resp_1", "created_at": 9, "output": [said("ho")], "usage": {"input_tokens": 3, "output_tokens": 4}}
    answer = json.loads(exchange.encode_response(told))
    assert (answer["id"], answer["created_at"], answer["usage"]["total_tokens"]) == ("resp_1", 9, 7)
    assert answer["output"][0]["content"] == said("ho")["content"]


@pytest.mark.proves("COMPACT-native")
def test_an_answer_without_a_history_is_an_error() -> None:
    for dialect in (COMPACT, SUMMARY):
        exchange = dialect.decode({"model": "m", "input": "a"}, Choices())
        with pytest.raises(UpstreamError):
            exchange.encode_response({"output": []})


def test_it_speaks_the_inner_language_and_is_never_streamed() -> None:
    exchange = COMPACT.decode({"model": "m", "input": "a"}, Choices())
    assert (exchange.client_param("input"), exchange.headers()) == ("input", {})
    assert exchange.stream_encoder(7).feed([]) == b""


# a summary of our own -------------------------------------------------------------------------------------------------


@pytest.mark.proves("COMPACT-own")
def test_a_turn_is_asked_for_a_brief_of_the_history() -> None:
    document: Json = {
        "model": "m",
        "input": [user("We ship on Monday."), OURS],
        "instructions": "Be terse.",
        "prompt_cache_key": None,
        "tools": [],
    }
    body = SUMMARY.decode(document, Choices()).request.body
    assert (body["model"], body["instructions"], body["store"]) == ("m", "Be terse.", False)
    assert body.keys() == {"model", "instructions", "store", "input"}
    history, earlier, brief = body["input"]
    assert (history, earlier["role"], brief["role"]) == (user("We ship on Monday."), "developer", "user")
    assert not SUMMARY.decode(document, Choices()).request.compact
    assert SUMMARY.relay(document, None) is None  # type: ignore[func-returns-value]  # that is what is told


@pytest.mark.proves("COMPACT-own")
def test_the_brief_becomes_a_compaction_behind_the_users_messages() -> None:
    exchange = SUMMARY.decode({"model": "m", "input": [user("one"), said("yes"), user("two")]}, Choices())
    answer = json.loads(exchange.encode_response({"output": [{"type": "reasoning"}, said("They "), said("agreed.")]}))
    kinds = [(item["type"], item.get("role")) for item in answer["output"]]
    assert kinds == [("message", "user"), ("message", "user"), ("compaction", None)]
    assert [item["content"][0]["text"] for item in answer["output"][:2]] == ["one", "two"]
    assert opened(answer["output"][-1]) == "They agreed."
    assert len({item["id"] for item in answer["output"]}) == 3


@pytest.mark.proves("COMPACT-own")
def test_only_the_newest_messages_stay_when_there_is_no_room_for_all() -> None:
    big = user("x" * (KEPT_CHARACTERS // 2))
    exchange = SUMMARY.decode({"model": "m", "input": [user("old"), big, big, user("new")]}, Choices())
    answer = json.loads(exchange.encode_response({"output": [said("brief")]}))
    assert [len(item["content"][0]["text"]) for item in answer["output"][:-1]] == [KEPT_CHARACTERS // 2, 3]


def test_a_summary_that_was_cut_short_is_none() -> None:
    exchange = SUMMARY.decode({"model": "m", "input": "Hi"}, Choices())
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Half of"}]}
    with pytest.raises(UpstreamError, match="did not finish"):
        exchange.encode_response({"status": "incomplete", "output": [message]})
