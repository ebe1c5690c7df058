"""What is promised of the state routes in the whole product: whose a stored thing is, and what every kind of upstream
makes of them."""

from __future__ import annotations

from tests.promises import Promise

STATE_ROUTES: dict[str, Promise] = {
    "ELSEWHERE-theirs": Promise(
        "design §5.2", "requests for ids that are not ours go to a server that keeps its own, whatever passthrough says"
    ),
    "ELSEWHERE-ours": Promise("design §5.2", "ids of ours are answered here, also in front of a server that keeps"),
    "ELSEWHERE-bytes": Promise("design §2", "what goes to that server is judged by it, and arrives byte for byte"),
    "ELSEWHERE-provider": Promise("design §5.2", "the provider that is named in the header is the one that is asked"),
    "ELSEWHERE-store-down": Promise("design §5.4", "without its store the gateway still asks a server that keeps"),
    "ELSEWHERE-gateway": Promise("design §5.2", "with state gateway nothing is asked of the server"),
    "ELSEWHERE-off": Promise("translation §7.2", "where nothing is kept, a refusal names the setting"),
    "ELSEWHERE-path": Promise("design §5.2", "what a turn left is asked for below the path of the server's turns"),
    "STATE-live": Promise("translation §7.1", "stored things are read, listed and deleted in front of every upstream"),
}
