"""Talks that the gateway keeps, in front of every kind of upstream: what is asked, what upstream hears of it, and what
comes back, read as strictly as the types of the SDK allow."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai.types.conversations import ConversationItemList
from openai.types.responses import Response, ResponseItemList
from pydantic import BaseModel

from tests.live.sdk import AsyncSdk, Sdk
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, NATIVE, TRANSLATED, Mode, Stack
from tests.sdk_shapes import Body, check_arguments, document_of, typed
from tests.sdk_types import check_error, check_response

Json = dict[str, Any]

CREATE = "responses.create"
HELPER = "responses.stream"
RETRIEVE = "responses.retrieve"

KEPT_NATIVE = replace(NATIVE, name="openai_api-kept", upstream={**NATIVE.upstream, "state": "gateway"})
KEPT_TRANSLATED = replace(
    TRANSLATED, name="openai_api-responses-kept", upstream={**TRANSLATED.upstream, "state": "gateway"}
)
STATELESS: tuple[Mode, ...] = (CODEX, CHAT_ONLY)
"""Modes whose upstream keeps nothing, so that the gateway does by itself."""
KEPT: tuple[Mode, ...] = (*STATELESS, KEPT_NATIVE, KEPT_TRANSLATED)
"""All modes in which the gateway keeps what it is told."""

not_twice = pytest.mark.applies.with_args(lambda cell: cell.get("sdk") != "SyncSdk" or cell["mode"] in STATELESS)
"""Both clients of the SDK where the gateway keeps by default; one where it was told to."""

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
    "strict": True,
}
SEALED: Json = {"reasoning": ["I look it up."], "encrypted": True}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def exactly(text: str) -> str:
    return f"Reply with exactly: {text}"


def calling(call_id: str, *before: Json) -> Json:
    """A script that calls a tool."""
    return {"steps": [*before, {"call": "get_weather", "arguments": {"location": "Paris"}, "call_id": call_id}]}


def result(call_id: str, output: str = "18C") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


# what comes back ------------------------------------------------------------------------------------------------------


async def say(sdk: Sdk, given: Any, **more: Any) -> Response:
    """One turn; its response, judged."""
    return judged(await sdk.call(CREATE, model=MODEL, input=given, **more))


def dumped(value: BaseModel) -> Json:
    """What the SDK was sent, as far as it kept it."""
    return value.model_dump(mode="json", exclude_unset=True, by_alias=True)


def judged(response: Response) -> Response:
    """The response again, as the strict judge reads it."""
    return check_response(dumped(response))


def check_kept(response: Response | Body) -> Response:
    """A response however it stands: queued, running, failed and cancelled ones too."""
    document = dumped(response) if isinstance(response, Response) else document_of(response)
    whole: Response = strictly(Response, _with_known_code(document))
    assert whole.status in ("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")
    assert (whole.error is not None) == (whole.status == "failed"), document
    assert whole.usage is not None or whole.status not in ("completed", "incomplete"), document
    return response if isinstance(response, Response) else whole


def _with_known_code(document: Json) -> Json:
    """The SDK's list of error codes is closed; those of the real service are not."""
    error = document.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return document
    return {**document, "error": {**error, "code": "server_error"}}


def check_items(body: Body, *, conversation: bool = False) -> list[Any]:
    """A list of items: typed, each with an id, ends named, calls with arguments that are JSON."""
    kind = ConversationItemList if conversation else ResponseItemList
    page = strictly(kind, document_of(body))
    ids = [item.id for item in page.data]
    assert all(ids) and len(set(ids)) == len(ids), ids
    assert (page.first_id, page.last_id) == ((ids[0], ids[-1]) if ids else ("", ""))
    found: list[str] = []
    for item in page.data:
        if item.type == "function_call":
            check_arguments(item.arguments, item.id, found)
    assert found == []
    return list(page.data)


def strictly(kind: Any, document: Json) -> Any:
    """The document as this type of the SDK, with nothing wrong in it and nothing beyond it."""
    found: list[str] = []
    value = typed(kind, document, "$", found)
    assert found == [], "\n".join(found)
    return value


async def refused(sdk: Sdk, method: str, /, **arguments: Any) -> tuple[int, str | None, str | None]:
    """Status, code and param of a refusal, which is in its envelope."""
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.call(method, **arguments)
    error = check_error(caught.value.response.content)
    return caught.value.status_code, error.code, error.param


async def message_of(sdk: Sdk, method: str, /, **arguments: Any) -> str:
    """What a refusal says."""
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.call(method, **arguments)
    return check_error(caught.value.response.content).message


async def paged(sdk: Sdk, method: str, /, **arguments: Any) -> list[Any]:
    """All elements of a list, as the SDK's pager walks over it."""
    if isinstance(sdk, AsyncSdk):
        return [element async for element in sdk.at(method, **arguments)]
    return await asyncio.to_thread(lambda: list(sdk.at(method, **arguments)))


# what goes up ---------------------------------------------------------------------------------------------------------


def heard(body: Json) -> list[str]:
    """The items that a model is sent, in words: of a Responses body or of a chat body. Instructions are none."""
    if "input" in body:
        return [word for item in body["input"] for word in _of_item(item)]
    lines: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            lines.append(f"output {message['tool_call_id']}: {_text(message['content'])}")
            continue
        if message.get("content"):
            lines.append(f"{message['role']}: {_text(message['content'])}")
        lines += [f"call {call['id']}: {call['function']['name']}" for call in message.get("tool_calls") or ()]
    return lines


def _of_item(item: Json) -> list[str]:
    match item.get("type", "message"):
        case "message":
            return [f"{item['role']}: {_text(item['content'])}"]
        case "function_call":
            return [f"call {item['call_id']}: {item['name']}"]
        case "function_call_output":
            return [f"output {item['call_id']}: {_text(item['output'])}"]
        case "reasoning":
            return [f"reasoning {'sealed' if item.get('encrypted_content') else 'plain'}"]
        case kind:
            return [f"{kind} {item.get('id')}"]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def last_heard(stack: Stack) -> list[str]:
    """What the last turn sent upstream, without guidance, whose place depends on the upstream."""
    return [line for line in heard(stack.sent("responses")[-1]) if not line.startswith(("system: ", "developer: "))]


def guidance(stack: Stack) -> list[str]:
    """The instructions, and all system and developer messages, that the last turn sent upstream."""
    body = stack.sent("responses")[-1]
    told = [body["instructions"]] if body.get("instructions") else []
    said = [line for line in heard(body) if line.startswith(("system: ", "developer: "))]
    return told + [line.partition(": ")[2] for line in said]


# what is kept ---------------------------------------------------------------------------------------------------------


def kept_rows(stack: Stack, query: str) -> list[Any]:
    """Rows of the store as anybody could read them who has its file."""
    with closing(sqlite3.connect(stack.workdir / "gateway.db")) as connection:
        return connection.execute(query).fetchall()
