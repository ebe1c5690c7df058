"""Values of the wrong kind at every place of a request: a 4xx naming the field, or a body for the upstream to judge."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.dialects import Bundle, Choices, Dialect
from gateway.dialects.chat import DIALECT as CHAT_DIALECT
from gateway.dialects.responses import DIALECT as RESPONSES_DIALECT
from gateway.errors import GatewayError, InvalidRequest
from gateway.upstreams import Hints, Model, Shaped
from gateway.upstreams.profile import CODEX, OPENAI, Profile, Rules, shape
from tests.upstreams.requests import CHAT, RESPONSES, WRONG, paths, with_value

Json = dict[str, Any]
Mode = Literal["default", "strict", "lenient"]

MODELS = [Model("gpt-6-sol", efforts=("low", "high"), tiers=("priority",))]
BODIES: dict[str, tuple[Dialect, Json]] = {
    "chat": (CHAT_DIALECT, CHAT),
    "responses": (RESPONSES_DIALECT, RESPONSES),
    "responses on the chat route": (CHAT_DIALECT, RESPONSES),
}
HEADER_SAFE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


def shaped(dialect: Dialect, document: Any, profile: Profile = CODEX, mode: Mode = "default") -> Shaped | None:
    """What would be sent; None when the request was refused as it must be. Anything else is the test's failure."""
    try:
        exchange = dialect.decode(document, Choices(unsupported=mode))
    except GatewayError as error:
        assert isinstance(error, InvalidRequest)
        assert error.param
        return None
    assert not isinstance(exchange, Bundle)
    try:
        made = shape(exchange.request, Hints(), Rules(profile, mode, "Help.", {"a": "b"}), MODELS)
    except GatewayError as error:
        assert isinstance(error, InvalidRequest)
        assert error.param and exchange.client_param(error.param)
        return None
    assert isinstance(json.loads(json.dumps(made.body)), dict)
    for name in (*exchange.request.dropped, *filter(None, map(exchange.client_param, made.dropped))):
        assert HEADER_SAFE.fullmatch(name), name
    answer = {"id": "resp_1", "status": "completed", "model": "m", "output": []}
    assert isinstance(json.loads(exchange.encode_response(answer)), dict)
    exchange.stream_encoder(created=1)
    return made


@pytest.mark.proves("UPSTREAM-malformed")
@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("profile", [CODEX, OPENAI], ids=lambda profile: profile.name)
def test_the_bodies_to_be_spoilt_are_sound(name: str, profile: Profile) -> None:
    assert shaped(*BODIES[name], profile) is not None


@pytest.mark.proves("UPSTREAM-malformed")
@pytest.mark.parametrize("name", BODIES)
def test_no_value_at_any_place_is_a_crash(name: str) -> None:
    dialect, body = BODIES[name]
    for path in paths(body):
        for value in WRONG:
            shaped(dialect, with_value(body, path, value))


WORDS = st.sampled_from(
    [
        *("type", "name", "role", "content", "tools", "tool_calls", "call_id", "id", "namespace", "input", "output"),
        *("function", "arguments", "effort", "format", "function_call", "reasoning", "additional_tools", "message"),
        *("user", "system", "custom", "allowed_tools", "item_reference"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(WRONG) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.proves("UPSTREAM-malformed")
@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from(sorted(BODIES)),
    profile=st.sampled_from([CODEX, OPENAI]),
    mode=st.sampled_from(["default", "strict", "lenient"]),
)
def test_nothing_built_of_wrong_values_is_a_crash(data: st.DataObject, name: str, profile: Profile, mode: Mode) -> None:
    dialect, body = BODIES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(body))))
        body = with_value(body, path, data.draw(JSON))
    shaped(dialect, {**body, **data.draw(st.dictionaries(st.text(max_size=5), JSON, max_size=2))}, profile, mode)


@pytest.mark.proves("UPSTREAM-malformed")
@pytest.mark.parametrize("tools", [None, True, 1.5, "x", {"a": 1}, [1, None, {"type": "namespace", "name": []}]])
def test_tools_of_an_item_that_are_no_list_are_the_backend_s_to_judge(tools: Any) -> None:
    item = {"type": "additional_tools", "tools": tools}
    made = shaped(RESPONSES_DIALECT, {"model": "gpt-6-sol", "input": [item]})
    assert made is not None and made.body["input"] == [item]


@pytest.mark.proves("UPSTREAM-dropped-names")
def test_a_field_whose_name_no_header_can_carry_is_left_out_without_a_word() -> None:
    odd = {"two\r\nx-injected: lines": 1, "ключ": 1, "": 1, "a,b": 1, "k" * 65: 1, "top_k": 1}
    body = {"model": "gpt-6-sol", "input": "hi"}
    made, plain = shaped(RESPONSES_DIALECT, {**body, **odd}), shaped(RESPONSES_DIALECT, body)
    assert made is not None and plain is not None
    assert (made.body, made.dropped) == (plain.body, ("top_k",))
    assert shaped(RESPONSES_DIALECT, {**body, "ключ": 1}, mode="strict") is None


@pytest.mark.proves("UPSTREAM-dropped-names")
def test_a_flood_of_unknown_fields_makes_no_flood_of_names() -> None:
    made = shaped(RESPONSES_DIALECT, {"model": "gpt-6-sol", "input": "hi", **{f"x{n}": n for n in range(1000)}})
    assert made is not None and len(made.dropped) == 50
