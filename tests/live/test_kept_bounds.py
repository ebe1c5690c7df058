"""What is judged, or made unlike, only because it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Settings
from tests.live.stack import CODEX, MODEL, running


@pytest.mark.proves("RECALL-refused")
async def test_metadata_of_what_is_kept_has_the_bounds_of_every_other_route(tmp_path: Path) -> None:
    many = {str(number): "x" for number in range(17)}
    async with running(CODEX, tmp_path) as stack:
        body = {"model": MODEL, "input": "x", "metadata": many}
        refused = await stack.http.post("/v1/responses", json=body)
        error = refused.json()["error"]
        assert (refused.status_code, error["param"], error["code"]) == (400, "metadata", "object_above_max_properties")
        assert stack.sent("responses") == []
        assert (await stack.http.post("/v1/responses", json={**body, "store": False})).status_code == 200


@pytest.mark.proves("RECALL-read")
async def test_a_demo_never_gives_an_id_of_an_earlier_run_again(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        async with running(CODEX, tmp_path, login=False, demo=True) as stack:
            answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "x"})
            assert answer.status_code == 200, answer.text
            names.append(answer.json()["id"])
            for name in names:
                assert (await stack.http.get(f"/v1/responses/{name}")).json()["id"] == name
    assert len(set(names)) == 2


def test_a_bare_off_is_no_mistake() -> None:
    """YAML reads it as false."""
    assert Settings.model_validate({"upstream": {"state": False}}).upstream.keeper == "off"
