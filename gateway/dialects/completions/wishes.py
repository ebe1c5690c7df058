"""What one client asked about the form of its answer; the one thing that request and answer have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """`index`: of the choice, which is the place of its prompt. `echo`: the prompt to show in front of the text, or "".

    It is the `Manner` of `core.prose` too: legacy completions have no place for reasoning, and no JSON format.
    """

    model: str
    index: int = 0
    include_usage: bool = False
    logprobs: bool = False
    stop: tuple[str, ...] = ()
    echo: str = ""
    reasoning: str = "hide"
    json_format: bool = False
