"""What is promised of: reasoning between the calls of chat clients, and histories that are too long."""

from __future__ import annotations

from tests.promises import Promise

CONTINUITY: dict[str, Promise] = {
    "CONTINUITY-chat": Promise("translation §1.9", "a chat client's calls come back with the reasoning before them"),
    "CONTINUITY-pairs": Promise("translation §1.9", "reasoning never comes without what it led to, nor twice"),
    "CONTINUITY-owners": Promise("translation §1.9", "reasoning is for its owner, its account and its model alone"),
    "CONTINUITY-bounded": Promise("translation §1.9", "what is kept is bounded in bytes and in time"),
    "CONTINUITY-refused": Promise("translation §1.9", "reasoning that an upstream cannot read is left out, once"),
    "CONTINUITY-own": Promise("translation §1.9", "a history with reasoning of its own is left alone"),
    "CONTINUITY-places": Promise("translation §8.4", "an error names the client's message, whatever was put before it"),
    "TRUNCATION-auto": Promise("translation §7.4", "a history that is too long loses its oldest turns until it fits"),
    "TRUNCATION-disabled": Promise("translation §7.4", "unless it is asked for, the refusal is relayed"),
    "TRUNCATION-whole": Promise("translation §5.2", "guidance and the last turn stay, calls keep their outputs"),
    "TRUNCATION-bounded": Promise("translation §7.4", "attempts are few; what cannot be made shorter is relayed"),
    "TRUNCATION-same": Promise("codex-upstream §5.2", "session and cache key of a shortened history are the same"),
    "TRUNCATION-native": Promise("design §2", "a server that has truncation gets the whole history, and does it"),
}
