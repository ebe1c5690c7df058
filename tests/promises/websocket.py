"""What is promised of: Responses over WebSocket, and compaction."""

from __future__ import annotations

from tests.promises import Promise

WEBSOCKET: dict[str, Promise] = {
    "WS-events": Promise("clients, Codex", "a turn has the same events, numbers and fields as an HTTP stream"),
    "WS-sdk": Promise("openai package", "responses.connect() works, sync and async"),
    "WS-order": Promise("codex-upstream §8", "the turns of a connection run one after another, in the order asked"),
    "WS-lanes": Promise(
        "openai package", "stream_id is repeated in each event of its turn, and in a refusal, and goes no further"
    ),
    "WS-continuation": Promise(
        "clients, Open Responses", "a response of the connection is continued, whatever store says"
    ),
    "WS-stored": Promise(
        "design §5.2", "a response that the gateway stores is known to every connection and over HTTP, turn by turn"
    ),
    "WS-mixed": Promise("design §1", "stored responses and those of the connection follow each other in any order"),
    "WS-unknown": Promise("codex-upstream §8", "an unknown response is previous_response_not_found, or the upstream's"),
    "WS-evict": Promise("clients, Open Responses", "a failed continuation forgets the response it went on from"),
    "WS-private": Promise("clients, Open Responses", "no connection knows what another has not stored"),
    "WS-bounds": Promise("design §6", "what a connection remembers and lets wait is bounded by settings"),
    "WS-memory": Promise("design §6", "chains are kept once, and all that is forgotten is given back"),
    "WS-warm-up": Promise(
        "clients, Codex", "generate: false is answered here with an empty response that can be gone on from"
    ),
    "WS-client-left": Promise("design §6", "a client that closes or vanishes ends the upstream call at once"),
    "WS-live": Promise("design §6", "a piece reaches the client before the upstream sends the next"),
    "WS-parallel": Promise("design §1", "connections that run at once do not mix"),
    "WS-slow": Promise("design §6", "a client that does not read holds the upstream back instead of filling memory"),
    "WS-silence": Promise("design §5.3", "a silent turn is told of in-progress; comments are not sent"),
    "WS-errors": Promise(
        "codex-upstream §8", "what HTTP answers with a status is one error event with status and advice"
    ),
    "WS-broken": Promise("design §6", "a turn that breaks ends in exactly one last event, and the next one works"),
    "WS-malformed": Promise(
        "design §5.3", "messages that nobody can read are named, or close the connection as RFC 6455 says"
    ),
    "WS-queue": Promise("design §6", "more requests than a connection may hold are refused, the others answered"),
    "WS-life": Promise("codex-upstream §8", "a connection ends after websocket_seconds, between two turns"),
    "WS-stopping": Promise(
        "design §6", "a stop lets a running turn end, or tells it, tells each that waits, and closes with 1012"
    ),
    "WS-handshake": Promise("design §5.3", "a refused handshake is the HTTP error, with a request id"),
    "WS-key": Promise("design §5.5", "the key is in the header or, for pages, in a subprotocol that is never repeated"),
    "WS-origin": Promise("design §4", "a page of another site cannot open a WebSocket to a loopback listener"),
    "WS-connections": Promise("design §6", "no more than websocket_connections are open"),
    "WS-deflate": Promise("clients, Codex", "permessage-deflate is agreed on and works"),
    "WS-log": Promise("design §6", "a line for each connection and each turn; open connections and turns are counted"),
    "COMPACT-native": Promise("translation §7.7", "an upstream that can compact is asked to; its answer is made whole"),
    "COMPACT-own": Promise("translation §7.7", "elsewhere a turn writes a summary that becomes a compaction item"),
    "COMPACT-readable": Promise(
        "translation §5.3", "a summary of ours reaches later upstreams in words, all else as it is"
    ),
    "COMPACT-errors": Promise("translation §7.2", "what cannot be compacted is refused as a turn would be"),
    "FAIL-29": Promise("codex-upstream §12", "the end of a connection's life has the code that clients reconnect on"),
}
