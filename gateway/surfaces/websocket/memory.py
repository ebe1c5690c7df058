"""The responses of one connection that the gateway has not stored: linear in what was said, bounded in number and
bytes. Pure.

A response is its parent and what its own turn added, so a long conversation is kept once, not once per turn. The bytes
of a parent are given back when neither its id nor a child needs them any more: a chain that outgrows the bound is
forgotten as a whole, and its client is told to send the whole input again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core import json

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Link:
    """One turn of a chain. `items`: what it added, JSON objects with commas between. `base`: a stored response that
    the chain begins at, or "". `users`: its own id, while it is known, and its children."""

    parent: Link | None
    items: bytes
    base: str = ""
    users: int = 0


class Memory:
    """Response ids → chains; the oldest response is forgotten first."""

    def __init__(self, *, responses: int, size: int) -> None:
        """Keep at most so many responses, whose items take at most `size` bytes as JSON."""
        self._most = responses
        self._size = size
        self._links: OrderedDict[str, Link] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._links)

    def chain(self, response_id: str) -> Link | None:
        """The chain that ends with this response; None when it is not known, or no longer."""
        return self._links.get(response_id)

    def keep(self, response_id: str, parent: Link | None, items: Sequence[Any], *, base: str = "") -> None:
        """Remember a response: `items` are the new ones of its input and its output."""
        link = Link(parent, json.dumps(list(items))[1:-1], base, users=1)
        if parent is not None:
            parent.users += 1  # first: it may go by the same id
        self.forget(response_id)
        self._links[response_id] = link
        self.bytes += len(link.items)
        while self._links and (len(self._links) > self._most or self.bytes > self._size):
            self.forget(next(iter(self._links)))

    def forget(self, response_id: str) -> None:
        """Forget a response, if it is known. Its children stay whole."""
        link = self._links.pop(response_id, None)
        while link is not None:
            link.users -= 1
            if link.users:
                return
            self.bytes -= len(link.items)
            link = link.parent


def history(chain: Link) -> tuple[list[Any], str]:
    """The items of a chain, oldest first, and the stored response that they follow, or ""."""
    pieces: list[bytes] = []
    link: Link | None = chain
    base = ""
    while link is not None:
        pieces.append(link.items)
        base = link.base
        link = link.parent
    items: list[Any] = json.loads(b"[%b]" % b",".join(piece for piece in reversed(pieces) if piece))
    return items, base
