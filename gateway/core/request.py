"""What a client asked for, in the inner language: the body of a Responses `create`, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Request:
    """One turn in the inner language.

    `body` has the shape of the Responses API's create request (`input` is always a list). Nobody edits a body in place:
    each step that changes something makes a new one.
    `dropped` names, in the client's words, the parameters that were accepted but are not sent on (`x-gateway-dropped`).
    """

    body: Json
    stream: bool
    dropped: list[str] = field(default_factory=list)
    compact: bool = False
    """Not a turn: the history in `input` is to be made short."""
    counts: bool = False
    """Not a turn: its tokens are to be counted."""

    @property
    def model(self) -> str:
        """The model's name; "" in a body that its server is left to judge."""
        model = self.body.get("model")
        return model if isinstance(model, str) else ""
