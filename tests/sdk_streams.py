"""Judges of event streams: the order that the SDK's stream helpers need (translation, Appendix A)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openai.types import Completion, CompletionChoice
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response

from tests.sdk_shapes import ErrorBody, ErrorObject, Json, check_arguments, document_of, typed, variants

TERMINAL = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}


def sse_events(stream: bytes, found: list[str] | None = None) -> list[tuple[str | None, str]]:
    """The (event, data) pairs of an SSE transcript, read by the letter; comments are left out."""
    violations: list[str] = [] if found is None else found
    text = stream.decode("utf-8").replace("\r\n", "\n")
    if text and not text.endswith("\n\n"):
        violations.append("the transcript does not end with a blank line")
    events = []
    for block in text.split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "data":
                data.append(value)
            elif key == "event":
                name = value
            elif key not in ("", "id", "retry"):
                violations.append(f"an SSE line of unknown kind: {line[:60]!r}")
        if data == [""]:
            violations.append("an event with empty data, on which SDKs fail")
        elif data:
            events.append((name, "\n".join(data)))
    return events


class ChatJudge:
    """Order of a chunk stream: one id, role once, calls one after the other, one finish, usage last, [DONE]."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.chunks: list[ChatCompletionChunk] = []
        self.error: ErrorObject | None = None
        self.finish: str | None = None
        self._arguments: list[str] = []
        self._role = False
        self._called = False

    def read(self, stream: bytes) -> None:
        events = sse_events(stream, self.found)
        if not events or events[-1][1] != "[DONE]":
            self.found.append("no [DONE] at the end")
        for index, (name, data) in enumerate(events):
            where = f"chunk[{index}]"
            if name is not None:
                self.found.append(f"{where}: an event: line in a chunk stream")
            if data == "[DONE]":
                if index != len(events) - 1:
                    self.found.append(f"{where}: [DONE] before the end")
                continue
            if self.error is not None:
                self.found.append(f"{where}: after the error")
            self._one(document_of(data), where)
        for arguments in self._arguments if self.finish not in (None, "length", "content_filter") else ():
            check_arguments(arguments, "tool call", self.found)

    def complete(self, expect_usage: bool) -> None:
        if self.error is not None:
            self.found.append(f"an error frame: {self.error}")
        if self.finish is None:
            self.found.append("no finish_reason")
        if self.finish in ("tool_calls", "function_call") and not self._called:
            self.found.append(f"finish_reason {self.finish} without a call")
        if self.finish == "stop" and self._called:
            self.found.append("finish_reason stop with a call")
        with_usage = [index for index, chunk in enumerate(self.chunks) if chunk.usage is not None]
        wanted = [len(self.chunks) - 1] if expect_usage else []
        if with_usage != wanted:
            self.found.append(f"usage in chunks {with_usage}, expected in {wanted}")
        if expect_usage and self.chunks and self.chunks[-1].choices:
            self.found.append("the usage chunk has choices")

    def _one(self, document: Json, where: str) -> None:
        if "error" in document:
            envelope = typed(ErrorBody, document, where, self.found)
            self.error = envelope.error if envelope else None
            return
        chunk = typed(ChatCompletionChunk, document, where, self.found)
        if chunk is None:
            return
        self.chunks.append(chunk)
        first = self.chunks[0]
        if (chunk.id, chunk.created, chunk.model) != (first.id, first.created, first.model):
            self.found.append(f"{where}: id, created or model changes")
        for choice in chunk.choices:
            self._choice(choice, where)

    def _choice(self, choice: Any, where: str) -> None:
        delta = choice.delta
        if (delta.role == "assistant") == self._role:
            self.found.append(f"{where}: role={delta.role!r}, which belongs into the first delta only")
        self._role = True
        if self.finish is not None:
            self.found.append(f"{where}: a choice after finish_reason {self.finish!r}")
        self._called = self._called or delta.function_call is not None
        for call in delta.tool_calls or ():
            self._fragment(call, where)
        self.finish = self.finish or choice.finish_reason

    def _fragment(self, call: Any, where: str) -> None:
        self._called = True
        meta = (call.id, call.type, call.function and call.function.name)
        if call.index == len(self._arguments):
            self._arguments.append("")
            if not all(meta):
                self.found.append(f"{where}: the first fragment of a call lacks id, type or name: {meta}")
        elif call.index != len(self._arguments) - 1:
            self.found.append(f"{where}: tool index {call.index} after {len(self._arguments) - 1}")
            return
        elif any(meta):
            self.found.append(f"{where}: id, type or name repeated, which the SDK concatenates: {meta}")
        self._arguments[-1] += (call.function and call.function.arguments) or ""


class TextChoice(CompletionChoice):
    """A choice of a chunk: the SDK has one type for both forms, in which the reason is always there."""

    finish_reason: Any = None


