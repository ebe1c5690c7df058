"""A chat body → the inner request, the client's wishes about the answer, and the way back for field names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core.fields import need_text, read_bool, read_object, read_text
from gateway.core.request import Request
from gateway.core.verdicts import Verdicts, read_stop
from gateway.dialects import Choices
from gateway.dialects.chat.messages import read_inner_input, read_messages
from gateway.dialects.chat.names import Names
from gateway.dialects.chat.options import read_options, read_reasoning
from gateway.dialects.chat.params import Params
from gateway.dialects.chat.tools import Toolbox, read_choice, read_tools
from gateway.dialects.chat.wishes import Reasoning, Wishes
from gateway.errors import UnsupportedParameter

Json = dict[str, Any]

# Known to the Responses API only. Next to `messages` they cannot mean anything here (translation §1.1).
_INNER_ONLY = (
    "background",
    "conversation",
    "previous_response_id",
    "prompt",
    "truncation",
    "context_management",
    "max_tool_calls",
)
# Values that say what is true anyway.
_HARMLESS: dict[str, Any] = {"background": False, "truncation": "disabled"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """The parts that make an exchange."""

    request: Request
    wishes: Wishes
    params: Params


def decode(document: Json, choices: Choices) -> Decoded:
    """Translate a chat body, or a Responses body that was posted to the chat route (translation §1).

    Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the client's field in `param`.
    """
    model = need_text(document, "model", "model")
    inner = document.get("messages") is None and document.get("input") is not None
    verdicts = Verdicts(choices)
    box = read_tools(document, Names())
    instructions = read_text(document, "instructions", "instructions") or ""
    if not inner:
        _refuse_inner_fields(document, verdicts)
    history = read_inner_input(document, box) if inner else read_messages(document, box, instructions)
    stream = bool(read_bool(document, "stream", "stream"))
    stream_options = read_object(document, "stream_options", "stream_options") or {}
    options = read_options(document, verdicts)
    reasoning, hidden = read_reasoning(document, inner=inner)
    body: Json = {"model": model, "input": history.items, "stream": stream, **options}
    if inner:
        body |= {name: document[name] for name in (*_INNER_ONLY, "instructions") if document.get(name) is not None}
    if reasoning:
        body["reasoning"] = reasoning
    _put_tools(body, document, box)
    _put_obfuscation(body, stream_options)
    form = options.get("text", {}).get("format", {})
    structured = form.get("type") in ("json_object", "json_schema")
    wishes = Wishes(
        model=model,
        reasoning=_reasoning_mode(choices.reasoning, hidden=hidden, structured=structured),
        native_custom_calls=choices.custom_calls == "native",
        include_usage=bool(read_bool(stream_options, "include_usage", "stream_options.include_usage")),
        legacy_functions=box.legacy,
        json_format=structured,
        logprobs="message.output_text.logprobs" in options.get("include", []),
        stop=read_stop(document, verdicts, structured=structured),
        metadata=options.get("metadata"),
        names=box.names,
        custom_tools=box.has_custom,
    )
    request = Request(body=body, stream=stream, dropped=verdicts.dropped)
    return Decoded(request, wishes, Params(sent=document, origins=history.origins, places=box.places))


def _refuse_inner_fields(document: Json, verdicts: Verdicts) -> None:
    for name in _INNER_ONLY:
        value = document.get(name)
        if value is not None and value != _HARMLESS.get(name):
            message = f"{name} belongs to the responses API; chat completions cannot honour it."
            verdicts.refuse(UnsupportedParameter(message, param=name))
    if document.get("input") is not None:
        verdicts.refuse(UnsupportedParameter("Send messages or input, not both.", param="input"))


def _reasoning_mode(mode: Reasoning, *, hidden: bool, structured: bool) -> Reasoning:
    if hidden:
        return "hide"
    # Tags in front of the text would make JSON unreadable.
    return "reasoning_content" if mode == "think" and structured else mode


def _put_obfuscation(body: Json, stream_options: Json) -> None:
    """Padding against eavesdroppers doubles the bytes of a stream, and chat clients never asked for it."""
    wanted = read_bool(stream_options, "include_obfuscation", "stream_options.include_obfuscation")
    if body["stream"]:
        body["stream_options"] = {"include_obfuscation": bool(wanted)}


def _put_tools(body: Json, document: Json, box: Toolbox) -> None:
    if box.tools is not None:
        body["tools"] = box.tools
    choice = read_choice(document, box)
    if choice is not None:
        body["tool_choice"] = choice
    parallel = read_bool(document, "parallel_tool_calls", "parallel_tool_calls")
    if box.legacy:
        parallel = False  # the old answer form has room for one call
    if parallel is not None and box.tools:
        body["parallel_tool_calls"] = parallel
