"""Requests of real programs, recorded and cleaned (`tests/corpus/captures`), replayed against every kind of upstream.

Every capture has an expectation: what this version serves is answered soundly and with what the program needs, the rest
gets the documented refusal. None is left out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.stack import KEY, MODEL, MODES, Mode, Stack, running
from tests.sdk_types import (
    check_chat,
    check_chat_stream,
    check_completion,
    check_completion_stream,
    check_error,
    check_models,
    check_response,
    check_response_stream,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

CAPTURES = Path(__file__).parent.parent / "corpus" / "captures"
ALIASES = {"stub-model": MODEL, "stub-reasoner": MODEL, "stub-midfail": MODEL}
TURNS = {"/v1/chat/completions": "chat", "/v1/responses": "responses"}
COMPACT = "/v1/responses/compact"
LEGACY = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
STATE = ("previous_response_id", "conversation", "background", "prompt")
"""Fields that name state: this version keeps none, a server that speaks Responses may."""

_HOP = {"host", "authorization", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class Capture:
    """One recorded request."""

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: Json | None
    websocket: bool

    @classmethod
    def load(cls, file: Path) -> Capture:
        document = json.loads(file.read_text("utf-8"))
        websocket = document["transport"] == "websocket"
        return cls(
            name=f"{file.parent.name}/{file.stem}",
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


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 20):
        yield body[start : start + 20]


@dataclass(frozen=True)
class Refused:
    """A documented refusal."""

    status: int
    code: str | None = None
    param: str | None = None


def expected(capture: Capture, mode: Mode) -> Refused | None:
    """The refusal a capture must get in a mode, None when it must be served."""
    body = capture.body or {}
    dialect = TURNS.get(capture.path)
    if not capture.with_key:
        return Refused(401, "invalid_api_key")
    if capture.path == "/v1/models" or capture.path.startswith("/v1/models/"):
        return None
    if capture.path in (COMPACT, LEGACY) or (capture.path == EMBEDDINGS and not mode.codex):
        return None
    if dialect is None:
        return Refused(404, "unknown_url")
    if capture.method != "POST" or capture.websocket:
        return Refused(405, "method_not_allowed")
    if "_raw" in body:
        return Refused(400, "invalid_request")
    if body.get("model") is None:
        return Refused(400, param="model")
    if dialect == "chat" and not body.get("messages") and not (dialect in mode.native and "messages" in body):
        return Refused(400, param="messages")
    if body["model"] == "no-such-model-xyz":
        return Refused(404, "model_not_found", "model")
    if dialect == "chat":
        return None
    if not isinstance(body.get("input"), str | list):
        return Refused(400, param="input")
    return _state(body, mode)


def _state(body: Json, mode: Mode) -> Refused | None:
    named = next((field for field in STATE if body.get(field)), None)
    if named == "previous_response_id":
        return Refused(400, "previous_response_not_found", named)
    if named is not None and (mode.codex or not mode.inner):
        return Refused(400, "unsupported_parameter", named)
    if mode.codex and (body.get("top_logprobs") or "message.output_text.logprobs" in (body.get("include") or ())):
        return Refused(400, "unsupported_parameter")
    return None


def check_served(capture: Capture, content: bytes) -> None:
    """The body is sound, and holds what the program asked for."""
    body = capture.body or {}
    if capture.path == "/v1/models":
        assert MODEL in [model.id for model in check_models(content)]
        return
    if capture.path.startswith("/v1/models/"):
        assert json.loads(content)["object"] == "model"
        return
    if capture.path == COMPACT:
        assert json.loads(content)["output"][-1]["type"] == "compaction"
        return
    if capture.path == EMBEDDINGS:
        assert len(json.loads(content)["data"]) == (len(body["input"]) if isinstance(body["input"], list) else 1)
        return
    if capture.path == LEGACY:
        assert _completion(body, content).startswith("PONG-42")
        return
    text, calls = (_chat if TURNS[capture.path] == "chat" else _response)(body, content)
    asked = json.dumps(body)
    answered = any(
        item.get("role") == "tool" or item.get("type") == "function_call_output"
        for item in body.get("messages") or body["input"]
        if isinstance(item, dict)
    )
    if _forces_a_tool(body) or ("Use the get_weather tool" in asked and body.get("tool_choice") != "none"):
        assert answered or calls, "the tool was not called"
    if answered:
        assert "18C-SUNNY" in text or calls, "the tool's result was not used"
    if _last_text(body).startswith("Reply with exactly: PONG-42") and not calls:
        assert text == "PONG-42"
    if _wants_json(body) and not calls:
        assert isinstance(json.loads(text), dict)


def _completion(body: Json, content: bytes) -> str:
    if body.get("stream"):
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return check_completion_stream(content, usage).texts[0]
    return check_completion(content).choices[0].text


def _chat(body: Json, content: bytes) -> tuple[str, list[str]]:
    if not body.get("stream"):
        message = check_chat(content).choices[0].message
        return message.content or "", [call.id for call in message.tool_calls or ()]
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    deltas = [choice.delta for chunk in check_chat_stream(content, usage) for choice in chunk.choices]
    ids = [call.id for delta in deltas for call in delta.tool_calls or () if call.id]
    return "".join(delta.content or "" for delta in deltas), ids


def _response(body: Json, content: bytes) -> tuple[str, list[str]]:
    response = check_response_stream(content) if body.get("stream") else check_response(content)
    return response.output_text, [item.call_id for item in response.output if item.type == "function_call"]


def _forces_a_tool(body: Json) -> bool:
    return body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict)


def _wants_json(body: Json) -> bool:
    wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    return wanted.get("type") in ("json_object", "json_schema")


def _last_text(body: Json) -> str:
    given = body.get("messages") or body["input"]
    if isinstance(given, str):
        return given
    content = given[-1].get("content") if given[-1].get("role") == "user" else ""
    if isinstance(content, list):
        return next((str(part["text"]) for part in content if "text" in part), "")
    return str(content or "")


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A gateway that knows the recorded model names as aliases."""
    async with running(request.param, tmp_path_factory.mktemp("programs"), upstream={"aliases": ALIASES}) as stack:
        yield stack


FILES = sorted(CAPTURES.glob("*/*.json"))


async def test_the_captures_of_every_program_are_there() -> None:
    counts = {folder.name: len(list(folder.glob("*.json"))) for folder in sorted(CAPTURES.iterdir())}
    assert counts == {"aisdk": 30, "curl": 13, "openai-node": 32, "openai-python": 63, "pydantic-ai": 20}


@pytest.mark.proves("ENGINE-programs")
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
async def test_a_recorded_request_is_answered(programs: Stack, file: Path) -> None:
    capture = Capture.load(file)
    headers = [(name, value) for name, value in capture.headers if name not in _HOP]
    if capture.with_key:
        headers.append(("authorization", f"Bearer {KEY}"))
    request = programs.http.build_request(capture.method, capture.path, content=capture.content, headers=headers)
    if not capture.with_key:
        del request.headers["authorization"]
    answer = await programs.http.send(request)
    refused = expected(capture, programs.mode)
    if refused is None:
        assert answer.status_code == 200, answer.text
        check_served(capture, answer.content)
        return
    error = check_error(answer.content)
    assert answer.status_code == refused.status, answer.text
    assert refused.code in (None, error.code)
    assert refused.param in (None, error.param)