class TextChunk(Completion):
    choices: list[TextChoice]  # type: ignore[assignment]  # see TextChoice


class TextJudge:
    """Order of a stream of legacy completions: one head, one finish a choice, usage last, [DONE]."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.chunks: list[TextChunk] = []
        self.error: ErrorObject | None = None
        self.texts: dict[int, str] = {}
        self.finish: dict[int, str] = {}

    def read(self, stream: bytes) -> None:
        events = sse_events(stream, self.found)
        if not events or events[-1][1] != "[DONE]":
            self.found.append("no [DONE] at the end")
        for number, (name, data) in enumerate(events):
            where = f"chunk[{number}]"
            if name is not None:
                self.found.append(f"{where}: an event: line in a chunk stream")
            if self.error is not None and data != "[DONE]":
                self.found.append(f"{where}: after the error")
            if data != "[DONE]":
                self._one(document_of(data), where)
            elif number != len(events) - 1:
                self.found.append(f"{where}: [DONE] before the end")

    def complete(self, expect_usage: bool) -> None:
        if self.error is not None:
            self.found.append(f"an error frame: {self.error}")
        if self.finish.keys() != set(range(len(self.finish))) or self.finish.keys() != self.texts.keys():
            self.found.append(f"choices {sorted(self.texts)}, finished {sorted(self.finish)}")
        with_usage = [number for number, chunk in enumerate(self.chunks) if chunk.usage is not None]
        if with_usage != ([len(self.chunks) - 1] if expect_usage else []):
            self.found.append(f"usage in chunks {with_usage} of {len(self.chunks)}")
        if expect_usage and self.chunks and self.chunks[-1].choices:
            self.found.append("the usage chunk has choices")

    def _one(self, document: Json, where: str) -> None:
        if "error" in document:
            envelope = typed(ErrorBody, document, where, self.found)
            self.error = envelope.error if envelope else None
            return
        chunk = typed(TextChunk, document, where, self.found)
        if chunk is None:
            return
        self.chunks.append(chunk)
        first = self.chunks[0]
        if (chunk.id, chunk.created, chunk.model) != (first.id, first.created, first.model):
            self.found.append(f"{where}: id, created or model changes")
        for choice in chunk.choices:
            if choice.index in self.finish:
                self.found.append(f"{where}: choice {choice.index} after its finish_reason")
            self.texts[choice.index] = self.texts.get(choice.index, "") + choice.text
            if choice.finish_reason in ("stop", "length", "content_filter"):
                self.finish[choice.index] = choice.finish_reason
            elif choice.finish_reason is not None:
                self.found.append(f"{where}: finish_reason {choice.finish_reason!r}")


class ResponseJudge:
    """Order of a Responses stream: numbers, ids, items and parts opened before use and closed, one terminal event."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.error: Any = None
        self.response: Response | None = None
        self.status: str | None = None
        self.code: str | None = None
        self._id: str | None = None
        self._items: list[Json] = []
        self._done: dict[int, Json] = {}
        self._texts: dict[tuple[int, str, int], str] = {}
        self._closed: set[tuple[int, str, int]] = set()

    def read(self, stream: bytes) -> None:
        events = sse_events(stream, self.found)
        if events and events[-1][1] == "[DONE]":
            events.pop()
        for number, (name, data) in enumerate(events):
            document = document_of(data)
            kind = document.get("type")
            where = f"event[{number}] {kind}"
            if name != kind:
                self.found.append(f"{where}: the event: line says {name!r}")
            if document.get("sequence_number") != number:
                self.found.append(f"{where}: sequence_number {document.get('sequence_number')}")
            if (kind == "response.created") != (number == 0):
                self.found.append(f"{where}: response.created is the first event, once")
            if self.status is not None:
                self.found.append(f"{where}: after the terminal event")
            if self.error is not None and kind != "response.failed":
                self.found.append(f"{where}: after the error event")
            variant = variants().get(str(kind))
            if variant is None:
                self.found.append(f"{where}: an event type the SDK does not know")
                continue
            event = typed(variant, _with_known_code(document), where, self.found)
            self._one(document, event, where)
        if self.status is None:
            self.found.append("no terminal event")

    def _one(self, document: Json, event: Any, where: str) -> None:
        kind = document["type"]
        if kind == "error":
            self.error = document
        elif "response" in document:
            self._lifecycle(kind, document["response"], event, where)
        elif kind == "response.output_item.added":
            if document["output_index"] != len(self._items):
                self.found.append(f"{where}: output_index {document['output_index']}, expected {len(self._items)}")
            self._items.append(document["item"])
        elif "output_index" in document:
            self._inside(kind, document, where)

    def _lifecycle(self, kind: str, response: Json, event: Any, where: str) -> None:
        self._id = self._id or response.get("id")
        if response.get("id") != self._id:
            self.found.append(f"{where}: the response id changes")
        status = TERMINAL.get(kind)
        if status is None:
            if response.get("output") != []:
                self.found.append(f"{where}: output before the end")
            return
        self.status = status
        self.response = event.response if event is not None else None
        self.code = (response.get("error") or {}).get("code")
        if response.get("status") != status:
            self.found.append(f"{where}: status {response.get('status')!r}")
        if kind == "response.completed" and not response.get("usage"):
            self.found.append(f"{where}: no usage")
        if kind != "response.failed" or response.get("output"):
            if response.get("output") != [self._done[index] for index in sorted(self._done)]:
                self.found.append(f"{where}: output is not the list of the done items")
            if len(self._done) != len(self._items):
                self.found.append(f"{where}: {len(self._items)} items added, {len(self._done)} done")
        calls = [item["call_id"] for item in self._items if item.get("call_id")]
        if len(set(calls)) != len(calls):
            self.found.append(f"{where}: call ids repeat: {calls}")

    def _inside(self, kind: str, document: Json, where: str) -> None:
        index = document["output_index"]
        if index >= len(self._items) or index in self._done:
            self.found.append(f"{where}: item {index} is not open")
            return
        item = self._items[index]
        spoken = document["item"].get("id") if "item" in document else document.get("item_id")
        if not spoken or spoken != item.get("id"):
            self.found.append(f"{where}: item id {spoken!r}, but {item.get('id')!r} was added")
        if kind == "response.output_item.done":
            self._item_done(index, document["item"], where)
            return
        part = (index, "summary" if "summary_index" in document else "content", _part_number(document))
        if kind.endswith("part.added"):
            if part in self._texts:
                self.found.append(f"{where}: part {part} added twice")
            self._texts[part] = ""
        elif "_call" in kind and "arguments" not in kind and "input" not in kind and "code" not in kind:
            return  # progress of a hosted tool
        else:
            self._text(kind, part, document, where)

    def _text(self, kind: str, part: tuple[int, str, int], document: Json, where: str) -> None:
        whole = _whole(document)
        if kind.startswith(_WITHOUT_PARTS):
            self._texts.setdefault(part, "")
        if part not in self._texts or part in self._closed:
            self.found.append(f"{where}: part {part} is not open")
        elif isinstance(document.get("delta"), str):
            self._texts[part] += document["delta"]
        elif whole is not None and whole != self._texts[part]:
            self.found.append(f"{where}: {whole[:40]!r} differs from the deltas {self._texts[part][:40]!r}")
        if kind.endswith("part.done"):
            self._closed.add(part)

    def _item_done(self, index: int, item: Json, where: str) -> None:
        self._done[index] = item
        if item.get("status") == "in_progress":
            self.found.append(f"{where}: the item is still in_progress")
        if item.get("call_id") != self._items[index].get("call_id"):
            self.found.append(f"{where}: the call id changes")
        wanted = {(index, *place): text for place, text in _texts_of(item)}
        streamed = {part: text for part, text in self._texts.items() if part[0] == index}
        if wanted != streamed:
            self.found.append(f"{where}: the item {wanted} differs from its deltas {streamed}")
        for part in streamed:
            if item["type"] in ("message", "reasoning") and part not in self._closed:
                self.found.append(f"{where}: part {part} is still open")


