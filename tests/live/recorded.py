"""Recorded requests, and what came before them: an id that a recording names is of an answer of its own time, so the
requests that led to it are made again, and its place is taken by the id they are answered with now."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx2

from tests.live.stack import KEY, Stack
from tests.sdk_types import check_response, check_response_stream

Json = dict[str, Any]

CAPTURES = Path(__file__).parent.parent / "corpus" / "captures"
RESPONSES = "/v1/responses"
CONVERSATIONS = "/v1/conversations"
FIRST: Json = {"model": "stub-model", "input": "Remember the code word: indigo"}
"""The turn before the recorded one, where several recordings had the same and it was kept once only."""

_ID = re.compile(r"\b(resp|conv|call)_0{10,}[0-9]+")
_HOP = {"host", "authorization", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class Capture:
    """One recorded request. `check`: what the program was doing, in one or more requests."""

    name: str
    check: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: Json | None
    websocket: bool = False

    @classmethod
    def load(cls, file: Path) -> Capture:
        document = json.loads(file.read_text("utf-8"))
        websocket = document["transport"] == "websocket"
        return cls(
            name=f"{file.parent.name}/{file.stem}",
            check=f"{file.parent.name}/{document['check']}",
            method="GET" if websocket else document["method"],
            path=document["path"],
            headers=tuple((name, value) for name, value in document["headers"] or ()),
            body=None if websocket else document["body"],
            websocket=websocket,
        )

    @property
    def content(self) -> bytes | AsyncIterator[bytes]:
        """The body, in pieces when it was sent so."""
        if self.body is None:
            return b""
        raw = self.body.get("_raw")
        body = raw.encode() if isinstance(raw, str) else json.dumps(self.body).encode()
        return _pieces(body) if ("transfer-encoding", "chunked") in self.headers else body

    @property
    def with_key(self) -> bool:
        return any(name == "authorization" for name, _ in self.headers)

    @property
    def goes_on(self) -> bool:
        """It names a response or a conversation of before."""
        body = self.body or {}
        named = bool(body.get("previous_response_id") or body.get("conversation"))
        return named or (self.path.startswith((RESPONSES, CONVERSATIONS)) and _ID.search(self.path) is not None)

    def with_ids(self, ids: Json) -> Capture:
        """The same request about other things; ids that are not known stay."""

        def now(found: re.Match[str]) -> str:
            return str(ids.get(found[1], found[0]))

        body = self.body and json.loads(_ID.sub(now, json.dumps(self.body)))
        return replace(self, path=_ID.sub(now, self.path), body=body)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 20):
        yield body[start : start + 20]


FILES = sorted(CAPTURES.glob("*/*.json"))


@cache
def recording(check: str) -> list[Capture]:
    """All requests of a check, in their order."""
    return [capture for capture in map(Capture.load, FILES) if capture.check == check]


async def of_now(stack: Stack, capture: Capture) -> Capture:
    """The request about the things of now, which are made by the requests before it."""
    if not capture.goes_on:
        return capture
    ids: Json = {}
    earlier = [other for other in recording(capture.check) if other.name < capture.name]
    if not any(other.method == "POST" and not other.goes_on for other in earlier):
        earlier = [Capture("first", capture.check, "POST", RESPONSES, capture.headers, FIRST), *earlier]
    for other in earlier:
        answer = await send(stack, other.with_ids(ids))
        if answer.status_code == 200 and other.method == "POST":
            ids |= _made(other, answer.content)
    return capture.with_ids(ids)


def _made(capture: Capture, content: bytes) -> Json:
    """The ids of an answer, by their prefix."""
    if capture.path == CONVERSATIONS:
        return {"conv": json.loads(content)["id"]}
    if capture.path != RESPONSES:
        return {}
    response = check_response_stream(content) if (capture.body or {}).get("stream") else check_response(content)
    calls = [item.call_id for item in response.output if item.type == "function_call"]
    return {"resp": response.id, **({"call": calls[0]} if calls else {})}


async def send(stack: Stack, capture: Capture) -> httpx2.Response:
    """Send a recorded request with the gateway's key in the place of its own."""
    headers = [(name, value) for name, value in capture.headers if name not in _HOP]
    if capture.with_key:
        headers.append(("authorization", f"Bearer {KEY}"))
    request = stack.http.build_request(capture.method, capture.path, content=capture.content, headers=headers)
    if not capture.with_key:
        del request.headers["authorization"]
    return await stack.http.send(request)
