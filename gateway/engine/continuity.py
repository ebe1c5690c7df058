"""The reasoning that led to tool calls, kept for chat clients until they send the calls back (translation §1.9).

A process has its own, and loses it when it ends: a call whose reasoning is gone is sent as the client sent it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from gateway.core import continuity, json
from gateway.core.continuity import Lead

SECONDS = 3600.0
"""A tool loop that stood still for longer has a person in it, and goes on without what the model thought before."""

_Key = tuple[str, str, str | None, str]


class Continuity:
    """Reasoning by owner, origin, model and call id. What was not used for longest is forgotten first.

    Only who made encrypted reasoning can read it: `origin` names the upstream and the account behind it.
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float]) -> None:
        """`size`: bytes of JSON; 0 keeps nothing. `seconds` since the last use. `clock` counts seconds, never back."""
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, bytes]] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """Bytes that are kept now."""
        return self._weight

    def keep(self, owner: str, origin: str, model: str | None, output: Sequence[Any]) -> None:
        """Remember the reasoning before the calls of a finished answer, `output` as its client sees it."""
        if not self._size:
            return
        for call_id, lead in continuity.leads(output).items():
            key = (owner, origin, model, call_id)
            self._forget(key)
            self._put(key, json.dumps(asdict(lead)))
        self._trim()

    def restored(self, owner: str, origin: str, model: str | None, items: list[Any]) -> list[Any]:
        """The items with the reasoning that is kept put before its calls; the same object when none is."""
        if not self._kept:
            return items
        found = {}
        for call_id in continuity.calls(items):
            lead = self._recall((owner, origin, model, call_id))
            if lead is not None:
                found[call_id] = lead
        made = continuity.restored(items, found.get) if found else items
        return made if len(made) > len(items) else items

    def _recall(self, key: _Key) -> Lead | None:
        self._trim()
        if key not in self._kept:
            return None
        text = self._forget(key)
        self._put(key, text)
        return Lead(**json.loads(text))

    def _put(self, key: _Key, text: bytes) -> None:
        if _weight(key, text) <= self._size:
            self._kept[key] = (self._clock() + self._seconds, text)
            self._weight += _weight(key, text)

    def _forget(self, key: _Key) -> bytes:
        """What was kept under this key, b"" for nothing."""
        _, text = self._kept.pop(key, (0.0, b""))
        if text:
            self._weight -= _weight(key, text)
        return text

    def _trim(self) -> None:
        """Forget what is too old, then what is too much. The order of use is that of age."""
        now = self._clock()
        while self._kept:
            key, (until, _) = next(iter(self._kept.items()))
            if until > now and self._weight <= self._size:
                return
            self._forget(key)


def _weight(key: _Key, text: bytes) -> int:
    return len(text) + sum(len(part or "") for part in key)
