"""What the Codex backend refuses in a request body: one function each, in the order of the real service."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.simulator import bodies, catalogue, shapes
from gateway.simulator.scripts import unseal

_ALLOWED = frozenset(
    {
        "model", "instructions", "input", "store", "stream", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
        "include", "service_tier", "prompt_cache_key", "text", "stream_options", "client_metadata",
    }
)  # fmt: skip
_PREFIXES = {
    "message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fc", "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco", "web_search_call": "ws", "image_generation_call": "ig",
}  # fmt: skip
_PARTS = {
    "user": frozenset({"input_text", "input_image", "input_file", "input_audio"}),
    "developer": frozenset({"input_text", "input_image", "input_file"}),
    "assistant": frozenset({"output_text", "refusal"}),
}
_TOOLS = frozenset({"function", "custom", "namespace", "web_search", "image_generation", "tool_search"})
_LITE_TOOLS = frozenset({"function", "custom", "namespace", "tool_search"})
_OUTPUTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and of which catalogue."""

    account: str
    plan: str
    version: str
    lite: bool
    rows: Mapping[str, dict[str, Any]]
    require_instructions: bool


class Refused(Exception):
    """A request the backend does not take: an HTTP status and the body it answers."""

    def __init__(self, body: dict[str, Any], status: int = 400) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status


def detail(text: str) -> Refused:
    """A refusal of the validation layer."""
    return Refused({"detail": text})


def error(message: str, code: str | None, param: str | None = None, status: int = 400) -> Refused:
    """A refusal of the model service."""
    return Refused(
        {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}, status
    )


def check(body: Any, asker: Asker) -> None:
    """Run every check. Raises Refused at the first that fails."""
    if not isinstance(body, dict):
        raise detail("Request body must be a JSON object")
    for step in _ORDER:
        step(body, asker)


def _basics(body: dict[str, Any], asker: Asker) -> None:
    if body.get("store") is not False:
        raise detail("Store must be set to false")
    if body.get("stream") is not True:
        raise detail("Stream must be set to true")
    given = body.get("instructions")
    if (given is None and asker.require_instructions) or not isinstance(given, str | None):
        raise detail("Instructions are required")
    if not isinstance(body.get("input"), list):
        raise detail("Input must be a list")


def _parameters(body: dict[str, Any], _asker: Asker) -> None:
    for key in body:
        if key not in _ALLOWED:
            raise detail(f"Unsupported parameter: {key}")
    options = body.get("stream_options")
    for key in options if isinstance(options, dict) else ():
        if key != "reasoning_summary_delivery":
            raise detail(f"Unsupported parameter: stream_options.{key}")


def _kinds(body: dict[str, Any], _asker: Asker) -> None:
    """Every known field holds a value of its kind: the checks after this one rely on it."""
    try:
        shapes.check(body, bodies.CODEX)
    except shapes.Misshapen as wrong:
        raise error(str(wrong), wrong.code, wrong.path) from wrong


def _roles(body: dict[str, Any], _asker: Asker) -> None:
    for index, item in enumerate(body["input"]):
        place = f"input[{index}]"
        if item.get("type", "message") != "message":
            continue
        role = item.get("role")
        if role == "system":
            raise detail("System messages are not allowed")
        if role not in _PARTS:
            raise error(f"Invalid value: {role!r}.", "invalid_value", f"{place}.role")
        _parts(item.get("content"), str(role), place)


