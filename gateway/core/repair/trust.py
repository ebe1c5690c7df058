"""The order of events that needs no second look, as a table: state → event type → next state.

A stream from a server whose deltas are believed walks along this table by event types alone, nothing parsed. What is
not in the table is looked at properly; that alone changes nothing for the client.
"""

from __future__ import annotations

from typing import NewType

from gateway.core.events import EVENTS, Kind

State = NewType("State", dict[str, "State"])  # type: ignore[misc]  # a recursive type: a state maps to states

CHECKED: State = State({})
"""Every frame is looked at."""
IDLE: State = State({})
"""No item is open."""
ITEM: State = State({})
"""One item is open and has said nothing."""
FULL: State = State({})
"""One item is open, and everything begun in it is complete."""
_PART: State = State({})
_TEXT: State = State({})
_TOLD: State = State({})
_FIELD: State = State({})

_STEPS: dict[Kind, tuple[tuple[State, State], ...]] = {
    Kind.PART_ADDED: ((ITEM, _PART), (FULL, _PART)),
    Kind.TEXT_DELTA: ((_PART, _TEXT), (_TEXT, _TEXT)),
    Kind.ANNOTATION: ((_TEXT, _TEXT), (_TOLD, _TOLD)),
    Kind.TEXT_DONE: ((_TEXT, _TOLD),),
    Kind.PART_DONE: ((_TOLD, FULL),),
    Kind.FIELD_DELTA: ((ITEM, _FIELD), (_FIELD, _FIELD)),
    Kind.FIELD_DONE: ((_FIELD, FULL),),
    Kind.PROGRESS: tuple((state, state) for state in (ITEM, FULL, _FIELD)),
}

for _type, _event in EVENTS.items():
    for _before, _after in _STEPS.get(_event.kind, ()):
        _before[_type] = _after
