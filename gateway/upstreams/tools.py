"""Tools as the Codex backend knows them. Pure."""

from __future__ import annotations

from itertools import chain
from typing import Any

from gateway.errors import UnsupportedValue

Json = dict[str, Any]

_HOSTED_ELSEWHERE = ("file_search", "code_interpreter", "computer", "mcp")
"""Tools that OpenAI's API runs on its own servers and the Codex backend does not have; also with a version suffix."""

_HOLD_TOOLS = ("additional_tools", "tool_search_output")
"""Items of the Codex client that declare tools in the middle of a conversation."""


def clean_tools(tools: list[Any]) -> list[Any]:
    """The tools, with older names of web search renamed.

    Raises UnsupportedValue for a tool that nobody would run.
    """
    return [_clean_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def clean_choice(choice: Any) -> Any:
    """A tool choice that names web search as the tools do."""
    if not isinstance(choice, dict):
        return choice
    if isinstance(choice.get("tools"), list):
        return {**choice, "tools": [clean_choice(tool) for tool in choice["tools"]]}
    return _rename(choice)


def namespaces(body: Json) -> frozenset[str]:
    """Names of the namespaces that a request declares, in `tools` or in items of its input."""
    holders = [body]
    holders += [item for item in body.get("input", []) if isinstance(item, dict) and item.get("type") in _HOLD_TOOLS]
    declared = [holder["tools"] for holder in holders if isinstance(holder.get("tools"), list)]
    return frozenset(
        tool["name"]
        for tool in chain.from_iterable(declared)
        if isinstance(tool, dict) and tool.get("type") == "namespace" and isinstance(tool.get("name"), str)
    )


def _clean_tool(tool: Any, where: str) -> Any:
    if not isinstance(tool, dict):
        return tool
    kind = str(tool.get("type", ""))
    if any(kind == name or kind.startswith(name + "_") for name in _HOSTED_ELSEWHERE):
        raise UnsupportedValue(f"This upstream has no {kind!r} tool.", param=f"{where}.type")
    return _rename(tool)


def _rename(tool: Json) -> Json:
    kind = tool.get("type")
    if isinstance(kind, str) and kind.startswith("web_search_") and not kind.endswith("_call"):
        return {**tool, "type": "web_search"}
    return tool
