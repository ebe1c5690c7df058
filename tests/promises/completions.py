"""What is promised of: legacy completions."""

from __future__ import annotations

from tests.promises import Promise

COMPLETIONS: dict[str, Promise] = {
    "TEXT-sdk": Promise("clients", "the openai SDK reads completions and their streams, in front of every upstream"),
    "TEXT-plain": Promise("translation §6.1", "a prompt is one user message, and nothing is added to it"),
    "TEXT-fields": Promise("translation §6.1", "every field has one inner form, and none that says nothing is sent"),
    "TEXT-malformed": Promise("translation §6.1", "a malformed field is 400 invalid_request and names the field"),
    "TEXT-refused": Promise("translation §6.1", "what cannot be done is 400, names the field and calls no upstream"),
    "TEXT-dropped": Promise("translation §6.1", "soft wishes are reported as dropped, by the client's names"),
    "TEXT-params": Promise("translation §8.4", "a refusal names the client's field, and the place of the prompt"),
    "TEXT-any-json": Promise("design §6", "any JSON is translated or refused with a 400 that names a field"),
    "TEXT-answer": Promise("translation §6.2", "a completion is whole, however sparse the response"),
    "TEXT-refusal": Promise("translation §6.2", "a refusal is the text where there is no other"),
    "TEXT-finish": Promise("translation §2.6", "the finish reason follows the status and its reason"),
    "TEXT-logprobs": Promise("translation §6.2", "logprobs have the legacy form, with offsets in characters"),
    "TEXT-echo": Promise("translation §6.1", "an echo comes before the text, in both forms"),
    "TEXT-stop": Promise("translation §1.8", "the text ends before the first stop string, in both forms"),
    "TEXT-stream": Promise("translation §6.3", "a whole stream, byte for byte; usage only where it was asked for"),
    "TEXT-stream-is-json": Promise("translation §6.3", "the folded stream is the JSON answer"),
    "TEXT-stream-errors": Promise("translation §6.3", "a failure is one error frame, then the end mark"),
    "TEXT-several": Promise(
        "translation §6.1", "several prompts are one answer: choices in their order, one sound stream, tokens together"
    ),
    "TEXT-several-limit": Promise("design §5.2", "limits.parallel_prompts bounds the calls at once"),
    "TEXT-several-failure": Promise(
        "design §6", "the first failure ends all prompts: a status before the first byte, one error frame after it"
    ),
    "TEXT-several-left": Promise("design §6", "a client that leaves ends the calls of all its prompts"),
    "TEXT-relay": Promise("design §2", "a server that speaks legacy completions gets the body as it is"),
    "TEXT-relay-end": Promise("design §6", "a native stream is whole only when every choice has ended"),
    "TEXT-metrics": Promise("design §6", "one request is counted, with the tokens of all its prompts"),
    "SIM-completions": Promise("simulator", "legacy completions, whole and streamed, are of the SDK's types"),
    "CASE-151": Promise("translation §9", "prompts are answered by index; token ids are 400"),
    "CASE-152": Promise("translation §9", "a chunk's object is text_completion"),
    "CASE-153": Promise("translation §9", "a suffix is 400"),
    "CASE-154": Promise("translation §9", "an echo is the first text of a stream"),
}
