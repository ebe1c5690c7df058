"""The inner request → the body for a chat-only server, and what is needed to read its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.fields import read_list
from gateway.core.verdicts import Verdicts
from gateway.dialects import Choices
from gateway.dialects.chat.outbound.history import read_history
from gateway.dialects.chat.outbound.messages import write_messages
from gateway.dialects.chat.outbound.options import put_parallel, read_options
from gateway.dialects.chat.outbound.parts import system_text
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import ToolMap
from gateway.dialects.chat.outbound.tools import choose, read_tools
from gateway.errors import InvalidRequest

Json = dict[str, Any]

# What was left out is told in a response header, and the names are a client's: nothing else may come into it.
_REPORTABLE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_REPORTED = 50


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chat body, the inner fields that were left out, and the way back for names."""

    body: Json
    dropped: tuple[str, ...]
    tools: ToolMap


def encode(
    body: Json, quirks: Quirks, *, stream: bool, unsupported: Literal["default", "strict", "lenient"] = "default"
) -> Encoded:
    """Translate an inner body whose `input` is a list and whose `model` is settled (translation §5).

    Raises InvalidRequest, UnsupportedParameter, UnsupportedValue or PreviousResponseNotFound, with `param` in inner
    names.
    """
    verdicts = Verdicts(Choices(unsupported=unsupported))
    options = read_options(body, quirks, verdicts)
    items = read_list(body, "input", "input") or []
    box = read_tools(body, items, quirks, verdicts)
    chosen = choose(body, box, quirks, verdicts)
    spoken = read_history(items, box.map, box.found, quirks, verdicts)
    if not spoken:
        raise InvalidRequest("input holds no text and no call: there is nothing to answer.", param="input")
    instructions = system_text(body.get("instructions"), "instructions")
    system = [text for text in (instructions, *options.guidance) if text]
    messages = write_messages(system, spoken, box.map, quirks)
    made: Json = {"model": body.get("model"), "messages": messages, **chosen, **options.fields, "stream": stream}
    put_parallel(body, made, quirks, verdicts)
    if stream and quirks.stream_usage:
        # Asked for on the gateway's own account: without it the answer could not tell what it cost.
        made["stream_options"] = {"include_usage": True}
    return Encoded(made, _reportable(verdicts.dropped), box.map)


def _reportable(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if _REPORTABLE.fullmatch(name)))[:_MOST_REPORTED]
