"""Templates of paths: which endpoint they name, and the values in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import json
from gateway.errors import RouteNotFound
from gateway.surfaces.router import Router
from tests.surfaces.stack import Stack, error_of

Json = dict[str, Any]


class Named:
    """Answers with its name and what the path says."""

    def __init__(self, name: str, *methods: str) -> None:
        self.name = name
        self.methods = methods or ("GET",)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps([self.name, scope.get("path_params")])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


ROUTER = Router(
    {"/v1/things": Named("all"), "/v1/things/special": Named("special")},
    {"/v1/models/": ("model", Named("model"))},
    [],
    templates={
        "/v1/things": Named("make", "POST"),
        "/v1/others": Named("others"),
        "/v1/things/{thing}": Named("one", "GET", "DELETE"),
        "/v1/things/{thing}/parts/{part}": Named("part"),
    },
)


async def answered(method: str, path: str) -> Any:
    return (await Stack(ROUTER).request(method, path)).json()


@pytest.mark.proves("STATE-paths")
@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/v1/things", ["all", None]),
        ("GET", "/v1/things/", ["all", None]),
        ("POST", "/v1/things", ["make", None]),
        ("GET", "/v1/others", ["others", None]),
        ("GET", "/v1/things/special", ["special", None]),
        ("GET", "/v1/things/a", ["one", {"thing": "a"}]),
        ("DELETE", "/v1/things/a%2Fb%20%C3%A9%25", ["one", {"thing": "a/b é%"}]),
        ("GET", "/v1/things/a/", ["one", {"thing": "a"}]),
        ("GET", "/v1/things/a/parts/b/?x=/y", ["part", {"thing": "a", "part": "b"}]),
        ("GET", "/v1/models/a/b", ["model", {"model": "a/b"}]),
    ],
)
async def test_the_first_that_fits_is_asked(method: str, path: str, found: Any) -> None:
    assert await answered(method, path) == found


@pytest.mark.proves("STATE-paths")
@pytest.mark.parametrize("path", ["/v1/things//parts/b", "/v1/things/a/parts/", "/v1/things/a/b", "/v1/no"])
async def test_a_path_that_does_not_fit_is_unknown(path: str) -> None:
    assert error_of(await Stack(ROUTER).get(path)) == (404, "gateway_error", "unknown_url")


@pytest.mark.proves("STATE-paths")
async def test_another_method_is_refused_with_those_there_are() -> None:
    for path, allowed in (("/v1/things/a", "GET, DELETE"), ("/v1/things", "GET, POST")):
        refused = await Stack(ROUTER).request("PUT", path)
        assert (error_of(refused)[0], refused.headers["allow"]) == (405, allowed)


@pytest.mark.proves("STATE-paths")
@given(st.text(min_size=1, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_path_of_a_server_that_keeps_no_raw_one_is_matched_or_unknown(name: str) -> None:
    import asyncio

    scope: Json = {"type": "http", "method": "GET", "path": f"/v1/things/{name}"}
    sent: list[Json] = []

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        asyncio.run(ROUTER(scope, send, send))  # type: ignore[arg-type]
    except RouteNotFound:
        assert "/" in name
        return
    if "/" not in name and name != "special":
        assert scope["path_params"] == {"thing": name}
