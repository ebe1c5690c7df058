"""What is promised of: paths the gateway does not know."""

from __future__ import annotations

from tests.promises import Promise

PASSTHROUGH: dict[str, Promise] = {
    "PASS-sdk": Promise(
        "design §5.2", "embeddings, images, moderations, audio and files work with the SDK where the server has them"
    ),
    "PASS-not-allowed": Promise(
        "design §5.3", "a path nobody takes is a 404 unknown_url that says what to configure; a login has no such route"
    ),
    "PASS-paths": Promise(
        "design §5.2",
        "no spelling of a path reaches anything at the server but what is allowed; the gateway's own routes never pass",
    ),
    "PASS-headers": Promise(
        "design §5.5",
        "the server gets the listed headers, the gateway's own key and nothing else; so does the client of the answer",
    ),
    "PASS-bytes": Promise("design §2", "bodies pass byte for byte both ways; only the value of model may be changed"),
    "PASS-model": Promise(
        "design §5.2",
        "the provider is chosen by the model's name in JSON and in forms, aliases and prefixes as for turns",
    ),
    "PASS-provider": Promise(
        "design §5.2", "else by x-gateway-provider, else it is the first that takes such a path, the default first"
    ),
    "PASS-memory": Promise(
        "design §6", "200 MB up and 200 MB down cost the gateway less than 30 MB of memory, and nothing is held"
    ),
    "PASS-back-pressure": Promise("design §6", "a slow client slows the server down, and a slow server the client"),
    "PASS-at-once": Promise("design §6", "events and pieces pass as they come"),
    "PASS-client-left": Promise("design §6", "a client that leaves ends the upstream call at once, up and down"),
    "PASS-cut": Promise("design §6", "a broken download never looks complete"),
    "PASS-silence": Promise(
        "design §5.2",
        "silence of either side is bounded by limits.idle_seconds, and nothing bounds a long download",
    ),
    "PASS-too-large": Promise(
        "design §5.2",
        "a body beyond limits.upload_bytes is a 413: at once when announced, else when exceeded, and the call ends",
    ),
    "PASS-errors": Promise(
        "design §5.3", "refusals are those of turns: 4xx relayed, a refused key is 502, redirects are not followed"
    ),
    "PASS-retries": Promise(
        "design §6",
        "nothing is tried again once a byte of a streamed body was sent, or when the server may have acted on it",
    ),
    "PASS-told": Promise("design §2", "the log line names the upstream and the bytes of both ways; metrics count it"),
    "SIM-others": Promise(
        "design §4", "the simulator has embeddings, images, moderations, audio and files in the SDK's types"
    ),
}
