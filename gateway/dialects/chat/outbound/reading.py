"""What stands where in a choice: servers have many places for thoughts, and several forms of content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.core import json
from gateway.dialects.chat.outbound.halves import sound

Json = dict[str, Any]

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")
"""Where servers put thoughts. Those that fill several of them repeat themselves: the first that holds text counts."""


_SPEAKING = ("content", *THOUGHTS, "tool_calls", "refusal", "function_call", "annotations")


def says(told: object) -> bool:
    """Whether a delta or a message says anything."""
    return isinstance(told, dict) and any(told.get(name) for name in _SPEAKING)


def stated_in(choice: Json) -> Json | None:
    """What a choice says that has nothing in a delta: in a `message` (JSON answers, and streams in their manner), or as
    the `text` of the old completions. In the form of a delta; None when it has no such field.

    The calls of a message are told apart by their place.
    """
    message, text = choice.get("message"), choice.get("text")
    if isinstance(message, dict) and (says(message) or not text):
        calls = objects(message.get("tool_calls"))
        return {**message, "tool_calls": [{**call, "index": place} for place, call in enumerate(calls)]}
    return {"content": text} if isinstance(text, str) else None


def thoughts_in(delta: Json) -> str:
    """The reasoning text of a delta; "" for none."""
    for name in THOUGHTS:
        if told := delta.get(name):
            text = told if isinstance(told, str) else "".join(map(_detail, objects(told)))
            if text:
                return text
    return ""


def parts_in(content: object) -> Iterator[tuple[bool, str]]:
    """The texts of content in parts, and whether each is thought (Mistral: `thinking` parts around text parts)."""
    for part in _parts(content):
        if part.get("type") == "thinking":
            told = part.get("thinking")
            text = _text(told) or "".join(_text(inner.get("text")) for inner in objects(told))
            thought = True
        else:
            text, thought = _text(part.get("text")), False
        if text:
            yield thought, text


def can_hold_text(content: object) -> bool:
    """Whether content has a form that is read, though it may say nothing; absent content has."""
    if not content and isinstance(content, list | None):
        return True
    return isinstance(content, str) or any(
        isinstance(part.get(name), str | list) for part in _parts(content) for name in ("text", "thinking")
    )


def sources_in(annotations: object) -> Iterator[tuple[Json, int]]:
    """The annotations of a delta in their flat form, and about the bytes of each."""
    for told in objects(annotations):
        kind = told.get("type")
        if not isinstance(kind, str):
            continue
        nested = told.get(kind)
        fields = nested if isinstance(nested, dict) else told
        flat = {"type": kind, **{name: value for name, value in fields.items() if _is_plain(name, value)}}
        yield flat, len(json.dumps(flat))


def tokens_in(choice: Json) -> list[Json]:
    """The log probabilities of a choice's text, in the form of the inner language."""
    told = choice.get("logprobs")
    tokens = told.get("content") if isinstance(told, dict) else None
    return [
        {**_token(token), "top_logprobs": [_token(top) for top in objects(token.get("top_logprobs"))]}
        for token in objects(tokens)
    ]


def objects(value: object) -> list[Json]:
    """The objects of a list; nothing of anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _parts(content: object) -> list[Json]:
    """Content as parts: servers also send one part alone, and texts in place of parts."""
    listed = content if isinstance(content, list) else [content]
    return objects([{"text": part} if isinstance(part, str) else part for part in listed])


def _detail(part: Json) -> str:
    return _text(part.get("text")) or _text(part.get("summary"))


def _token(token: Json) -> Json:
    text, logprob, known = _text(token.get("token")), token.get("logprob"), token.get("bytes")
    return {
        "token": sound(text),
        "bytes": known if isinstance(known, list) else list(text.encode("utf-8", "surrogatepass")),
        "logprob": logprob if isinstance(logprob, int | float) else 0.0,
    }


def _is_plain(name: str, value: object) -> bool:
    return name != "type" and (value is None or isinstance(value, str | int | float))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
