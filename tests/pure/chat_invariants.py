"""What every chat stream must keep, whatever it says (translation, appendix A), and the answer folded from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Folded:
    """A stream, folded as an SDK folds it."""

    chunks: list[Json] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    function_call: Json | None = None
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    finish: str | None = None
    usage: Json | None = None
    error: Json | None = None

    @property
    def content(self) -> str:
        return self.texts.get("content", "")


def payloads(stream: str) -> list[str]:
    """The data of each frame; comments are skipped. Every frame is one `data:` line, without an event name."""
    assert stream == "" or stream.endswith("\n\n")
    blocks = [block for block in stream.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks), blocks
    return [block.removeprefix("data: ") for block in blocks]


def fold(stream: str, *, usage_asked: bool = False) -> Folded:
    """Check a whole stream and fold it."""
    *told, last = payloads(stream)
    assert last == "[DONE]"
    folded = Folded(chunks=[json.loads(text) for text in told])
    if "error" in folded.chunks[-1]:
        folded.error = folded.chunks.pop()["error"]
        assert folded.error is not None
        assert set(folded.error) == {"message", "type", "param", "code"}
    if not folded.chunks:
        return folded
    _check_skeletons(folded.chunks, usage_asked=usage_asked)
    if not folded.chunks[-1]["choices"]:
        assert usage_asked, "a usage chunk nobody asked for"
        folded.usage = folded.chunks[-1]["usage"]
        assert isinstance(folded.usage, dict)
    for chunk in folded.chunks[: -1 if folded.usage else None]:
        assert folded.finish is None, "a choice after the finish chunk"
        _fold_choice(folded, chunk["choices"])
    assert (folded.finish is None) == (folded.error is not None), "one finish, or an error"
    return folded


def _check_skeletons(chunks: list[Json], *, usage_asked: bool) -> None:
    first = chunks[0]
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert [chunk[key] for key in ("id", "created", "model")] == [first[key] for key in ("id", "created", "model")]
        assert ("usage" in chunk) == usage_asked
        if chunk["choices"] and usage_asked:
            assert chunk["usage"] is None
    roles = [choice["delta"].get("role") for chunk in chunks for choice in chunk["choices"]]
    assert roles[0] == "assistant"
    assert not any(roles[1:]), "the role comes once"
    assert isinstance(first["created"], int)


def _fold_choice(folded: Folded, choices: list[Json]) -> None:
    (choice,) = choices
    assert set(choice) == {"index", "delta", "logprobs", "finish_reason"}
    assert choice["index"] == 0
    folded.finish = choice["finish_reason"]
    if choice["logprobs"]:
        folded.logprobs += choice["logprobs"]["content"]
    delta = choice["delta"]
    assert folded.finish is None or delta == {}
    for key, value in delta.items():
        if key == "tool_calls":
            _fold_call(folded.calls, value)
        elif key == "function_call":
            folded.function_call = folded.function_call or {"name": value["name"], "arguments": ""}
            folded.function_call["arguments"] += value["arguments"]
        elif key == "annotations":
            assert not folded.annotations, "annotations come in one chunk"
            folded.annotations = value
        elif isinstance(value, str) and key != "role":
            folded.texts[key] = folded.texts.get(key, "") + value
        else:
            assert (key, value) in (("refusal", None), ("role", "assistant"))


def _fold_call(calls: list[Json], deltas: list[Json]) -> None:
    (delta,) = deltas
    if delta["index"] == len(calls):
        kind = delta["type"]
        assert set(delta) == {"index", "id", "type", kind}
        assert delta["id"]
        calls.append({"id": delta["id"], "type": kind, kind: dict(delta[kind])})
        return
    assert delta["index"] == len(calls) - 1, "calls come one after the other"
    kind = calls[-1]["type"]
    assert set(delta) == {"index", kind}, "id, type and name come once"
    for key, value in delta[kind].items():
        assert key in ("arguments", "input")
        calls[-1][kind][key] += value
