"""The description in openapi.yaml against the product: schemathesis makes requests of it, good and bad, and judges."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from gateway.app import create_app
from gateway.simulator import Simulator
from tests.live.stack import CODEX, KEY, settings_for, write_login
from tests.serving import serving

SPEC = Path(__file__).parents[2] / "openapi.yaml"

schema = schemathesis.openapi.from_dict(yaml.safe_load(SPEC.read_text("utf-8")))


LEFT_OUT = [checks.positive_data_acceptance, checks.negative_data_rejection]
"""The description is open on purpose: which values of a described type are refused, and which odd ones are accepted,
is the upstream's to say. Bodies are judged one by one in `test_bodies`."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a thread of its own: schemathesis calls without asyncio."""
    workdir = tmp_path_factory.mktemp("openapi")
    ready, urls = threading.Event(), list[str]()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        sim = Simulator(keep=10)
        async with serving(sim) as upstream:
            write_login(workdir, sim.issue_tokens())
            async with serving(create_app(settings_for(CODEX, upstream), workdir=workdir)) as url:
                urls.append(url)
                ready.set()
                await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    yield urls[0]
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()


@pytest.mark.proves("HARD-openapi")
@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_described(case: Any, server: str) -> None:
    response = case.call(base_url=server, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
    kinds = response.headers.get("content-type", [""])
    streamed = any(kind.startswith("text/event-stream") for kind in kinds)
    # It would compare each event with a schema that describes the whole stream; `test_bodies` judges streams.
    unfit = [checks.response_schema_conformance] if streamed else []
    case.validate_response(response, excluded_checks=[*LEFT_OUT, *unfit])
