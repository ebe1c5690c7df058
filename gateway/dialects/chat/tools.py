"""Tools and tool choice: chat → inner (translation §1.4).

Chat nests (`{type, function: {name, …}}`), the inner form is flat. `strict` is always explicit: left out it means
"no" in chat and "make the schema strict" inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.core.fields import malformed, need_object, need_text, read_bool, read_list, read_object, read_text
from gateway.dialects.chat.names import Names
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

# Tools that the client would have to run through output items which chat has no words for.
_INEXPRESSIBLE = frozenset({"local_shell", "shell", "apply_patch", "computer", "computer_use", "computer_use_preview"})
_NAMED = ("function", "custom")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool stands in the client's body: `entry` is `tools[0]`, `nest` is `function` where fields nest."""

    entry: str
    nest: str = ""

    def field(self, name: str) -> str:
        """The client's path of one of the tool's inner fields."""
        return f"{self.entry}.{self.nest}.{name}" if self.nest else f"{self.entry}.{name}"


@dataclass(slots=True)
class Toolbox:
    """The tools of one request. `tools` is None when the client sent none; kinds and namespaces go by wire name."""

    names: Names
    tools: list[Json] | None = None
    places: list[Place] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    legacy: bool = False

    @property
    def has_custom(self) -> bool:
        return "custom" in self.kinds.values()

    def add(self, tool: Json, place: Place) -> None:
        """Raises InvalidRequest when the name is taken: a second tool of one name could never be told apart."""
        if tool["type"] in _NAMED:
            name = tool["name"]
            if name in self.kinds:
                shown = self.names.client(name)
                raise InvalidRequest(f"{place.entry}: the tool name {shown!r} is used twice.", param=place.entry)
            self.kinds[name] = tool["type"]
        if self.tools is None:
            self.tools = []
        self.tools.append(tool)
        self.places.append(place)


def read_tools(document: Json, names: Names) -> Toolbox:
    """All tools of a body: `tools`, legacy `functions`, `web_search_options`.

    Raises InvalidRequest, UnsupportedValue.
    """
    box = Toolbox(names)
    tools = read_list(document, "tools", "tools")
    if tools is not None:
        box.tools = []
        for index, tool in enumerate(tools):
            _read_tool(box, need_object(tool, f"tools[{index}]"), f"tools[{index}]")
    functions = read_list(document, "functions", "functions") or []
    for index, function in enumerate(functions):
        place = Place(f"functions[{index}]")
        box.add(_function(need_object(function, place.entry), place, names), place)
    box.legacy = bool(functions) and tools is None
    _read_web_search(box, document)
    return box


def _read_tool(box: Toolbox, tool: Json, path: str) -> None:
    kind = need_text(tool, "type", f"{path}.type")
    if kind in _INEXPRESSIBLE:
        message = f"{path}.type: chat completions have no form for the calls of a {kind!r} tool; use the responses API."
        raise UnsupportedValue(message, param=f"{path}.type")
    if kind == "function":
        nested = read_object(tool, "function", f"{path}.function")
        place = Place(path, "" if nested is None else "function")
        made = _function(tool if nested is None else nested, place, box.names)
        # A flat tool is in Responses form already: what else it says stays.
        box.add(made if nested is not None else {**tool, **made}, place)
    elif kind == "custom":
        nested = read_object(tool, "custom", f"{path}.custom")
        place = Place(path, "" if nested is None else "custom")
        made = _custom(tool if nested is None else nested, place, box.names)
        box.add(made if nested is not None else {**tool, **made}, place)
    else:
        box.add(_namespace(box, tool, path) if kind == "namespace" else tool, Place(path))


def _function(function: Json, place: Place, names: Names) -> Json:
    made: Json = {"type": "function", "name": names.wire(need_text(function, "name", place.field("name")))}
    description = read_text(function, "description", place.field("description"))
    if description is not None:
        made["description"] = description
    parameters = read_object(function, "parameters", place.field("parameters"))
    made["parameters"] = {"type": "object", "properties": {}} if parameters is None else parameters
    made["strict"] = bool(read_bool(function, "strict", place.field("strict")))
    return made


