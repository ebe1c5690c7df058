"""Script → the events of a Responses stream and the finished response. Pure: ids come from a counter handed in."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from gateway.simulator.answers import MOST_PIECES, pieces
from gateway.simulator.library import failure
from gateway.simulator.scenario import STEPS, Script


@dataclass(frozen=True, slots=True)
class Event:
    """One SSE event; `name` is its event line, left out when None. `data` is JSON or, as text, written as it is."""

    name: str | None
    data: Any


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes to write as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for a gate, or some seconds, or (`stall`) until the client leaves."""

    gate: str | None = None
    seconds: float = 0
    stall: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End the body here: `cut` closes the connection, otherwise the body ends properly."""

    cut: bool


Beat: TypeAlias = Event | Raw | Hold | Stop
Status = Literal["completed", "incomplete", "failed", "in_progress"]


def tokens(data: Any) -> int:
    """Token count of a document or text: four bytes a token, at least one when there is anything."""
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else orjson.dumps(data)
    return -(-len(raw) // 4)


def control(step: Mapping[str, Any]) -> Beat | None:
    """The beat of a step that is about bytes and time only; None for any other step."""
    match kind_of(step):
        case "gate", name:
            return Hold(gate=str(name))
        case "wait", seconds:
            return Hold(seconds=float(seconds))
        case "stall", _:
            return Hold(stall=True)
        case "cut", _:
            return Stop(cut=True)
        case "end", _:
            return Stop(cut=False)
        case "comment", text:
            return Raw(f": {text}\n\n".encode())
        case "raw", text:
            return Raw(str(text).encode())
        case _:
            return None


def finishing(script: Script) -> Beat | None:
    """The beat of a finish that sends no terminal event; None for a proper end."""
    beats: dict[Any, Beat] = {"cut": Stop(cut=True), "end": Stop(cut=False), "stall": Hold(stall=True)}
    return beats.get(script.finish) if isinstance(script.finish, str) else None


def ending(script: Script) -> tuple[Status, str, Any]:
    """A proper finish: status, reason or shape of the error, and the error object."""
    if isinstance(script.finish, str):
        return "completed", "", None
    ((kind, value),) = script.finish.items()
    if kind == "incomplete":
        return "incomplete", str(value), None
    return "failed", kind, failure(value) if isinstance(value, str) else {**failure("server_error"), **value}


def sealed(account: str, model: str, number: int) -> str:
    """Encrypted reasoning of the simulator: readable to `unseal`, opaque to everybody else."""
    content = {"account": account, "model": model, "number": number, "simulated": True}
    return "gAAAAAsim" + base64.urlsafe_b64encode(orjson.dumps(content)).decode()


def unseal(content: str) -> dict[str, Any] | None:
    """What `sealed` put in, or None when the text is not one of the simulator's."""
    try:
        opened = orjson.loads(base64.urlsafe_b64decode(content.removeprefix("gAAAAAsim")))
    except ValueError:
        return None
    return opened if isinstance(opened, dict) else None


