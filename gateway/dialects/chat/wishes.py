"""What one client asked about the form of its answer; the one thing that request and answer have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.dialects.chat.names import Names

Json = dict[str, Any]
Reasoning = Literal["reasoning_content", "reasoning", "think", "hide"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """`json_format`: the text must parse as JSON. `names`: the stand-ins of tool names. `metadata`: to be echoed."""

    model: str
    reasoning: Reasoning = "reasoning_content"
    native_custom_calls: bool = False
    include_usage: bool = False
    legacy_functions: bool = False
    json_format: bool = False
    logprobs: bool = False
    stop: tuple[str, ...] = ()
    metadata: Json | None = None
    names: Names = field(default_factory=Names)
    custom_tools: bool = False
