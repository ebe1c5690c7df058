"""Whether an answer to a body with one thing wrong is a right one.

The rule. Either it is a 200 whose body or stream the strict types of the SDK accept, or a 4xx in the error envelope:

- a 400 of the gateway itself says in its message which field is wrong and what was expected;
- `param` names the field that was changed, a field inside the new value, a container of it, or a field that is only
  right together with it (`Base.follows`);
- `param` is null only when there is no field: the body cannot be read as JSON.

Nothing else is right: no 5xx, no 200 with an error in it, no answer that ends in its middle.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.hardening.asking import Reply
from tests.hardening.bases import (
    CHAT,
    COMPACT,
    COMPLETION,
    COMPLETIONS,
    CONVERSATION,
    CONVERSATION_ITEMS,
    CONVERSATIONS,
    TOKENS,
)
from tests.hardening.mutations import Case
from tests.sdk_types import (
    check_chat,
    check_chat_stream,
    check_completion,
    check_completion_stream,
    check_error,
    check_response,
    check_response_stream,
)

Json = dict[str, Any]

_OF_UPSTREAM = re.compile(r"This upstream |No tool |Item with id |Previous response with id ")
"""Messages about what one upstream lacks, or in OpenAI's own words: the field is in `param` alone."""

_EXPECTATION = re.compile(
    r"must be |must have |is required|needs? |at most |at least |can only be |cannot |not supported|does not support|"
    r"belongs to |not found|no earlier |is waiting|used twice|names .* which is not|there are no|there is nothing|"
    r"not both|is empty|is missing|Current models|no form for|must not|takes no|has no |allows no |"
    r"No tool (call|output) found"
)
"""How the gateway's messages say what they want."""


def judge(case: Case, reply: Reply, *, native: bool) -> None:
    """Raises AssertionError when the answer is not a right one. `native`: the upstream got the client's own bytes."""
    if reply.status == 200:
        _judge_answer(case, reply, native=native)
    else:
        assert 400 <= reply.status < 500, f"HTTP {reply.status}"
        _judge_refusal(case, reply)


def _judge_refusal(case: Case, reply: Reply) -> None:
    assert reply.headers["content-type"] == "application/json"
    error = check_error(reply.body)
    assert reply.status in (400, 404), f"HTTP {reply.status}: {error.message}"
    if not case.places:
        assert (reply.status, error.code, error.param) == (400, "invalid_request", None)
        assert "not valid JSON" in error.message
        return
    assert error.param is not None, f"no param: {error.message}"
    assert any(_related(error.param, place) for place in _suspects(case)), f"param {error.param}: {error.message}"
    if error.type == "gateway_error":
        root = re.split(r"[\\[.]", error.param)[0]
        if not _OF_UPSTREAM.match(error.message):
            assert root in error.message, f"param not in the message: {error.message}"
        assert _EXPECTATION.search(error.message), f"nothing expected: {error.message}"


def _suspects(case: Case) -> list[str]:
    """The fields that may be named."""
    found = list(case.places)
    for pattern, others in case.base.follows.items():
        if any(re.match(pattern, place) for place in case.places):
            found += others
    return found


def _related(one: str, two: str) -> bool:
    """Whether one place is the other, inside it, or a container of it."""
    return one == two or _inside(one, two) or _inside(two, one)


def _inside(place: str, container: str) -> bool:
    return place.startswith(container) and place[len(container) : len(container) + 1] in (".", "[")


def _judge_answer(case: Case, reply: Reply, *, native: bool) -> None:
    assert case.places, "an unreadable body was served"
    sent = json.loads(case.body)
    streamed = sent.get("stream") is True and case.base.route not in (COMPACT, TOKENS)
    assert reply.is_stream == streamed, f"stream: {sent.get('stream')!r}, got {reply.headers['content-type']}"
    try:
        _check_answer(case.base.route, sent, reply)
    except AssertionError as error:
        wrong = [line for line in str(error).splitlines() if not _is_own_echo(line, case, native=native)]
        assert not wrong, "\n".join(wrong)


def _check_answer(route: str, sent: Json, reply: Reply) -> None:
    options = sent.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    if route in _KEPT:
        _KEPT[route](json.loads(reply.body), sent)
        return
    match route, reply.is_stream:
        case (str(path), False) if path == CHAT:
            check_chat(reply.body)
        case (str(path), True) if path == CHAT:
            check_chat_stream(reply.body, usage)
        case (str(path), False) if path == COMPLETIONS:
            check_completion(reply.body)
        case (str(path), True) if path == COMPLETIONS:
            check_completion_stream(reply.body, usage)
        case (str(path), _) if path == COMPACT:
            _check_compaction(json.loads(reply.body))
        case (str(path), _) if path == TOKENS:
            answer = json.loads(reply.body)
            assert answer.keys() == {"object", "input_tokens"}
            assert answer["object"] == "response.input_tokens" and type(answer["input_tokens"]) is int
        case _, True:
            check_response_stream(reply.body)
        case _:
            check_response(reply.body)


def _check_compaction(answer: Json) -> None:
    """The SDK's type of it has no word for the user's messages, which stay in it."""
    assert answer["object"] == "response.compaction"
    assert isinstance(answer["id"], str) and isinstance(answer["created_at"], int)
    assert answer["output"] and all(isinstance(item["type"], str) for item in answer["output"])
    assert answer["output"][-1]["type"] == "compaction"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def _check_conversation(answer: Json, sent: Json) -> None:
    assert answer.keys() == {"id", "object", "created_at", "metadata"}
    assert answer["object"] == "conversation" and type(answer["created_at"]) is int
    assert answer["metadata"] == (sent.get("metadata") or {})
    assert all(type(value) is str for value in answer["metadata"].values())


def _check_items(answer: Json, sent: Json) -> None:
    """Items are judged one by one elsewhere: here their fields are the client's own."""
    items = answer["data"]
    assert (answer["object"], answer["has_more"]) == ("list", False)
    assert (answer["first_id"], answer["last_id"]) == ((items[0]["id"], items[-1]["id"]) if items else ("", ""))
    assert [item["type"] for item in items] == [item.get("type", "message") for item in sent["items"]]
    assert len({item["id"] for item in items}) == len(items)


def _check_completion(answer: Json, sent: Json) -> None:
    assert answer.pop("metadata") == (sent["metadata"] or {})
    check_chat(json.dumps(answer))


_KEPT = {
    CONVERSATIONS: _check_conversation,
    CONVERSATION: _check_conversation,
    CONVERSATION_ITEMS: _check_items,
    COMPLETION: _check_completion,
}
"""What the state routes answer, beside what was sent."""

_JUDGED = ("tools", "tool_choice", "text", "reasoning")
"""Fields of a request that a response shows again, after the upstream has judged them; on the native way it are all."""

_FIELD = re.compile(r"^(?:\$|event\[\d+\] response\.\w+)[:.] ?(?:response\.)?(\w+)")


def _is_own_echo(line: str, case: Case, *, native: bool) -> bool:
    """Whether a violation is the client's own odd value in a field that the upstream took and a response repeats."""
    found = _FIELD.match(line)
    if found is None or not any(place.startswith(found[1]) for place in case.places):
        return False
    return native or found[1] in _JUDGED
