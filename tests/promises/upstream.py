"""What is promised of: upstream."""

from __future__ import annotations

from tests.promises import Promise

UPSTREAM: dict[str, Promise] = {
    "UPSTREAM-transport": Promise(
        "performance §7.3",
        "a call leaves with exactly the headers it was given, and connections are used again",
    ),
    "UPSTREAM-leaves-at-once": Promise(
        "design §6",
        "an answer that is closed or cancelled unread ends the upstream call at once",
    ),
    "UPSTREAM-decoded": Promise(
        "codex-upstream §5.1",
        "a body compressed in spite of the request is decompressed; one nobody can decode is an upstream error",
    ),
    "UPSTREAM-answer-limit": Promise("design §6", "an answer that has to be held is bounded by limits.response_bytes"),
    "UPSTREAM-timeouts": Promise(
        "design §5.2",
        "silence bounds a stream, json_seconds bounds a whole answer, and nothing bounds a turn",
    ),
    "UPSTREAM-faults": Promise(
        "design §5.3",
        "no connection is 502 upstream_unavailable, silence 504 upstream_timeout; messages name the host and no more",
    ),
    "UPSTREAM-refusal-bounds": Promise(
        "design §5.2",
        "the body of a refusal costs at most timeout_seconds and one mebibyte",
    ),
    "UPSTREAM-proxy": Promise(
        "design §5.2",
        "calls go through the configured http or socks proxy, which resolves names, and through no other",
    ),
    "UPSTREAM-5xx": Promise(
        "codex-upstream §10.2",
        "an upstream's other 5xx is 502 upstream_error and may be tried again",
    ),
    "UPSTREAM-own-mistakes": Promise(
        "codex-upstream §10.2",
        "a refusal that the profile should have prevented is the gateway's failure, and no SDK repeats it",
    ),
    "UPSTREAM-model-errors": Promise(
        "design §5.3",
        "an unknown or retired model is a 404 that names current ones; a version gate names the setting",
    ),
    "UPSTREAM-relay-bytes": Promise("design §5.3", "a sound 4xx body keeps its bytes; others are wrapped"),
    "UPSTREAM-redaction": Promise(
        "translation §8.4",
        "tokens, e-mail addresses, account ids and organisations are taken out of relayed messages",
    ),
    "UPSTREAM-codex-body": Promise(
        "codex-upstream §5.5",
        "the body holds only fields the backend accepts, with those it demands",
    ),
    "UPSTREAM-codex-silent": Promise(
        "translation §1.1",
        "labels, defaults and nulls are left out without being reported",
    ),
    "UPSTREAM-codex-refused": Promise(
        "translation §1.6",
        "what cannot be honoured and matters is refused with its parameter",
    ),
    "UPSTREAM-strict": Promise(
        "translation §0",
        "upstream.unsupported turns reports into refusals, or refusals of log probabilities into reports",
    ),
    "UPSTREAM-default-instructions": Promise(
        "design §5.3",
        "only a request without instructions, system or developer text gets the default instructions",
    ),
    "UPSTREAM-call-ids": Promise(
        "codex-upstream §5.10",
        "call ids the backend refuses are replaced alike in calls and outputs",
    ),
    "UPSTREAM-namespaces": Promise(
        "translation §1.6",
        "the namespace of a replayed call stays only where the request declares it",
    ),
    "UPSTREAM-unknown-items": Promise("design §6", "items nobody here knows pass"),
    "UPSTREAM-tools": Promise(
        "codex-upstream §5.10",
        "older names of web search are renamed, hosted tools the backend lacks are refused",
    ),
    "UPSTREAM-reasoning": Promise(
        "translation §1.1",
        "effort falls to what the model can, and a summary is asked for by default",
    ),
    "UPSTREAM-model-names": Promise(
        "codex-upstream §11.1",
        "a model's name may carry an effort, and real names are never cut",
    ),
    "UPSTREAM-include": Promise("codex-upstream §5.5", "encrypted reasoning is always asked for, other extras never"),
    "UPSTREAM-client-metadata": Promise(
        "codex-upstream §5.5",
        "client metadata keeps to 16 extras of 64 and 128 bytes",
    ),
    "UPSTREAM-openai-as-sent": Promise("design §5.3", "a server that speaks Responses gets what the client sent"),
    "UPSTREAM-session-owner": Promise("codex-upstream §5.2", "derived session ids of two owners differ"),
    "UPSTREAM-session-header": Promise(
        "codex-upstream §5.2",
        "a session id that no header can carry gets a stand-in, the same in header and body",
    ),
    "UPSTREAM-retry-delays": Promise(
        "codex-upstream §7.4",
        "retries wait 200 ms doubled ±10 %, or as advised when that is short, and never for what cannot succeed",
    ),
    "UPSTREAM-plan-limit-memory": Promise(
        "codex-upstream §11.4",
        "a plan limit is answered from memory with the remaining time, for its account only",
    ),
    "UPSTREAM-repair-bounds": Promise(
        "codex-upstream §10.2",
        "a body is mended once, only for refusals that name what to take out",
    ),
    "UPSTREAM-codex-headers": Promise(
        "codex-upstream §5.1",
        "a call carries one honest identity, the login and the session, and nothing of the client",
    ),
    "UPSTREAM-401-once": Promise("codex-upstream §4.5", "a 401 asks for another login once and repeats the call once"),
    "UPSTREAM-token-hosts": Promise("design §5.2", "the ChatGPT token goes to no host that may not have it"),
    "UPSTREAM-cookies": Promise(
        "codex-upstream §5.1",
        "only the edge's own cookies are kept, only for https on ChatGPT's hosts",
    ),
    "UPSTREAM-models-cache": Promise(
        "codex-upstream §6.1",
        "models are kept for five minutes, asked for by version, and fetched anew when an answer names another version",
    ),
    "UPSTREAM-models-offline": Promise(
        "codex-upstream §6.3",
        "a built-in list serves while the backend cannot be reached, but not without a login",
    ),
    "UPSTREAM-check": Promise(
        "design §5.1",
        "the readiness check fails when there is no login or no way to the server",
    ),
    "UPSTREAM-openai-urls": Promise("design §5.2", "a base URL works with and without its version"),
    "UPSTREAM-openai-headers": Promise(
        "design §5.5",
        "a call to an OpenAI server carries the gateway's key and nothing of the client",
    ),
    "UPSTREAM-openai-no-key": Promise("design §5.2", "without a key no Authorization header is sent"),
    "UPSTREAM-openai-models": Promise("design §5.3", "models are the server's own rows, kept for a minute"),
    "UPSTREAM-openai-kind": Promise(
        "design §2",
        "the dialects a server speaks are a setting, and only OpenAI itself is trusted",
    ),
    "FAIL-1": Promise(
        "codex-upstream §12",
        "parameters the backend refuses are left out, reported, and stripped once if it refuses more",
    ),
    "FAIL-2": Promise("codex-upstream §12", "instructions are always sent, and no prompt is injected"),
    "FAIL-3": Promise("codex-upstream §12", "system items become developer items in place"),
    "FAIL-4": Promise(
        "codex-upstream §12",
        "store:false and stream:true are always sent, and an explicit store:true is reported",
    ),
    "FAIL-10": Promise(
        "codex-upstream §12",
        "calls without outputs and outputs without calls are dropped when the backend says so",
    ),
    "FAIL-11": Promise("codex-upstream §12", "item ids too long to be sent back are replaced"),
    "FAIL-12": Promise("codex-upstream §12", "reasoning that another account encrypted is dropped once"),
    "FAIL-13": Promise(
        "codex-upstream §12",
        "one stable session id a conversation, the same in header and prompt_cache_key",
    ),
    "FAIL-14": Promise(
        "codex-upstream §12",
        "a challenge page becomes a clear 503 with Retry-After, and identity is consistent",
    ),
    "FAIL-19": Promise("codex-upstream §12", "a plan limit tells its reset time"),
    "FAIL-20": Promise("codex-upstream §12", "calls beyond the limit of an account wait; burst limits are retried"),
    "FAIL-21": Promise("codex-upstream §12", "a remembered limit is capped and probed by one call"),
    "FAIL-22": Promise("codex-upstream §12", "overload is 503 with Retry-After, also when it comes with status 200"),
    "FAIL-23": Promise("codex-upstream §12", "a model that needs a newer version is an error that names the setting"),
    "FAIL-24": Promise("codex-upstream §12", "the list of models is live, with ETag, and has a built-in stand-in"),
    "FAIL-25": Promise(
        "codex-upstream §12",
        "models the plan does not have are not listed, and their refusal is explained",
    ),
    "FAIL-26": Promise("codex-upstream §12", "service tiers are mapped or left out"),
    "FAIL-27": Promise("codex-upstream §12", "an unknown previous_response_id is 400 previous_response_not_found"),
    "FAIL-28": Promise("codex-upstream §12", "the classic shape is always sent, never the lite header"),
    "FAIL-30": Promise("codex-upstream §12", "large bodies are compressed, and one that is too large is a clear 413"),
    "FAIL-37": Promise("codex-upstream §12", "every refusal becomes an OpenAI error object"),
    "FAIL-38": Promise("codex-upstream §12", "credentials are built for each call"),
    "FAIL-40": Promise("codex-upstream §12", "an outage of the edge is 503 and is not held against the account"),
    "UPSTREAM-malformed": Promise(
        "design §5.3", "a value of the wrong kind at any place is a 4xx naming the field, or left to the upstream"
    ),
    "UPSTREAM-dropped-names": Promise(
        "design §5.3", "x-gateway-dropped holds plain names only, and a bounded number of them"
    ),
    "UPSTREAM-codex-lite": Promise(
        "codex-upstream §5.9", "a body whose first item holds its tools is announced as lite, and no other one"
    ),
    "UPSTREAM-codex-client": Promise(
        "clients, Codex",
        "a body of the Codex client reaches the backend as it is, less ids and states of replayed items",
    ),
    "CASE-16": Promise("translation §9", "max_output_tokens to codex is removed and reported"),
    "CASE-17": Promise("translation §9", "temperature to codex is removed, to openai kept even when 0"),
    "CASE-32": Promise("translation §9", "role system to codex becomes developer everywhere"),
    "CASE-43": Promise("translation §9", "foreign item ids are removed on replay"),
    "CASE-44": Promise(
        "translation §9",
        "replayed reasoning keeps its encrypted content and loses its id, or is removed without it",
    ),
    "CASE-45": Promise("translation §9", "reasoning whose following item was dropped is dropped too"),
    "CASE-46": Promise("translation §9", "service_tier flex is removed, fast becomes priority"),
    "CASE-47": Promise("translation §9", "prompt_cache_breakpoint is removed recursively for codex"),
    "CASE-48": Promise("translation §9", "unknown vendor keys are not sent to codex"),
    "CASE-128": Promise("translation §9", "an unknown previous_response_id is 400 previous_response_not_found"),
    "CASE-144": Promise("translation §9", "a detail body becomes an envelope with its parameter"),
    "CASE-145": Promise(
        "translation §9",
        "a 429 that resets in hours has its seconds in Retry-After and x-should-retry false",
    ),
    "CASE-146": Promise("translation §9", "a refusal of the gateway's own credential is 502 upstream_auth, not 401"),
    "CASE-147": Promise("translation §9", "an HTML error of a proxy becomes a JSON envelope"),
    "CASE-148": Promise("translation §9", "an unsupported feature is 400, never 501"),
}
