"""Chunks of a chat server → a stream of the inner language (translation §5.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.core import ids
from gateway.core.events import REASONING, REFUSAL, SUMMARY, TEXT
from gateway.core.fold import parsed
from gateway.core.frames import DONE, Frame
from gateway.core.response import complete_response, request_echo
from gateway.dialects.chat.outbound.calls import Calls
from gateway.dialects.chat.outbound.form import Form
from gateway.dialects.chat.outbound.outcome import (
    COMPLETED,
    FAILED,
    FILTERED,
    Outcome,
    error_in,
    failure_object,
    outcome_of,
)
from gateway.dialects.chat.outbound.prose import Prose
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.reading import (
    can_hold_text,
    objects,
    parts_in,
    says,
    sources_in,
    stated_in,
    thoughts_in,
    tokens_in,
)
from gateway.dialects.chat.outbound.think import ThinkTags
from gateway.dialects.chat.outbound.toolmap import ToolMap
from gateway.dialects.chat.outbound.usage import inner_usage, usage_in
from gateway.dialects.chat.outbound.writer import Writer
from gateway.errors import UpstreamError

Json = dict[str, Any]

OPEN_BYTES = 8 * 1024 * 1024
WITHHELD = "The answer was withheld by the upstream's content filter."

_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED = "reasoning.encrypted_content"
_CUT = {
    "code": "stream_incomplete",
    "message": "The upstream's stream ended before the response was complete.",
    "type": "upstream_error",
}


class ChatInlet:
    """An `Inlet`: feed it the frames of a chat stream, get the frames of a Responses stream.

    The first frames are `response.created` and `response.in_progress`, the last one is the terminal event; whatever the
    server sends, the stream is legal (translation, appendix A).
    """

    def __init__(
        self,
        *,
        tools: ToolMap,
        quirks: Quirks,
        echo_body: Json,
        seed: str,
        created: int,
        open_bytes: int = OPEN_BYTES,
    ) -> None:
        """`echo_body`: the inner request. `created`: Unix seconds, where the server tells none.

        `open_bytes` bounds what is kept of items that are not done.
        """
        include = echo_body.get("include") or ()
        self._writer = Writer(seed, open_bytes, sealing=_ENCRYPTED in include)
        self._prose = Prose(self._writer)
        self._calls = Calls(self._writer, tools)
        self._tags = ThinkTags() if quirks.think_tags else None
        self._thoughts = SUMMARY if quirks.reasoning_as == "summary" or _wants_summary(echo_body) else REASONING
        self._echo_body = echo_body
        self._created = created
        self._with_tokens = _LOGPROBS in include
        self._form = Form()
        self._response: Json = {}
        self._by_delta = False
        """Deltas say something: what else says it only repeats it."""
        self._answered = False
        """There was something in a form that is read, though it may have said nothing."""
        self._unread = False
        """There was content in no form that is read."""
        self._finish_reason = ""
        self._usage: Json | None = None
        self._tier: object = None
        self._over = False

    def feed(self, frames: Sequence[Frame]) -> list[Frame]:
        """The inner frames for the server's frames of one read. Failures are told in them, never raised."""
        for frame in frames:
            if self._over:
                break
            if text := self._form.text_in(frame):
                self._try(self._go_on, text)
            else:
                self._try(self._read, frame)
        return self._fetch()

    def finish(self) -> list[Frame]:
        """What is owed at the end of the server's stream; an answer without its end is a failure."""
        if not self._over:
            if self._finish_reason:
                self._try(self._settle)
            else:
                self._fail(_CUT)
        return self._fetch()

    def _try(self, act: Callable[..., None], *arguments: object) -> None:
        try:
            act(*arguments)
        except UpstreamError as error:
            self._fail(error.error_object())

    def _fetch(self) -> list[Frame]:
        out, self._writer.out = self._writer.out, []
        return out

    # reading ----------------------------------------------------------------------------------------------------------

    def _go_on(self, text: str) -> None:
        """A chunk like the last one, but for its text."""
        if self._form.thought:
            self._prose.say(self._thoughts, text)
        else:
            self._say(text, None)

    def _read(self, frame: Frame) -> None:
        if frame.type == DONE:
            self._settle()
            return
        chunk = parsed(frame)
        if not self._response:
            self._begin(chunk)
        choices = objects(chunk.get("choices"))
        usage = usage_in(chunk, choices)
        self._usage = usage or self._usage
        self._tier = chunk.get("service_tier") or self._tier
        if (error := error_in(frame, chunk)) is not None:
            self._fail(error)
            return
        for choice in choices:
            if not choice.get("index") and not self._over:  # others than the first were not asked for
                self._choose(choice)
        if usage and self._finish_reason and not choices:
            self._settle()
        if not self._with_tokens:
            self._form.learn(frame, chunk)

    def _choose(self, choice: Json) -> None:
        told = choice.get("delta")
        if not self._by_delta:
            self._by_delta = says(told)
            told = told if self._by_delta else stated_in(choice) or told
        if isinstance(told, dict):
            self._answered = True
            self._tell(told, choice)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish_reason = reason
        if isinstance(error := choice.get("error"), dict):
            self._fail(error)

    def _tell(self, delta: Json, choice: Json) -> None:
        if thought := thoughts_in(delta):
            self._prose.say(self._thoughts, thought)
        content = delta.get("content")
        if content:
            self._say(content, tokens_in(choice) if self._with_tokens else None)
        if not isinstance(content, str) and not can_hold_text(content):
            self._unread = True
        refusal, call = delta.get("refusal"), delta.get("function_call")
        if isinstance(refusal, str) and refusal:
            self._prose.say(REFUSAL, refusal)
        if annotations := delta.get("annotations"):
            for annotation, size in sources_in(annotations):
                self._prose.annotate(annotation, size)
        if calls := delta.get("tool_calls"):
            self._call(calls)
        if isinstance(call, dict):  # the form of old: one call, no id
            self._call([{"index": 0, "function": call}])

    def _say(self, content: object, tokens: list[Json] | None) -> None:
        if not isinstance(content, str):
            for thought, text in parts_in(content):
                self._prose.say(self._thoughts if thought else TEXT, text, None if thought else tokens)
        elif self._tags is None:
            self._prose.say(TEXT, content, tokens)
        else:
            for thought, text in self._tags.feed(content):
                self._prose.say(self._thoughts if thought else TEXT, text, None if thought else tokens)

    def _call(self, fragments: object) -> None:
        self._release_tags()
        self._calls.feed(fragments if isinstance(fragments, list) else [])

    def _release_tags(self) -> None:
        """Nothing more can complete the tag that is held back."""
        for thought, text in self._tags.finish() if self._tags else ():
            self._prose.say(self._thoughts if thought else TEXT, text)

    # beginning and end ------------------------------------------------------------------------------------------------

    def _begin(self, chunk: Json) -> None:
        created, model = chunk.get("created"), chunk.get("model")
        told = isinstance(created, int | float) and created > 0
        shown: Json = {
            "id": ids.derive("resp", self._writer.seed),
            "object": "response",
            "created_at": created if told else self._created,
            "status": "in_progress",
            "model": model if isinstance(model, str) and model else self._echo_body.get("model") or "",
            "output": [],
        }
        self._response = complete_response(shown, request_echo(self._echo_body))
        for name in ("response.created", "response.in_progress"):
            self._writer.tell(name, response=self._response)

    def _settle(self) -> None:
        """The server has said all it will say.

        Without a finish reason, an answer counts as complete when there is something and all of it can be used.
        """
        if not self._response:
            self._begin({})
        self._release_tags()
        outcome = outcome_of(self._finish_reason) if self._finish_reason else self._guess()
        if outcome is FAILED:
            reason = f"finish_reason {self._finish_reason!r}" if self._finish_reason else "no finish_reason"
            self._fail({"message": f"The upstream ended its answer with {reason}."})
        elif outcome is COMPLETED and not self._calls.named:
            self._fail({"message": "The upstream called a tool without naming it."})
        elif outcome is COMPLETED and not self._writer.count and (self._unread or not self._answered):
            self._fail({"message": "The upstream's answer has no text in a form that the gateway reads."})
        else:
            self._prose.close(alone=not self._calls, filtered=WITHHELD if outcome is FILTERED else "")
            self._writer.end_all(outcome.status)
            self._end(outcome.status, incomplete_details={"reason": outcome.reason} if outcome.reason else None)

    def _guess(self) -> Outcome:
        return COMPLETED if self._writer.count and self._calls.whole else FAILED

    def _fail(self, told: Json) -> None:
        if not self._response:
            self._begin({})
        error = failure_object(told)
        self._writer.fail_all()
        flat = {name: error[name] for name in ("code", "message", "param")}
        self._writer.tell("error", **flat, error=error)
        self._response = {name: value for name, value in self._response.items() if name != "completed_at"}
        self._end("failed", error={"code": error["code"], "message": error["message"]})

    def _end(self, status: str, **fields: Any) -> None:
        self._over = True
        if isinstance(self._tier, str) and status != "failed":
            fields["service_tier"] = self._tier
        shown: Json = {"status": status, "output": self._writer.output(), "usage": inner_usage(self._usage), **fields}
        self._writer.tell(f"response.{status}", response={**self._response, **shown})


def _wants_summary(body: Json) -> bool:
    """Whether the client looks for reasoning in summaries, as those do that know OpenAI's models only."""
    reasoning = body.get("reasoning")
    return isinstance(reasoning, dict) and any(reasoning.get(name) for name in ("summary", "generate_summary"))
