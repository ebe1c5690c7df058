"""The `record` step: what a turn leaves in the store, however it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from gateway.core.repair import Repair
from gateway.core.response import without_item_secrets, without_secrets
from gateway.dialects import Exchange, Keepable
from gateway.engine.state.recall import ORIGIN
from gateway.errors import GatewayError
from gateway.store.rows import CONTINUABLE, Ending, NewItem, NewResponse, Status

if TYPE_CHECKING:
    from gateway.store import Store

Json = dict[str, Any]

CLIENT_LEFT: Json = {
    "code": "client_left",
    "message": "The response was cancelled, because its client left before the end.",
}
"""What is kept as the reason of a cancelled response that nobody cancelled."""


UNKEPT = "gateway_unkept"
"""In a kept request: what its tools tell their servers was left out, so it cannot be run again."""


@dataclass(slots=True)
class Asked:
    """What is known of a turn before it runs. `request`: the body in the client's form.

    `keep`: the response is kept; else only its conversation goes on. `added`: what is new in its input; None when the
    request has to be translated to know. `origin`: who will be able to read what the answer holds encrypted: the last
    upstream that was asked.
    """

    owner: str
    surface: str
    request: Json
    facts: Json
    origin: str = ""
    keep: bool = True
    added: Sequence[Json] | None = None
    previous: str | None = None
    conversation: str | None = None

    def inputs(self, exchange: Exchange | None) -> list[NewItem]:
        added = self.added
        if added is None:
            added = exchange.request.body["input"] if exchange is not None else ()
        return [NewItem(without_item_secrets(item), step=0) for item in added]

    def outputs(self, response: Json) -> list[NewItem]:
        meta = {ORIGIN: self.origin} if self.origin else None
        return [
            NewItem(without_item_secrets(item), meta=meta if item.get("type") == "reasoning" else None)
            for item in response.get("output") or ()
        ]

    def row(self, response: Json, **more: Any) -> NewResponse:
        """The row for a response object as its client is shown it."""
        return NewResponse(
            owner=self.owner,
            id=str(response.get("id") or ""),
            status=status_of(response),
            result=without_tool_secrets(response),
            surface=self.surface,
            model=str(response.get("model") or ""),
            request=kept_request(self.request, self.added or ()),
            previous=self.previous,
            conversation=self.conversation,
            metadata=response.get("metadata") or {},
            **more,
        )


@dataclass(slots=True)
class Keeping:
    """The `Record` of a turn whose client waits for it: one transaction at its end.

    `release` gives its conversation back, before the client hears of the end: it may go on with it at once.
    """

    store: Store
    asked: Asked
    release: Callable[[], Awaitable[None]]
    done: bool = False
    _repair: Repair | None = field(default=None, init=False)
    _exchange: Exchange | None = field(default=None, init=False)

    def asking(self, origin: str) -> None:
        self.asked.origin = origin

    def watch(self, exchange: Exchange, repair: Repair, encode: Callable[..., bytes] | None) -> None:
        self._exchange, self._repair = exchange, repair

    async def ended(self, exchange: Exchange, response: Json) -> None:
        """Raises GatewayError when the end of a conversation cannot be kept: its next turn would not know of it.

        A response that cannot be kept otherwise is told as one that is not.
        """
        self.done = True
        keepable = cast("Keepable", exchange)
        whole = keepable.kept(response)
        try:
            await self._save(whole, exchange)
        except GatewayError as error:
            self.asked.facts.update(stored=False, store_error=error.code, detail=error.detail or error.message)
            if self.asked.conversation is not None:
                error.headers["x-should-retry"] = "false"  # the answer has been paid for
                raise
            keepable.not_kept()
        await self.release()

    async def left(self) -> None:
        """Nobody waits any more: what came so far is kept as cancelled, if the client has seen that there is one.

        When the client was told another end, since it was the gateway that stopped, that one is kept.
        """
        repair, exchange = self._repair, self._exchange
        if self.done or repair is None or exchange is None or not self.asked.keep or not repair.fold.base():
            return
        self.done = True
        repair.cancel()
        assert repair.terminal is not None
        response = cast("Keepable", exchange).kept(repair.terminal.data["response"])
        why = CLIENT_LEFT if response["status"] == "cancelled" else None
        await self.store.responses.save(
            self.asked.row(response, error=why), [*self.asked.inputs(exchange), *self.asked.outputs(response)]
        )

    async def _save(self, whole: Json, exchange: Exchange) -> None:
        asked = self.asked
        drafts = [*asked.inputs(exchange), *asked.outputs(whole)]
        if asked.keep:
            await self.store.responses.save(asked.row(whole), drafts)
            asked.facts["stored"] = True
        elif asked.conversation is not None and status_of(whole) in CONTINUABLE:
            await self.store.conversations.add(asked.owner, asked.conversation, drafts)


@dataclass(slots=True)
class Outcome:
    """The `Record` of a turn that runs on without its client. `ending` is what the job writes at its end."""

    asked: Asked
    hold: Callable[[], None]
    """Called once the response has ended, before its end is written."""
    ending: Ending | None = None
    repair: Repair | None = None
    encode: Callable[..., bytes] | None = None

    def asking(self, origin: str) -> None:
        self.asked.origin = origin

    def watch(self, exchange: Exchange, repair: Repair, encode: Callable[..., bytes] | None) -> None:
        self.repair, self.encode = repair, encode

    async def ended(self, exchange: Exchange, response: Json) -> None:
        whole = cast("Keepable", exchange).kept(response)
        self.ending = self.of(whole)
        self.hold()

    def of(self, whole: Json, error: Json | None = None) -> Ending:
        """The end of a response. `error`: what is kept beside the response object."""
        return Ending(
            status=status_of(whole),
            result=without_tool_secrets(whole),
            error=error,
            drafts=self.asked.outputs(whole),
        )


def status_of(response: Json) -> Status:
    status = response.get("status")
    return cast("Status", status if status in _STATUSES else "completed")


_STATUSES = frozenset({"queued", "in_progress", "completed", "incomplete", "failed", "cancelled"})


def kept_request(document: Json, items: Sequence[Json] = ()) -> Json:
    """The body as it is kept: its items are kept as items, and nothing secret is; `UNKEPT` says that there was some."""
    kept = {name: value for name, value in document.items() if name not in _KEPT_ELSEWHERE}
    cleaned = without_tool_secrets({name: value for name, value in kept.items() if name not in _CREDENTIALS})
    if isinstance(choice := cleaned.get("tool_choice"), dict):
        cleaned["tool_choice"] = without_secrets(choice)
    whole = cleaned == kept and all(without_item_secrets(item) is item for item in items)
    return kept if whole else {**cleaned, UNKEPT: True}


_KEPT_ELSEWHERE = ("input", "messages")
_CREDENTIALS = frozenset({"authorization", "headers", "extra_headers", "api_key"})
"""Fields that no server knows and programs send by mistake."""


def without_tool_secrets(document: Json) -> Json:
    """A request or a response without what its tools tell their servers."""
    tools = document.get("tools")
    if not isinstance(tools, list):
        return document
    return {**document, "tools": [without_secrets(tool) if isinstance(tool, dict) else tool for tool in tools]}
