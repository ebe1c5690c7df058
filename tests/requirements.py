"""What the product promises: id → (source, behaviour). Tests name ids with `@pytest.mark.proves(...)`.

`tests/test_requirements.py` fails when a promise has no test, or a test names a promise that does not exist.
One section an area; ids read `AREA-subject`.
"""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    source: str
    behaviour: str


WIRE: dict[str, Promise] = {
    "WIRE-raw": Promise("design §2", "an event keeps its very bytes"),
    "WIRE-line-ends": Promise("translation §4.1", "lines end at LF, CRLF and CR and nowhere else"),
    "WIRE-comments": Promise("translation §4.1", "comments, ids and retry times are left out"),
    "WIRE-last-event": Promise("translation §4.1", "the last event needs no blank line; a part of an event is none"),
    "WIRE-limit": Promise("design §6", "an event over the limit fails the reader, after what came before it"),
    "WIRE-linear": Promise("performance §4", "the work of a read does not grow with what was read before"),
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

RESPONSES: dict[str, Promise] = {
    "FAILURE-codes": Promise(
        "translation §2.7", "the code of an upstream's failure decides status, type and whether to try again"
    ),
    "FAILURE-words": Promise("translation §2.7", "without a telling code the words of the message decide"),
    "FAILURE-delay": Promise(
        "codex-upstream §10.2", "the upstream's advice on waiting is passed on from the surest source"
    ),
    "FAILURE-plan-limit": Promise(
        "translation §8.4", "a used-up plan is a 429 that names its end and stops SDKs from trying"
    ),
    "FAILURE-http": Promise("design §5.3", "a 4xx of the upstream keeps its status"),
    "FAILURE-spelling": Promise("translation §8.1", "types of errors are spelt as OpenAI spells them"),
    "RESPONSES-invariants": Promise(
        "translation appendix A", "every stream to a Responses client keeps the invariants, whatever the upstream sent"
    ),
    "RESPONSES-chunking": Promise("style §9", "how the network cuts an upstream's stream changes no byte of ours"),
    "RESPONSES-junk-after": Promise("translation §4.2", "nothing after the terminal event matters"),
    "RESPONSES-cut": Promise("design §6", "a stream cut anywhere ends as failed and is legal"),
    "RESPONSES-clean": Promise("design §2", "a clean stream passes as the same frames, byte for byte"),
    "RESPONSES-lazy": Promise("design §2", "deltas of a trusted clean stream are never parsed"),
    "RESPONSES-missing-deltas": Promise("clients, answers", "text that comes only in done events is streamed too"),
    "RESPONSES-bounded": Promise("design §6", "what is kept of open items is bounded"),
    "RESPONSES-complete": Promise("clients, Open Responses", "an answer has every field that Open Responses requires"),
    "RESPONSES-echo": Promise(
        "translation §4.4", "answers show what the client asked for, not what the upstream was sent"
    ),
    "RESPONSES-ids": Promise("translation §4.1", "an item id is kept when it can be sent back later"),
    "RESPONSES-usage": Promise("translation §4.4", "usage is completed but never invented"),
    "RESPONSES-codex": Promise("clients, Codex", "a request of Codex passes untouched"),
    "RESPONSES-input": Promise("translation §7", "text input is one user message, and nothing is added"),
    "RESPONSES-shape": Promise("design §5.3", "what no server could read is 400 invalid_request and names the path"),
    "RESPONSES-relay": Promise("design §2", "a native relay changes nothing but the model"),
    "RESPONSES-keep-alive": Promise("design §5.3", "silence is filled with comments"),
    "RESPONSES-fail": Promise(
        "translation §8.5", "a failure is an error event and response.failed, and the stream stays legal"
    ),
    "RESPONSES-sdk": Promise(
        "translation appendix A", "the SDK's own stream helper reads every stream, and raises where one failed"
    ),
    "CASE-67": Promise("translation §9", "a rate limit inside a stream is a 429"),
    "CASE-84": Promise("translation §9", "a failure before any output keeps its real status"),
    "CASE-97": Promise("translation §9", "an empty terminal output is filled with all items"),
    "CASE-98": Promise("translation §9", "done items out of order are sorted by index"),
    "CASE-99": Promise("translation §9", "bare text deltas get an item and a part around them"),
    "CASE-100": Promise("translation §9", "a gap in output_index is closed"),
    "CASE-101": Promise("translation §9", "an item id in deltas is the item's own"),
    "CASE-102": Promise("translation §9", "an item without an id has one before its first use"),
    "CASE-103": Promise("translation §9", "a call id used twice is changed the second time"),
    "CASE-104": Promise("translation §9", "the first response id is kept everywhere"),
    "CASE-105": Promise("translation §9", "reasoning parts of vLLM get their published name"),
    "CASE-106": Promise("translation §9", "a stream that begins with its failure begins with created"),
    "CASE-107": Promise("translation §9", "a keepalive event is no event for clients"),
    "CASE-108": Promise("translation §9", "a part is announced before its first delta"),
    "CASE-109": Promise("translation §9", "a cut stream ends in response.failed, code stream_incomplete"),
    "FAIL-5": Promise("codex-upstream §12", "an empty or null output is rebuilt and patched into the terminal event"),
    "FAIL-6": Promise("codex-upstream §12", "a stream that ends early is an error, never a finished answer"),
}

CHAT: dict[str, Promise] = {
    "CHAT-corpus": Promise("style §9", "recorded streams give the same chunks however they are read; cut ones, errors"),
    "CHAT-plain": Promise("translation §1", "a plain request is one input item"),
    "CHAT-fields": Promise("translation §1.1", "every top-level field has one inner form"),
    "CHAT-malformed": Promise("translation §1.0", "a malformed field is 400 invalid_request and names the field"),
    "CHAT-unsupported": Promise("translation §1.1", "what cannot be done is 400 and names the field"),
    "CHAT-dropped": Promise(
        "translation §0", "soft wishes are reported as dropped; strict refuses them, lenient drops more"
    ),
    "CHAT-reasoning": Promise("translation §1.7", "vendors' switches for reasoning become an effort"),
    "CHAT-stream-options": Promise("translation §1.1", "padding is switched off unless the client asked for it"),
    "CHAT-instructions": Promise("translation §1.1", "instructions next to messages are the first developer item"),
    "CHAT-inner-body": Promise("translation §1.0", "a Responses body may hold messages and items of either form"),
    "CHAT-call-arguments": Promise("translation §1.2", "arguments are always text"),
    "CHAT-namespace": Promise("translation §1.6", "a replayed call of a namespaced tool names its namespace"),
    "CHAT-refusal": Promise("translation §1.2", "refusals of the history are refusal parts"),
    "CHAT-thoughts": Promise("translation §1.2", "thoughts replayed as parts are left out"),
    "CHAT-empty-parts": Promise("translation §1.3", "empty parts are left out, but a turn stays a turn"),
    "CHAT-parts": Promise("translation §1.3", "every content part has one inner form"),
    "CHAT-malformed-messages": Promise("translation §1.2", "a malformed message is 400 and names its path"),
    "CHAT-spoken-history": Promise("translation §1.2", "a spoken answer alone cannot be replayed"),
    "CHAT-tools": Promise("translation §1.4", "every kind of tool has one inner form"),
    "CHAT-order": Promise("translation §1.4", "tools and the keys of their schemas keep their order"),
    "CHAT-tool-choice": Promise("translation §1.4", "every tool choice has one inner form, and none without tools"),
    "CHAT-malformed-tools": Promise("translation §1.4", "malformed tools and choices are 400 and name their path"),
    "CHAT-completion": Promise("translation §2.1", "a completion is whole, however sparse the response"),
    "CHAT-finish": Promise("translation §2.6", "the finish reason follows the status and its reason"),
    "CHAT-usage": Promise("translation §2.5", "token counts keep their details"),
    "CHAT-reasoning-modes": Promise("translation §2.3", "reasoning goes into the one field that the operator chose"),
    "CHAT-logprobs": Promise(
        "translation §2.4", "logprobs have the bytes that chat promises, and ride with their text"
    ),
    "CHAT-stop": Promise("translation §1.8", "visible text ends before the first stop string, in both forms"),
    "CHAT-golden": Promise("translation appendix D", "a whole stream, byte for byte"),
    "CHAT-terminal-only": Promise("translation §3.4a", "what only the terminal tells is told"),
    "CHAT-stream-errors": Promise("translation §3.6", "a failure is one error frame, then the end mark"),
    "CHAT-custom-calls": Promise("translation §3.5", "a header says when custom calls are told as functions"),
    "CHAT-any-json": Promise("design §6", "any JSON is translated or refused with a 4xx, never a crash"),
    "CHAT-round-trip": Promise("translation appendix D", "tool histories keep ids, order and text"),
    "CHAT-stream-is-json": Promise("translation appendix A", "the folded stream is the JSON answer"),
    "CHAT-any-read": Promise("style §9", "how frames are read together changes nothing"),
    "CHAT-any-events": Promise("design §2", "any events give a legal stream"),
    "CHAT-sdk": Promise(
        "translation appendix A", "the openai SDK reads completions, raw streams, the stream helper and parse"
    ),
    "CHAT-relay": Promise("design §2", "a chat server's chunks pass as bytes, and usage is remembered"),
    "CHAT-relay-end": Promise("design §6", "a native stream that was cut ends in an error"),
    "CHAT-relay-errors": Promise("translation §3.6", "an error in a native stream passes and ends it"),
    "CHAT-relay-prepare": Promise("design §2", "a native body is edited only where it must be"),
    "CASE-1": Promise("translation §9", "tool_choice naming a function is sent flat"),
    "CASE-2": Promise("translation §9", "a function tool without strict is sent with strict false"),
    "CASE-3": Promise("translation §9", "a strict function tool stays strict"),
    "CASE-4": Promise("translation §9", "text of the assistant's history is output_text"),
    "CASE-5": Promise("translation §9", "an assistant message with calls and no text is only its calls"),
    "CASE-6": Promise("translation §9", "an assistant message with calls and an empty list is only its calls"),
    "CASE-7": Promise("translation §9", "text and two calls keep their order"),
    "CASE-8": Promise("translation §9", "long call ids are hashed alike on both sides and stay different"),
    "CASE-9": Promise("translation §9", "results keep the order in which they were sent"),
    "CASE-10": Promise("translation §9", "a tool result is text where text says it all, else a list of parts"),
    "CASE-11": Promise("translation §9", "a null tool result is an empty text"),
    "CASE-12": Promise("translation §9", "a tool result without its call is 400 with its path"),
    "CASE-13": Promise("translation §9", "the result of a custom call is a custom call's output"),
    "CASE-14": Promise("translation §9", "an output limit below 16 is sent as 16"),
    "CASE-15": Promise("translation §9", "max_completion_tokens wins over max_tokens"),
    "CASE-18": Promise("translation §9", "a chat request without store is sent with store false"),
    "CASE-19": Promise("translation §9", "system text stays in the input, so JSON mode finds its word"),
    "CASE-20": Promise("translation §9", "a json_schema is flattened and its name is required"),
    "CASE-21": Promise("translation §9", "n above 1 is 400"),
    "CASE-22": Promise("translation §9", "wishes that say nothing are accepted and not sent"),
    "CASE-23": Promise("translation §9", "stop is never forwarded, the gateway looks for the strings itself"),
    "CASE-24": Promise("translation §9", "a stop string split over two deltas ends the text before it"),
    "CASE-25": Promise("translation §9", "audio output is 400"),
    "CASE-26": Promise("translation §9", "web_search_options become a tool with a flat location"),
    "CASE-27": Promise("translation §9", "an image without detail has detail auto; a bare URL is accepted"),
    "CASE-28": Promise("translation §9", "a file in bare base64 becomes a data URL with its type"),
    "CASE-29": Promise("translation §9", "the name of a message is not forwarded"),
    "CASE-30": Promise("translation §9", "a system message in the middle stays where it is"),
    "CASE-31": Promise("translation §9", "a request of only system text has an input"),
    "CASE-33": Promise("translation §9", "a Responses body on the chat route is served, and answered in chat form"),
    "CASE-34": Promise("translation §9", "the grammar of a custom tool is un-nested"),
    "CASE-35": Promise("translation §9", "allowed_tools are flattened on both levels"),
    "CASE-36": Promise("translation §9", "a tool name that upstreams refuse has a stand-in, undone in every answer"),
    "CASE-37": Promise("translation §9", "absent tools stay absent, an empty list stays empty"),
    "CASE-38": Promise("translation §9", "parallel_tool_calls is sent only with tools"),
    "CASE-39": Promise("translation §9", "legacy functions are served and answered with function_call"),
    "CASE-40": Promise("translation §9", "an effort alone asks for no summary"),
    "CASE-41": Promise("translation §9", "a long user is hashed"),
    "CASE-42": Promise("translation §9", "replayed reasoning_content is left out"),
    "CASE-49": Promise("translation §9", "a tool call's id is the call id"),
    "CASE-50": Promise("translation §9", "a call without text has content null and finishes tool_calls"),
    "CASE-51": Promise("translation §9", "text and calls are both there"),
    "CASE-52": Promise("translation §9", "a cut answer finishes length, with usage, in both forms"),
    "CASE-53": Promise("translation §9", "the reason max_tokens is length too"),
    "CASE-54": Promise("translation §9", "a cut in the reasoning is an empty answer of length"),
    "CASE-55": Promise("translation §9", "a filtered answer finishes content_filter"),
    "CASE-56": Promise("translation §9", "the embedded status decides, not the event's name"),
    "CASE-57": Promise("translation §9", "a cut call is listed as it came, and the finish is length"),
    "CASE-58": Promise("translation §9", "a refusal is no content"),
    "CASE-59": Promise("translation §9", "messages are joined by a blank line; preambles are no part of JSON"),
    "CASE-60": Promise("translation §9", "offsets of a later message's sources are shifted"),
    "CASE-61": Promise("translation §9", "foreign kinds of sources are left out"),
    "CASE-62": Promise("translation §9", "sources are nested"),
    "CASE-63": Promise("translation §9", "unknown usage is left out"),
    "CASE-64": Promise("translation §9", "token details are filled, and nothing is counted twice"),
    "CASE-65": Promise("translation §9", "a call that the server ran is no tool call"),
    "CASE-66": Promise("translation §9", "reasoning parts are joined by a blank line in one field"),
    "CASE-68": Promise("translation §9", "empty arguments are an empty object"),
    "CASE-69": Promise("translation §9", "a stream whose terminal repeats nothing gives the same answer"),
    "CASE-70": Promise("translation §9", "the role comes once"),
    "CASE-71": Promise("translation §9", "id and name of a call come once"),
    "CASE-72": Promise("translation §9", "tool indexes count calls, not output items"),
    "CASE-73": Promise("translation §9", "calls made at once come one after the other"),
    "CASE-74": Promise("translation §9", "a call told only at its end is whole"),
    "CASE-75": Promise("translation §9", "deltas and then the whole text are told once"),
    "CASE-76": Promise("translation §9", "the terminal's snapshot repeats nothing"),
    "CASE-77": Promise("translation §9", "no finish chunk before the terminal"),
    "CASE-78": Promise("translation §9", "one finish chunk, then usage, then the end mark"),
    "CASE-79": Promise("translation §9", "usage chunks only for those who asked"),
    "CASE-80": Promise("translation §9", "every chunk has choices"),
    "CASE-81": Promise("translation §9", "the first delta of a call has its type"),
    "CASE-82": Promise("translation §9", "sources come in one chunk"),
    "CASE-83": Promise("translation §9", "a stream that ends early never looks complete"),
    "CASE-85": Promise("translation §9", "a failure after text is an error frame and no finish"),
    "CASE-86": Promise("translation §9", "an incomplete stream finishes length, with usage"),
    "CASE-87": Promise("translation §9", "unknown events say nothing and are not parsed"),
    "CASE-88": Promise("translation §9", "an item whose id changes is one item"),
    "CASE-89": Promise("translation §9", "a name that comes late loses nothing"),
    "CASE-90": Promise("translation §9", "emoji and line separators pass, halves are joined"),
    "CASE-91": Promise("translation §9", "an unreadable lifecycle event is skipped"),
    "CASE-92": Promise("translation §9", "custom calls are told as functions in streams, natively by option"),
    "CASE-93": Promise("translation §9", "silence is filled with a comment"),
    "CASE-95": Promise("translation §9", "think tags close before a call"),
    "CASE-96": Promise("translation §9", "padding is neither needed nor passed on"),
    "CASE-149": Promise("translation §9", "param names are those of the client"),
}

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

OAUTH: dict[str, Promise] = {
    "OAUTH-browser": Promise(
        "codex-upstream §1", "a person logs in with a browser, and the page tells the true outcome"
    ),
    "OAUTH-authorize": Promise("codex-upstream §1.1, §1.3", "the login asks under our own name with PKCE S256"),
    "OAUTH-browser-state": Promise("codex-upstream §1.2", "a wrong state is a 400 and the login keeps waiting"),
    "OAUTH-browser-denied": Promise("codex-upstream §1.2", "a refusal is shown, escaped, and ends the login"),
    "OAUTH-browser-cancel": Promise("codex-upstream §1.2", "/cancel ends a waiting login"),
    "OAUTH-browser-timeout": Promise("codex-upstream §1.2", "a login that nobody finishes ends and names the way on"),
    "OAUTH-paste": Promise("codex-upstream §1.1", "the last address, or code#state, can be pasted into the terminal"),
    "OAUTH-port": Promise("codex-upstream §1.2", "a taken port is never shared or taken over; the second one is tried"),
    "OAUTH-device": Promise("codex-upstream §2", "a person logs in with a code, warned of codes that others send"),
    "OAUTH-device-table": Promise("codex-upstream §2", "each answer of a poll goes on, slows down or ends as listed"),
    "OAUTH-device-ceiling": Promise(
        "codex-upstream §2", "waiting for a device code ends after 15 minutes at the latest"
    ),
    "OAUTH-login-command": Promise("design §5.1", "auth login says where it saved the login and for which account"),
    "OAUTH-import": Promise("codex-upstream §3", "logins of other programs are taken over, others refused with advice"),
    "OAUTH-access-only": Promise("codex-upstream §3.3", "an access token alone works, read-only, until it ends"),
    "OAUTH-status": Promise(
        "design §5.1", "auth status shows account, end and refresh state; exit code 1 without a login"
    ),
    "OAUTH-logout": Promise(
        "codex-upstream §4.6", "logout removes the login whatever the server says, and tries to revoke"
    ),
    "OAUTH-file-layout": Promise("codex-upstream §3.2", "oauth-token.json keeps the original's keys; ours are added"),
    "OAUTH-file-private": Promise("design §6", "the token file is 0600, never written through a link, and watched"),
    "OAUTH-file-atomic": Promise("design §6", "a process killed while it writes leaves the old or the new file whole"),
    "OAUTH-hosts": Promise(
        "design §5.2", "no token or code goes to a host that the rule does not allow, nor after a redirect"
    ),
    "OAUTH-no-secrets": Promise("design §5.5", "no token or code is in an output, a log line, an error or a traceback"),
    "OAUTH-credentials": Promise("design §2", "a fresh token costs one stat per request and no call"),
    "OAUTH-new-login": Promise("design §5.1", "a new login, another account or a logout is seen without a restart"),
    "OAUTH-refresh": Promise(
        "codex-upstream §4.2", "an ending token is refreshed; the new pair is saved before it is used"
    ),
    "OAUTH-proactive": Promise(
        "codex-upstream §4.2", "the background refreshes some minutes before the end, or after 8 days"
    ),
    "OAUTH-partial-reply": Promise("codex-upstream §4.1", "what a token reply leaves out keeps its old value"),
    "OAUTH-single-flight": Promise("codex-upstream §4.4", "tasks and processes with one ended token send one refresh"),
    "OAUTH-lock": Promise("codex-upstream §4.4", "the lock covers re-read, call and write, and dies with its process"),
    "OAUTH-not-cancelled": Promise("design §6", "a refresh outlives the request that began it, and the shutdown waits"),
    "OAUTH-failure-table": Promise("codex-upstream §4.3", "refused refreshes are permanent or transient as listed"),
    "OAUTH-permanent": Promise("codex-upstream §4.3", "a dead refresh token is not sent again by any process"),
    "OAUTH-back-off": Promise("codex-upstream §4.3", "trouble backs off with jitter while a valid token stays in use"),
    "OAUTH-uncertain": Promise("codex-upstream §4.4", "a refresh whose reply was lost is not blindly repeated"),
    "OAUTH-unsaved": Promise(
        "codex-upstream §4.4", "a pair that cannot be written is kept and written as soon as it can be"
    ),
    "OAUTH-recover": Promise("codex-upstream §4.5", "after a 401: the file, then one refresh, then a clear error"),
    "FAIL-15": Promise(
        "codex-upstream §12", "nobody logs in again every ten days: tokens are refreshed early and kept"
    ),
    "FAIL-16": Promise("codex-upstream §12", "two gateways on one file never spend one refresh token twice"),
    "FAIL-17": Promise(
        "codex-upstream §12", "a session that the server ended gives one clear message and no more calls"
    ),
    "FAIL-18": Promise("codex-upstream §12", "login works without a local browser: device code or pasted address"),
}

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

CLI: dict[str, Promise] = {
    "CLI-original-config": Promise(
        "design §5.2", "A settings file of the original codex-gateway loads unchanged; its blanks mean the defaults."
    ),
    "CLI-environment": Promise(
        "design §5.2", "Every setting can be set in the environment, which wins over the file; lists and maps too."
    ),
    "CLI-every-mistake": Promise(
        "design §5.2",
        "Wrong settings are told all at once: place, expectation, finding, nearest known key, never a secret.",
    ),
    "CLI-example-config": Promise(
        "design §5.2", "config.example.yaml names every setting with its default and a comment."
    ),
    "CLI-workdir": Promise(
        "design §5.1",
        "The work directory is --workdir, else CODEX_GATEWAY_HOME, else a current directory with config.yaml, else the "
        "platform's; every command prints which.",
    ),
    "CLI-exit-codes": Promise("design §5.1", "0 is done, 1 failed with a reason on standard error, 2 wrong usage."),
    "CLI-config-init": Promise(
        "design §5.1", "`config init` writes a private file with a new random key and overwrites only with --force."
    ),
    "CLI-config-show": Promise(
        "design §5.1", "`config show` prints what holds and where it is from, without any secret."
    ),
    "CLI-open-door": Promise(
        "design §5.5", "A public listen address without a key is refused at the start, with the lines that fix it."
    ),
    "CLI-busy-port": Promise("design §5.1", "A busy port ends the start with its name and a free address."),
    "CLI-unix-socket": Promise(
        "design §5.1", "Only the socket of a dead process is removed from a listen path; anything else stays untouched."
    ),
    "CLI-banner": Promise(
        "design §5.1",
        "The banner holds a curl line that streams when pasted and the two exports; the key itself only at a terminal.",
    ),
    "CLI-demo": Promise("design §5.1", "Simulated answers come only with --demo, and the banner says so."),
    "CLI-no-login": Promise("design §5.1", "Without a login `serve` starts and says how to log in."),
    "CLI-drain": Promise("design §6", "SIGTERM lets open requests finish, and the exit code is 0."),
    "CLI-notify": Promise("design §5.1", "systemd is told READY=1 and STOPPING=1, with one worker and with several."),
    "CLI-workers": Promise("design §5.1", "Several workers share every listen address."),
    "CLI-service": Promise(
        "design §5.1", "`service` writes a hardened unit that quotes any path, starts it, and takes it back."
    ),
    "CLI-doctor": Promise(
        "design §5.1",
        "`doctor` finds what is wrong with settings, files, login, address, clock and network, and says what to do.",
    ),
    "CLI-models": Promise("design §5.1", "`models` lists what the running gateway offers, or says that none runs."),
}

HTTP: dict[str, Promise] = {
    "HTTP-request-id": Promise(
        "design §5.3",
        "A sane X-Request-ID is kept, any other replaced by 32 hex characters; every answer has it, streams too.",
    ),
    "HTTP-log-line": Promise(
        "design §6",
        "Each request makes one log line: what was asked, how it ended, how long it took, what the handlers found out.",
    ),
    "HTTP-metrics": Promise(
        "design §5.3",
        "Requests, waits, tokens, streams, upstream answers, retries, refreshes and leavers are counted.",
    ),
    "HTTP-metrics-labels": Promise(
        "performance §7", "Metric labels are bounded; values that nobody listed become other."
    ),
    "HTTP-metrics-workers": Promise("performance §7", "Workers that share a directory report their sum."),
    "HTTP-metrics-key": Promise("design §5.3", "/metrics needs the key unless the listener is loopback."),
    "HTTP-slash": Promise("surfaces §B11", "A trailing slash is optional on every path, without a redirect."),
    "HTTP-host": Promise(
        "design §4",
        "A loopback listener answers only to loopback names and server.allowed_hosts; a public one to any name.",
    ),
    "HTTP-forged-post": Promise(
        "design §6", "A page of another site cannot post to a loopback listener without a key, not even blindly."
    ),
    "HTTP-cors": Promise(
        "design §4",
        "CORS is off by default; allowed origins get what they ask for, preflights need no key, * has no credentials.",
    ),
    "HTTP-websocket": Promise("design §4", "A WebSocket is refused before it is accepted."),
    "HTTP-envelope": Promise("translation §8.1", "Every error is the OpenAI envelope with its four keys and as JSON."),
    "HTTP-refusal-bytes": Promise("design §5.3", "A refusal of the upstream is relayed byte for byte."),
    "HTTP-method": Promise("translation §8.1", "A wrong method is 405 with Allow, in the envelope."),
    "HTTP-internal": Promise(
        "style §6", "A bug is a 500 without detail for the client and with a traceback in the log."
    ),
    "HTTP-cut": Promise("design §6", "An answer that fails after its start ends abnormally and never looks complete."),
    "HTTP-cancel": Promise("style §6", "Cancellation passes through the layers, and the request is still logged."),
    "HTTP-client-left": Promise(
        "design §6", "A client that leaves before its request is read gets no answer, and the log says so."
    ),
    "HTTP-key": Promise(
        "design §5.5",
        "Below /v1 only the configured Bearer key is let in; missing and wrong keys are told apart and never echoed.",
    ),
    "HTTP-open": Promise("design §5.5", "Without a configured key everybody is the operator."),
    "HTTP-public": Promise("design §5.5", "Health, readiness, the description and its pages need no key."),
    "HTTP-closed": Promise(
        "design §5.5",
        "A path that is not listed as public or private does not exist; below /v1 the key comes before the 404.",
    ),
    "HTTP-body": Promise("design §4", "A body is the join of its pieces, without a byte order mark."),
    "HTTP-body-limit": Promise(
        "design §4", "A body beyond limits.body_bytes is a 413, announced or not, and reading stops at once."
    ),
    "HTTP-body-left": Promise("design §6", "A client that leaves while sending is told apart from a short body."),
    "HTTP-encoding": Promise(
        "design §4", "zstd, gzip and deflate bodies are decompressed, also several encodings and members."
    ),
    "HTTP-encoding-unknown": Promise("design §4", "An unknown encoding is a 415 that names the known ones."),
    "HTTP-bomb": Promise("design §6", "A decompression bomb is refused when it has grown little beyond the limit."),
    "HTTP-corrupt": Promise("design §4", "Corrupt or cut compression is a 400."),
    "HTTP-json": Promise("design §5.3", "A body that is not a JSON object is a 400 that says what is wrong and where."),
    "HTTP-depth": Promise("design §4", "Nesting beyond limits.json_depth is a 400; brackets in strings do not count."),
    "HTTP-healthz": Promise(
        "surfaces §A1", "/healthz is ok without asking anybody; other methods are 405 with Allow and an empty body."
    ),
    "HTTP-head": Promise("surfaces §A1", "System paths take HEAD and refuse other methods with Allow."),
    "HTTP-readyz": Promise("design §5.3", "/readyz is 200 or 503 and names what fails by its code, nothing secret."),
    "HTTP-readyz-cache": Promise(
        "design §6", "/readyz asks the upstream once for probes that come together, and again after a few seconds."
    ),
    "HTTP-front": Promise(
        "design §5.3", "GET / is JSON for programs and a status page for browsers, without a secret."
    ),
    "HTTP-log-format": Promise(
        "design §6", "Log lines are text in a terminal and JSON elsewhere, and no value can break a line."
    ),
    "HTTP-log-level": Promise("design §5.2", "logging.level holds for our lines and for those of libraries."),
    "HTTP-log-libraries": Promise("design §6", "Lines of libraries and warnings go through the same pipeline."),
    "HTTP-log-output": Promise(
        "design §5.2",
        "logging.output chooses the streams and the file; a stream that cannot be written to fails no caller.",
    ),
    "HTTP-log-file": Promise("design §6", "Log files have mode 0600 in a directory of mode 0700."),
    "HTTP-log-rotation": Promise(
        "design §5.2",
        "A full log file is renamed; backups are limited by number and age and compressed on request.",
    ),
    "HTTP-log-secrets": Promise(
        "design §6", "Secrets are redacted in every log line by name and by shape, tracebacks included."
    ),
    "HTTP-log-alone": Promise("design §4", "Logging imports nothing else of the gateway."),
    "CASE-150": Promise("translation §9", "An unknown URL is a JSON envelope with code unknown_url."),
}

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
}

