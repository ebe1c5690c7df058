"""What the store takes and gives: plain values, without SQL.

Times are integer milliseconds since 1970, money integer nano-dollars. `key` is our own id of a row (a ULID), `wire_id`
the one that clients know, without a prefix; what takes an `id` takes either, with or without any prefix of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from gateway.core import json
from gateway.core.ids import item_prefix
from gateway.errors import GatewayError
from gateway.store.ids import body_of

Json = dict[str, Any]
Order = Literal["asc", "desc"]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
Row = TypeVar("Row")

REPLAY = "replay"
"""The surface of a row that only answers an Idempotency-Key again: no client can name it."""

ENDED: frozenset[str] = frozenset({"completed", "incomplete", "failed", "cancelled"})
CONTINUABLE: frozenset[str] = frozenset({"completed", "incomplete"})


class LeaseLost(GatewayError):
    """Another process has ended this response, or it is gone: this process must stop writing to it."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """A Responses item to keep. `step`: 0 for input, 1 and up for the output of each upstream call.

    `meta`: what surfaces keep beside it (timings, tool state, fields of other vendors).
    """

    body: Json
    step: int = 1
    meta: Json | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A kept item. `text`: its JSON as it was given, parsed by `body()`."""

    key: str
    wire_id: str
    type: str
    role: str
    step: int
    text: str
    meta: Json | None
    created: int

    def body(self) -> Json:
        """The item as it was given: for upstreams, which check encrypted reasoning against the item's own id."""
        parsed: Json = json.loads(self.text.encode())
        return parsed

    def shown(self) -> Json:
        """The item for lists: under an id that no other item of the owner has."""
        body = self.body()
        if body_of("item", body.get("id")) == self.wire_id:
            return body
        return {**body, "id": f"{item_prefix(self.type)}_{self.wire_id}"}


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A part of a list; `more`: the list goes on behind it."""

    rows: Sequence[Row]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """A response to keep, that is a turn of any surface.

    `id`: as the client saw it. `result`: the response object; its `output` is kept as items, not here. `request`: in
    the client's form, without credentials. `previous` and `conversation`: ids, or None.
    """

    owner: str
    id: str
    status: Status
    result: Json
    surface: str = "responses"
    model: str = ""
    request: Json = field(default_factory=dict)
    previous: str | None = None
    conversation: str | None = None
    agent: str | None = None
    error: Json | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    background: bool = False
    logged: bool = False
    """Its frames are kept in the log, so that its stream can be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """A kept response. `result`: the whole response object, `output` in order, with the status and metadata of now."""

    key: str
    wire_id: str
    owner: str
    surface: str
    model: str
    status: Status
    previous: str | None
    conversation: str | None
    agent: str | None
    request: Json
    result: Json
    error: Json | None
    metadata: Json
    background: bool
    logged: bool
    cancel_asked: bool
    created: int
    completed: int | None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class History:
    """What a response stands on and made: the items of its whole chain, oldest first."""

    key: str
    status: Status
    items: Sequence[Item]

    @property
    def continuable(self) -> bool:
        """Failed and cancelled responses cannot be continued; those that still run cannot be either."""
        return self.status in CONTINUABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation, thread or session. `state`: what surfaces keep with it (todos and the like)."""

    key: str
    wire_id: str
    owner: str
    agent: str | None
    title: str
    title_state: str
    metadata: Json
    state: Json
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a logged stream: its sequence number and its bytes."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Signal:
    """A row of `events`: something that other processes should know."""

    seq: int
    owner: str
    type: str
    subject: str
    body: Json
    created: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A response whose process died. `last`: the sequence number of its last frame, -1 for none."""

    response: StoredResponse
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a response ends: the response object, its output as items, and the frames that nobody has seen yet."""

    status: Status
    result: Json
    error: Json | None = None
    drafts: Sequence[NewItem] = ()
    frames: Sequence[Frame] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What an Idempotency-Key stands for.

    new: run the request, as `response`. same: it ran or runs, as `response`. conflict: it came with another body.
    """

    state: Literal["new", "same", "conflict"]
    response: str


class LedgerRow(NamedTuple):
    """One upstream call and attempt. Counts are None when nobody told them; `cost` is in nano-dollars."""

    turn_id: str
    owner: str
    surface: str
    upstream: str
    model: str
    attempt: int = 1
    key_id: str | None = None
    account: str | None = None
    status: str = "completed"
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    usage_source: Literal["upstream", "estimate", "none"] = "none"
    request_id: str | None = None
    step: int = 1
    agent_id: str | None = None
    conversation_id: str | None = None
    cost: int | None = None
    price: str | None = None
    proxy_source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStats:
    """One table in numbers."""

    table: str
    rows: int
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the store holds. `size`: bytes on disk, with what SQLite has not yet put in its place."""

    place: str
    schema: str
    size: int
    tables: Sequence[TableStats]
