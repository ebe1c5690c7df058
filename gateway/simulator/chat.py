"""Script → a Chat Completions answer: the chunks of a stream, or one completion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.simulator.scenario import Script
from gateway.simulator.scripts import (
    Beat,
    Event,
    Hold,
    arguments,
    control,
    cuts,
    deltas,
    ending,
    finishing,
    kind_of,
    tokens,
)

_DONE = Event(None, "[DONE]")


class ChatComposer:
    """Turns a script into chunks; afterwards `completion` is the whole answer, `error` its failure, if any.

    `include_usage`: as in stream_options. `choices`: how many equal choices there are. `legacy`: the request offers
    `functions`, so that the first call is a `function_call` and there is no second one.
    """

    def __init__(
        self,
        script: Script,
        *,
        model: str,
        number: int,
        created: int,
        prompt_tokens: int,
        ids: Iterator[int],
        include_usage: bool = False,
        choices: int = 1,
        legacy: bool = False,
    ) -> None:
        self.error: dict[str, Any] | None = None
        self.completion: dict[str, Any] = {}
        self._script = script
        self._head = {"id": f"chatcmpl-{number:029x}", "created": created, "model": model}
        self._prompt_tokens = prompt_tokens
        self._ids = ids
        self._include_usage = include_usage
        self._choices = choices
        self._legacy = legacy
        self._text = ""
        self._refusal = ""
        self._thoughts = ""
        self._calls: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def beats(self) -> list[Beat]:
        """All beats in order."""
        return list(self._compose())

    def _compose(self) -> Iterator[Beat]:
        yield from self._chunk({"role": "assistant", "content": "", "refusal": None})
        for step in self._script.steps or ():
            yield from self._step(step)
        unfinished = finishing(self._script)
        if unfinished is not None:
            yield unfinished
            return
        status, reason, error = ending(self._script)
        if status == "failed":
            self.error = error
            yield Event(None, {"error": error})
            return
        finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(reason)
        called = "function_call" if self._legacy else "tool_calls"
        finish = finish or (called if self._calls else "stop")
        yield from self._chunk({}, finish)
        self.completion = self._whole(finish)
        if self._include_usage:
            shell = {"object": "chat.completion.chunk", "choices": [], "usage": self.completion["usage"]}
            yield Event(None, {**self._head, **shell, "service_tier": "default", "system_fingerprint": None})
        yield _DONE

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Iterator[Event]:
        """One chunk for each choice, as the public API sends them."""
        choice = {"delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._include_usage else {}
        shell = {"object": "chat.completion.chunk", "service_tier": "default", "system_fingerprint": None}
        for index in range(self._choices):
            yield Event(None, {**self._head, **shell, "choices": [{"index": index, **choice}], **usage})

    def _step(self, step: Mapping[str, Any]) -> Iterator[Beat]:
        timing = control(step)
        if timing is not None:
            yield timing
            return
        kind, value = kind_of(step)
        match kind:
            case "text" | "refusal":
                yield from self._said(kind, step)
            case "reasoning":
                pieces = deltas(value)
                self._thoughts += "".join(pieces)
                if self._script.reasoning_content:
                    for piece in pieces:
                        yield from self._chunk({"reasoning_content": piece})
            case "call" if self._legacy:
                yield from self._function_call(step)
            case "call" | "custom":
                yield from self._call(kind, step)
            case "event":
                yield Event(None, value)
            # Searches, pictures, items and Codex events have no form in this dialect.

    def _said(self, kind: str, step: Mapping[str, Any]) -> Iterator[Beat]:
        field = "content" if kind == "text" else "refusal"
        for piece in deltas(step[kind]):
            if not isinstance(piece, str):
                beat = control(piece)
                if beat is not None:
                    yield beat
                continue
            if kind == "text":
                self._text += piece
            else:
                self._refusal += piece
            yield from self._chunk({field: piece})
        for citation in step.get("citations", ()):
            place = {"start_index": 0, "end_index": len(self._text)}
            url = {"url": citation["url"], "title": citation.get("title", ""), **place}
            self._annotations.append({"type": "url_citation", "url_citation": url})

    def _call(self, kind: str, step: Mapping[str, Any]) -> Iterator[Beat]:
        shape, field = ("function", "arguments") if kind == "call" else ("custom", "input")
        content = arguments(step) if kind == "call" else str(step.get("input", ""))
        index = len(self._calls)
        call_id = step.get("call_id") or f"call_{next(self._ids):024x}"
        head = {"id": call_id, "type": shape}
        self._calls.append({**head, shape: {"name": step[kind], field: content}})
        first = {"index": index, **head, shape: {"name": step[kind], field: ""}}
        yield from self._chunk({"tool_calls": [first]})
        for piece in cuts(content) if step.get("deltas", True) else [content] * bool(content):
            yield from self._chunk({"tool_calls": [{"index": index, shape: {field: piece}}]})

    def _function_call(self, step: Mapping[str, Any]) -> Iterator[Beat]:
        if self._calls:
            return
        content = arguments(step)
        self._calls.append({"name": step["call"], "arguments": content})
        yield from self._chunk({"function_call": {"name": step["call"], "arguments": ""}})
        for piece in cuts(content) if step.get("deltas", True) else [content] * bool(content):
            yield from self._chunk({"function_call": {"arguments": piece}})

    def _whole(self, finish: str) -> dict[str, Any]:
        silent = self._calls and not self._text
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if silent or self._refusal else self._text,
            "refusal": self._refusal or None,
            "annotations": self._annotations,
        }
        if self._calls:
            message |= {"function_call": self._calls[0]} if self._legacy else {"tool_calls": self._calls}
        if self._script.reasoning_content and self._thoughts:
            message["reasoning_content"] = self._thoughts
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [
                {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
                for index in range(self._choices)
            ],
            "usage": self._usage(),
            "service_tier": "default",
            "system_fingerprint": None,
        }

    def _usage(self) -> dict[str, Any]:
        thought = tokens(self._thoughts) + 16 if self._thoughts else 0
        written = (tokens(self._text) + tokens(self._refusal) + tokens(self._calls or "")) * self._choices + thought
        usage = {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self._prompt_tokens + written,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": thought,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        return {**usage, **(self._script.usage or {})}


def holds(beats: list[Beat]) -> list[Beat]:
    """The pauses among beats: a document waits for all of them."""
    return [beat for beat in beats if isinstance(beat, Hold)]