class Composer:
    """Turns one script into beats. `response` is the response object without output; afterwards it is the final one.

    `terminal_output`: what the terminal event shows as output, whatever the output was. `limits_event`: fields of a
    codex.rate_limits event; None on the public API, which knows neither that event nor response.metadata.
    """

    def __init__(
        self,
        script: Script,
        response: dict[str, Any],
        ids: Iterator[int],
        *,
        account: str = "",
        terminal_output: str = "full",
        limits_event: Mapping[str, Any] | None = None,
    ) -> None:
        self.response = response
        self._script = script
        self._ids = ids
        self._account = account
        self._terminal_output = terminal_output
        self._limits_event = limits_event
        self._output: list[dict[str, Any]] = []
        self._sequence = 0
        self._reasoning_tokens = 0

    def beats(self) -> list[Beat]:
        """All beats in order; `response` is finished after this."""
        return list(self._compose())

    def _compose(self) -> Iterator[Beat]:
        if self._script.opening:
            for name in ("response.created", "response.in_progress"):
                yield self._event(name, response=self.response)
        steps = list(self._script.steps or ())
        for index, step in enumerate(steps):
            yield from self._step(step, last=index == len(steps) - 1)
        yield self._finish()

    def _event(self, kind: str, **fields: Any) -> Event:
        data = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return Event(kind, data)

    def _step(self, step: Mapping[str, Any], *, last: bool) -> Iterator[Beat]:
        timing = control(step)
        if timing is not None:
            yield timing
            return
        kind, value = kind_of(step)
        cut = last and ending(self._script)[0] == "incomplete"
        match kind:
            case "text" | "refusal":
                yield from self._message(kind, step, "incomplete" if cut else "completed")
            case "reasoning":
                yield from self._reasoning(value, encrypted=bool(step.get("encrypted")))
            case "call" | "custom":
                yield from self._call(kind, step)
            case "search":
                yield from self._search(value)
            case "image":
                yield from self._image(value, partial=bool(step.get("partial")))
            case "item":
                yield self._added(value)
                yield self._done(value)
            case "limits" if self._limits_event is not None:
                yield Event("codex.rate_limits", {"type": "codex.rate_limits", **self._limits_event})
            case "metadata" if self._limits_event is not None:
                yield self._event("response.metadata", metadata=value)
            case "limits" | "metadata":
                return  # only the Codex backend has such events
            case _:  # an event of the scenario goes out as it was written
                yield Event(None if isinstance(value, str) else str(value.get("type")), value)

    def _new(self, prefix: str) -> dict[str, Any]:
        """The `id` of a new item, in the quirk the script asks for."""
        number = next(self._ids)
        match self._script.ids:
            case "none":
                return {}
            case "long":
                return {"id": f"{prefix}_{number:0396x}"}
        return {"id": f"{prefix}_{number:032x}"}

    def _added(self, item: dict[str, Any]) -> Event:
        return self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _done(self, item: dict[str, Any]) -> Event:
        event = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return event

    def _at(self, kind: str, item: dict[str, Any], **more: Any) -> Event:
        """An event about a part of the item that is being made."""
        return self._event(kind, item_id=item.get("id", ""), output_index=len(self._output), **more)

    def _message(self, kind: str, step: Mapping[str, Any], status: str) -> Iterator[Beat]:
        name, field = ("output_text", "text") if kind == "text" else ("refusal", "refusal")
        extra: dict[str, Any] = {"annotations": [], "logprobs": []} if kind == "text" else {}
        logprobs: dict[str, Any] = {"logprobs": []} if kind == "text" else {}
        phase = {"phase": step["phase"]} if "phase" in step else {}
        item = {**self._new("msg"), "type": "message", "role": "assistant", **phase}
        yield self._added({**item, "status": "in_progress", "content": []})
        part = {"type": name, field: "", **extra}
        yield self._at("response.content_part.added", item, content_index=0, part=part)
        said = ""
        for piece in deltas(step[kind]):
            if isinstance(piece, str):
                said += piece
                yield self._at(f"response.{name}.delta", item, content_index=0, delta=piece, **logprobs)
            elif (beat := control(piece)) is not None:
                yield beat
        notes = [_citation(citation, said) for citation in step.get("citations", ())]
        for index, note in enumerate(notes):
            yield self._at(
                "response.output_text.annotation.added",
                item,
                content_index=0,
                annotation_index=index,
                annotation=note,
            )
        yield self._at(f"response.{name}.done", item, content_index=0, **{field: said}, **logprobs)
        part = {**part, field: said, **({"annotations": notes} if kind == "text" else {})}
        yield self._at("response.content_part.done", item, content_index=0, part=part)
        yield self._done({**item, "status": status, "content": [part]})

    def _reasoning(self, summary: Any, *, encrypted: bool) -> Iterator[Beat]:
        item: dict[str, Any] = {**self._new("rs"), "type": "reasoning", "summary": []}
        if encrypted:
            seal = sealed(self._account, str(self.response["model"]), self._sequence)
            item["encrypted_content"] = seal
        yield self._added(item)
        texts = deltas(summary)
        if texts:
            empty = {"type": "summary_text", "text": ""}
            yield self._at("response.reasoning_summary_part.added", item, summary_index=0, part=empty)
            for piece in texts:
                yield self._at("response.reasoning_summary_text.delta", item, summary_index=0, delta=piece)
            part = {"type": "summary_text", "text": "".join(texts)}
            yield self._at("response.reasoning_summary_text.done", item, summary_index=0, text=part["text"])
            yield self._at("response.reasoning_summary_part.done", item, summary_index=0, part=part)
            item = {**item, "summary": [part]}
        self._reasoning_tokens += tokens("".join(texts)) + 16
        yield self._done(item)

    def _call(self, kind: str, step: Mapping[str, Any]) -> Iterator[Beat]:
        number = next(self._ids)
        if kind == "call":
            shape, event, field, content = "function_call", "function_call_arguments", "arguments", arguments(step)
        else:
            shape, event, field, content = "custom_tool_call", "custom_tool_call_input", "input", step.get("input", "")
        head: dict[str, Any] = {
            **self._new("fc" if kind == "call" else "ctc"),
            "type": shape,
            "call_id": step.get("call_id") or f"call_{number:024x}",
            "name": step[kind],
        }
        if "namespace" in step:
            head["namespace"] = step["namespace"]
        state = {"status": "in_progress"} if kind == "call" else {}
        yield self._added({**head, **state, field: ""})
        if step.get("deltas", True):
            for piece in cuts(content):
                yield self._at(f"response.{event}.delta", head, delta=piece)
            yield self._at(f"response.{event}.done", head, **{field: content})
        yield self._done({**head, **({"status": "completed"} if kind == "call" else {}), field: content})

    def _search(self, query: str) -> Iterator[Beat]:
        action = {"type": "search", "query": query, "queries": [query]}
        item = {**self._new("ws"), "type": "web_search_call", "action": action}
        yield self._added({**item, "status": "in_progress"})
        for stage in ("in_progress", "searching", "completed"):
            yield self._at(f"response.web_search_call.{stage}", item)
        yield self._done({**item, "status": "completed"})

    def _image(self, size: Any, *, partial: bool) -> Iterator[Beat]:
        """A picture of some bytes (zeros), or the given base64 text."""
        result = size if isinstance(size, str) else base64.b64encode(bytes(int(size))).decode()
        item = {**self._new("ig"), "type": "image_generation_call"}
        yield self._added({**item, "status": "in_progress", "result": None})
        for stage in ("in_progress", "generating"):
            yield self._at(f"response.image_generation_call.{stage}", item)
        if partial:
            kind = "response.image_generation_call.partial_image"
            yield self._at(kind, item, partial_image_b64=result[:400], partial_image_index=0)
        yield self._at("response.image_generation_call.completed", item)
        yield self._done({**item, "status": "completed", "result": result})

    def _finish(self) -> Beat:
        unfinished = finishing(self._script)
        if unfinished is not None:
            return unfinished
        status, shape, error = ending(self._script)
        usage = None if status == "failed" else self._usage()
        self.response = {**self.response, "status": status, "output": self._output, "usage": usage}
        if status == "completed":
            self.response["completed_at"] = self.response["created_at"]
        elif status == "incomplete":
            self.response["incomplete_details"] = {"reason": shape}
        else:
            self.response["error"] = {key: value for key, value in error.items() if key not in {"type", "param"}}
        if shape == "error":
            return Event("error", {"type": "error", "error": error, "sequence_number": self._sequence})
        if shape == "error_flat":
            flat = {"code": error["code"], "message": error["message"], "param": None}
            return Event("error", {"type": "error", **flat, "sequence_number": self._sequence})
        shown = {"full": self._output, "empty": [], "null": None}[self._terminal_output]
        return self._event(f"response.{status}", response={**self.response, "output": shown})

    def _usage(self) -> dict[str, Any]:
        """The usage computed so far, completed with the output's, changed by the script."""
        known = self.response["usage"]
        written = sum(tokens(item) for item in self._output) + self._reasoning_tokens
        usage = {
            **known,
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": self._reasoning_tokens},
            "total_tokens": known["input_tokens"] + written,
        }
        return {**usage, **(self._script.usage or {})}


def kind_of(step: Mapping[str, Any]) -> tuple[str, Any]:
    """The kind of a step and the value of that key."""
    return next((key, value) for key, value in step.items() if key in STEPS)


def arguments(step: Mapping[str, Any]) -> str:
    """Arguments of a call as the text the wire carries; a text is taken as it is, broken JSON too."""
    given = step.get("arguments", {})
    return given if isinstance(given, str) else orjson.dumps(given).decode()


def cuts(content: str) -> list[str]:
    """The pieces of a call's arguments: twelve characters each, more when there would be very many pieces."""
    size = max(12, -(-len(content) // MOST_PIECES))
    return [content[at : at + size] for at in range(0, len(content), size)]


def deltas(content: Any) -> list[Any]:
    """The pieces of a text: a list as it is, a text in deltas of two words."""
    return list(content) if isinstance(content, list | tuple) else pieces(str(content))


def _citation(citation: Mapping[str, Any], text: str) -> dict[str, Any]:
    place = {"start_index": 0, "end_index": len(text)}
    return {"type": "url_citation", "title": citation.get("title", ""), "url": citation["url"], **place}
