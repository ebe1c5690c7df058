"""Scripts → a legacy completion of one or several prompts: the chunks of a stream, or one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from gateway.simulator.asks import Ask
from gateway.simulator.scenario import Script
from gateway.simulator.scripts import Beat, Event, control, deltas, ending, finishing, kind_of, tokens
from gateway.simulator.turns import played

MOST_CHOICES = 128
_DONE = Event(None, "[DONE]")
_LOGPROB = -0.5  # of every simulated token


@dataclass(slots=True)
class Choice:
    """One answer to one prompt. `echo`: what comes before it. `text`: what was said so far, that included."""

    script: Script
    echo: str
    text: str = ""


class TextComposer:
    """Turns scripts into chunks; afterwards `completion` is the whole answer, `error` its failure, if any.

    Choices come interleaved. A script that is given plays once for all of them: its pauses are those of the first.
    """

    def __init__(self, body: Mapping[str, Any], script: Script | None, *, number: int, created: int) -> None:
        stop = body.get("stop") or ()
        self.error: dict[str, Any] | None = None
        self.completion: dict[str, Any] = {}
        self._prompts = prompts(body.get("prompt"))
        count = body.get("n") or 1
        self._choices = [
            Choice(
                played(
                    script,
                    Ask(
                        text=prompt,
                        limit=body.get("max_tokens"),
                        stop=(stop,) if isinstance(stop, str) else tuple(stop),
                        choices=len(self._prompts) * count,
                    ),
                ),
                prompt if body.get("echo") else "",
            )
            for prompt in self._prompts
            for _ in range(count)
        ]
        self.script = self._choices[0].script
        self._head = {"id": f"cmpl-{number:029x}", "object": "text_completion", "created": created}
        self._head |= {"model": body["model"], "system_fingerprint": None}
        self._logprobs = body.get("logprobs") is not None
        self._usage_chunk = body.get("stream") is True and (body.get("stream_options") or {}).get("include_usage")

    def beats(self) -> list[Beat]:
        """All beats in order."""
        return list(self._compose())

    def _compose(self) -> Iterator[Beat]:
        said = [list(self._said(index, choice)) for index, choice in enumerate(self._choices)]
        for row in zip_longest(*said):
            yield from (beat for beat in row if beat is not None)
        unfinished = finishing(self.script)
        if unfinished is not None:
            yield unfinished
            return
        status, _, self.error = ending(self.script)
        if status == "failed":
            yield Event(None, {"error": self.error})
            return
        for index, choice in enumerate(self._choices):
            yield self._chunk(index, "", _reason(choice.script))
        self.completion = self._whole()
        if self._usage_chunk:
            yield Event(None, {**self._head, "choices": [], "usage": self.completion["usage"]})
        yield _DONE

    def _said(self, index: int, choice: Choice) -> Iterator[Beat]:
        if choice.echo:
            yield self._piece(index, choice, choice.echo)
        for step in choice.script.steps or ():
            kind, value = kind_of(step)
            timing = control(step)
            if timing is not None and index == 0:
                yield timing
            elif kind == "event" and index == 0:
                yield Event(None, value)
            elif kind in ("text", "refusal"):
                for piece in deltas(value):
                    pause = None if isinstance(piece, str) else control(piece)
                    if isinstance(piece, str):
                        yield self._piece(index, choice, piece)
                    elif pause is not None and index == 0:
                        yield pause

    def _piece(self, index: int, choice: Choice, piece: str) -> Event:
        chunk = self._chunk(index, piece, None, len(choice.text))
        choice.text += piece
        return chunk

    def _chunk(self, index: int, text: str, finish: str | None, offset: int = 0) -> Event:
        logprobs = _tokens([text], offset) if self._logprobs and text else None
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self._usage_chunk else {}
        return Event(None, {**self._head, "choices": [choice], **usage})

    def _whole(self) -> dict[str, Any]:
        choices = [
            {
                "text": choice.text,
                "index": index,
                "logprobs": _tokens([choice.text], 0) if self._logprobs else None,
                "finish_reason": _reason(choice.script),
            }
            for index, choice in enumerate(self._choices)
        ]
        read = sum(tokens(prompt) for prompt in self._prompts)
        written = sum(tokens(choice.text) for choice in self._choices)
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return {**self._head, "choices": choices, "usage": {**usage, **(self.script.usage or {})}}


def prompts(prompt: Any) -> list[str]:
    """The prompts of a request as text; token ids are told by their number."""
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    given: Sequence[Any] = prompt if several else [prompt]
    return [one if isinstance(one, str) else f"{len(one or ())} tokens" for one in given]


def _tokens(texts: list[str], offset: int) -> dict[str, Any]:
    """Made-up logprobs: a piece of text is a token."""
    return {
        "tokens": texts,
        "token_logprobs": [_LOGPROB] * len(texts),
        "top_logprobs": [{text: _LOGPROB} for text in texts],
        "text_offset": [offset],
    }


def _reason(script: Script) -> str:
    return {"max_output_tokens": "length", "content_filter": "content_filter"}.get(ending(script)[1], "stop")