DOCS: dict[str, Promise] = {
    "DOCS-served": Promise("design §5.3", "/openapi.yaml and /openapi.json serve the description of this version."),
    "DOCS-pages": Promise(
        "design §5.3", "/docs and /redoc load everything from the gateway, from installed assets and without a CDN."
    ),
    "DOCS-policy": Promise("design §5.3", "Pages run only scripts of the gateway: a strict Content-Security-Policy."),
    "DOCS-valid": Promise("design §5.3", "openapi.yaml is valid OpenAPI 3.1."),
    "DOCS-routes": Promise("design §5.3", "openapi.yaml names every route with its methods, and no other."),
    "DOCS-links": Promise("style §9", "Every relative link of README and docs leads to a file and a heading."),
    "DOCS-commands": Promise("style §9", "Every command and option that README and docs name exists."),
    "DOCS-make": Promise("style §9", "Every make target that README and docs name exists."),
    "DOCS-changelog": Promise("style §10", "CHANGELOG has an Unreleased section with entries."),
    "DOCS-examples": Promise("style §9", "Every YAML example loads as settings or as a scenario."),
    "DOCS-errors": Promise("design §5.3", "docs/errors.md lists every code with its status, and no other."),
    "DOCS-settings": Promise(
        "design §5.2", "docs/configuration.md lists every setting with its default, and no other."
    ),
    "DOCS-dialects": Promise("translation §1.1", "docs/dialects.md says of each field what the code does with it."),
    "DOCS-scripts": Promise("style §9", "docs/simulator.md lists the built-in scripts and every key of a scenario."),
    "DOCS-metrics": Promise("style §9", "docs/deployment.md lists every metric with its labels."),
    "DOCS-deploy": Promise(
        "design §6", "The files of deploy/ hold no event back and show no metrics; the image needs no root."
    ),
    "DOCS-clean": Promise(
        "design §6", "No file holds a secret, a path of a machine or the host of a package registry."
    ),
}

PROMISES: dict[str, Promise] = {
    **WIRE,
    **RESPONSES,
    **CHAT,
    **UPSTREAM,
    **OAUTH,
    **SIMULATOR,
    **CLI,
    **HTTP,
    **ENGINE,
    **DOCS,
}
