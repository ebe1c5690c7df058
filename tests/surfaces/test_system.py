"""Health, readiness, metrics, the API description and its pages, the front page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate
from starlette.routing import Router

from gateway import __version__
from gateway.engine.metrics import Metrics
from gateway.errors import GatewayError, OAuthUnavailable, UpstreamAuth, UpstreamTimeout, UpstreamUnavailable
from gateway.surfaces.system import READY_FOR_SECONDS, System, routes
from tests.surfaces.stack import Stack

ROOT = Path(__file__).parents[2]
DESCRIPTION = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))


class Upstream:
    """Whether turns can be run; counts how often it was asked."""

    def __init__(self, failure: GatewayError | None = None, *, another: bool = False) -> None:
        self.failure = failure
        self.another = another
        self.asked = 0

    async def check(self) -> GatewayError | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failure is not None and not self.another:
            raise self.failure
        return self.failure


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def system(upstream: Upstream | None = None, clock: Clock | None = None, *, key: str = "") -> Stack:
    part = System((upstream or Upstream()).check, Metrics(), clock or Clock())
    return Stack(Router(routes=routes(part), redirect_slashes=False), key=key)


@pytest.mark.proves("HTTP-healthz")
@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
async def test_healthz_says_ok_without_asking_anybody(path: str) -> None:
    upstream = Upstream(UpstreamUnavailable("down"))
    response = await system(upstream, key="right").get(path)
    assert (response.status_code, response.content) == (200, b'{"status":"ok"}')
    assert response.headers["content-type"] == "application/json"
    assert upstream.asked == 0


@pytest.mark.proves("HTTP-healthz")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_healthz_answers_other_methods_with_405_allow_and_an_empty_body(method: str) -> None:
    response = await system().request(method, "/healthz")
    assert (response.status_code, response.headers["allow"], response.content) == (405, "GET, HEAD", b"")


@pytest.mark.proves("HTTP-head")
@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/openapi.json", "/docs", "/redoc"]
)
async def test_every_system_path_takes_head_and_refuses_put(path: str) -> None:
    stack = system()
    assert (await stack.request("HEAD", path)).status_code == 200
    refused = await stack.request("PUT", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.proves("HTTP-readyz")
async def test_readyz_is_ready_when_turns_can_be_run() -> None:
    response = await system(key="right").get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"login": "ok", "upstream": "ok"}}


@pytest.mark.proves("HTTP-readyz")
@pytest.mark.parametrize(
    ("failure", "checks"),
    [
        (OAuthUnavailable("secret"), {"login": "oauth_unavailable", "upstream": "unknown"}),
        (UpstreamAuth("secret"), {"login": "upstream_auth", "upstream": "unknown"}),
        (UpstreamUnavailable("secret"), {"login": "ok", "upstream": "upstream_unavailable"}),
        (UpstreamTimeout("secret"), {"login": "ok", "upstream": "upstream_timeout"}),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_readyz_names_what_fails_by_its_code_only(failure: GatewayError, checks: dict[str, str]) -> None:
    response = await system(Upstream(failure)).get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not_ready", "checks": checks}


@pytest.mark.proves("HTTP-readyz", "PROVIDERS-ready")
@pytest.mark.parametrize(
    ("failure", "login"), [(OAuthUnavailable("secret"), "oauth_unavailable"), (UpstreamUnavailable("secret"), "ok")]
)
async def test_readyz_is_ready_while_another_upstream_can_run_turns(failure: GatewayError, login: str) -> None:
    response = await system(Upstream(failure, another=True)).get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"login": login, "upstream": "ok"}}


@pytest.mark.proves("HTTP-readyz-cache")
async def test_readyz_asks_again_only_after_a_few_seconds() -> None:
    upstream, clock = Upstream(), Clock()
    stack = system(upstream, clock)
    await asyncio.gather(*(stack.get("/readyz") for _ in range(5)))
    assert upstream.asked == 1
    upstream.failure = UpstreamUnavailable("down")
    clock.now += READY_FOR_SECONDS - 0.1
    assert (await stack.get("/readyz")).status_code == 200
    clock.now += 0.1
    assert (await stack.get("/readyz")).status_code == 503
    assert upstream.asked == 2


@pytest.mark.proves("HTTP-metrics")
async def test_metrics_come_in_the_text_format() -> None:
    response = await system().get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE gateway_requests_total counter" in response.text


@pytest.mark.proves("HTTP-front")
async def test_the_front_page_is_json_for_programs() -> None:
    response = await system(key="right").get("/")
    at = "http://127.0.0.1:8080"
    assert response.json() == {
        "name": "codex-gateway",
        "version": __version__,
        "base_url": f"{at}/v1",
        "docs": f"{at}/docs",
        "redoc": f"{at}/redoc",
        "openapi": f"{at}/openapi.yaml",
        "health": f"{at}/healthz",
        "ready": f"{at}/readyz",
    }
    assert response.headers["vary"] == "Accept"


@pytest.mark.proves("HTTP-front")
async def test_the_front_page_is_html_for_browsers_and_tells_no_key() -> None:
    stack = system(key="sk-gw-right")
    response = await stack.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://127.0.0.1:8080/v1" in response.text
    assert "sk-gw-right" not in response.text


@pytest.mark.proves("HTTP-front")
async def test_a_host_name_cannot_put_markup_into_the_front_page() -> None:
    part = System(Upstream().check, Metrics(), Clock())
    stack = Stack(Router(routes=routes(part)), loopback=False, key="k")
    response = await stack.get("/", headers={"accept": "text/html", "host": "<script>alert(1)</script>"})
    assert "<script>" not in response.text


@pytest.mark.proves("DOCS-served")
async def test_the_description_is_served_as_yaml_and_as_json() -> None:
    stack = system(key="right")
    as_yaml, as_json = await stack.get("/openapi.yaml"), await stack.get("/openapi.json")
    assert as_yaml.text == (ROOT / "openapi.yaml").read_text("utf-8")
    assert as_json.json() == DESCRIPTION
    assert (as_yaml.headers["content-type"], as_json.headers["content-type"]) == (
        "application/yaml",
        "application/json",
    )


@pytest.mark.proves("DOCS-pages")
@pytest.mark.parametrize(("page", "viewer"), [("/docs", "SwaggerUIBundle"), ("/redoc", "Redoc")])
async def test_the_viewers_load_everything_from_the_gateway(page: str, viewer: str) -> None:
    stack = system(key="right")
    response = await stack.get(page)
    links = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    scripts = ""
    for link in links:
        asset = await stack.get(f"/{link}")
        assert asset.status_code == 200, link
        scripts += asset.text if link.endswith(".js") else ""
    assert all(link.startswith("assets/") for link in links)
    assert f"{viewer}" in scripts
    assert '"openapi.yaml"' in scripts
    assert "cdn.redoc.ly" not in scripts


@pytest.mark.proves("DOCS-policy")
@pytest.mark.parametrize("page", ["/docs", "/redoc", "/"])
async def test_pages_run_only_scripts_of_the_gateway(page: str) -> None:
    response = await system().get(page, headers={"accept": "text/html"})
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script>|\son\w+=", response.text)


@pytest.mark.proves("DOCS-pages")
@pytest.mark.parametrize("path", ["../config/tree.py", "%2e%2e/config/tree.py", "..%2f__init__.py", "missing.js", ""])
async def test_assets_are_only_those_of_the_pages(path: str) -> None:
    assert (await system().get(f"/assets/{path}")).status_code == 404


@pytest.mark.proves("DOCS-valid")
def test_the_description_is_valid_openapi_of_this_version() -> None:
    validate(DESCRIPTION)
    assert (DESCRIPTION["openapi"], DESCRIPTION["info"]["version"]) == ("3.1.0", __version__)
    assert DESCRIPTION["servers"] == [{"url": "/", "description": "This gateway"}]


@pytest.mark.proves("DOCS-routes")
def test_the_description_names_every_system_route_and_no_other() -> None:
    part = System(Upstream().check, Metrics(), Clock())
    served = {route.path for route in routes(part) if not route.path.startswith("/assets/")}
    assert served == {path for path in DESCRIPTION["paths"] if not path.startswith("/v1/")}
