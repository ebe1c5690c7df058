"""What is promised of: chat-only upstreams."""

from __future__ import annotations

from tests.promises import Promise

CHAT_SERVER_REQUESTS: dict[str, Promise] = {
    "CHAT-SERVER-fields": Promise("translation §5.2", "every inner field has one form for a chat-only server"),
    "CHAT-SERVER-dropped": Promise(
        "translation §5.2", "what the server does not know is left out and reported; labels are left out silently"
    ),
    "CHAT-SERVER-state": Promise("translation §5.1", "state that a chat-only server cannot keep is refused by name"),
    "CHAT-SERVER-usage": Promise("translation §5.2", "streams are always asked for their token counts"),
    "CHAT-SERVER-formats": Promise("translation §5.2", "a schema that the server cannot take is told in system text"),
    "CHAT-SERVER-effort": Promise("translation §5.2", "effort is said as each server understands it"),
    "CHAT-SERVER-items": Promise("translation §5.3", "an item that cannot be told is refused by its place"),
    "CHAT-SERVER-compacted": Promise("design §1", "a summary that the gateway made is text for a chat-only server"),
    "CHAT-SERVER-parts": Promise("translation §5.3", "content that the server cannot read is refused, never left out"),
    "CHAT-SERVER-arguments": Promise("translation §5.3", "arguments of the history are always the text of an object"),
    "CHAT-SERVER-reasoning": Promise("translation §5.3", "thoughts go back to servers that want them, with their turn"),
    "CHAT-SERVER-call-ids": Promise("translation §5.3", "call ids pass unchanged, or come back from a narrow form"),
    "CHAT-SERVER-adjacency": Promise(
        "translation §5.3", "any history is sent in the order that strict servers demand, or refused"
    ),
    "CHAT-SERVER-corpus": Promise("clients", "what real programs send can be sent on to a chat-only server"),
    "CHAT-SERVER-tools": Promise("translation §5.4", "every kind of client-run tool becomes a function"),
    "CHAT-SERVER-parameters": Promise("translation §5.4", "the parameters of a function say that they are an object"),
    "CHAT-SERVER-namespaces": Promise("translation §5.4", "namespaces become functions whose names lead back"),
    "CHAT-SERVER-declared-in-input": Promise("clients, Codex", "tools declared by input items are tools like others"),
    "CHAT-SERVER-hosted": Promise("translation §5.4", "tools that a server would run are left out and reported"),
    "CHAT-SERVER-search": Promise(
        "translation §5.4; clients, Codex",
        "a search for tools that the client runs is a function, its history a call and the names of what was found",
    ),
    "CHAT-SERVER-choice": Promise("translation §5.4", "every tool choice has one form for a chat-only server"),
    "CHAT-SERVER-known": Promise("design §4", "known servers are recognised, and each gets what it takes"),
    "CHAT-SERVER-params": Promise(
        "translation §8.4", "a field that a chat-only server refuses is named as the client knows it"
    ),
    "CHAT-SERVER-live": Promise(
        "design §2", "Responses clients work in front of a chat-only server, streams and tools too"
    ),
    "CASE-110": Promise("translation §9", "parallel calls are one message, their outputs follow it"),
    "CASE-111": Promise("translation §9", "what stands between a call and its output is moved after the output"),
    "CASE-112": Promise("translation §9", "an output without its call is 400"),
    "CASE-113": Promise("translation §9", "system texts become one leading message for strict templates"),
    "CASE-114": Promise("translation §9", "pictures of tools follow all tool messages in a user message"),
    "CASE-123": Promise("translation §9", "custom tools are functions with input, and come back as custom calls"),
    "CASE-124": Promise("translation §9", "only hosted tools: 400; no choice is sent without tools"),
    "CASE-126": Promise("translation §9", "markup of calls in a text stays text"),
}

