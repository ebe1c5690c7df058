"""What a request wants of the store. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core.history import is_reference
from gateway.dialects import Dialect

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """`keep`: the answer is to be kept, if the turn is ours at all. `previous`, `conversation`: ids as the client says
    them; "" for none.

    `ours`: the gateway keeps state for this upstream, so an id that is not known here is known nowhere. `turn`: a model
    is to answer; else the input is only counted, or made short.
    """

    ours: bool
    turn: bool = True
    keep: bool = False
    background: bool = False
    previous: str = ""
    conversation: str = ""

    @property
    def continues(self) -> bool:
        return bool(self.previous or self.conversation)


def wish_of(dialect: Dialect, document: Json, keeper: str) -> Wish | None:
    """None for a request that the store has no part in. `keeper`: see `upstream.state`."""
    if keeper == "off":
        return None
    ours = keeper == "gateway"
    store = document.get("store")
    keep = store is not False if dialect.keeps == "unless_told" else store is True and dialect.keeps == "when_told"
    if not dialect.continues:
        return Wish(ours, keep=True) if ours and keep else None
    wish = Wish(
        ours,
        turn=dialect.keeps != "never",
        keep=keep,
        background=document.get("background") is True and dialect.keeps != "never",
        previous=_text(document.get("previous_response_id")),
        conversation=_conversation(document.get("conversation")),
    )
    wanted = (ours and keep) or wish.background or wish.continues or (ours and _refers(document.get("input")))
    return wish if wanted else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _conversation(value: object) -> str:
    return _text(value.get("id") if isinstance(value, dict) else value)


def _refers(given: object) -> bool:
    return isinstance(given, list) and any(isinstance(item, dict) and is_reference(item) for item in given)
