"""Every body with one thing wrong, on every route and in every mode: a right answer, or a 4xx that names the field."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.hardening.bases import BASES, Base
from tests.hardening.judging import judge
from tests.hardening.mounting import mounted, post_routes
from tests.hardening.mutations import Case, cases, dumped
from tests.live.stack import MODES, Mode

LEAST_CASES = 20_000
SHOWN = 10
"""Wrong answers that a failing test tells of."""


def _share(mode: Mode) -> slice:
    """Which cases are tried in a mode: every third one, each mode beginning at another of them."""
    return slice(MODES.index(mode) % 3, None, 3)


def share(mode: Mode, base: Base) -> Iterator[Case]:
    part = _share(mode)
    return islice(cases(base), part.start, part.stop, part.step)


PLAIN = str.maketrans({"/": "-", "{": None, "}": None})
TABLE = [(mode, base) for mode in MODES for base in BASES if not base.modes or mode.name in base.modes]
IDS = [f"{mode.name}-{base.route.removeprefix('/v1/').translate(PLAIN)}-{base.name}" for mode, base in TABLE]


@pytest.mark.proves("HARD-bodies")
def test_the_cases_are_many() -> None:
    made = {base: sum(1 for _ in cases(base)) for base in BASES}
    assert sum(len(range(made[base])[_share(mode)]) for mode, base in TABLE) >= LEAST_CASES


@pytest.mark.proves("HARD-bodies")
def test_every_route_that_takes_a_body_has_cases(tmp_path: Path) -> None:
    assert post_routes(tmp_path) == {base.route for base in BASES}


@pytest.mark.proves("HARD-bodies")
@pytest.mark.parametrize(("mode", "base"), TABLE, ids=IDS)
async def test_one_thing_wrong_is_named_or_makes_no_difference(mode: Mode, base: Base, tmp_path: Path) -> None:
    wrong: list[str] = []
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with mounted(mode, tmp_path) as gateway:
        path = await gateway.place(base.route)
        assert (await gateway.post(path, dumped(base.body))).status == 200, "the base itself is sound"
        native = gateway.is_native(base.route)
        for case in share(mode, base):
            reply = await gateway.post(path, case.body)
            try:
                judge(case, reply, native=native)
            except AssertionError as error:
                wrong.append(f"{case}\n    {reply.status} {reply.body[:200]!r}\n    {error}")
    assert not wrong, f"{len(wrong)} wrong answers:\n" + "\n".join(wrong[:SHOWN])
    assert complaints == [], "nothing fails behind an answer"