def _parts(content: Any, role: str, place: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise error("Missing required parameter: 'content'.", "missing_required_parameter", f"{place}.content")
    for index, part in enumerate(content):
        at = f"{place}.content[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _PARTS[role]:
            allowed = ", ".join(f"'{name}'" for name in sorted(_PARTS[role]))
            raise error(f"Invalid value: '{kind}'. Supported values are: {allowed}.", "invalid_value", f"{at}.type")
        if "prompt_cache_breakpoint" in part:
            raise error("prompt_cache_breakpoint is not supported on this model", "unsupported_parameter", at)
        if kind == "input_image":
            _image(part, at)


def _image(part: dict[str, Any], at: str) -> None:
    url = part.get("image_url")
    if part.get("file_id"):
        raise error("File ids are not supported here.", "invalid_image", f"{at}.file_id")
    if not isinstance(url, str):
        raise error("Missing required parameter: 'image_url'.", "missing_required_parameter", f"{at}.image_url")
    if url.startswith("data:"):
        try:
            picture = base64.b64decode(url.partition(",")[2], validate=True)
        except ValueError:
            picture = b""
        if not picture.startswith(_IMAGES):
            raise error("The image data you provided does not represent a valid image.", "invalid_image", at)


def _ids(body: dict[str, Any], _asker: Asker) -> None:
    for index, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        if kind == "item_reference":
            raise _not_kept(item.get("id"))
        for key in ("id", "call_id", "name"):
            if isinstance(item.get(key), str):
                _short(item[key], f"input[{index}].{key}")
        prefix = _PREFIXES.get(str(kind))
        given = item.get("id")
        if given and prefix and not str(given).startswith(prefix):
            text = f"Invalid 'input[{index}].id': '{given}'. Expected an ID that begins with '{prefix}'."
            raise error(text, "invalid_id_prefix", f"input[{index}].id")
        if kind == "reasoning" and "summary" not in item:
            place = f"input[{index}].summary"
            raise error(f"Missing required parameter: '{place}'.", "missing_required_parameter", place)


def _not_kept(given: Any) -> Refused:
    return error(
        f"Item with id '{given}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input.",
        None,
        "input",
        404,
    )


def _short(text: str, place: str) -> None:
    if len(text) > 64:
        message = f"Invalid '{place}': string too long. Expected a string with maximum length 64, got {len(text)}."
        raise error(message, "string_above_max_length", place)


def _pairs(body: dict[str, Any], _asker: Asker) -> None:
    items = body["input"]
    calls = {item.get("call_id"): item["type"] for item in items if item.get("type") in _OUTPUTS.values()}
    answered = {item.get("call_id") for item in items if item.get("type") in _OUTPUTS}
    for item in items:
        kind, call = item.get("type"), item.get("call_id")
        if kind in _OUTPUTS.values() and call not in answered:
            what = "function" if kind == "function_call" else "custom tool"
            raise error(f"No tool output found for {what} call {call}.", None, "input")
        if kind in _OUTPUTS and calls.get(call) != _OUTPUTS[kind]:
            what = "function" if kind == "function_call_output" else "custom tool"
            raise error(f"No tool call found for {what} call output with call_id {call}.", None, "input")


def _seals(body: dict[str, Any], asker: Asker) -> None:
    """Encrypted reasoning of another account is refused; blobs that look genuine but are not ours too."""
    for item in body["input"]:
        sealed = item.get("encrypted_content") if item.get("type") == "reasoning" else None
        if not isinstance(sealed, str) or not sealed.startswith("gAAAA"):
            continue  # not a blob of the real service either: a test's own placeholder
        opened = unseal(sealed)
        if opened is None or opened.get("account") != asker.account:
            start = sealed[:8]
            raise error(
                f"The encrypted content {start}... could not be verified.", "invalid_encrypted_content", "input"
            )


def _model(body: dict[str, Any], asker: Asker) -> None:
    name = body.get("model")
    row = asker.rows.get(str(name))
    if row is None or asker.plan not in {*row["available_in_plans"]}:
        raise detail(f"The '{name}' model is not supported when using Codex with a ChatGPT account.")
    # No version header counts as the oldest client there is.
    if catalogue.version(asker.version or "0.0.1") < catalogue.version(row["minimal_client_version"]):
        raise detail(
            f"The '{name}' model requires a newer version of Codex. "
            "Please upgrade to the latest app or CLI and try again."
        )
    reasoning = body.get("reasoning") or {}
    if "effort" in reasoning:
        efforts = [level["effort"] for level in row["supported_reasoning_levels"]]
        refuses_none = str(name).startswith("gpt-6")
        allowed = efforts if refuses_none else ["none", "minimal", *efforts]
        if reasoning["effort"] not in allowed:
            values = ", ".join(f"'{effort}'" for effort in allowed)
            text = f"Unsupported value: '{reasoning['effort']}' is not supported with the '{name}' model. "
            raise error(f"{text}Supported values are: {values}.", "unsupported_value", "reasoning.effort")


def _tier(body: dict[str, Any], asker: Asker) -> None:
    tier = body.get("service_tier")
    known = {row["id"] for row in asker.rows[body["model"]]["service_tiers"]}
    if tier is not None and tier not in known:
        raise detail(f"Unsupported service_tier: {tier}")


def _tools(body: dict[str, Any], asker: Asker) -> None:
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        _tool(tool, f"tools[{index}]", asker)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in {"function", "custom"}:
        names = {tool.get("name") for tool in tools}
        if choice.get("name") not in names:
            raise error(
                f"Tool choice '{choice.get('name')}' not found in 'tools' parameter.", "invalid_value", "tool_choice"
            )


def _tool(tool: Any, place: str, asker: Asker) -> None:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind not in _TOOLS:
        raise error(f"Unsupported tool type: {kind}", "invalid_value", f"{place}.type")
    if asker.lite and kind not in _LITE_TOOLS:
        raise error(f"Tool type {kind} is not supported with responses lite.", "unsupported_value", "tools")
    if kind == "image_generation" and asker.plan == "free":
        raise error("Image generation is not available on this plan.", "unsupported_value", place)
    if kind in {"function", "custom", "namespace"}:
        name = tool.get("name")
        if not name:
            raise error(f"Missing required parameter: '{place}.name'.", "missing_required_parameter", f"{place}.name")
        _short(str(name), f"{place}.name")
        if not _NAME.fullmatch(str(name)):
            text = f"Invalid '{place}.name': string does not match pattern. Expected a string that matches "
            raise error(f"{text}the pattern '^[a-zA-Z0-9_-]+$'.", "invalid_value", f"{place}.name")
        if tool.get("strict") is True:
            _strict(tool.get("parameters") or {}, str(name), f"{place}.parameters", ())
    for index, inner in enumerate(tool.get("tools") or () if kind == "namespace" else ()):
        _tool(inner, f"{place}.tools[{index}]", asker)


def _strict(schema: Any, name: str, place: str, context: tuple[str, ...]) -> None:
    """Every object of a strict schema closes itself and requires all of its keys."""
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties") or {}
    if schema.get("type") == "object" or properties:
        start = f"Invalid schema for function '{name}': In context={context!r}, "
        if schema.get("additionalProperties") is not False:
            text = "'additionalProperties' is required to be supplied and to be false."
            raise error(start + text, "invalid_function_parameters", place)
        missing = [key for key in properties if key not in (schema.get("required") or ())]
        if missing:
            text = f"'required' must hold every key of properties. Missing '{missing[0]}'."
            raise error(start + text, "invalid_function_parameters", place)
    for key, inner in properties.items():
        _strict(inner, name, place, (*context, "properties", key))
    _strict(schema.get("items"), name, place, (*context, "items"))
    for key in ("anyOf", "oneOf", "allOf"):
        for index, inner in enumerate(schema.get(key) or ()):
            _strict(inner, name, place, (*context, key, str(index)))
    for key, inner in (schema.get("$defs") or {}).items():
        _strict(inner, name, place, (*context, "$defs", key))


_ORDER: tuple[Callable[[dict[str, Any], Asker], None], ...] = (
    _basics, _parameters, _kinds, _roles, _ids, _pairs, _seals, _model, _tier, _tools,
)  # fmt: skip
