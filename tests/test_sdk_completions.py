"""The judge of legacy completions sees what is wrong; without that, its silence would mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk_types import check_completion, check_completion_stream, check_failed_completion_stream

Json = dict[str, Any]

FIXED: Json = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
USAGE: Json = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
ERROR: Json = {"error": {"message": "m", "type": "t", "param": None, "code": "c"}}


def choice(text: str, index: int = 0, reason: str | None = "stop", logprobs: Json | None = None) -> Json:
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}


def body() -> Json:
    logprobs: Json = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": [{"a": -1.0}], "text_offset": [0]}
    return {**FIXED, "choices": [choice("a", logprobs=logprobs), choice("b", 1)], "usage": dict(USAGE)}


def chunks() -> list[Any]:
    told = [choice("a", 0, None), choice("b", 1, None), choice("", 0), choice("", 1, "length")]
    return [*({**FIXED, "choices": [one]} for one in told), {**FIXED, "choices": [], "usage": USAGE}, "[DONE]"]


def sse(events: list[Any]) -> bytes:
    return b"".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n".encode() for e in events)


def test_sound_answers_pass() -> None:
    assert [one.text for one in check_completion(body()).choices] == ["a", "b"]
    judge = check_completion_stream(sse(chunks()), expect_usage=True)
    assert (judge.texts, judge.finish) == ({0: "a", 1: "b"}, {0: "stop", 1: "length"})
    assert check_failed_completion_stream(sse([*chunks()[:3], ERROR, "[DONE]"])).code == "c"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda b: b.pop("model"), "model"),
        (lambda b: b.update(object="text_completion.chunk"), "object"),
        (lambda b: b.update(vendor=1), "vendor"),
        (lambda b: b.update(choices=[]), "empty"),
        (lambda b: b["choices"].reverse(), "index"),
        (lambda b: b["choices"][0].update(finish_reason=None), "finish_reason"),
        (lambda b: b["choices"][0].update(finish_reason="tool_calls"), "finish_reason"),
        (lambda b: b["choices"][0]["logprobs"].update(text_offset=[]), "different lengths"),
        (lambda b: b["usage"].update(total_tokens=9), "is not 1"),
    ],
)
def test_a_wrong_body_is_told(spoil: Callable[[Json], Any], told: str) -> None:
    spoiled = body()
    spoil(spoiled)
    with pytest.raises(AssertionError, match=told):
        check_completion(spoiled)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda c: c.pop(), r"no \[DONE\]"),
        (lambda c: c.insert(0, "[DONE]"), "before the end"),
        (lambda c: c.pop(2), "finished"),
        (lambda c: c.pop(4), "usage in chunks"),
        (lambda c: c.insert(3, c[2]), "after its finish_reason"),
        (lambda c: c[1].update(id="other"), "changes"),
        (lambda c: c[1].update(object="text_completion.chunk"), "object"),
        (lambda c: c[3]["choices"][0].update(finish_reason="tool_calls"), "tool_calls"),
        (lambda c: c[4].update(choices=[choice("", 2)]), "choices"),
        (lambda c: c.insert(1, ERROR), "error"),
    ],
)
def test_a_wrong_stream_is_told(spoil: Callable[[list[Any]], Any], told: str) -> None:
    stream = chunks()
    spoil(stream)
    with pytest.raises(AssertionError, match=told):
        check_completion_stream(sse(stream), expect_usage=True)


@pytest.mark.parametrize("events", [chunks(), [*chunks()[:4], ERROR, "[DONE]"]], ids=["no-error", "all-ended"])
def test_a_failed_stream_that_looks_complete_is_told(events: list[Any]) -> None:
    with pytest.raises(AssertionError):
        check_failed_completion_stream(sse(events))
