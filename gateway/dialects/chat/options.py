"""Top-level fields other than messages and tools: what each becomes inside, and what cannot be honoured.

The verdicts are those of translation §1.1 that do not depend on the upstream: a field that only one upstream refuses
is translated here and taken out by that upstream's profile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gateway.core.fields import (
    found,
    malformed,
    missing,
    need_text,
    read_bool,
    read_integer,
    read_list,
    read_number,
    read_object,
    read_text,
)
from gateway.core.verdicts import Verdicts, read_limit, read_user, refuse_sampling
from gateway.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue

Json = dict[str, Any]

LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""Names of the output limit, the one that counts first."""

_METADATA_PAIRS, _METADATA_KEY, _METADATA_VALUE = 16, 64, 512
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Sent as they are, once their type is right.
_COPIED: dict[str, Callable[[Json, str, str], Any]] = {
    "temperature": read_number,
    "top_p": read_number,
    "store": read_bool,
    "safety_identifier": read_text,
    "prompt_cache_key": read_text,
    "prompt_cache_retention": read_text,
    "prompt_cache_options": read_object,
    "service_tier": read_text,
    "moderation": read_object,
}


def read_options(document: Json, verdicts: Verdicts) -> Json:
    """The fields of the inner body that stand at the top level of a chat body. Raises InvalidRequest and its kinds."""
    body: Json = {}
    for name, read in _COPIED.items():
        value = read(document, name, name)
        if value is not None:
            body[name] = value
    body.setdefault("store", False)  # chat keeps nothing unless asked; the Responses API keeps unless told not to
    limit = read_limit(document, LIMITS, verdicts)
    if limit is not None:
        body["max_output_tokens"] = limit
    metadata = _read_metadata(document)
    if metadata is not None:
        body["metadata"] = metadata
    user = read_user(document)
    if user is not None:
        body["user"] = user
    text = _read_text(document)
    if text:
        body["text"] = text
    _read_logprobs(document, body, verdicts)
    _refuse_the_impossible(document, verdicts)
    return body


def _read_metadata(document: Json) -> Json | None:
    metadata = read_object(document, "metadata", "metadata")
    if metadata is None:
        return None
    if len(metadata) > _METADATA_PAIRS:
        message = f"metadata holds at most {_METADATA_PAIRS} pairs, not {len(metadata)}."
        raise InvalidRequest(message, param="metadata")
    for key, value in metadata.items():
        if len(key) > _METADATA_KEY:
            message = f"metadata keys have at most {_METADATA_KEY} characters; one has {len(key)}."
            raise InvalidRequest(message, param="metadata")
        if not isinstance(value, str) or len(value) > _METADATA_VALUE:
            raise malformed(f"metadata.{key}", f"a string of at most {_METADATA_VALUE} characters", value)
    return metadata


def _read_text(document: Json) -> Json:
    """`text`: what the client said in inner form, under what it said in chat's own words."""
    text = {key: value for key, value in (read_object(document, "text", "text") or {}).items() if value is not None}
    read_object(text, "format", "text.format")
    form = _read_format(document)
    if form is not None:
        text["format"] = form
    verbosity = read_text(document, "verbosity", "verbosity")
    if verbosity is not None:
        text["verbosity"] = verbosity
    return text


def _read_format(document: Json) -> Json | None:
    wanted = read_object(document, "response_format", "response_format")
    if wanted is None:
        return None
    kind = need_text(wanted, "type", "response_format.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        message = f"response_format.type must be text, json_object or json_schema, not {kind!r}."
        raise UnsupportedValue(message, param="response_format.type")
    path = "response_format.json_schema"
    nested = read_object(wanted, "json_schema", path)
    if nested is None:
        raise missing(path, "an object with name and schema")
    name = need_text(nested, "name", f"{path}.name")
    if not _SCHEMA_NAME.fullmatch(name):
        raise malformed(f"{path}.name", "1 to 64 letters, digits, underscores and hyphens", name)
    schema = read_object(nested, "schema", f"{path}.schema")
    form: Json = {"type": kind, "name": name, "schema": {"type": "object"} if schema is None else schema}
    description = read_text(nested, "description", f"{path}.description")
    if description is not None:
        form["description"] = description
    form["strict"] = bool(read_bool(nested, "strict", f"{path}.strict"))
    return form


def _read_logprobs(document: Json, body: Json, verdicts: Verdicts) -> None:
    include = list(read_list(document, "include", "include") or [])
    wanted = read_bool(document, "logprobs", "logprobs")
    if wanted and "message.output_text.logprobs" not in include:
        include.append("message.output_text.logprobs")
    if include or document.get("include") is not None:
        body["include"] = include
    top = read_integer(document, "top_logprobs", "top_logprobs")
    if top is None:
        return
    if not 0 <= top <= 20:
        raise malformed("top_logprobs", "between 0 and 20", top)
    if wanted or "message.output_text.logprobs" in include:
        body["top_logprobs"] = top
    elif top:
        verdicts.refuse(UnsupportedParameter("top_logprobs needs logprobs: true.", param="top_logprobs"))


def _refuse_the_impossible(document: Json, verdicts: Verdicts) -> None:
    refuse_sampling(document, verdicts)
    modalities = read_list(document, "modalities", "modalities") or []
    others = [kind for kind in modalities if kind != "text"]
    if others:
        message = f"modalities can only be text here, not {found(others[0])}."
        verdicts.refuse(UnsupportedValue(message, param="modalities"))


def read_reasoning(document: Json, *, inner: bool) -> tuple[Json, bool]:
    """`reasoning` of the inner body ({} when nothing is set), and whether the answer hides it (translation §1.7).

    `inner`: the body is in Responses form, whose `reasoning` may say more than chat's. Raises InvalidRequest.
    """
    vendor = read_object(document, "reasoning", "reasoning") or {}
    only_chat = ("exclude", "enabled", "max_tokens", "effort", "summary")
    made: Json = {key: value for key, value in vendor.items() if key not in only_chat} if inner else {}
    effort = (
        read_text(document, "reasoning_effort", "reasoning_effort")
        or _switched_off(document, vendor)
        or read_text(vendor, "effort", "reasoning.effort")
        or ("medium" if True in _switches(document, vendor) else None)
    )
    if effort:
        made["effort"] = effort
    summary = read_text(vendor, "summary", "reasoning.summary") or read_text(
        document, "reasoning_summary", "reasoning_summary"
    )
    if summary:
        made["summary"] = summary
    excluded = read_bool(vendor, "exclude", "reasoning.exclude")
    included = read_bool(document, "include_reasoning", "include_reasoning")
    return made, bool(excluded) or included is False


def _switched_off(document: Json, vendor: Json) -> str | None:
    return "none" if False in _switches(document, vendor) else None


def _switches(document: Json, vendor: Json) -> tuple[bool | None, ...]:
    """The vendors' ways to turn reasoning on and off; None where not said."""
    thinking = document.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    return (
        read_bool(vendor, "enabled", "reasoning.enabled"),
        read_bool(document, "enable_thinking", "enable_thinking"),
        thinking if isinstance(thinking, bool) else {"enabled": True, "disabled": False}.get(str(kind)),
    )
