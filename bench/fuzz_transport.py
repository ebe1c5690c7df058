"""Feed the transport's connections with hostile answers: `python -m bench.fuzz_transport [count] [first seed]`.

Every case is checked for what no connection may do, and its reading compared with h11's. A seed that fails is printed
with its case; the test of `tests/upstreams/http1/test_hostile.py` for found seeds is where it belongs then.
"""
# ruff: noqa: S311, T201 - dice, and a program for a terminal

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from random import Random

from tests.upstreams.http1.hostile import compare, judge, make, play


def main(count: int, first: int) -> int:
    """Run the cases; returns how many failed."""
    loop = asyncio.new_event_loop()
    found: Counter[str] = Counter()
    failed = 0
    slowest = 0.0
    for seed in range(first, first + count):
        case = make(Random(seed))
        begun = time.perf_counter()
        try:
            ours = play(case, loop)
            slowest = max(slowest, time.perf_counter() - begun)
            compare(case, ours, judge(case), found)
        except Exception as error:  # whatever it is, it is what is looked for
            failed += 1
            if failed <= 20:
                print(f"seed {seed}: {type(error).__name__}: {error}\n  {case!r:.600}", flush=True)
        if (seed + 1 - first) % 100_000 == 0:
            print(f"{seed + 1 - first} cases, {failed} failed", flush=True)
    loop.close()
    for kind, times in found.most_common():
        print(f"{times:9} {kind}")
    print(f"{count} cases from seed {first}: {failed} failed; the slowest took {slowest * 1000:.1f} ms")
    return failed


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*numbers, *(1_000_000, 0)[len(numbers) :]) > 0)
