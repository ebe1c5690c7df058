"""The tables, the same for SQLite and PostgreSQL.

JSON is text (whole documents are read, never searched), times are integer milliseconds since 1970, money is integer
nano-dollars, keys are ULIDs. What is true of the columns on disk is in `migrations`; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from gateway.store.ids import storable

VERSION = "0001"
"""The newest migration. Versions ascend as text."""

metadata = MetaData()


class Word(TypeDecorator[str]):
    """Text that came from outside, as both databases can keep it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows by itself only in a column that is called INTEGER."""


def _where(name: str, *columns: str, condition: str, postgresql: str = "") -> Index:
    """An index of few rows of a large table. SQLite uses it for queries that say the condition in the same words.

    `postgresql`: the condition in its words, if they are others.
    """
    return Index(name, *columns, sqlite_where=text(condition), info={_CONDITION: text(postgresql or condition)})


_CONDITION = "condition on PostgreSQL"


@event.listens_for(metadata, "before_create")
def _with_conditions(target: MetaData, connection: Connection, **_: object) -> None:
    """Say the conditions to PostgreSQL too. Only now, because the words for it bring its dialect, 3 MiB of memory."""
    if connection.dialect.name == "postgresql":
        for index in (index for table in target.tables.values() for index in table.indexes if _CONDITION in index.info):
            index.dialect_options["postgresql"]["where"] = index.info[_CONDITION]


def _key() -> Column[str]:
    return Column("id", Word, primary_key=True)


def _word(name: str, **options: Any) -> Column[str]:
    return Column(name, Word, nullable=False, **options)


def _json(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="{}")


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


conversations = Table(
    "conversations",
    metadata,
    _key(),
    _word("wire_id"),
    _word("owner"),
    Column("agent_id", Word),
    Column("title", Word, nullable=False, server_default=""),
    Column("title_state", Word, nullable=False, server_default="default"),
    _json("metadata"),
    _json("state"),
    Column("share_id", Word, unique=True),
    Column("compacted_through", BigInteger),
    _count("next_position"),
    Column("lock_token", Text),
    Column("lock_holder", Text),
    Column("lock_until", BigInteger),
    _time("created"),
    _time("updated"),
    Column("deleted", BigInteger),
    UniqueConstraint("owner", "wire_id", name="conversations_wire"),
    Index("conversations_updated", "updated"),
    _where("conversations_locked", "lock_holder", condition="lock_holder IS NOT NULL"),
    _where("conversations_deleted", "deleted", condition="deleted IS NOT NULL"),
)

responses = Table(
    "responses",
    metadata,
    _key(),
    _word("wire_id"),
    _word("owner"),
    _word("surface"),
    _word("model"),
    Column("status", Text, nullable=False),
    Column("conversation_id", Text, ForeignKey("conversations.id")),
    Column("previous_response_id", Text, ForeignKey("responses.id")),
    Column("agent_id", Word),
    _json("request"),
    _json("result"),
    Column("error", Text),
    _json("metadata"),
    # The metadata again, a line for each pair, so that one comparison finds a pair in both databases.
    Column("labels", Text, nullable=False, server_default=""),
    _flag("background"),
    _flag("logged"),
    Column("holder", Text),
    Column("lease", BigInteger),
    Column("cancel", BigInteger),
    _time("created"),
    Column("completed", BigInteger),
    Column("expires", BigInteger),
    Column("deleted", BigInteger),
    UniqueConstraint("owner", "wire_id", name="responses_wire"),
    Index("responses_surface", "owner", "surface", "id"),
    Index("responses_previous", "previous_response_id"),
    Index("responses_conversation", "conversation_id"),
    _where("responses_running", "lease", condition="completed IS NULL"),
    _where("responses_logged", "completed", condition="logged = 1", postgresql="logged"),
    _where("responses_expires", "expires", condition="expires IS NOT NULL"),
    _where("responses_deleted", "deleted", condition="deleted IS NOT NULL"),
)

items = Table(
    "items",
    metadata,
    _key(),
    _word("wire_id"),
    _word("owner"),
    Column("conversation_id", Text, ForeignKey("conversations.id")),
    Column("position", BigInteger),
    Column("response_id", Text, ForeignKey("responses.id")),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("seq", Integer, nullable=False, server_default="0"),
    _word("type"),
    _word("role"),
    Column("call_id", Word),
    Column("body", Text, nullable=False),
    Column("meta", Text),
    _time("created"),
    UniqueConstraint("owner", "wire_id", name="items_wire"),
    UniqueConstraint("conversation_id", "position", name="items_position"),
    Index("items_response", "response_id", "step", "seq"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    _word("turn_id"),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    _word("owner"),
    Column("key_id", Word),
    Column("agent_id", Word),
    Column("conversation_id", Word),
    _word("surface"),
    _word("upstream"),
    Column("account", Word),
    _word("model"),
    _word("status"),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("usage_source", Text, nullable=False),
    Column("cost", BigInteger),
    Column("price", Word),
    Column("proxy_source", Word),
    Column("request_id", Word),
    Column("day", Text, nullable=False),
    _time("created"),
    Index("ledger_day", "owner", "day"),
    Index("ledger_turn", "turn_id"),
    Index("ledger_created", "created"),
)

stream_frames = Table(
    "stream_frames",
    metadata,
    Column("response_id", Text, ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("frame", LargeBinary, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    _key(),
    Column("slug", Word),
    Column("access_id", Word, unique=True),
    _word("owner"),
    _word("name"),
    Column("model", Word),
    Column("instructions", Word),
    _json("settings"),
    _word("status"),
    Column("token_budget", BigInteger),
    Column("version", Integer, nullable=False, server_default="1"),
    _time("created"),
    Column("deleted", BigInteger),
    UniqueConstraint("owner", "slug", name="agents_slug"),
)

files = Table(
    "files",
    metadata,
    _key(),
    _word("owner"),
    _word("name"),
    _word("mime"),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text),
    _word("purpose"),
    _word("path"),
    _word("status"),
    _time("created"),
    Index("files_owner", "owner", "id"),
)

keys = Table(
    "keys",
    metadata,
    _key(),
    Column("hash", Text, nullable=False, unique=True),
    _word("label"),
    _word("owner"),
    Column("agent_id", Word),
    _json("scopes"),
    _json("limits"),
    _time("created"),
    Column("expires", BigInteger),
    Column("last_used", BigInteger),
    Column("revoked", BigInteger),
)

models = Table(
    "models",
    metadata,
    Column("id", Word, primary_key=True),
    _word("provider"),
    _word("state"),
    Column("source_url", Word),
    _json("settings"),
    _json("parameters"),
    _json("metadata"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    _word("owner"),
    _word("type"),
    _word("subject"),
    _json("body"),
    _time("created"),
    Index("events_created", "created"),
    # Or SQLite would give a number again once the newest rows were swept, and readers would miss the row.
    sqlite_autoincrement=True,
)

counters = Table(
    "counters",
    metadata,
    Column("subject", Word, primary_key=True),
    Column("window", Word, primary_key=True),
    _count("used"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", Word, primary_key=True),
    Column("key", Word, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("response_id", Text, nullable=False),
    _time("created"),
    _time("expires"),
    Index("idempotency_expires", "expires"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Word, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
)
