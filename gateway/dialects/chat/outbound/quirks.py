"""What one kind of chat server accepts, needs and gets wrong: data that the encoder and the readers of answers ask.

The defaults are a server nobody has told us about: only the fields that every chat server reads, in the form that the
strictest template takes. Which server has which quirks is the business of `gateway.upstreams.servers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Formats = Literal["all", "json_schema", "json_object", "none"]
"""The kinds of `response_format` a server knows. Where it has no JSON mode a schema stands in for it; where it has no
schemas, the system text asks for what the field cannot say."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """One kind of chat server."""

    accepts: frozenset[str] = frozenset()
    """Top-level fields that it reads beyond those of every chat server; all others are left out and reported."""
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    """`stream_options.include_usage` may be sent; where not, the server tells its token counts unasked."""

    developer_role: bool = False
    """It knows the role `developer`; everybody else gets `system`."""
    merge_system: bool = True
    """Its templates take one system message and only as the first: all of them are joined there."""
    merge_user: bool = False
    """Its templates insist on taking turns: neighbouring user messages become one."""
    null_content: bool = True
    """The content of an assistant message that only calls is null; else the empty string."""
    refusal_field: bool = False
    """Assistant messages may have a `refusal`; else it is said as text."""
    assistant_after_tool: str = ""
    """What to let the assistant say where a user message would follow a tool message directly; "": that is fine."""
    tool_names: bool = False
    """Tool messages repeat the name of the function."""
    call_ids: Literal["any", "safe", "nine"] = "any"
    """Call ids it takes. any: whatever it is given; safe: at most 40 of `[A-Za-z0-9_-]`; nine: 9 letters and digits."""

    strict_tools: bool = False
    """Functions may have a `strict`."""
    named_choice: bool = True
    """`tool_choice` may name a function; else that one alone is sent, with the choice `required`."""
    hosted: Literal["drop", "reject"] = "drop"
    """Tools that a server would have to run itself, next to others: left out and reported, or 400."""

    formats: Formats = "all"
    logprobs: bool = True
    """It tells log probabilities when asked."""
    effort: Literal["reasoning_effort", "reasoning", "none"] = "reasoning_effort"
    """How much to think is said in the field of that name, in an object `reasoning`, or not at all."""
    efforts: tuple[str, ...] = ()
    """The levels it knows; (): whatever the client says."""
    switch: Literal["chat_template_kwargs", "thinking", "none"] = "none"
    """How thinking is switched off: `{"enable_thinking": false}` for the template, `{"type": "disabled"}`, or by an
    effort of `none`. A server that takes no effort is also told to think that way."""
    thoughts: Literal["reasoning_content", "reasoning", "none"] = "none"
    """The field of assistant messages in which earlier reasoning text is sent back."""
    thoughts_needed: bool = False
    """Assistant messages that call must have that field, though it be empty."""
    call_signature: str = ""
    """Calls are refused without the server's signature; this one stands in where the client did not keep it."""

    images: Literal["any", "data", "none"] = "any"
    """Pictures it reads: by any address, only as data URLs, or not at all."""
    files: bool = False
    """It reads `file` parts that hold their data."""
    file_ids: bool = False
    """It has uploaded files, which parts may name."""
    audio: bool = False

    think_tags: bool = False
    """Answers: a leading `<think>…</think>` in the text is reasoning."""
    reasoning_as: Literal["content", "summary"] = "content"
    """Answers: which part of a reasoning item gets the reasoning text."""


GENERIC = Quirks(files=True)
"""A server nobody has told us about. Files go to it in chat's own form: it says itself what it cannot read."""
