"""The whole gateway in a test's own loop: every layer of it, and the simulator behind a real socket as its upstream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import create_app
from gateway.config import Settings
from gateway.simulator import Simulator
from tests.hardening.asking import RawHeaders, Reply, ask, opened
from tests.live.stack import KEY, MODEL, Mode, settings_for, write_login
from tests.serving import serving

CANCEL = "/v1/responses/{response_id}/cancel"
"""Takes no body: what comes with it is not read."""

AUTHORIZED: RawHeaders = [(b"authorization", b"Bearer " + KEY.encode())]


@dataclass(frozen=True)
class Mounted:
    """A gateway that is asked without a network. `app` is the ASGI application."""

    app: Any
    mode: Mode

    async def post(self, path: str, body: bytes, *headers: tuple[bytes, bytes]) -> Reply:
        return await ask(self.app, "POST", path, body, headers=[*AUTHORIZED, *headers])

    async def place(self, route: str) -> str:
        """A path of this route, about something that is there."""
        if "{conversation_id}" in route:
            made = await self.post("/v1/conversations", b"{}")
            return route.replace("{conversation_id}", json.loads(made.body)["id"])
        if "{completion_id}" in route:
            asked = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "store": True}
            made = await self.post("/v1/chat/completions", json.dumps(asked).encode())
            return route.replace("{completion_id}", json.loads(made.body)["id"])
        return route

    def is_native(self, path: str) -> bool:
        """Whether the upstream gets the client's own bytes on this route."""
        return _DIALECTS.get(path) in self.mode.native


_DIALECTS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/responses/compact": "responses",
    "/v1/responses/input_tokens": "responses",
}


@asynccontextmanager
async def mounted(mode: Mode, workdir: Path, **changes: dict[str, Any]) -> AsyncIterator[Mounted]:
    """A gateway of a mode; `changes` of its settings as in `settings_for`."""
    sim = Simulator(keep=10)
    async with serving(sim) as url:
        if mode.codex:
            write_login(workdir, sim.issue_tokens())
        app = create_app(settings_for(mode, url, **changes), workdir=workdir)
        async with opened(app):
            yield Mounted(app, mode)


def post_routes(workdir: Path) -> set[str]:
    """Every path of the product that takes a POST with a body."""
    router = create_app(Settings(), workdir=workdir).router
    served = router.exact | router.templates
    return {path for path, endpoint in served.items() if "POST" in endpoint.methods} - {CANCEL}
