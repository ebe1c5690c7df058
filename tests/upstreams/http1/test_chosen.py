"""Which transport an upstream gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from gateway.app import App
from gateway.config import Settings
from gateway.upstreams.http1 import HTTP1Transport
from gateway.upstreams.transport import build_transport


@pytest.mark.parametrize(
    ("kind", "proxy_url", "made"),
    [
        pytest.param("own", "", HTTP1Transport, id="own"),
        pytest.param("httpx2", "", httpx2.AsyncHTTPTransport, id="httpx2"),
        pytest.param("own", "http://127.0.0.1:1", httpx2.AsyncHTTPTransport, id="proxy"),
        pytest.param("own", "socks5://127.0.0.1:1", httpx2.AsyncHTTPTransport, id="SOCKS proxy"),
    ],
)
@pytest.mark.proves("TRANSPORT-chosen")
def test_a_proxy_is_for_the_transport_of_the_library(
    kind: Literal["own", "httpx2"], proxy_url: str, made: type[httpx2.AsyncBaseTransport]
) -> None:
    assert type(build_transport(proxy_url=proxy_url, connections=1, kind=kind)) is made


@pytest.mark.proves("TRANSPORT-chosen")
def test_each_upstream_has_the_transport_of_its_section_and_shares_it(tmp_path: Path) -> None:
    sections: dict[str, Any] = {
        "first": {"base_url": "http://a.example"},
        "odd": {"base_url": "http://b.example", "transport": "httpx2"},
        "other": {"base_url": "http://c.example", "transport": "HTTPX2"},
    }
    app = App(Settings.model_validate({"providers": sections}), tmp_path, demo=False)
    transports = app.transports
    assert {kind: type(transport) for kind, transport in transports.items()} == {
        "own": HTTP1Transport,
        "httpx2": httpx2.AsyncHTTPTransport,
    }
