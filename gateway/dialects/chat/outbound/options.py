"""Top-level fields of the inner request → those of a chat request (translation §5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.core import json
from gateway.core.fields import (
    malformed,
    need_object,
    need_text,
    read_bool,
    read_integer,
    read_list,
    read_number,
    read_object,
    read_text,
)
from gateway.core.verdicts import Verdicts
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.errors import InvalidRequest, PreviousResponseNotFound, UnsupportedParameter

Json = dict[str, Any]

_LOGPROBS = "message.output_text.logprobs"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_READ = frozenset(
    {
        "model",
        "instructions",
        "input",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_logprobs",
        "include",
        "text",
        "reasoning",
        "stream",
        "stream_options",
        "previous_response_id",
    }
)
"""Read by name, here or elsewhere."""

_SILENT = frozenset(
    {
        "metadata",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "client_metadata",
        "max_tool_calls",
        "truncation",
    }
)
"""Left out without a word: they label or speed up a request, count tools that nobody runs here, or are the engine's."""

_REFUSED = frozenset(
    {"background", "conversation", "prompt", "context_management", "moderation", "image", "access_programs"}
)
"""The answer, or the way to it, would be another one without them."""

_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
}
"""Values that say what is true anyway."""


@dataclass(slots=True)
class Options:
    """`fields` of the chat body, and `guidance`: what the server has no field for and the system text says instead."""

    fields: Json = field(default_factory=dict)
    guidance: list[str] = field(default_factory=list)


def read_options(body: Json, quirks: Quirks, verdicts: Verdicts) -> Options:
    """Every field but model, input, tools and stream.

    Raises InvalidRequest and its kinds, naming the field.
    """
    _refuse_state(body)
    options = Options()
    for name, value in body.items():
        if name not in _READ and value is not None:
            _other(name, value, options, quirks, verdicts)
    limit = read_integer(body, "max_output_tokens", "max_output_tokens")
    if limit is not None:
        if limit < 1:
            raise InvalidRequest(f"max_output_tokens must be at least 1, not {limit}.", param="max_output_tokens")
        options.fields[quirks.max_tokens] = limit
    for name in ("temperature", "top_p"):
        number = read_number(body, name, name)
        if number is not None:
            options.fields[name] = number
    _read_logprobs(body, options, quirks, verdicts)
    _read_text(body, options, quirks, verdicts)
    _read_reasoning(body, options, quirks, verdicts)
    return options


def put_parallel(body: Json, made: Json, quirks: Quirks, verdicts: Verdicts) -> None:
    """Say whether calls may come together, where there are tools and the server knows the field.

    Raises InvalidRequest.
    """
    parallel = read_bool(body, "parallel_tool_calls", "parallel_tool_calls")
    if parallel is None or "tools" not in made:
        return
    if "parallel_tool_calls" in quirks.accepts:
        made["parallel_tool_calls"] = parallel
    elif not parallel:
        verdicts.leave_out("parallel_tool_calls", "this upstream has no such parameter")


def _refuse_state(body: Json) -> None:
    previous = body.get("previous_response_id")
    if previous is not None:
        message = f"Previous response with id '{previous}' not found."
        raise PreviousResponseNotFound(message, param="previous_response_id")


