"""`/v1/responses/compact`: a long history → a short one that later requests begin with (translation §7.7).

`Compact` asks the upstream for it. `Summary` is for upstreams that have no compaction: an ordinary turn writes a brief
of the history, and its text becomes a compaction item of our own (`core.compaction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core import json, usage
from gateway.core.compaction import expanded, sealed
from gateway.core.ids import derive, item_prefix
from gateway.core.items import kind_of
from gateway.core.request import Request
from gateway.dialects import Choices, Exchange, Keeps, Relayed
from gateway.dialects.responses.dialect import renewed
from gateway.dialects.responses.request import checked, items
from gateway.dialects.responses.stream import ResponsesEncoder
from gateway.errors import UpstreamError

Json = dict[str, Any]

KEPT_CHARACTERS = 64 * 1024
"""How much of the user's own messages, the newest first, stays beside a summary: about 16,000 tokens."""

_BRIEF = (
    "Write a brief of the conversation above for somebody who takes it over and sees nothing else of it. State what "
    "the user wants, what has been decided and why, what has been done and found out, with exact names, paths, numbers "
    "and quotations that still matter, and what is left to do next. Leave out greetings and what no longer matters. "
    "Answer with the brief alone."
)

_TAKEN_OVER = ("model", "instructions", "previous_response_id", "reasoning", "service_tier", "prompt_cache_key")
"""Fields of a compact request that its summarising turn has, too."""


class CompactExchange:
    """A request for compaction. `seed` makes ids that the upstream does not give, `created` is Unix seconds."""

    def __init__(self, request: Request, *, seed: str, created: int) -> None:
        self.request = request
        self._seed = seed
        self._created = created

    def encode_response(self, response: Json) -> bytes:
        """The compaction object. Raises UpstreamError when there is no history in the answer."""
        output = self._output(response)
        if not output:
            raise UpstreamError("The upstream's answer to a compaction holds no history.")
        return json.dumps(
            {
                "id": response.get("id") or derive("resp", self._seed),
                "object": "response.compaction",
                "created_at": response.get("created_at") or self._created,
                "output": output,
                "usage": usage.complete(response.get("usage") or {}),  # it has to be there; zeros are unknown
            }
        )

    def _output(self, response: Json) -> list[Json]:
        return [self._whole(item, place) for place, item in enumerate(response["output"])]

    def _whole(self, item: Json, place: int) -> Json:
        """An item with the fields that clients read, an id among them."""
        kind = kind_of(item) or "message"
        known: Json = {"type": kind, "id": derive(item_prefix(kind), self._seed, place)}
        if kind == "message":
            known["status"] = "completed"
            if isinstance(item.get("content"), str):
                part = "output_text" if item.get("role") == "assistant" else "input_text"
                item = {**item, "content": [{"type": part, "text": item["content"]}]}
        return {**known, **item}

    def stream_encoder(self, created: int) -> ResponsesEncoder:
        """Never asked for: a compaction is one document."""
        return ResponsesEncoder({}, created=created, model=self.request.model)

    def client_param(self, param: str | None) -> str | None:
        return param

    def headers(self) -> dict[str, str]:
        return {}


class SummaryExchange(CompactExchange):
    """The same by way of a summarising turn. `history`: what is summarised."""

    def __init__(self, request: Request, history: Sequence[Json], *, seed: str, created: int) -> None:
        super().__init__(request, seed=seed, created=created)
        self._history = history

    def _output(self, response: Json) -> list[Json]:
        if response.get("status") == "incomplete":
            raise UpstreamError("The upstream did not finish its summary; half of one would lose what it leaves out.")
        summary = "".join(
            part["text"]
            for item in response["output"]
            if kind_of(item) == "message"
            for part in item["content"]
            if part.get("type") == "output_text"
        )
        if not summary:
            return []
        made = {"type": "compaction", "encrypted_content": sealed(summary)}
        output = [*_newest(self._history), made]
        return [self._whole(item, place) for place, item in enumerate(output)]


class Compact:
    """The `Dialect` of a compaction as upstreams have it."""

    name = "responses"
    keeps: Keeps = "never"
    continues = True

    def __init__(self, *, seed: str, created: int) -> None:
        self._seed = seed
        self._created = created

    def decode(self, document: Json, choices: Choices) -> Exchange:
        """Check the shape and pass the body on, marked as one to compact. Raises InvalidRequest."""
        checked(document)
        given = items(document.get("input"))
        body = {**document, "input": expanded(given) or given}
        return CompactExchange(Request(body, stream=False, compact=True), seed=self._seed, created=self._created)

    def relay(self, document: Json, model: str | None) -> Relayed:
        """The client's own bytes, unless a name or a summary of ours has to be put in other words."""
        body = renewed(document, model)
        request = Request(body or document, stream=False, compact=True)
        return Relayed(body, exchange=CompactExchange(request, seed=self._seed, created=self._created))


class Summary:
    """The `Dialect` of a compaction that the gateway makes itself."""

    name = "summary"
    keeps: Keeps = "never"
    continues = True

    def __init__(self, *, seed: str, created: int) -> None:
        self._seed = seed
        self._created = created

    def decode(self, document: Json, choices: Choices) -> Exchange:
        """The turn that writes the brief. Raises InvalidRequest."""
        checked(document)
        given = items(document.get("input"))
        asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _BRIEF}]}
        body: Json = {name: document[name] for name in _TAKEN_OVER if document.get(name) is not None}
        body |= {"input": [*(expanded(given) or given), asked], "store": False}
        request = Request(body, stream=False)
        return SummaryExchange(request, given, seed=self._seed, created=self._created)

    def relay(self, document: Json, model: str | None) -> None:
        """Never: the turn is of our own making."""


def _newest(history: Sequence[Json]) -> list[Json]:
    """The user's newest messages as far as there is room, oldest first."""
    kept: list[Json] = []
    room = KEPT_CHARACTERS
    for item in reversed(history):
        if item.get("role") != "user":
            continue
        room -= len(json.dumps(item.get("content")))
        if room < 0:
            break
        kept.append(item)
    return kept[::-1]
