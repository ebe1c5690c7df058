"""The description in openapi.yaml against the product: schemathesis makes requests of it, good and bad, and judges."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from gateway.app import create_app
from gateway.simulator import Simulator
from tests.live.stack import CODEX, KEY, MODEL, settings_for, write_login
from tests.serving import serving

Json = dict[str, Any]

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


class Things:
    """What there is to ask about, made for each request whose path names such a thing."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
        self._asked = 0

    def close(self) -> None:
        self._http.close()

    def put_into(self, case: Any) -> None:
        """Let every second request that names an id name one that is there."""
        make = next((make for name, make in self._makers.items() if name in (case.path_parameters or {})), None)
        if make is None:
            return
        self._asked += 1
        if self._asked % 2:
            case.path_parameters = {**case.path_parameters, **make(self)}
            if "x-gateway-provider" in (case.headers or {}):
                case.headers["x-gateway-provider"] = "upstream"

    def _response(self) -> Json:
        asked = {"model": MODEL, "input": "hi", "background": self._asked % 4 == 1}
        return {"response_id": self._made("/v1/responses", asked)["id"]}

    def _completion(self) -> Json:
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "store": True}
        return {"completion_id": self._made("/v1/chat/completions", asked)["id"]}

    def _conversation(self) -> Json:
        made = self._made("/v1/conversations", {"items": [{"role": "user", "content": "hi"}], "metadata": {"a": "b"}})
        page = self._http.get(f"/v1/conversations/{made['id']}/items").json()
        return {"conversation_id": made["id"], "item_id": page["data"][0]["id"]}

    _makers: ClassVar = {
        "response_id": _response,
        "completion_id": _completion,
        "conversation_id": _conversation,
    }

    def _made(self, path: str, body: Json) -> Json:
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        made: Json = answer.json()
        return made


@pytest.fixture
def things(server: str) -> Iterator[Things]:
    made = Things(server)
    yield made
    made.close()


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
def test_every_answer_is_described(case: Any, server: str, things: Things) -> None:
    things.put_into(case)
    response = case.call(base_url=server, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
    kinds = response.headers.get("content-type", [""])
    streamed = any(kind.startswith("text/event-stream") for kind in kinds)
    # It would compare each event with a schema that describes the whole stream; `test_bodies` judges streams.
    unfit = [checks.response_schema_conformance] if streamed else []
    case.validate_response(response, excluded_checks=[*LEFT_OUT, *unfit])
