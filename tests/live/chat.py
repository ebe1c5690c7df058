"""Chat requests that tests build, and what they read from the answers."""

from __future__ import annotations

from typing import Any

from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.sdk_types import check_chat

Json = dict[str, Any]

CREATE = "chat.completions.create"
HELPER = "chat.completions.stream"
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


class City(BaseModel):
    name: str
    population: int


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def exactly(text: str) -> list[Json]:
    return [user(f"Reply with exactly: {text}")]


def function(name: str, *fields: str) -> Json:
    properties = {field: {"type": "string"} for field in fields}
    schema = {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema, "strict": True}}


WEATHER, TIME = function("get_weather", "location"), function("get_time", "zone")
ASK_WEATHER = [user("What is the weather in Paris?")]


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def judged(answer: ChatCompletion) -> ChatCompletion:
    """The answer again, as the strict judge reads what the SDK has kept of it."""
    return check_chat(answer.model_dump(mode="json", exclude_unset=True))
