"""The id that ties the calls of one conversation together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from gateway.upstreams import Hints
from gateway.upstreams.session import session_id


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-6-sol", "instructions": "I", "input": [{"role": "user", "content": "Hi"}], **changes}


@pytest.mark.proves("FAIL-13")
def test_the_clients_own_ids_come_first() -> None:
    hints = Hints(session_id="from-a-header")
    assert session_id(body(prompt_cache_key="key-1"), hints) == "key-1"
    assert session_id(body(prompt_cache_key=""), hints) == "from-a-header"
    assert session_id(body(), hints) == "from-a-header"


@pytest.mark.proves("FAIL-13")
def test_an_id_stays_the_same_while_the_conversation_grows() -> None:
    begun = session_id(body(), Hints())
    grown = body(input=[*body()["input"], {"role": "assistant", "content": "Yes"}, {"role": "user", "content": "And?"}])
    assert session_id(grown, Hints()) == begun
    assert str(UUID(begun)) == begun


@pytest.mark.parametrize(
    "other",
    [
        body(model="gpt-6-luna"),
        body(instructions="J"),
        body(input=[{"role": "user", "content": "Ho"}]),
        body(input=[]),
    ],
)
@pytest.mark.proves("FAIL-13")
def test_conversations_that_begin_differently_have_different_ids(other: dict[str, Any]) -> None:
    assert session_id(other, Hints()) != session_id(body(), Hints())


@pytest.mark.proves("UPSTREAM-session-owner")
def test_two_owners_never_share_a_derived_id() -> None:
    assert session_id(body(), Hints(owner="a")) != session_id(body(), Hints(owner="b"))


@pytest.mark.parametrize("key", ["two\r\nlines", "ключ", "k" * 65, "a b", "\ud83d"])
@pytest.mark.proves("UPSTREAM-session-header")
def test_an_id_no_header_can_carry_gets_a_stand_in(key: str) -> None:
    made = session_id(body(prompt_cache_key=key), Hints())
    assert str(UUID(made)) == made
    assert made == session_id(body(prompt_cache_key=key, instructions="other"), Hints())
