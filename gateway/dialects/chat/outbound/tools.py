"""Inner tools and tool choice → the flat list of functions that a chat server knows (translation §5.4).

Tools stand in `tools` and in items that declare them. Custom tools become functions that take `input`; the members of
a namespace, functions with the namespace in their names. The client's own search for tools becomes a function too. What
a server would have to run itself is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.fields import malformed, need_object, need_text, read_list, read_object, read_text
from gateway.core.verdicts import Verdicts
from gateway.dialects.chat.outbound.history import HOLD_TOOLS
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import SEARCH, Kind, Original, ToolMap
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

_KINDS: dict[str, Kind] = {"function": "function", "custom": "custom"}
_MODES = ("none", "auto", "required")
_SEARCH: Json = {
    "description": "Searches for tools that are not in the list yet. Those that it finds can be called afterwards.",
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What the tool should be able to do."}},
        "required": ["query"],
    },
}
"""What is said of a search whose client says nothing of it."""


@dataclass(slots=True)
class Toolbox:
    """The tools of one request as the server gets them, by the client's name; and the names' way back."""

    map: ToolMap
    sent: dict[Original, Json] = field(default_factory=dict)
    hosted: dict[str, str] = field(default_factory=dict)
    """Tools that were left out: where each stands, and its type."""
    found: dict[str, list[str]] = field(default_factory=dict)
    """The wire names of tools that items declare: where the item stands, and its tools."""

    def calls(self, kind: str) -> bool:
        """Whether tools of this type are called like functions."""
        return kind in _KINDS or (kind == "tool_search" and SEARCH in self.sent)

    def find(self, kind: Kind, name: str, namespace: str | None) -> Original | None:
        """The tool of this name; a client may leave the namespace out where it makes no difference."""
        exact = Original(kind, name, namespace)
        if exact in self.sent:
            return exact
        alike = [tool for tool in self.sent if tool.name == name and tool.kind == kind and namespace is None]
        return alike[0] if len(alike) == 1 else None


def read_tools(body: Json, items: Sequence[Any], quirks: Quirks, verdicts: Verdicts) -> Toolbox:
    """All tools that the request declares.

    Raises InvalidRequest and its kinds, naming the tool.
    """
    box = Toolbox(ToolMap(quirks.call_ids))
    for path, tool in _entries(read_list(body, "tools", "tools"), "tools"):
        before = len(box.sent)
        names = _add(box, tool, path, None, quirks)
        if names and len(box.sent) == before and tool["type"] != "namespace":
            raise InvalidRequest(f"{path}: the tool name {tool.get('name', SEARCH.name)!r} is used twice.", param=path)
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get("type") in HOLD_TOOLS:
            path = f"input[{index}]"
            # A client declares again what has changed: the last word counts.
            entries = _entries(read_list(item, "tools", f"{path}.tools"), f"{path}.tools")
            names = [name for where, tool in entries for name in _add(box, tool, where, None, quirks)]
            box.found[path] = list(dict.fromkeys(names))
    _report_hosted(box, quirks, verdicts)
    return box


def _entries(tools: Sequence[Any] | None, path: str) -> Iterator[tuple[str, Json]]:
    for index, tool in enumerate(tools or ()):
        where = f"{path}[{index}]"
        yield where, need_object(tool, where)


def _add(box: Toolbox, tool: Json, path: str, namespace: str | None, quirks: Quirks) -> list[str]:
    """Declare a tool, or all of a namespace; the wire names of what can be called."""
    kind = need_text(tool, "type", f"{path}.type")
    if kind == "namespace" and namespace is None:
        name = need_text(tool, "name", f"{path}.name")
        members = _entries(read_list(tool, "tools", f"{path}.tools"), f"{path}.tools")
        return [made for where, member in members for made in _add(box, member, where, name, quirks)]
    if kind in _KINDS:
        original = Original(_KINDS[kind], need_text(tool, "name", f"{path}.name"), namespace)
        write = _function if kind == "function" else _custom
    elif kind == "tool_search" and tool.get("execution") == "client" and namespace is None:
        original, write = SEARCH, _search
    else:
        box.hosted[path] = kind
        return []
    wire_name = box.map.declare(original)
    # Its place in the list stays where the first declaration stood: prompt caches depend on the order.
    box.sent[original] = {"type": "function", "function": {"name": wire_name, **write(tool, path, quirks)}}
    return [wire_name]


def _function(tool: Json, path: str, quirks: Quirks) -> Json:
    made: Json = {}
    description = read_text(tool, "description", f"{path}.description")
    if description is not None:
        made["description"] = description
    made["parameters"] = _schema(read_object(tool, "parameters", f"{path}.parameters"))
    if quirks.strict_tools:
        made["strict"] = tool.get("strict") is True
    return made


def _schema(parameters: Json | None) -> Json:
    """Parameters in the form that strict servers ask for: an object that says so."""
    if not parameters:
        return {"type": "object", "properties": {}}
    if "properties" in parameters and parameters.get("type") is None:
        return {**parameters, "type": "object"}
    return parameters


def _custom(tool: Json, path: str, quirks: Quirks) -> Json:
    texts = [read_text(tool, "description", f"{path}.description")]
    form = read_object(tool, "format", f"{path}.format") or {}
    if form.get("type") == "grammar":
        definition = need_text(form, "definition", f"{path}.format.definition")
        syntax = read_text(form, "syntax", f"{path}.format.syntax") or "formal"
        texts.append(f"`input` must follow this {syntax} grammar:\n{definition}")
    made: Json = {"description": "\n\n".join(filter(None, texts))} if any(texts) else {}
    made["parameters"] = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    return made


def _search(tool: Json, path: str, quirks: Quirks) -> Json:
    told = {name: value for name, value in tool.items() if value is not None}
    return _function({**_SEARCH, **told}, path, quirks)


def _report_hosted(box: Toolbox, quirks: Quirks, verdicts: Verdicts) -> None:
    for path, kind in box.hosted.items():
        if quirks.hosted == "reject" or not box.sent:
            error = UnsupportedValue(f"This upstream has no {kind!r} tool.", param=f"{path}.type")
            verdicts.refuse(error)
        verdicts.leave_out(f"tools.{kind}", "this upstream runs no tools itself")


def choose(body: Json, box: Toolbox, quirks: Quirks, verdicts: Verdicts) -> Json:
    """The fields `tools` and `tool_choice` of the chat body; none of them where no tool is left.

    Raises InvalidRequest and its kinds.
    """
    choice = body.get("tool_choice")
    if isinstance(choice, str) or choice is None:
        if choice not in (None, *_MODES):
            raise malformed("tool_choice", "one of " + ", ".join(_MODES) + " or an object that names a tool", choice)
        if choice == "required" and not box.sent:
            raise InvalidRequest("tool_choice is 'required', but there are no tools.", param="tool_choice")
        return _fields(list(box.sent.values()), choice)
    holder = need_object(choice, "tool_choice")
    if holder.get("type") == "allowed_tools":
        return _allowed(holder, box)
    kind = need_text(holder, "type", "tool_choice.type")
    if not box.calls(kind):
        verdicts.refuse(UnsupportedValue(f"This upstream has no {kind!r} tool.", param="tool_choice"))
        return _fields(list(box.sent.values()), None)
    tool = _named(holder, box, "tool_choice")
    if not quirks.named_choice:
        return _fields([tool], "required")
    return _fields(list(box.sent.values()), {"type": "function", "function": {"name": tool["function"]["name"]}})


def _fields(tools: list[Json], choice: Any) -> Json:
    if not tools:
        return {}
    return {"tools": tools} if choice is None else {"tools": tools, "tool_choice": choice}


def _allowed(choice: Json, box: Toolbox) -> Json:
    """Only the allowed tools are sent: that binds a server that has no word for it."""
    mode = read_text(choice, "mode", "tool_choice.mode") or "auto"
    if mode not in ("auto", "required"):
        raise malformed("tool_choice.mode", "auto or required", mode)
    references = _entries(read_list(choice, "tools", "tool_choice.tools"), "tool_choice.tools")
    named = (
        _named(reference, box, where)
        for where, reference in references
        if box.calls(need_text(reference, "type", f"{where}.type"))
    )
    allowed = {tool["function"]["name"] for tool in named}
    if not allowed:
        raise InvalidRequest("tool_choice allows no tool that this upstream has.", param="tool_choice")
    return _fields([tool for tool in box.sent.values() if tool["function"]["name"] in allowed], mode)


def _named(reference: Json, box: Toolbox, path: str) -> Json:
    """The tool that a reference names. Raises InvalidRequest."""
    if reference["type"] == "tool_search":
        return box.sent[SEARCH]
    kind, name = _KINDS[reference["type"]], need_text(reference, "name", f"{path}.name")
    tool = box.find(kind, name, read_text(reference, "namespace", f"{path}.namespace"))
    if tool is None:
        message = f"{path} names {name!r}, which is not a {kind} tool of this request."
        raise InvalidRequest(message, param="tool_choice")
    return box.sent[tool]
