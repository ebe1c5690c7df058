"""Field names of chat servers → inner ones, for errors that such a server reports (translation §8.4)."""

from __future__ import annotations

import re

_ROOT = re.compile(r"[^.\[]+")
_INNER = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "reasoning_effort": "reasoning.effort",
    "reasoning": "reasoning.effort",
    "thinking": "reasoning.effort",
    "chat_template_kwargs": "reasoning.effort",
    "logprobs": "include",
    # Places in these lists are not those of the request: tools are flattened, and the choice may have become a list.
    "tools": "tools",
    "tool_choice": "tool_choice",
}


def inner_param(param: str | None) -> str | None:
    """The inner name of a field of the chat body; None for what the gateway put there on its own account."""
    root = _ROOT.match(param or "")
    if root is None or root[0] == "stream_options":
        return None
    return _INNER.get(root[0], param)
