"""Counts of input tokens: what a server is asked, what the gateway answers itself, and what neither counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.estimate.request import ANSWER
from gateway.dialects import Bundle, Choices
from gateway.dialects.responses.tokens import ESTIMATE, CountExchange, Estimate, InputTokens
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PreviousResponseNotFound,
    RouteNotFound,
    UnsupportedParameter,
)

Json = dict[str, Any]


def estimated(document: Json) -> int:
    bundle = Estimate().decode(document, Choices())
    assert isinstance(bundle, Bundle)
    assert (bundle.exchanges, bundle.headers) == ((), ESTIMATE)
    answer = json.loads(bundle.joint.join([]))
    assert answer["object"] == "response.input_tokens"
    assert (bundle.joint.finished, bundle.joint.failed) == (True, False)
    assert bundle.joint.fail(GatewayError("x")) == b""
    return int(answer["input_tokens"])


@pytest.mark.proves("TOKENS-estimate")
def test_an_estimate_takes_no_turn() -> None:
    document = {"model": None, "input": "Tell me a joke.", "personality": "friendly", "prompt": None, "unknown": 1}
    assert estimated(document) == 11
    assert estimated({}) == ANSWER
    assert Estimate().relay(document, None) is None


@pytest.mark.proves("TOKENS-native")
def test_a_server_is_asked_with_the_clients_own_document() -> None:
    document: Json = {"input": "Hi", "stream": True}
    relayed = InputTokens().relay(document, None)
    assert relayed.body is None
    exchange = relayed.exchange
    assert isinstance(exchange, CountExchange)
    assert (exchange.request.counts, exchange.request.stream, exchange.request.body) == (True, False, document)
    assert (exchange.client_param("input"), exchange.headers()) == ("input", {})
    assert exchange.stream_encoder(7).feed([]) == b""
    assert InputTokens().relay(document, "other").body == {**document, "model": "other"}
    assert json.loads(exchange.encode_response({"input_tokens": 0, "id": "x"})) == {
        "object": "response.input_tokens",
        "input_tokens": 0,
    }


@pytest.mark.proves("TOKENS-no-route")
@pytest.mark.parametrize("count", [None, "7", 7.0, True, -1])
def test_an_answer_without_a_count_is_none(count: Any) -> None:
    exchange = InputTokens().relay({}, None).exchange
    assert exchange is not None
    with pytest.raises(RouteNotFound):
        exchange.encode_response({"input_tokens": count, "error": "Unexpected endpoint"})


REFUSED = [
    pytest.param({"input": 7}, InvalidRequest, "input", id="input"),
    pytest.param({"model": ""}, InvalidRequest, "model", id="model"),
    pytest.param({"personality": 7}, InvalidRequest, "personality", id="personality"),
    pytest.param({"prompt": {"id": "p"}}, UnsupportedParameter, "prompt", id="template"),
    pytest.param({"previous_response_id": "r"}, PreviousResponseNotFound, "previous_response_id", id="response"),
    pytest.param({"conversation": "c"}, NotFound, "conversation", id="conversation"),
    pytest.param({"conversation": {"id": "c"}}, NotFound, "conversation", id="conversation object"),
    pytest.param({"conversation": {}}, InvalidRequest, "conversation.id", id="conversation without an id"),
]


@pytest.mark.proves("TOKENS-errors", "TOKENS-history")
@pytest.mark.parametrize(("document", "kind", "param"), REFUSED)
def test_what_cannot_be_counted_is_refused_by_name(document: Json, kind: type[GatewayError], param: str) -> None:
    with pytest.raises(kind) as caught:
        Estimate().decode(document, Choices())
    assert caught.value.param == param
