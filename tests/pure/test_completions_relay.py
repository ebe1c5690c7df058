"""The native relay of legacy completions: the body as it is, and a stream that is whole when every choice has ended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import json as lenient_json
from gateway.core.frames import Frame
from gateway.dialects import Choices, Relay
from gateway.dialects.completions import DIALECT
from gateway.errors import GatewayError
from tests.pure.text_asking import error_in

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def chunk(index: int | None, reason: str | None, **more: Any) -> Frame:
    choice = {"text": "x", "index": index, "finish_reason": reason}
    return sent({"choices": [choice], **more})


def sent(document: Any) -> Frame:
    text = json.dumps(document).encode()
    return Frame(b"data: " + text + b"\n\n", text, "")


def relay(**fields: Any) -> Relay:
    relayed = DIALECT.relay({"model": "m", "prompt": "a", "stream": True, **fields}, None)
    assert relayed is not None and relayed.relay is not None
    return relayed.relay


@pytest.mark.proves("TEXT-relay")
@pytest.mark.parametrize(
    "fields",
    [{"prompt": [1, 2]}, {"prompt": [[1], [2]], "suffix": "x", "vendor": {"a": 1}}, {"n": 3, "best_of": 5}, {}],
    ids=str,
)
def test_a_body_goes_as_it_is_whatever_it_holds(fields: Json) -> None:
    relayed = DIALECT.relay({"model": "m", **fields}, None)
    assert relayed is not None and relayed.body is None


@pytest.mark.proves("TEXT-relay")
def test_only_the_model_and_the_wish_for_usage_are_edited() -> None:
    document = {"model": "m", "prompt": [1, 2], "stream": True, "stream_options": {"x": 1}}
    relayed = DIALECT.relay(document, "other")
    assert relayed is not None
    assert relayed.body is None
    assert relayed.edits == {"model": "other", "stream_options": {"x": 1, "include_usage": True}}


@pytest.mark.proves("TEXT-relay")
@pytest.mark.parametrize("asked", [False, True])
def test_the_usage_chunk_is_taken_out_unless_it_was_asked_for(asked: bool) -> None:
    usage = sent({"choices": [], "usage": {"prompt_tokens": 1}})
    machine = relay(stream_options={"include_usage": asked})
    assert machine.feed([usage]) == (usage.raw if asked else b"")
    assert machine.usage == {"prompt_tokens": 1}


def test_a_body_without_a_model_is_not_relayed() -> None:
    assert DIALECT.relay({"prompt": "a"}, None) is None


ANSWERS: list[tuple[Json, int]] = [
    ({}, 1),
    ({"prompt": None}, 1),
    ({"prompt": [1, 2, 3]}, 1),
    ({"prompt": []}, 1),
    ({"prompt": ["a", "b"]}, 2),
    ({"prompt": [[1, 2], [3]]}, 2),
    ({"prompt": ["a", "b"], "n": 2}, 4),
    ({"n": 3}, 3),
    ({"n": 0}, 1),
    ({"n": "x"}, 1),
]


@pytest.mark.proves("TEXT-relay-end")
@pytest.mark.parametrize(("fields", "count"), ANSWERS, ids=str)
def test_a_stream_is_whole_when_every_choice_has_ended(fields: Json, count: int) -> None:
    ended = [chunk(index, "stop") for index in range(count)]
    whole = relay(**fields)
    whole.feed(ended)
    assert whole.finish() == DONE
    cut = relay(**fields)
    cut.feed(ended[1:] if count > 1 else [chunk(0, None)])
    assert error_in(cut.finish())["code"] == "upstream_stream_truncated"


@pytest.mark.proves("TEXT-relay-end")
def test_a_choice_that_ends_twice_ends_once() -> None:
    machine = relay(prompt=["a", "b"])
    machine.feed([chunk(0, "stop"), chunk(0, "stop", usage=None)])
    assert error_in(machine.finish())["code"] == "upstream_stream_truncated"


@pytest.mark.parametrize(
    "payload", [b'{"finish_reason":"', b'{"choices":5,"finish_reason":"x"}', b'{"choices":[5],"finish_reason":"x"}']
)
def test_what_only_looks_like_an_end_is_none(payload: bytes) -> None:
    machine = relay()
    assert machine.feed([Frame(b"data: x\n\n", payload, "")]) == b"data: x\n\n"
    assert error_in(machine.finish())["code"] == "upstream_stream_truncated"


# any JSON -------------------------------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False) | st.text(max_size=5)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = """model prompt suffix echo n best_of logprobs max_tokens stop temperature top_p user presence_penalty seed
    frequency_penalty logit_bias stream stream_options"""
KEYS = st.sampled_from(NAMES.split())


@pytest.mark.proves("TEXT-any-json")
@given(st.dictionaries(KEYS, ANYTHING, max_size=8), st.sampled_from(["default", "strict", "lenient"]))
def test_any_json_is_translated_or_refused_by_name(fields: Json, unsupported: Any) -> None:
    document = lenient_json.loads(lenient_json.dumps({"model": "m", "prompt": "x", **fields}))
    DIALECT.relay(document, "other")
    try:
        DIALECT.decode(document, Choices(unsupported=unsupported))
    except GatewayError as error:
        assert error.status == 400 and error.param and error.param.split("[")[0].split(".")[0] in document
