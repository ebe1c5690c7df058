"""The transport of our own and the library's, side by side: the same answer, or the same kind of error."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstreams.http1.answers import Made, answers, cuts
from tests.upstreams.http1.outcomes import Outcome, library, outcome, places
from tests.upstreams.http1.wire import EOF, Network, request


async def both(made: Made, pieces: list[bytes]) -> tuple[Outcome, Outcome]:
    network = Network([*pieces, EOF])
    try:
        ours = await outcome(network.transport, request(made.method))
        assert places(network.transport)[0] <= 1
        await asyncio.sleep(0)
    finally:
        await network.transport.aclose()
    assert places(network.transport) == (0, 0)
    return ours, await outcome(library([*pieces, EOF]), request(made.method))


@pytest.mark.proves("TRANSPORT-same")
@given(data=st.data(), made=answers())
@settings(deadline=None, max_examples=150)
async def test_answers_are_what_the_library_makes_of_them(data: st.DataObject, made: Made) -> None:
    for pieces in ([made.data], data.draw(cuts(made.data))):
        ours, theirs = await both(made, pieces)
        assert ours == theirs


@pytest.mark.proves("TRANSPORT-same")
@given(data=st.data(), made=answers())
@settings(deadline=None, max_examples=150)
async def test_answers_that_are_cut_off_fail_alike(data: st.DataObject, made: Made) -> None:
    cut = made.data[: data.draw(st.integers(0, len(made.data)))]
    ours, theirs = await both(made, data.draw(cuts(cut)))
    assert ours == theirs
