"""What is promised of: the session store."""

from __future__ import annotations

from tests.promises import Promise

STORE: dict[str, Promise] = {
    "STORE-responses": Promise("translation §7.3", "a response is read as it was kept, while it runs and afterwards"),
    "STORE-chain": Promise("translation §7.4", "a chain is what a client would have sent; deleted ancestors carry on"),
    "STORE-one-query": Promise("design §5.4", "a history of 2,000 items is one query"),
    "STORE-cost": Promise("design §5.4", "a turn costs the store what its own items need, however long the chain"),
    "STORE-atomic": Promise("design §5.4", "a turn is kept whole or not at all"),
    "STORE-text": Promise("design §6", "any text is kept: half surrogates, NUL, quotes"),
    "STORE-ids": Promise("design §5.4", "keys ascend; any prefix of the kind finds a row by either of its ids"),
    "STORE-unknown": Promise("design §5.4", "unknown, foreign, deleted and wrong ids answer alike"),
    "STORE-owners": Promise("design §5.5", "two owners cannot see, continue, cancel or delete each other's rows"),
    "STORE-delete": Promise("translation §7.1", "of what is deleted nothing is kept, also while it runs"),
    "STORE-pages": Promise("translation §7.2", "walks over pages are complete and repeat nothing, also under inserts"),
    "STORE-completions": Promise("translation §7.1", "stored completions are listed by model and metadata"),
    "STORE-conversations": Promise("translation §7.4", "items of clients and of responses are one ordered list"),
    "STORE-lock": Promise("translation §7.4", "one response at a time on a conversation, whichever process runs it"),
    "STORE-frames": Promise("translation §7.6", "a log is read from any number on and followed, by any process"),
    "STORE-group-commit": Promise("design §5.4", "frames of all responses within 20 ms are one transaction"),
    "STORE-lease": Promise("design §5.4", "nobody writes to a response that another process holds or has ended"),
    "STORE-cancel": Promise("translation §7.5", "a cancel in any process reaches the one that runs it; twice is once"),
    "STORE-recovery": Promise("translation §7.5", "of a dead process, what ran is ended and what waited starts, once"),
    "STORE-crash": Promise("design §5.4", "a process that is killed loses nothing that it had told"),
    "STORE-processes": Promise("design §5.4", "processes share one store: made on one, read and cancelled on others"),
    "STORE-signals": Promise("design §5.4", "signals reach every process once, in the order of their numbers"),
    "STORE-ledger": Promise("performance §6", "a usage row never waits; many are one transaction; losses are counted"),
    "STORE-idempotency": Promise("design §5.4", "of many claims on a key one is new; others learn its response"),
    "STORE-retention": Promise("translation §7.3", "every kind of row ends with its time, and not before"),
    "STORE-export": Promise("design §5.1", "everything can be counted and exported, except secrets"),
    "STORE-cli": Promise("design §5.1", "store stats and export; config check tells of the store; none makes one"),
    "STORE-migrations": Promise("design §5.4", "tables are brought up to date by one of many, whole or not at all"),
    "STORE-unavailable": Promise(
        "design §5.4", "a full, locked, damaged, newer or absent store is a clear 503, and the rest goes on"
    ),
    "STORE-off": Promise("design §5.2", "a store that is switched off keeps nothing and says so"),
    "STORE-private": Promise("design §6", "only its owner can read the file"),
    "STORE-place": Promise("design §5.2", "the URL names a file or PostgreSQL, and no password is shown"),
    "STORE-together": Promise(
        "performance §6", "work is one visit to a thread; what waits shares a transaction, and none fails with another"
    ),
    "STORE-cheap": Promise("design §4", "a start imports no ORM, no Alembic and nothing of PostgreSQL"),
}
