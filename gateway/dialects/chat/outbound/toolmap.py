"""What tools and calls are named on the wire, and the way back to the client's own names.

A chat server knows one flat list of functions. Custom tools, tools in namespaces and the client's search for tools
become functions there; their wire names are made from namespace and name alone, so a prompt stays the same from turn
to turn and its cache holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gateway.core.ids import digest
from gateway.dialects.chat.names import Names

Kind = Literal["function", "custom", "search"]
CallIds = Literal["any", "safe", "nine"]

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NINE = re.compile(r"[A-Za-z0-9]{9}")


@dataclass(frozen=True, slots=True)
class Original:
    """A tool as the client calls it."""

    kind: Kind
    name: str
    namespace: str | None = None


SEARCH = Original("search", "tool_search")
"""The search for tools that are not loaded yet, where the client runs it. Instructions speak of it by this name."""


class ToolMap:
    """The tools and the call ids of one request."""

    __slots__ = ("_by_name", "_by_wire", "_call_ids", "_ids", "_wires")

    def __init__(self, call_ids: CallIds = "any") -> None:
        """`call_ids`: what ids the server takes."""
        self._call_ids = call_ids
        self._by_name: dict[str, list[Original]] = {}
        self._wires: dict[Original, str] = {}
        self._by_wire: dict[str, Original] = {}
        self._ids: dict[str, str] = {}

    @property
    def empty(self) -> bool:
        """No tools were sent."""
        return not self._by_name

    def original(self, wire_name: str) -> Original:
        """What the client calls the tool that the server called; a name that nobody sent is a function of that name."""
        return self._by_wire.get(wire_name) or Original("function", wire_name)

    def client_call_id(self, wire_id: str) -> str:
        """The client's id of a call that was sent under another one; the id itself for every other."""
        return self._ids.get(wire_id, wire_id)

    def declare(self, tool: Original) -> str:
        """The wire name of a tool that is sent."""
        self._by_name.setdefault(tool.name, []).append(tool)
        return self._wire(tool)

    def called(self, kind: Kind, name: str, namespace: str | None) -> str:
        """The wire name of a tool that an earlier turn called, however much of its name the client kept.

        Call it once all tools are declared. Some clients replay a call without its namespace.
        """
        exact = Original(kind, name, namespace)
        alike = self._by_name.get(name, [])
        if exact not in alike:
            exact = next((tool for tool in alike if namespace in (None, tool.namespace)), exact)
        return self._wire(exact)

    def wire_call_id(self, call_id: str) -> str:
        """The id that the server takes: the client's own where it can be."""
        if self._call_ids == "any" or (_SAFE if self._call_ids == "safe" else _NINE).fullmatch(call_id):
            return call_id
        wire_id = digest(call_id)[:9] if self._call_ids == "nine" else f"call_{digest(call_id)[:32]}"
        self._ids[wire_id] = call_id
        return wire_id

    def _wire(self, tool: Original) -> str:
        known = self._wires.get(tool)
        if known is None:
            known = Names().wire(_joined(tool))
            if known in self._by_wire:
                # Two tools whose names meet on the wire: the second one gets a name that no other can have.
                known = f"{known[:51]}_{digest(repr(tool))[:12]}"
            self._wires[tool] = known
            self._by_wire[known] = tool
        return known


def _joined(tool: Original) -> str:
    """The names of namespace and tool in one: namespaces of MCP servers often end in the separator already."""
    if tool.namespace is None:
        return tool.name
    return f"{tool.namespace.removesuffix('__')}__{tool.name}"