def _custom(custom: Json, place: Place, names: Names) -> Json:
    made: Json = {"type": "custom", "name": names.wire(need_text(custom, "name", place.field("name")))}
    description = read_text(custom, "description", place.field("description"))
    if description is not None:
        made["description"] = description
    form = read_object(custom, "format", place.field("format"))
    if form is not None:
        grammar = read_object(form, "grammar", place.field("format.grammar"))
        made["format"] = form if grammar is None else {"type": "grammar", **grammar}
    return made


def _namespace(box: Toolbox, tool: Json, path: str) -> Json:
    """A namespace goes as it is; its members are noted, because the history's calls must name it again."""
    for index, member in enumerate(read_list(tool, "tools", f"{path}.tools") or []):
        name = need_object(member, f"{path}.tools[{index}]").get("name")
        if isinstance(name, str):
            box.namespaces[name] = str(tool.get("name"))
    return tool


def _read_web_search(box: Toolbox, document: Json) -> None:
    options = read_object(document, "web_search_options", "web_search_options")
    if options is None or any(tool["type"].startswith("web_search") for tool in box.tools or []):
        return
    tool: Json = {"type": "web_search"}
    size = read_text(options, "search_context_size", "web_search_options.search_context_size")
    if size is not None:
        tool["search_context_size"] = size
    location = read_object(options, "user_location", "web_search_options.user_location")
    if location is not None:
        place = read_object(location, "approximate", "web_search_options.user_location.approximate")
        tool["user_location"] = location if place is None else {"type": "approximate", **place}
    box.add(tool, Place("web_search_options"))


def read_choice(document: Json, box: Toolbox) -> Any:
    """The inner `tool_choice`, or None when there is nothing to choose. Raises InvalidRequest."""
    choice = document.get("tool_choice")
    if choice is not None:
        return _choice(choice, box)
    choice = document.get("function_call")
    if isinstance(choice, dict):
        return _reference({"type": "function", "function": choice}, box, "function_call")
    return None if choice is None else _mode(choice, box, "function_call", ("none", "auto"))


def _choice(choice: Any, box: Toolbox) -> Any:
    if not isinstance(choice, dict):
        return _mode(choice, box, "tool_choice", ("none", "auto", "required"))
    if not box.tools:
        raise InvalidRequest("tool_choice names a tool, but tools is empty.", param="tool_choice")
    if choice.get("type") != "allowed_tools":
        return _reference(choice, box, "tool_choice")
    nested = read_object(choice, "allowed_tools", "tool_choice.allowed_tools")
    path = "tool_choice" if nested is None else "tool_choice.allowed_tools"
    allowed = choice if nested is None else nested
    mode = read_text(allowed, "mode", f"{path}.mode") or "auto"
    tools = read_list(allowed, "tools", f"{path}.tools") or []
    references = [_reference(tool, box, f"{path}.tools[{index}]") for index, tool in enumerate(tools)]
    return {"type": "allowed_tools", "mode": mode, "tools": references}


def _mode(choice: Any, box: Toolbox, param: str, modes: tuple[str, ...]) -> str | None:
    if choice not in modes:
        raise malformed(param, "one of " + ", ".join(modes) + " or an object that names a tool", choice)
    if box.tools:
        return str(choice)
    if choice == "required":
        raise InvalidRequest(f"{param} is 'required', but there are no tools.", param=param)
    return None


def _reference(reference: Any, box: Toolbox, path: str) -> Json:
    """`{type, function: {name}}` or `{type, name}` → `{type, name}`; a hosted tool's reference as it is."""
    kind = need_text(need_object(reference, path), "type", f"{path}.type")
    if kind not in _NAMED:
        return dict(reference)
    nested = read_object(reference, kind, f"{path}.{kind}")
    holder, nest = (reference, path) if nested is None else (nested, f"{path}.{kind}")
    if path == "function_call":
        nest = path
    name = need_text(holder, "name", f"{nest}.name")
    wire = box.names.wire(name)
    if box.kinds.get(wire) != kind and wire not in box.namespaces:
        raise InvalidRequest(
            f"{path} names {name!r}, which is not a {kind} tool of this request.", param=path.partition(".")[0]
        )
    return {"type": kind, "name": wire}