def _with_known_code(document: Json) -> Json:
    """The event with an error code that the SDK lists: its list is closed, the codes of the real service are not."""
    response = document.get("response") or {}
    if not isinstance(response.get("error"), dict) or not isinstance(response["error"].get("code"), str):
        return document
    return {**document, "response": {**response, "error": {**response["error"], "code": "server_error"}}}


_WITHOUT_PARTS = (
    "response.function_call_arguments",
    "response.custom_tool_call_input",
    "response.mcp_call_arguments",
    "response.code_interpreter_call_code",
)
_TEXT_KEYS = ("text", "refusal", "arguments", "input", "code")


def _part_number(document: Json) -> int:
    return int(document.get("content_index", document.get("summary_index")) or 0)


def _whole(document: Json) -> str | None:
    """The full text that a done event repeats."""
    source = document.get("part", document)
    return next((source[key] for key in _TEXT_KEYS if isinstance(source.get(key), str)), None)


def _texts_of(item: Json) -> Iterator[tuple[tuple[str, int], str]]:
    """Every text of a finished item that must have been streamed, with its place."""
    for place in ("content", "summary"):
        for number, part in enumerate(item.get(place) or ()):
            yield (place, number), _whole(part) or ""
    if item["type"] in ("function_call", "custom_tool_call"):
        yield ("content", 0), _whole(item) or ""
