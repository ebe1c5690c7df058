"""What is promised of: runs of deltas that say one text."""

from __future__ import annotations

from tests.promises import Promise

RUNS: dict[str, Promise] = {
    "RUN-short": Promise("performance §4", "of deltas in a row only the first is looked at in full"),
    "RUN-same": Promise("performance §4", "what a client is told does not depend on how closely a delta was looked at"),
    "RUN-bound": Promise("design §6", "the bound on open items is met at the same delta, however it was looked at"),
    "RUN-linear": Promise(
        "performance §4", "a stream of very many deltas, and of a very long text, costs as its length"
    ),
    "RUN-form": Promise("performance §4", "chunks of a chat server that differ in their text only are not parsed"),
    "RUN-row": Promise(
        "performance §4", "deltas in a row of one shape are read together, and tell what each would tell"
    ),
    "RUN-long": Promise("performance §4", "a long text that is told again is read once, and every event says the same"),
    "RUN-flow": Promise("performance §4", "pieces of one text are told to chat clients as any others are"),
}