def _other(name: str, value: Any, options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    # `is` beside `==`: False == 0, and a harmless 0 must not hide a False elsewhere.
    if any(value == usual and type(value) is type(usual) for usual in _HARMLESS.get(name, ())):
        return
    if name in quirks.accepts:
        options.fields[name] = value
    elif name in _REFUSED:
        verdicts.refuse(UnsupportedParameter(f"This upstream does not support {name!r}.", param=name))
    elif name not in _SILENT:
        verdicts.leave_out(name, "this upstream has no such parameter")


def _read_logprobs(body: Json, options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    top = read_integer(body, "top_logprobs", "top_logprobs")
    wanted = _LOGPROBS in (read_list(body, "include", "include") or [])
    if not (top or wanted):
        return
    if not quirks.logprobs:
        name = "top_logprobs" if top else "include"
        verdicts.refuse(UnsupportedParameter("This upstream tells no log probabilities.", param=name))
        return
    options.fields["logprobs"] = True
    if top is not None:
        options.fields["top_logprobs"] = top


def _read_text(body: Json, options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    text = read_object(body, "text", "text") or {}
    verbosity = read_text(text, "verbosity", "text.verbosity")
    if verbosity is not None and "verbosity" in quirks.accepts:
        options.fields["verbosity"] = verbosity
    elif verbosity not in (None, "medium"):
        verdicts.leave_out("text.verbosity", "this upstream has no such parameter")
    form = read_object(text, "format", "text.format") or {"type": "text"}
    kind = form.get("type")
    if kind == "json_schema":
        _json_schema(form, options, quirks, verdicts)
    elif kind == "json_object":
        _json_object(options, quirks, verdicts)
    elif kind != "text":
        raise malformed("text.format.type", "text, json_object or json_schema", kind)


def _json_schema(form: Json, options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    name = need_text(form, "name", "text.format.name")
    schema = need_object(form.get("schema"), "text.format.schema")
    if quirks.formats in ("all", "json_schema"):
        made: Json = {"name": name, "schema": schema}
        made |= {key: form[key] for key in ("description", "strict") if form.get(key) is not None}
        options.fields["response_format"] = {"type": "json_schema", "json_schema": made}
        return
    verdicts.leave_out("text.format", "this upstream knows no JSON schemas")
    if quirks.formats == "json_object":
        options.fields["response_format"] = {"type": "json_object"}
    options.guidance.append(
        f"Answer with one JSON object and nothing else. It must match this JSON schema:\n{json.dumps(schema).decode()}"
    )


def _json_object(options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    if quirks.formats == "none":
        verdicts.leave_out("text.format", "this upstream has no JSON mode")
        options.guidance.append("Answer with one JSON object and nothing else.")
    elif quirks.formats == "json_schema":
        anything = {"name": "json_object", "schema": {"type": "object"}}
        options.fields["response_format"] = {"type": "json_schema", "json_schema": anything}
    else:
        options.fields["response_format"] = {"type": "json_object"}


def _read_reasoning(body: Json, options: Options, quirks: Quirks, verdicts: Verdicts) -> None:
    reasoning = read_object(body, "reasoning", "reasoning") or {}
    effort = read_text(reasoning, "effort", "reasoning.effort")
    if effort is None:
        return
    if quirks.switch != "none" and (effort == "none" or quirks.effort == "none"):
        _switch(effort, options, quirks)
    elif quirks.effort == "none":
        verdicts.leave_out("reasoning.effort", "this upstream has no such parameter")
    elif quirks.effort == "reasoning":
        options.fields["reasoning"] = {"effort": _nearest(effort, quirks.efforts)}
    else:
        options.fields["reasoning_effort"] = _nearest(effort, quirks.efforts)


def _switch(effort: str, options: Options, quirks: Quirks) -> None:
    on = effort != "none"
    if quirks.switch == "thinking":
        options.fields["thinking"] = {"type": "enabled" if on else "disabled"}
        return
    asked = options.fields.get("chat_template_kwargs")
    kwargs: Json = {"enable_thinking": on, **(asked if isinstance(asked, dict) else {})}
    if on:
        # The templates that know levels read them here; the others do not look.
        kwargs.setdefault("reasoning_effort", _nearest(effort, quirks.efforts))
    options.fields["chat_template_kwargs"] = kwargs


def _nearest(effort: str, known: tuple[str, ...]) -> str:
    """The level itself, or the nearest lower one that the server knows, else its lowest; a new one as it is."""
    if not known or effort in known or effort not in _EFFORTS:
        return effort
    ladder = [level for level in _EFFORTS if level in known]
    lower = [level for level in ladder if _EFFORTS.index(level) < _EFFORTS.index(effort)]
    return lower[-1] if lower else ladder[0]
