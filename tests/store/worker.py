"""A process of its own on a store: `python -m tests.store.worker WORKDIR URL JOB`, one line of JSON per event."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from gateway.config import Store as Settings
from gateway.store import Store
from gateway.store.rows import Frame
from tests.store.home import OWNER, answer, ending, message, response, running


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def save_for_ever(store: Store) -> None:
    """Turns of a chain and of a conversation, and a log, as fast as they can be written."""
    made = await store.conversations.create(OWNER, id="conv_c")
    key = await store.responses.begin(running("resp_run", status="in_progress"))
    await store.responses.begin(running("resp_wait", status="queued"))
    say(run=key, conversation=made.key)
    number = 0
    while True:
        previous = f"resp_{number - 1}" if number else None
        drafts = [message(f"q{number}"), answer(f"a{number}")]
        await store.responses.save(response(f"resp_{number}", previous=previous), drafts)
        await store.responses.save(response(f"resp_c{number}", conversation="conv_c"), drafts)
        await store.frames.append(key, [Frame(number, b"x")])
        say(done=number)
        number += 1


async def run_until_cancelled(store: Store) -> None:
    """A background response that says something now and then, and ends when it is cancelled."""
    key = await store.responses.begin(running("resp_bg"), [message("q")])
    cancelled = asyncio.ensure_future(store.responses.cancelled(key))
    say(run=key)
    number = 0
    while not cancelled.done():
        await store.frames.append(key, [Frame(number, b"x")])
        number += 1
    last = (Frame(number, b"end"),)
    await store.responses.finish(key, ending("cancelled", answer("half"), frames=last))
    say(last=number)


JOBS = {"save": save_for_ever, "run": run_until_cancelled}


async def main(workdir: str, url: str, job: str) -> None:
    async with Store(Settings.model_validate({"url": url}), Path(workdir)) as store:
        await JOBS[job](store)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
