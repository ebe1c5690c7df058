"""What is asked of the upstream and of the proxies: request bodies of a wanted length."""

from __future__ import annotations

from typing import Any

from bench.answers import dump

KEY = "sk-gw-bench-0123456789abcdef0123456789abcdef"
_SENTENCE = "Some words of a question that is as long as it has to be. "


def _words(size: int) -> str:
    return (_SENTENCE * (size // len(_SENTENCE) + 1))[: max(1, size)]


def chat(model: str, *, stream: bool = False, size: int = 2800) -> bytes:
    """A chat request of `size` bytes: a system message, a few turns, the long one last."""

    def body(length: int) -> bytes:
        turns = [
            {"role": "system", "content": "Answer briefly and to the point."},
            {"role": "user", "content": "What is a gateway?"},
            {"role": "assistant", "content": "A door between networks."},
            {"role": "user", "content": _words(length)},
        ]
        return dump({"model": model, "messages": turns, "temperature": 0.7, "stream": stream})

    return body(size - len(body(1)) + 1)


def responses(model: str, *, stream: bool = False, store: bool = True, after: str | None = None) -> bytes:
    """A request of 2.8 KB in the Responses dialect. `after`: the response that it goes on from."""
    body: dict[str, Any] = {"model": model, "instructions": "Answer briefly.", "input": _words(2600), "stream": stream}
    return dump({**body, "store": store, **({"previous_response_id": after} if after else {})})
