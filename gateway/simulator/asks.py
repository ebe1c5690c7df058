"""What a request asks for, read from a Responses or a Chat Completions body into one small shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool on offer. `name` is the type for hosted tools (`web_search`, `image_generation`)."""

    kind: str
    name: str
    parameters: dict[str, Any]
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, reduced to what the default answers need.

    `text`: of the last user message. `outputs`: tool outputs after it. `forced`: names of the tools that tool_choice
    allows or demands. `schema`: of a json_schema format, {} for json_object, None for free text.
    """

    text: str = ""
    attachments: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    mode: Literal["none", "auto", "required"] = "auto"
    forced: tuple[str, ...] = ()
    parallel: bool = True
    schema: dict[str, Any] | None = None
    effort: str | None = None
    summary: bool = False
    encrypted: bool = False
    limit: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1


def read_responses(body: dict[str, Any]) -> Ask:
    """Read a Responses request; `input` may be a text or a list of items."""
    given = body.get("input")
    items: list[Any] = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
    last = max((at for at, item in enumerate(items) if _field(item, "role") == "user"), default=-1)
    text, attachments = _content(items[last].get("content")) if last >= 0 else ("", ())
    outputs = tuple(
        _content(item.get("output"))[0]
        for item in items[last + 1 :]
        if _field(item, "type") in {"function_call_output", "custom_tool_call_output"}
    )
    tools = list(body.get("tools") or ())
    for item in items:
        if _field(item, "type") == "additional_tools":
            tools += item.get("tools") or ()
    mode, forced = _choice(body.get("tool_choice"))
    reasoning = body.get("reasoning") or {}
    return Ask(
        text=text,
        attachments=attachments,
        outputs=outputs,
        tools=tuple(_tools(tools)),
        mode=mode,
        forced=forced,
        parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema((body.get("text") or {}).get("format")),
        effort=reasoning.get("effort"),
        summary=reasoning.get("summary") is not None,
        encrypted="reasoning.encrypted_content" in (body.get("include") or ()),
        limit=body.get("max_output_tokens"),
    )


def read_chat(body: dict[str, Any]) -> Ask:
    """Read a Chat Completions request."""
    messages = body.get("messages") or []
    last = max((at for at, message in enumerate(messages) if _field(message, "role") == "user"), default=-1)
    text, attachments = _content(messages[last].get("content")) if last >= 0 else ("", ())
    outputs = tuple(
        _content(message.get("content"))[0]
        for message in messages[last + 1 :]
        if _field(message, "role") in {"tool", "function"}
    )
    mode, forced = _choice(body.get("function_call") if legacy(body) else body.get("tool_choice"))
    stop = body.get("stop") or ()
    return Ask(
        text=text,
        attachments=attachments,
        outputs=outputs,
        tools=tuple(_tools(_functions(body) if legacy(body) else body.get("tools") or ())),
        mode=mode,
        forced=forced,
        parallel=body.get("parallel_tool_calls") is not False and not legacy(body),
        schema=_schema(body.get("response_format")),
        effort=body.get("reasoning_effort"),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=body.get("n") or 1,
    )


def legacy(body: dict[str, Any]) -> bool:
    """A chat request in the old form: it offers `functions` and no `tools`, and is answered with `function_call`."""
    return bool(body.get("functions")) and not body.get("tools")


def _functions(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The `functions` of the old form as tools."""
    return [{"type": "function", "function": function} for function in body["functions"]]


def _field(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, dict) else None


def _content(content: Any) -> tuple[str, tuple[str, ...]]:
    """The text of a message or tool output, and a word for each image, file or sound in it."""
    if isinstance(content, str):
        return content, ()
    texts, attachments = [], []
    for part in content if isinstance(content, list) else ():
        kind = str(_field(part, "type") or "")
        if isinstance(_field(part, "text"), str):
            texts.append(part["text"])
        elif "image" in kind:
            attachments.append("an image")
        elif "file" in kind:
            inner = part.get("file") or part
            attachments.append(f"a file ({inner.get('filename') or inner.get('file_id') or 'unnamed'})")
        elif "audio" in kind:
            attachments.append("a sound")
    return "\n".join(texts), tuple(attachments)


def _tools(tools: Any, namespace: str | None = None) -> list[Tool]:
    found = []
    for tool in tools:
        kind = str(_field(tool, "type") or "")
        if kind == "namespace":
            found += _tools(tool.get("tools") or (), str(tool.get("name")))
            continue
        inner = tool.get(kind) if isinstance(_field(tool, kind), dict) else tool  # chat nests, Responses does not
        name = str(_field(inner, "name") or kind.replace("_preview", ""))
        if kind in {"function", "custom"} or kind.startswith(("web_search", "image_generation")):
            found.append(Tool(kind.replace("_preview", ""), name, _field(inner, "parameters") or {}, namespace))
    return found


def _choice(choice: Any) -> tuple[Literal["none", "auto", "required"], tuple[str, ...]]:
    """tool_choice in either dialect → mode and the tools it is limited to."""
    if choice in {"none", "auto", "required"} if isinstance(choice, str) else False:
        return choice, ()
    if isinstance(choice, dict) and "type" not in choice and "name" in choice:  # function_call, the old form
        return "required", (str(choice["name"]),)
    kind = _field(choice, "type")
    if kind == "allowed_tools":
        inner = choice.get("allowed_tools") or choice
        names = tuple(_named(tool) for tool in inner.get("tools") or ())
        return ("required" if inner.get("mode") == "required" else "auto"), names
    return ("required", (_named(choice),)) if kind else ("auto", ())


def _named(tool: dict[str, Any]) -> str:
    kind = str(tool.get("type"))
    inner = tool.get(kind) if isinstance(tool.get(kind), dict) else tool
    return str(_field(inner, "name") or kind.replace("_preview", ""))


def _schema(form: Any) -> dict[str, Any] | None:
    kind = _field(form, "type")
    if kind == "json_object":
        return {}
    if kind == "json_schema":
        inner = form.get("json_schema") or form
        return dict(inner.get("schema") or {"type": "object"})
    return None
