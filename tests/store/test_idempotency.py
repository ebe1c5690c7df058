"""Idempotency keys, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store import Store
from gateway.store.rows import Claim
from tests.store.home import OWNER, Home, ending, running


@pytest.mark.proves("STORE-idempotency")
async def test_the_first_claim_is_new_and_later_ones_learn_its_response(home: Home, store: Store, other: Store) -> None:
    assert await store.idempotency.claim(OWNER, "k", "hash", "resp_1") == Claim("new", "resp_1")
    key = await store.responses.begin(running("resp_1"))
    for _ in range(2):
        assert await other.idempotency.claim(OWNER, "k", "hash", "resp_2") == Claim("same", "1")
        assert await other.idempotency.claim(OWNER, "k", "changed", "resp_2") == Claim("conflict", "1")
        await store.responses.finish(key, ending())
        home.clock.forward(minutes=2)
    found = await other.responses.response(OWNER, "resp_1")
    assert found is not None
    assert found.ended


@pytest.mark.proves("STORE-idempotency", "STORE-owners")
async def test_owners_do_not_share_keys(store: Store) -> None:
    assert (await store.idempotency.claim(OWNER, "k", "hash", "resp_1")).state == "new"
    assert (await store.idempotency.claim("visitor", "k", "hash", "resp_2")).state == "new"


@pytest.mark.proves("STORE-idempotency")
async def test_a_key_that_was_released_can_be_claimed_by_its_holder_only(store: Store) -> None:
    await store.idempotency.claim(OWNER, "k", "hash", "resp_1")
    await store.idempotency.release(OWNER, "k", "resp_2")
    assert (await store.idempotency.claim(OWNER, "k", "hash", "resp_2")).state == "same"
    await store.idempotency.release(OWNER, "k", "resp_1")
    assert (await store.idempotency.claim(OWNER, "k", "changed", "resp_2")).state == "new"


@pytest.mark.proves("STORE-idempotency")
async def test_a_claim_ends_with_its_time_or_when_nothing_came_of_it(home: Home, store: Store) -> None:
    await store.idempotency.claim(OWNER, "begun", "hash", "resp_1")
    await store.responses.begin(running("resp_1"))
    await store.idempotency.claim(OWNER, "abandoned", "hash", "resp_2")
    home.clock.forward(minutes=1)
    assert (await store.idempotency.claim(OWNER, "begun", "other", "resp_3")).state == "conflict"
    assert (await store.idempotency.claim(OWNER, "abandoned", "other", "resp_3")).state == "new"
    home.clock.forward(days=1)
    assert (await store.idempotency.claim(OWNER, "begun", "other", "resp_4")).state == "new"


@pytest.mark.proves("STORE-idempotency")
async def test_of_many_claims_at_once_one_is_new_also_for_a_key_that_expired(
    home: Home, store: Store, other: Store
) -> None:
    for _ in range(2):
        claims = await asyncio.gather(
            *(
                process.idempotency.claim(OWNER, "k", "hash", f"resp_{n}")
                for n, process in enumerate((store, other) * 5)
            )
        )
        new = [claim.response for claim in claims if claim.state == "new"]
        assert len(new) == 1
        assert {claim.response for claim in claims if claim.state == "same"} == {new[0].removeprefix("resp_")}
        home.clock.forward(days=2)
