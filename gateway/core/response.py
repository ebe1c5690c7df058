"""The response object around the items: what every client may expect to find in it (translation §4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core import usage
from gateway.core.ids import digest
from gateway.core.items import changed

Json = dict[str, Any]

_DEFAULTS: Json = {
    "id": "",
    "object": "response",
    "created_at": 0,
    "completed_at": None,
    "status": "completed",
    "incomplete_details": None,
    "model": "",
    "previous_response_id": None,
    "instructions": None,
    "output": [],
    "error": None,
    "tools": [],
    "tool_choice": "auto",
    "truncation": "disabled",
    "parallel_tool_calls": True,
    "text": {"format": {"type": "text"}},
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "top_logprobs": 0,
    "temperature": 1,
    "reasoning": {"effort": None, "summary": None},
    "usage": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "store": False,
    "background": False,
    "service_tier": "default",
    "metadata": {},
    "safety_identifier": None,
    "prompt_cache_key": None,
}
"""The fields that Open Responses requires to be present, with what they are when nobody said anything."""

_NULLABLE = frozenset(name for name, value in _DEFAULTS.items() if value is None)

RESTORED = (
    "metadata",
    "user",
    "store",
    "instructions",
    "previous_response_id",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "truncation",
    "background",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
"""Request fields that a profile may take out on the way up: the client sees again what it sent."""

_SHOWN = (*RESTORED, "created_at")
"""What is shown as the client sent it, or was told before: a response was created once."""

ECHOED = ("tools", "tool_choice", "parallel_tool_calls", "text", "reasoning")
"""Request fields that are repeated when the upstream did not."""

_SECRETS = frozenset({"authorization", "headers"})

REQUIRED = ("id", "object", "created_at", "model", "output", "parallel_tool_calls", "tool_choice", "tools")
"""What the types of the SDKs require."""


def request_echo(body: Json) -> Json:
    """The fields of a create request that its response shows."""
    echo = {name: body[name] for name in (*RESTORED, *ECHOED) if body.get(name) is not None}
    if isinstance(conversation := echo.get("conversation"), str):
        echo["conversation"] = {"id": conversation}
    return echo


def restore(response: Json, echo: Mapping[str, Any]) -> Json:
    """The response with the client's own values where the upstream shows others; the same object if it shows none."""
    return changed(response, {name: echo[name] for name in _SHOWN if name in echo})


def complete_response(response: Json, request_echo: Mapping[str, Any] | None = None) -> Json:
    """The response with every field that strict decoders want, and the client's own values (see `request_echo`).

    Returns the same object when nothing was missing.
    """
    echo = request_echo or {}
    whole = restore(response, echo)
    missing = {
        name: echo.get(name, default)
        for name, default in _DEFAULTS.items()
        if whole.get(name) is None and (name not in _NULLABLE or name not in whole)
    }
    whole = changed(whole, missing)
    return changed(whole, _complete_parts(whole))


def completion_id(prefix: str, response: Json, model: str) -> str:
    """An id like `chatcmpl-…` with the rest of the response's own, so that logs of both sides can be joined.

    `model`: as the client named it; it helps to make an id where the upstream gave none.
    """
    known = response.get("id")
    if isinstance(known, str) and known:
        return prefix + known.removeprefix("resp_").removeprefix(prefix)
    return prefix + digest(f"{response.get('created_at')}/{model}")[:32]


def created_at(response: Json, otherwise: int) -> int:
    """Whole Unix seconds; some servers tell fractions."""
    created = response.get("created_at")
    return int(created) if isinstance(created, int | float) else otherwise


def _complete_parts(response: Json) -> Json:
    """The nested objects, whole."""
    parts: Json = {"usage": usage.complete(response["usage"])}
    for name in ("created_at", "completed_at"):
        if isinstance(response[name], float):
            parts[name] = int(response[name])  # some servers count parts of a second, which OpenAI's own does not
    for name in ("text", "reasoning"):
        if isinstance(response[name], dict):
            parts[name] = {**_DEFAULTS[name], **response[name]}
    if isinstance(response["tools"], list):
        parts["tools"] = [_complete_tool(tool) for tool in response["tools"]]
    return parts


def _complete_tool(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": None, **tool}
    return without_secrets(tool)


def without_item_secrets(item: Json) -> Json:
    """An item without what the tools in it, or the one it is of, tell their servers; the same object if it has none."""
    if str(item.get("type", "")).startswith("mcp"):
        item = without_secrets(item)
    tools = item.get("tools")
    if not isinstance(tools, list):
        return item
    cleaned = [without_secrets(tool) if isinstance(tool, dict) else tool for tool in tools]
    return item if cleaned == tools else {**item, "tools": cleaned}


def without_secrets(tool: Json) -> Json:
    """A tool without what its server is told: nobody is shown that, and nobody keeps it. The same object if it has
    none."""
    if not _SECRETS & tool.keys():
        return tool
    return {name: value for name, value in tool.items() if name not in _SECRETS}
