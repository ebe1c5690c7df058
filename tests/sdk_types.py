"""A strict judge of what the gateway sends, bodies and streams, against the types of the installed openai package.

Each check raises AssertionError with all violations, or returns the typed object.
"""

from __future__ import annotations

from typing import Literal

from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from pydantic import BaseModel, ConfigDict

from tests.sdk_shapes import Body, ErrorBody, ErrorObject, check_arguments, document_of, typed
from tests.sdk_streams import ChatJudge, ResponseJudge, TextJudge, sse_events

__all__ = [
    "check_chat",
    "check_chat_stream",
    "check_completion",
    "check_completion_stream",
    "check_error",
    "check_failed_chat_stream",
    "check_failed_completion_stream",
    "check_failed_response_stream",
    "check_models",
    "check_response",
    "check_response_stream",
    "sse_events",
]


class ModelList(BaseModel):
    """The models page; the SDK has only a generic type for it."""

    model_config = ConfigDict(extra="allow")
    object: Literal["list"]
    data: list[Model]


# whole bodies ---------------------------------------------------------------------------------------------------------


def check_chat(body: Body) -> ChatCompletion:
    """A chat.completion: typed, arguments are JSON, finish_reason fits, usage adds up."""
    found: list[str] = []
    answer = typed(ChatCompletion, document_of(body), "$", found)
    for choice in answer.choices if answer else ():
        where = f"$.choices[{choice.index}]"
        calls = choice.message.tool_calls
        if calls == []:
            found.append(f"{where}.message.tool_calls: empty instead of absent")
        for call in calls or ():
            if call.type == "function":
                check_arguments(call.function.arguments, where, found)
        has_calls = bool(calls or choice.message.function_call)
        if choice.finish_reason in ("tool_calls", "function_call") and not has_calls:
            found.append(f"{where}.finish_reason: {choice.finish_reason} without a call")
        if choice.finish_reason == "stop" and has_calls:
            found.append(f"{where}.finish_reason: stop with a call")
    if answer and answer.usage:
        _sum(answer.usage.total_tokens, answer.usage.prompt_tokens, answer.usage.completion_tokens, found)
    _raise(found)
    assert answer is not None
    return answer


def check_completion(body: Body) -> Completion:
    """A text_completion: typed, choices in their order, lists of logprobs side by side, usage adds up."""
    found: list[str] = []
    answer = typed(Completion, document_of(body), "$", found)
    for place, choice in enumerate(answer.choices if answer else ()):
        if choice.index != place:
            found.append(f"$.choices[{place}]: index {choice.index}")
        told = choice.logprobs
        lists = [told.tokens, told.token_logprobs, told.top_logprobs, told.text_offset] if told else []
        if len({len(entries or ()) for entries in lists}) > 1:
            found.append(f"$.choices[{place}].logprobs: lists of different lengths")
    if answer and not answer.choices:
        found.append("$.choices: empty")
    if answer and answer.usage:
        _sum(answer.usage.total_tokens, answer.usage.prompt_tokens, answer.usage.completion_tokens, found)
    _raise(found)
    assert answer is not None
    return answer


def check_response(body: Body) -> Response:
    """A response object: typed, finished, usage adds up."""
    found: list[str] = []
    response = typed(Response, document_of(body), "$", found)
    if response is not None:
        if response.status not in ("completed", "incomplete"):
            found.append(f"$.status: {response.status!r} in an answer of status 200")
        if response.usage is None:
            found.append("$.usage: missing")
        else:
            usage = response.usage
            _sum(usage.total_tokens, usage.input_tokens, usage.output_tokens, found)
    _raise(found)
    assert response is not None
    return response


def check_models(body: Body) -> list[Model]:
    """A models page that is not empty and names no model twice."""
    found: list[str] = []
    page = typed(ModelList, document_of(body), "$", found)
    names = [model.id for model in page.data] if page else []
    if page and not names:
        found.append("$.data: empty")
    if len(set(names)) != len(names):
        found.append(f"$.data: ids repeat: {sorted(names)}")
    _raise(found)
    assert page is not None
    return page.data


def check_error(body: Body) -> ErrorObject:
    """An error envelope with all four keys and a message."""
    found: list[str] = []
    envelope = typed(ErrorBody, document_of(body), "$", found)
    if envelope and not envelope.error.message:
        found.append("$.error.message: empty")
    _raise(found)
    assert envelope is not None
    return envelope.error


# streams --------------------------------------------------------------------------------------------------------------


def check_chat_stream(stream: bytes, expect_usage: bool) -> list[ChatCompletionChunk]:
    """A complete chunk stream; a usage chunk at its end exactly when it was asked for."""
    judge = ChatJudge()
    judge.read(stream)
    judge.complete(expect_usage)
    _raise(judge.found)
    return judge.chunks


def check_failed_chat_stream(stream: bytes) -> ErrorObject:
    """A chunk stream that ends in an error frame, and never looks complete."""
    judge = ChatJudge()
    judge.read(stream)
    if judge.finish:
        judge.found.append("a finish_reason in a stream that failed")
    if judge.error is None:
        judge.found.append("no error frame")
    _raise(judge.found)
    assert judge.error is not None
    return judge.error


def check_completion_stream(stream: bytes, expect_usage: bool) -> TextJudge:
    """A complete stream of legacy completions; `texts` and `finish` of what is returned go by the choice's index."""
    judge = TextJudge()
    judge.read(stream)
    judge.complete(expect_usage)
    _raise(judge.found)
    return judge


def check_failed_completion_stream(stream: bytes) -> ErrorObject:
    """A stream of legacy completions that ends in an error frame; not every choice may have ended before."""
    judge = TextJudge()
    judge.read(stream)
    if judge.error is None:
        judge.found.append("no error frame")
    if judge.texts and judge.finish.keys() == judge.texts.keys():
        judge.found.append("every choice has a finish_reason in a stream that failed")
    _raise(judge.found)
    assert judge.error is not None
    return judge.error


def check_response_stream(stream: bytes) -> Response:
    """A complete Responses stream; returns the response of its terminal event (completed or incomplete)."""
    judge = ResponseJudge()
    judge.read(stream)
    if judge.error is not None or judge.status == "failed":
        judge.found.append(f"the stream failed: {judge.error or (judge.response and judge.response.error)}")
    _raise(judge.found)
    assert judge.response is not None
    return judge.response


def check_failed_response_stream(stream: bytes) -> str:
    """A Responses stream that ends in response.failed; returns the code of its error."""
    judge = ResponseJudge()
    judge.read(stream)
    if judge.status != "failed":
        judge.found.append(f"the stream ended as {judge.status!r}, not failed")
    if not judge.code:
        judge.found.append("response.failed without the code of an error")
    _raise(judge.found)
    return judge.code or ""


def _sum(total: int, one: int, other: int, found: list[str]) -> None:
    if total != one + other:
        found.append(f"usage: {total} is not {one} + {other}")


def _raise(found: list[str]) -> None:
    assert not found, "\n".join(found)
