"""What is promised of: counting input tokens without running a request."""

from __future__ import annotations

from tests.promises import Promise

TOKENS: dict[str, Promise] = {
    "TOKENS-native": Promise(
        "translation §7.7", "a server that speaks Responses is asked, with the body as it was sent"
    ),
    "TOKENS-estimate": Promise(
        "translation §7.7", "elsewhere the gateway estimates and says so; nobody is called, no login is needed"
    ),
    "TOKENS-no-route": Promise("translation §7.7", "where such a server has no count, the gateway estimates"),
    "TOKENS-errors": Promise(
        "translation §7.1", "what a create request is refused for is refused here, by the same name"
    ),
    "TOKENS-history": Promise(
        "translation §7.1", "what a request goes on from is counted; what is not kept here is not found"
    ),
    "ESTIMATE-text": Promise("translation §7.7", "texts are judged as OpenAI's encoding cuts them, within 15 %"),
    "ESTIMATE-items": Promise("translation §7.7", "items, tools and schemas count as what models are told of them"),
    "ESTIMATE-media": Promise("translation §7.7", "images count by detail and size, files by what is in them"),
    "ESTIMATE-bounded": Promise("design §6", "an estimate takes linear time at most, and raises for no input"),
}
