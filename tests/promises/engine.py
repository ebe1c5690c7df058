"""What is promised of: engine."""

from __future__ import annotations

from tests.promises import Promise

ENGINE: dict[str, Promise] = {
    "ENGINE-sdk-chat": Promise("translation appendix A", "chat works with the openai SDK, helpers and parse included"),
    "ENGINE-sdk-responses": Promise(
        "translation appendix A", "responses work with the openai SDK, helpers and parse included"
    ),
    "ENGINE-sdk-errors": Promise("translation §8.2", "each failure is the SDK's exception of its status, with a code"),
    "ENGINE-programs": Promise("clients", "recorded requests of real programs are answered, or refused as documented"),
    "ENGINE-codex-client": Promise("clients, Codex", "namespaces and tools in the input work, both ways"),
    "ENGINE-stateless": Promise("translation §7", "a client that echoes all output can go on without state"),
    "ENGINE-contract": Promise("the original's openapi", "every route behaves as in the original gateway"),
    "ENGINE-instructions": Promise("design §5.3", "default instructions are sent only when nobody gave any"),
    "ENGINE-dropped": Promise("design §5.3", "parameters that are left out are named in x-gateway-dropped"),
    "ENGINE-no-state": Promise("translation §7", "state that is not kept is a 400 naming the field"),
    "ENGINE-bytes": Promise("design §2", "a native relay sends the client's own bytes"),
    "ENGINE-headers": Promise("translation §8.6", "rate limits and timings of a server pass, its identity does not"),
    "ENGINE-early": Promise("translation §3.1", "a failure before the first output is an HTTP status"),
    "ENGINE-late": Promise("design §6", "a failure after it is an error inside the stream, which never looks complete"),
    "ENGINE-live": Promise("design §6", "a piece reaches the client before the upstream sends the next"),
    "ENGINE-client-left": Promise("design §6", "a client that leaves ends the upstream call, streamed or not"),
    "ENGINE-parallel": Promise("design §1", "streams that run at once do not mix"),
    "ENGINE-silence": Promise("design §5.3", "a silent stream is kept alive with comments"),
    "ENGINE-progress": Promise("design §5.3", "Responses clients are told of progress again after 120 s of silence"),
    "ENGINE-own-id": Promise(
        "translation §7.5", "a response that was promised under an id keeps it, and its events are numbered from 0"
    ),
    "ENGINE-cancelled": Promise("translation §7.5", "a cancelled stream ends at once, with what there is"),
    "ENGINE-ledger": Promise(
        "design §5.4", "every upstream call and attempt is one row of the ledger, with its tokens"
    ),
    "ENGINE-stopping": Promise("design §6", "what a stop of the gateway cuts short ends in an error, never half"),
    "ENGINE-idle": Promise("design §5.2", "an upstream silent for too long is a 504, or an error inside the stream"),
    "ENGINE-retry": Promise("design §6", "a passing failure is tried again before the client sees a byte"),
    "ENGINE-repair": Promise("codex-upstream §12", "encrypted reasoning of another account is left out, once"),
    "ENGINE-unconnected": Promise("design §5.3", "no way to the upstream is a 502 upstream_unavailable"),
    "ENGINE-refresh": Promise("codex-upstream §4.5", "a refused token is refreshed and the same turn goes on"),
    "ENGINE-no-login": Promise("design §5.3", "without a usable login every route is a 503 oauth_unavailable"),
    "ENGINE-new-login": Promise("design §5.1", "a new login is used without a restart"),
    "ENGINE-malformed": Promise("design §6", "values of the wrong kind are refused or sent on, never a crash"),
    "ENGINE-demo": Promise("design §5.1", "a demo answers simulated, and says so, until somebody logs in"),
    "ENGINE-secrets": Promise("design §5.5", "no secret is in an answer, a page, a metric or a log line"),
    "CASE-94": Promise("translation §9", "a client that leaves cancels the upstream request at once"),
    "FAIL-7": Promise("codex-upstream §12", "a chat stream always ends with a finish and [DONE]"),
    "FAIL-8": Promise("codex-upstream §12", "exactly one finish_reason, also with tool calls"),
    "FAIL-9": Promise("codex-upstream §12", "tool arguments are streamed once, as text"),
    "FAIL-31": Promise("codex-upstream §12", "compressed bodies of clients are read"),
    "FAIL-32": Promise("codex-upstream §12", "long tool names are shortened for the upstream and restored"),
    "FAIL-33": Promise("codex-upstream §12", "images in tool results reach the model"),
    "FAIL-34": Promise("codex-upstream §12", "system text stays system text, in its place"),
    "FAIL-35": Promise("codex-upstream §12", "thoughts are reasoning_content, never content"),
    "FAIL-36": Promise("codex-upstream §12", "what is not offered is a clear 404"),
    "FAIL-39": Promise("codex-upstream §12", "commentary is no part of a structured answer"),
    "ENGINE-failures-with-200": Promise(
        "design §6", "A failure that a server tells with status 200 is an error to the client, never an answer."
    ),
}
