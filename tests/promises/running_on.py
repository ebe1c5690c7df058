"""What is promised of: turns that run on without their client, once, in any process, and past the end of one."""

from __future__ import annotations

from tests.promises import Promise

RUNNING_ON: dict[str, Promise] = {
    "ONCE-repeat": Promise(
        "design §5.4", "a request with the Idempotency-Key of an earlier one gets its bytes, and no model runs again"
    ),
    "ONCE-running": Promise("design §5.4", "a repeat of a request that still runs gets all of its answer"),
    "ONCE-left": Promise("design §6", "an idempotent request runs on when its client leaves"),
    "ONCE-conflict": Promise("design §5.4", "a key with another body or route is 409 idempotency_conflict"),
    "ONCE-owners": Promise("design §5.5", "two owners may use the same key"),
    "ONCE-refused": Promise("design §5.4", "a failure before any upstream was called leaves the key free"),
    "ONCE-remembered": Promise("design §5.4", "what the upstream refused for good is refused again without asking it"),
    "ONCE-another-try": Promise("translation §8.3", "what the upstream wants tried again later may be tried again"),
    "ONCE-broken": Promise("design §6", "a stream that broke is replayed with its error, in the client's dialect"),
    "ONCE-key": Promise("design §5.3", "a key of over 255 characters, or unprintable ones, is a 400 that names it"),
    "ONCE-off": Promise("design §5.2", "without a store a key is a 400 that says why"),
    "ONCE-kept": Promise("design §5.4", "an answer lasts as long as its key: past a restart, and past the other logs"),
    "ONCE-deleted": Promise("translation §7.1", "deleting the response of a key gives the key back"),
    "ONCE-sdk": Promise("openai package", "the SDK sends the key as an extra header"),
    "PROCESSES-read": Promise("design §5.4", "what one process has made another reads, lists and goes on from"),
    "PROCESSES-cancel": Promise("translation §7.5", "a background response is cancelled from another process"),
    "PROCESSES-resume": Promise("translation §7.6", "a stream is followed from any event, in any process, as it runs"),
    "PROCESSES-once": Promise("design §5.4", "an Idempotency-Key is one request for all processes"),
    "PROCESSES-lock": Promise("translation §7.4", "a conversation that one process is busy with is locked in others"),
    "CRASH-ends": Promise(
        "translation §7.5", "of a killed process every response ends: completed, or failed as gateway_restarted"
    ),
    "CRASH-told": Promise("design §5.4", "what clients had seen of a stream is the beginning of what is replayed"),
    "CRASH-queued": Promise("translation §7.5", "what a killed process had queued another one runs"),
    "CRASH-once": Promise("design §5.4", "what a killed process ran for a key is not run again"),
    "CRASH-unlocked": Promise("translation §7.4", "the conversations of a killed process can be gone on with"),
    "STOP-ends": Promise("design §6", "a process that is told to stop ends what it runs and leaves what it queued"),
    "STOP-told": Promise("design §6", "clients that follow a stopped process are told, and miss nothing elsewhere"),
    "JOBS-store": Promise("design §6", "a store that fails for a while costs a running response nothing that came"),
    "JOBS-bounded": Promise("design §6", "an upstream that is faster than the store has to wait for it"),
    "JOBS-lease": Promise("design §5.4", "who lost a response stops; who is only late with its lease keeps it"),
    "JOBS-deleted": Promise("translation §7.1", "what is deleted while it runs is stopped, and followers are told"),
    "JOBS-places": Promise("translation §7.5", "what is cancelled while it waits for its turn never runs"),
    "JOBS-forgotten": Promise("design §5.4", "a failure before any answer leaves a row only when it is for good"),
    "JOBS-unbroken": Promise("design §5.4", "a client that leaves at any moment leaves nothing half begun"),
    "RESTART-ends": Promise("translation §7.5", "the end of an interrupted answer is in the words of its dialect"),
    "RESTART-cancelled": Promise("translation §7.5", "what was cancelled or deleted before a crash is not run again"),
    "RESTART-queued": Promise("translation §7.5", "a queued response that cannot start fails, or waits if others do"),
    "JOBS-complete": Promise("design §6", "an answer is told when it is whole, whatever its upstream still does"),
}
