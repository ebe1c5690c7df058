"""Requests for legacy completions that tests build, and the upstreams they are sent to."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.live.stack import MODEL, MODES, Mode, Stack, only

Json = dict[str, Any]

CREATE = "completions.create"
PATH = "/v1/completions"
NATIVE = Mode(
    "openai_api-completions",
    {"mode": "openai_api", "api_key": "sk-simulated", "dialects": ["chat", "responses", "completions"]},
    native=frozenset({"chat", "responses", "completions"}),
)
EVERYWHERE = (*MODES, NATIVE)

everywhere = only(*EVERYWHERE)
translated = only(*MODES)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])

_names = iter(range(1_000_000))


def gate_name() -> str:
    """A pause point of its own: gates of a shared simulator stay open once they were passed."""
    return f"text-gate-{next(_names)}"


def exactly(*texts: str) -> Any:
    prompts = [f"Reply with exactly: {text}" for text in texts]
    return prompts if len(prompts) > 1 else prompts[0]


def body(*texts: str, **fields: Any) -> Json:
    return {"model": MODEL, "prompt": exactly(*texts), **fields}


async def asked(stack: Stack, *texts: str, **fields: Any) -> httpx2.Response:
    return await stack.http.post(PATH, json=body(*texts, **fields))
