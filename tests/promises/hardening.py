"""What is promised of: bad input."""

from __future__ import annotations

from tests.promises import Promise

HARDENING: dict[str, Promise] = {
    "HARD-bodies": Promise(
        "design §5.3",
        "A body with one thing wrong, whatever it is and wherever it stands, is answered rightly, or by a 4xx that "
        "names the field and what was expected.",
    ),
    "HARD-http": Promise(
        "design §5.3",
        "Whatever bytes come over a connection end in a proper answer or a closed connection, and the server goes on.",
    ),
    "HARD-big": Promise(
        "design §6", "Huge, deep, dense and compressed bodies are refused early or served, in bounded memory."
    ),
    "HARD-openapi": Promise(
        "design §5.3", "Every answer to a request made from openapi.yaml is one that it describes."
    ),
    "HARD-fuzz": Promise(
        "style §9", "Any bytes, frames and bodies give typed errors only, and what comes out of them is legal."
    ),
    "HARD-history": Promise(
        "design §5.3", "A refused item is named at its place in the client's history, whatever was left out before it."
    ),
}
