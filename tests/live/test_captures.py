"""Requests of real programs, recorded and cleaned (`tests/corpus/captures`), replayed against every kind of upstream.

Every capture has an expectation: what this version serves is answered soundly and with what the program needs, the rest
gets the documented refusal. None is left out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from openai.types.conversations import Conversation, ConversationItemList
from openai.types.responses import ResponseItemList
from pydantic import BaseModel

from tests.live.recorded import CAPTURES, FILES, FIRST, Capture, of_now, recording, send
from tests.live.stack import MODEL, MODES, Mode, Stack, running
from tests.sdk_shapes import typed
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
Shape = TypeVar("Shape", bound=BaseModel)

ALIASES = {"stub-model": MODEL, "stub-reasoner": MODEL, "stub-midfail": MODEL}
TURNS = {"/v1/chat/completions": "chat", "/v1/responses": "responses"}
COMPACT = "/v1/responses/compact"
TOKENS = "/v1/responses/input_tokens"
LEGACY = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
CONVERSATIONS = "/v1/conversations"
GOING_ON = ("previous_response_id", "conversation")
NOT_KEPT = "openai-python/responses.store_false_not_kept"
"""The check that asks for a response which was not to be kept."""


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
    if capture.path in (COMPACT, TOKENS, LEGACY) or (capture.path == EMBEDDINGS and not mode.codex):
        return None
    if capture.path.startswith((*TURNS, CONVERSATIONS)) and dialect is None:
        return _kept(capture, mode)
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
    return _of_plan(body, mode)


def _kept(capture: Capture, mode: Mode) -> Refused | None:
    """What was kept is there, here or at the server; the simulated one keeps responses but no conversations."""
    gone = capture.path.startswith(CONVERSATIONS) and mode.inner and not mode.codex
    return Refused(404) if gone or capture.check == NOT_KEPT else None


def _of_plan(body: Json, mode: Mode) -> Refused | None:
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
    if capture.path not in TURNS and capture.path.startswith((*TURNS, CONVERSATIONS)) and capture.path != TOKENS:
        _check_kept(capture, content)
        return
    if capture.path == TOKENS:
        assert json.loads(content)["input_tokens"] > 0
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


def _check_kept(capture: Capture, content: bytes) -> None:
    """Something that was kept, or the news that it is not any more."""
    document, name = json.loads(content), capture.path.split("/")[-1]
    if capture.method == "DELETE":
        kind = "response" if capture.path.startswith("/v1/responses") else "conversation.deleted"
        assert document == {"id": name, "object": kind, "deleted": True}
    elif name == "input_items":
        page = _typed(ResponseItemList, document)
        assert [item["content"][0]["text"] for item in document["data"]] == [FIRST["input"]] and not page.has_more
    elif name == "items":
        added = (capture.body or {}).get("items")
        # The item that the conversation began with, and the turn that went on from it.
        assert len(_typed(ConversationItemList, document).data) == (len(added) if added else 3)
    elif capture.path.startswith("/v1/responses"):
        assert check_response(content).id == name
    else:
        conversation = _typed(Conversation, document)
        assert conversation.id.startswith("conv_")
        assert conversation.metadata == (capture.body or recording(capture.check)[0].body or {}).get("metadata", {})


def _typed(kind: type[Shape], document: Json) -> Shape:
    found: list[str] = []
    value = typed(kind, document, "$", found)
    assert value is not None and not found, found
    return value


def check_history(stack: Stack, capture: Capture) -> None:
    """The model has seen what the request goes on from: sent by the gateway where the server keeps nothing."""
    body = capture.body or {}
    sent = stack.sent("responses")[-1]
    if stack.mode.inner and not stack.mode.codex:
        assert [sent.get(name) for name in GOING_ON] == [body.get(name) for name in GOING_ON]
        return
    assert not sent.keys() & set(GOING_ON)
    heard = json.dumps(sent.get("input") or sent["messages"])
    first = recording(capture.check)[0]
    assert ("code word: indigo" if first.goes_on or "items" in (first.body or {}) else "weather in Paris") in heard


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


async def test_the_captures_of_every_program_are_there() -> None:
    counts = {folder.name: len(list(folder.glob("*.json"))) for folder in sorted(CAPTURES.iterdir())}
    assert counts == {"aisdk": 30, "curl": 13, "openai-node": 32, "openai-python": 63, "pydantic-ai": 20}


@pytest.mark.proves("ENGINE-programs", "STATE-live")
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
async def test_a_recorded_request_is_answered(programs: Stack, file: Path) -> None:
    capture = await of_now(programs, Capture.load(file))
    answer = await send(programs, capture)
    refused = expected(capture, programs.mode)
    if refused is None:
        assert answer.status_code == 200, answer.text
        check_served(capture, answer.content)
        if capture.goes_on and capture.path in TURNS:
            check_history(programs, capture)
        return
    error = check_error(answer.content)
    assert answer.status_code == refused.status, answer.text
    assert refused.code in (None, error.code)
    assert refused.param in (None, error.param)
