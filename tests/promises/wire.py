"""What is promised of: wire."""

from __future__ import annotations

from tests.promises import Promise

WIRE: dict[str, Promise] = {
    "WIRE-raw": Promise("design §2", "an event keeps its very bytes"),
    "WIRE-line-ends": Promise("translation §4.1", "lines end at LF, CRLF and CR and nowhere else"),
    "WIRE-comments": Promise("translation §4.1", "comments, ids and retry times are left out"),
    "WIRE-last-event": Promise("translation §4.1", "the last event needs no blank line; a part of an event is none"),
    "WIRE-limit": Promise("design §6", "an event over the limit fails the reader, after what came before it"),
    "WIRE-linear": Promise("performance §4", "the work of a read does not grow with what was read before"),
    "WIRE-plain": Promise("performance §4", "a read of nothing but single lines of data is known without a loop"),
    "WIRE-chunking": Promise("style §9", "how the network cuts a stream changes nothing"),
    "WIRE-surrogates": Promise("design §6", "half a surrogate pair is read and written, never a crash"),
    "WIRE-client-halves": Promise(
        "design §6", "half a surrogate pair in a request becomes U+FFFD, which every server accepts"
    ),
    "REDACT-shapes": Promise(
        "translation §8.4", "tokens, e-mail addresses, accounts and organisations in errors are known by their shape"
    ),
    "REDACT-literals": Promise(
        "design §5.5", "what was sent to an upstream is taken out of its errors, dummy keys stay"
    ),
    "REDACT-errors": Promise("design §5.5", "an error's texts are redacted, and no body with a secret is relayed"),
    "REDACT-frames": Promise(
        "design §5.5", "failures inside a stream are redacted at any depth; every other frame stays the same object"
    ),
}
