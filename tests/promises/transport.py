"""What is promised of: the transport to the upstreams."""

from __future__ import annotations

from tests.promises import Promise

TRANSPORT: dict[str, Promise] = {
    "TRANSPORT-same": Promise(
        "performance §7.3", "answers of every framing, cut anywhere, are read as httpx2 reads them, or fail alike"
    ),
    "TRANSPORT-hostile": Promise(
        "design §6", "no answer crashes, hangs or leaks a connection; what is not body is bounded, in bytes and headers"
    ),
    "TRANSPORT-pool": Promise(
        "performance §7.3", "the connection used last is used next; no more are open than allowed; waiting is in line"
    ),
    "TRANSPORT-idle": Promise(
        "performance §7.3", "idle connections are closed after 30 seconds, and forgotten at once when the server closes"
    ),
    "TRANSPORT-resend": Promise(
        "performance §7.3",
        "what a dead kept connection swallowed is sent once more, where allowed; never what was answered or worked on",
    ),
    "TRANSPORT-requests": Promise(
        "design §6", "a request leaves as it was given; what could be read as another request is refused unsent"
    ),
    "TRANSPORT-backpressure": Promise(
        "design §6", "a slow reader stops the server, a slow server stops the source of a streamed body"
    ),
    "TRANSPORT-early": Promise(
        "design §6", "an answer that comes before the end of the request is given at once, and the rest given up"
    ),
    "TRANSPORT-leaves": Promise(
        "design §6", "cancelling or closing a call closes its connection at once and frees its place"
    ),
    "TRANSPORT-timeouts": Promise(
        "design §5.2", "connecting, waiting for a place, writing and reading have their own bounds"
    ),
    "TRANSPORT-addresses": Promise(
        "RFC 8305", "a name's addresses are tried each a moment after the one before; the first that answers is taken"
    ),
    "TRANSPORT-tls": Promise("design §5.2", "https servers are authenticated by name and by the trusted certificates"),
    "TRANSPORT-chosen": Promise(
        "design §5.2", "`transport` chooses for each upstream; through a proxy it is httpx2's transport"
    ),
}