CHAT_SERVER_ANSWERS: dict[str, Promise] = {
    "CHAT-ANSWER-streams": Promise(
        "translation §5.7", "streams in the manner of each known server are read for what they say"
    ),
    "CHAT-ANSWER-summaries": Promise("translation §5.5", "reasoning text is a summary for clients that ask for one"),
    "CHAT-ANSWER-sealed": Promise(
        "translation §5.5", "reasoning text comes back from clients that send only its encrypted_content"
    ),
    "CHAT-ANSWER-golden": Promise(
        "translation appendix D", "a stream has the published events in the published order, each with its fields"
    ),
    "CHAT-ANSWER-clean": Promise("design §2", "what is made of chunks is clean: the repair passes it unchanged"),
    "CHAT-ANSWER-any": Promise(
        "translation appendix A", "any chunks make a legal stream that ends once, and never an exception"
    ),
    "CHAT-ANSWER-chunking": Promise("style §9", "how the network cuts a server's stream changes no byte of ours"),
    "CHAT-ANSWER-cut": Promise(
        "design §6", "a stream cut anywhere ends as failed, code stream_incomplete, and is legal"
    ),
    "CHAT-ANSWER-early": Promise("design §6", "what can be streamed goes out with the chunk that brings it"),
    "CHAT-ANSWER-deltas": Promise("translation §5.7", "deltas and done events say the same"),
    "CHAT-ANSWER-sdk": Promise(
        "translation appendix A", "the SDK's own stream helper reads every stream, and raises where one failed"
    ),
    "CHAT-ANSWER-chat-clients": Promise("design §2", "a chat client gets back what a chat server said"),
    "CHAT-ANSWER-json": Promise("translation §5.6", "a JSON answer is read as its items, status, counts and failure"),
    "CHAT-ANSWER-same": Promise("style §9", "a stream and its JSON answer say the same"),
    "CHAT-ANSWER-whole-object": Promise(
        "translation §5.6", "the response shows what the client asked for, under an id of ours"
    ),
    "CHAT-ANSWER-finish": Promise("translation §5.6", "the finish reason decides the status"),
    "CHAT-ANSWER-terminal": Promise(
        "translation §5.7", "the terminal event waits for the counts, the end mark or the end, and for nothing else"
    ),
    "CHAT-ANSWER-end-mark": Promise(
        "translation §5.7", "an end mark without a finish reason ends what can be used, and fails the rest"
    ),
    "CHAT-ANSWER-errors": Promise(
        "translation §5.7", "an error in any form ends the stream as error and response.failed, and keeps its meaning"
    ),
    "CHAT-ANSWER-usage": Promise(
        "translation §2.5", "counts are found wherever servers put them, completed, and never invented"
    ),
    "CHAT-ANSWER-thoughts": Promise(
        "translation §5.5", "reasoning text is found wherever servers put it, and shown as content or summary"
    ),
    "CHAT-ANSWER-think-tags": Promise(
        "translation §5.5", "a leading think tag is reasoning where the server has that quirk, however it is cut"
    ),
    "CHAT-ANSWER-blanks": Promise(
        "translation §5.7", "blanks alone open neither a message nor a reasoning item before something else comes"
    ),
    "CHAT-ANSWER-empty": Promise("translation §5.6", "an answer of nothing is an empty message"),
    "CHAT-ANSWER-forms": Promise(
        "translation §5.6, §5.7", "text in another form than a delta's is read, or the answer fails: it is never lost"
    ),
    "CHAT-ANSWER-halves": Promise("design §6", "characters that a server cut in two go out whole"),
    "CHAT-ANSWER-refusal": Promise("translation §5.7", "refusals are parts of their message"),
    "CHAT-ANSWER-sources": Promise("translation §5.7", "annotations are flat and belong to the text"),
    "CHAT-ANSWER-logprobs": Promise("translation §2.4", "log probabilities go to the client that asked for them"),
    "CHAT-ANSWER-calls": Promise("translation §5.7", "calls are told apart however a server numbers them"),
    "CHAT-ANSWER-call-ids": Promise("translation §5.7", "a call keeps its id unless it has none of its own"),
    "CHAT-ANSWER-empty-arguments": Promise(
        "translation §5.7", "a call without arguments has an empty object, in deltas and at the end"
    ),
    "CHAT-ANSWER-early-close": Promise("translation §5.7", "a call that is whole ends when the next item begins"),
    "CHAT-ANSWER-custom": Promise("translation §5.7", "the input of a custom tool is unwrapped and told once"),
    "CHAT-ANSWER-namespaces": Promise("translation §5.4", "a call names the tool and the namespace as the client does"),
    "CHAT-ANSWER-search": Promise(
        "translation §5.4; clients, Codex", "a call of the client's search is an item of its own, arguments an object"
    ),
    "CHAT-ANSWER-unnamed": Promise(
        "translation §5.7", "a call that nobody named fails an answer that claims to be complete"
    ),
    "CHAT-ANSWER-bounded": Promise("design §6", "what is kept of items that are not done is bounded"),
    "CASE-115": Promise("translation §9", "calls that are all numbered 0 are told apart by their ids"),
    "CASE-116": Promise("translation §9", "two deltas of one index in one chunk are both applied"),
    "CASE-117": Promise("translation §9", "an empty first content opens no message"),
    "CASE-118": Promise("translation §9", "blanks before a call are no message"),
    "CASE-119": Promise("translation §9", "text after a call is a second message"),
    "CASE-120": Promise(
        "translation §9", "finish_reason length is response.incomplete, and what was cut is incomplete"
    ),
    "CASE-121": Promise("translation §9", "counts after the finish chunk are in response.completed"),
    "CASE-122": Promise("translation §9", "an id repeated in each fragment is one added event"),
    "CASE-125": Promise("translation §9", "a content filter that left nothing is a refusal"),
    "CASE-127": Promise("translation §9", "the response has every echo field"),
}

CHAT_SERVERS: dict[str, Promise] = {**CHAT_SERVER_REQUESTS, **CHAT_SERVER_ANSWERS}
