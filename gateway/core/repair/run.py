"""A text that is being told: of the one event that a stream has thousands of, only the first is looked at in full.

What the handlers do with a delta follows from its type, its address, and the events before it. So as long as no other
event comes between, a delta under the address of the last one goes the way of the last one.
"""

from __future__ import annotations

from typing import Any

from gateway.core.events import Channel
from gateway.core.frames import Frame
from gateway.core.items import changed

Json = dict[str, Any]


class Run:
    """What the deltas of one text have in common: the address that the upstream gives, and the one that clients see.

    It begins with a delta that the handlers sent on, and any other event ends it.
    """

    __slots__ = ("_index", "_item_id", "_place", "_position", "kind", "names")

    def __init__(self, frame: Frame, channel: Channel, where: Json) -> None:
        """`frame`: the delta as it came. `where`: the address under which it was sent on."""
        data = frame.data
        self.kind = frame.type
        self.names: Json = {} if changed(data, where) is data else where
        """What has to be changed in each delta, besides its number."""
        self._position = channel.position
        self._item_id = data.get("item_id")
        self._index = data.get("output_index")
        self._place = data.get(channel.position)

    def goes_on_in(self, data: Json) -> bool:
        """Whether this is the next delta, `kind` and all.

        Numbers must be the same object, as what only equals one (`0.0`, `false`) never is. Python keeps one object for
        every small number; a delta with a large one merely goes the long way.
        """
        return (
            data.get("output_index") is self._index
            and data.get(self._position) is self._place
            and data.get("item_id") == self._item_id
            and isinstance(data.get("delta"), str)
        )
