"""What is promised of: responses."""

from __future__ import annotations

from tests.promises import Promise

RESPONSES: dict[str, Promise] = {
    "FAILURE-codes": Promise(
        "translation §2.7", "the code of an upstream's failure decides status, type and whether to try again"
    ),
    "FAILURE-words": Promise("translation §2.7", "without a telling code the words of the message decide"),
    "FAILURE-delay": Promise(
        "codex-upstream §10.2", "the upstream's advice on waiting is passed on from the surest source"
    ),
    "FAILURE-plan-limit": Promise(
        "translation §8.4", "a used-up plan is a 429 that names its end and stops SDKs from trying"
    ),
    "FAILURE-http": Promise("design §5.3", "a 4xx of the upstream keeps its status"),
    "FAILURE-spelling": Promise("translation §8.1", "types of errors are spelt as OpenAI spells them"),
    "RESPONSES-invariants": Promise(
        "translation appendix A", "every stream to a Responses client keeps the invariants, whatever the upstream sent"
    ),
    "RESPONSES-chunking": Promise("style §9", "how the network cuts an upstream's stream changes no byte of ours"),
    "RESPONSES-junk-after": Promise("translation §4.2", "nothing after the terminal event matters"),
    "RESPONSES-cut": Promise("design §6", "a stream cut anywhere ends as failed and is legal"),
    "RESPONSES-clean": Promise("design §2", "a clean stream passes as the same frames, byte for byte"),
    "RESPONSES-lazy": Promise("design §2", "deltas of a trusted clean stream are never parsed"),
    "RESPONSES-missing-deltas": Promise("clients, answers", "text that comes only in done events is streamed too"),
    "RESPONSES-bounded": Promise("design §6", "what is kept of open items is bounded"),
    "RESPONSES-complete": Promise("clients, Open Responses", "an answer has every field that Open Responses requires"),
    "RESPONSES-echo": Promise(
        "translation §4.4", "answers show what the client asked for, not what the upstream was sent"
    ),
    "RESPONSES-ids": Promise("translation §4.1", "an item id is kept when it can be sent back later"),
    "RESPONSES-usage": Promise("translation §4.4", "usage is completed but never invented"),
    "RESPONSES-codex": Promise("clients, Codex", "a request of Codex passes untouched"),
    "RESPONSES-input": Promise("translation §7", "text input is one user message, and nothing is added"),
    "RESPONSES-shape": Promise("design §5.3", "what no server could read is 400 invalid_request and names the path"),
    "RESPONSES-relay": Promise("design §2", "a native relay changes nothing but the model"),
    "RESPONSES-keep-alive": Promise("design §5.3", "silence is filled with comments"),
    "RESPONSES-fail": Promise(
        "translation §8.5", "a failure is an error event and response.failed, and the stream stays legal"
    ),
    "RESPONSES-sdk": Promise(
        "translation appendix A", "the SDK's own stream helper reads every stream, and raises where one failed"
    ),
    "CASE-67": Promise("translation §9", "a rate limit inside a stream is a 429"),
    "CASE-84": Promise("translation §9", "a failure before any output keeps its real status"),
    "CASE-97": Promise("translation §9", "an empty terminal output is filled with all items"),
    "CASE-98": Promise("translation §9", "done items out of order are sorted by index"),
    "CASE-99": Promise("translation §9", "bare text deltas get an item and a part around them"),
    "CASE-100": Promise("translation §9", "a gap in output_index is closed"),
    "CASE-101": Promise("translation §9", "an item id in deltas is the item's own"),
    "CASE-102": Promise("translation §9", "an item without an id has one before its first use"),
    "CASE-103": Promise("translation §9", "a call id used twice is changed the second time"),
    "CASE-104": Promise("translation §9", "the first response id is kept everywhere"),
    "CASE-105": Promise("translation §9", "reasoning parts of vLLM get their published name"),
    "CASE-106": Promise("translation §9", "a stream that begins with its failure begins with created"),
    "CASE-107": Promise("translation §9", "a keepalive event is no event for clients"),
    "CASE-108": Promise("translation §9", "a part is announced before its first delta"),
    "CASE-109": Promise("translation §9", "a cut stream ends in response.failed, code stream_incomplete"),
    "FAIL-5": Promise("codex-upstream §12", "an empty or null output is rebuilt and patched into the terminal event"),
    "FAIL-6": Promise("codex-upstream §12", "a stream that ends early is an error, never a finished answer"),
}
