"""The proxy that anybody would write first: Starlette, an httpx client as it is shipped, the standard library's json.

It checks no key, translates nothing and keeps nothing: `make bench` measures it beside the gateway, so that "cheaper
than plain" is a number of the same run. `BENCH_FILES` and `BENCH_MODEL` are the addresses that paths are appended to,
for answers in one piece and for streams. One setting of the client is not the default: with the default of 5 s, a
stream would end when its model thinks for longer.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

FILES, MODEL = (os.environ.get(name, "http://127.0.0.1:9") for name in ("BENCH_FILES", "BENCH_MODEL"))


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        app.state.client = client
        yield


async def _relay(request: Request) -> Response:
    client: httpx.AsyncClient = request.app.state.client
    body = json.loads(await request.body())
    streamed = bool(body.get("stream"))
    call = client.build_request(
        "POST",
        (MODEL if streamed else FILES) + request.url.path,
        json=body,
        headers={"authorization": request.headers.get("authorization", "")},
    )
    if not streamed:
        whole = await client.send(call)
        return Response(whole.content, whole.status_code, media_type=whole.headers.get("content-type"))
    answer = await client.send(call, stream=True)

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        finally:
            await answer.aclose()

    return StreamingResponse(pieces(), answer.status_code, media_type=answer.headers.get("content-type"))


async def _ready(_request: Request) -> Response:
    return Response(b"ok")


app = Starlette(
    routes=[Route("/readyz", _ready), Route("/{path:path}", _relay, methods=["POST"])],
    lifespan=_lifespan,
)
