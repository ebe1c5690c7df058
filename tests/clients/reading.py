"""What an upstream was asked, read alike from a Responses and from a chat body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from tests.live.stack import Mode

Json: TypeAlias = dict[str, Any]


class Called(NamedTuple):
    """A call of a tool, as a conversation carries it back."""

    call_id: str
    name: str
    given: str


class Output(NamedTuple):
    """What a tool brought: `content` is a text or a list of parts."""

    call_id: str
    content: Any


@dataclass(frozen=True)
class Asked:
    """A body that an upstream got."""

    body: Json

    @property
    def chat(self) -> bool:
        return "messages" in self.body

    @property
    def history(self) -> list[Json]:
        """Its messages or items, in order."""
        found: list[Json] = self.body["messages" if self.chat else "input"]
        return found

    @property
    def calls(self) -> list[Called]:
        """The calls in its history. Namespaces are told as `namespace.name`."""
        if self.chat:
            made = [call for message in self.history for call in message.get("tool_calls") or ()]
            return [Called(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in made]
        items = [item for item in self.history if item.get("type") in ("function_call", "custom_tool_call")]
        return [
            Called(
                item["call_id"],
                ".".join(filter(None, [item.get("namespace"), item["name"]])),
                item["arguments"] if item["type"] == "function_call" else item["input"],
            )
            for item in items
        ]

    @property
    def outputs(self) -> list[Output]:
        """The outputs in its history."""
        if self.chat:
            made = [message for message in self.history if message["role"] == "tool"]
            return [Output(message["tool_call_id"], message["content"]) for message in made]
        items = [item for item in self.history if str(item.get("type")).endswith("call_output")]
        return [Output(item["call_id"], item["output"]) for item in items]

    @property
    def sealed(self) -> list[str]:
        """The encrypted reasoning in its history."""
        return [item["encrypted_content"] for item in self.history if item.get("type") == "reasoning"]

    @property
    def said(self) -> list[str]:
        """The texts of the assistant."""
        contents = [message["content"] for message in self.history if message.get("role") == "assistant"]
        return [content if isinstance(content, str) else content[0]["text"] for content in contents if content]

    @property
    def schema(self) -> Json:
        """The schema it asks for, with its name and whether it is strict."""
        if self.chat:
            found: Json = self.body["response_format"]["json_schema"]
            return found
        return {key: self.body["text"]["format"][key] for key in ("name", "strict", "schema")}

    @property
    def effort(self) -> str | None:
        return self.body.get("reasoning_effort") or (self.body.get("reasoning") or {}).get("effort")

    @property
    def verbosity(self) -> str | None:
        return self.body.get("verbosity") or (self.body.get("text") or {}).get("verbosity")

    @property
    def text(self) -> str:
        """Everything, for looking whether something is there at all."""
        return json.dumps(self.body, ensure_ascii=False)


def tool_call(mode: Mode, name: str, given: Json | str, namespace: str | None = None) -> Json:
    """The step in which an upstream of this kind calls a tool of a Responses client; a text is for a custom tool.

    A chat server has been shown custom tools as functions of `input`, and namespaces in the names.
    """
    if not mode.inner:
        arguments = {"input": given} if isinstance(given, str) else given
        return {"call": f"{namespace}__{name}" if namespace else name, "arguments": arguments}
    inside = {"namespace": namespace} if namespace else {}
    if isinstance(given, str):
        return {"custom": name, "input": given, **inside}
    return {"call": name, "arguments": given, **inside}
