"""What is promised of: simulator."""

from __future__ import annotations

from tests.promises import Promise

SIMULATOR: dict[str, Promise] = {
    "SIM-gates": Promise(
        "codex-upstream §14.9", "A script's gate holds a stream until it is set, so that order can be proved."
    ),
    "SIM-early-close": Promise(
        "codex-upstream §14.15", "A client that leaves early is seen at once and logged as such."
    ),
    "SIM-cuts": Promise(
        "codex-upstream §14.9",
        "A script can close the connection inside the body, or end the body without a terminal event.",
    ),
    "SIM-items": Promise("codex-upstream §14.9", "Each kind of step becomes the item the real service sends."),
    "SIM-failures": Promise(
        "codex-upstream §14.9, §10", "Each failure code can end a stream or be its first event, in each of its shapes."
    ),
    "SIM-completed-output": Promise(
        "codex-upstream §14.10", "The terminal event shows output full, empty or null, as the script says."
    ),
    "SIM-framing": Promise(
        "codex-upstream §14.9",
        "CRLF, single bytes, split characters and whole writes change the bytes and not the content.",
    ),
    "SIM-noise": Promise(
        "codex-upstream §14.9, §7.2", "Comments, codex.* events and response.metadata can surround an answer."
    ),
    "SIM-built-in": Promise("simulator", "Every built-in script answers on its own."),
    "SIM-refusals": Promise(
        "codex-upstream §14.8, §5.6 to §5.10",
        "The Codex backend refuses what the real one refuses, in its order and with its bodies.",
    ),
    "SIM-version-gate": Promise("codex-upstream §5.4", "Models are gated by the version header and by the plan."),
    "SIM-encodings": Promise("codex-upstream §14.7", "zstd, gzip and plain bodies are read."),
    "SIM-bearer": Promise(
        "codex-upstream §14.6, §4.5",
        "A bearer must be known, unexpired, not ended, and of the account the header names.",
    ),
    "SIM-edge": Promise(
        "codex-upstream §5.1", "With the edge guard, library user agents and proxy headers meet the challenge page."
    ),
    "SIM-limits": Promise(
        "codex-upstream §14.12, §7.1",
        "Every reply of the Codex service carries rate headers; those of the edge carry none.",
    ),
    "SIM-429": Promise(
        "codex-upstream §14.13", "Plan limits, missing entitlement and the bare burst guard have their own bodies."
    ),
    "SIM-concurrency": Promise("codex-upstream §14.13", "Streams above the scenario's limit meet the burst guard."),
    "SIM-cache": Promise(
        "codex-upstream §14.11", "Cached tokens are counted only for a repeated session with a common prefix."
    ),
    "SIM-catalogue": Promise(
        "codex-upstream §14.14, §6",
        "The model list needs a client version, is gated by it, has a sentinel and an ETag.",
    ),
    "SIM-usage": Promise("codex-upstream §9", "The usage document tells windows in seconds."),
    "SIM-compact": Promise("codex-upstream §9", "Compaction answers kept items and one opaque item."),
    "SIM-log": Promise(
        "codex-upstream §14.15",
        "The log holds method, path, headers, body, auth result, status and concurrency of each request.",
    ),
    "SIM-serve": Promise(
        "design §5.1", "`serve` prints one line with its address and how to point a gateway or SDK at it."
    ),
    "SIM-scenario-errors": Promise(
        "simulator", "A mistake in a scenario is named by its path, a near miss with the right word."
    ),
    "SIM-scenario-file": Promise("simulator", "A scenario file is YAML or JSON."),
    "SIM-steering": Promise(
        "simulator", "The request header goes before a test's queue, that before the scenario's queue and default."
    ),
    "SIM-default-text": Promise(
        "simulator", "Without a script the answer is exact when asked for, and an honest echo otherwise."
    ),
    "SIM-default-calls": Promise(
        "simulator",
        "Tools are called when mentioned or demanded, with plausible arguments; then their outputs are told.",
    ),
    "SIM-default-reasoning": Promise(
        "simulator", "Reasoning comes when an effort is asked for, with summary and seal as asked."
    ),
    "SIM-default-schema": Promise(
        "simulator", "JSON formats are answered with documents that are valid against the schema."
    ),
    "SIM-browser-login": Promise(
        "codex-upstream §14.1, §14.3", "A browser login checks its parameters and ends in tokens with the claims."
    ),
    "SIM-login-mishaps": Promise(
        "codex-upstream §14.1, §14.2",
        "Denial, wrong state, expired and invalidated tokens, 500 and the challenge page can be played.",
    ),
    "SIM-pkce": Promise("codex-upstream §14.2", "A code is checked against its PKCE challenge and is good once."),
    "SIM-refresh": Promise(
        "codex-upstream §14.2", "A refresh token rotates, in JSON and form, and its second use is refused."
    ),
    "SIM-device-login": Promise(
        "codex-upstream §14.4, §2", "A device login is pending, then approved or declined, with the real codes."
    ),
    "SIM-revoke": Promise("codex-upstream §14.5", "A revoked login is refused by the API and by the token endpoint."),
    "SIM-chat": Promise("simulator", "Chat completions, whole and streamed, satisfy the openai package's types."),
    "SIM-responses": Promise("simulator", "Responses, whole and streamed, satisfy the openai package's types."),
    "SIM-keys": Promise("simulator", "The OpenAI routes need a known key unless the scenario is open."),
    "SIM-stored": Promise("simulator", "Stored responses are read, continued and deleted."),
    "SIM-honest": Promise("simulator", "Every answer says that it is simulated."),
    "SIM-malformed": Promise(
        "simulator", "A value of the wrong kind in any field is refused in the service's own form, never with a 5xx."
    ),
    "SIM-unreadable": Promise(
        "simulator", "A body that is no JSON, as with half a surrogate pair, is a 400 that says why in both forms."
    ),
    "SIM-bounds": Promise(
        "simulator", "No number, schema, long text or packed body makes an answer many times larger than its request."
    ),
    "SIM-functions": Promise(
        "simulator", "Chat requests that offer functions are answered with one function_call at most."
    ),
    "SIM-simulate": Promise(
        "simulator", "`simulate` says in plain words what is wrong with its file or address, all mistakes at once."
    ),
    "SIM-codex-only": Promise(
        "simulator", "Built-in scripts play on the OpenAI routes too; steps only the Codex backend knows send nothing."
    ),
    "SIM-refresh-count": Promise("simulator", "Every refresh asked for is counted, also those that scripts answer."),
    "SIM-reset": Promise(
        "simulator", "A reset begins anew with the first scenario and keeps logins and stored responses."
    ),
    "SIM-pace": Promise("simulator", "A script's delay and waits are slept, before and inside the answer."),
    "SIM-instructions": Promise("simulator", "A scenario may let the backend take requests without instructions."),
    "SIM-reasoning-content": Promise("simulator", "Chat shows reasoning only when the script says so."),
    "SIM-in-process": Promise(
        "design §5.1", "The simulator is served inside a running loop; leaving ends open requests without a trace."
    ),
}
