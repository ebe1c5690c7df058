"""`openapi.yaml` and the running application name the same routes and methods."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.app import create_app
from gateway.config import Settings
from gateway.surfaces.passthrough import PassthroughEndpoint

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))


@pytest.mark.proves("DOCS-routes")
def test_the_description_names_every_route_with_its_methods_and_no_other(tmp_path: Path) -> None:
    router = create_app(Settings(), workdir=tmp_path).router
    served = {path: set(endpoint.methods) for path, endpoint in (router.exact | router.templates).items()}
    served |= {f"{prefix}{{{name}}}": set(endpoint.methods) for prefix, (name, endpoint) in router.under.items()}
    assert isinstance(router.rest, PassthroughEndpoint)
    served["/v1/{path}"] = set(router.rest.methods)
    # /healthz takes every method, to refuse the others itself.
    served |= {page.path: page.methods or {"GET"} for page in router.pages if not page.path.startswith("/assets/")}
    described = {
        path: {method.upper() for method in item if method in ("get", "post", "put", "patch", "delete")}
        for path, item in DESCRIPTION["paths"].items()
    }
    assert {path: methods - {"HEAD"} for path, methods in served.items()} == described
