"""The kinds of work that are measured as CPU per request, in the order of the tables."""

from __future__ import annotations

from dataclasses import dataclass

from bench import questions
from bench.places import CHAT, PLACES, RESPONSES, Place

ALL, FAST, ALONE = ("nginx", "gateway", "plain"), ("nginx", "gateway"), ("gateway",)
_WHOLE, _DONE, _COMPLETED = b'"finish_reason":"stop"', b"[DONE]", b'"status":"completed"'


@dataclass(frozen=True)
class Case:
    """A kind of work.

    `end`: bytes that a whole answer has in it; `proxies`: those that can do it; `gateway`: the process that is the
    gateway here (`bench.proxies.STARTERS`); `beside`: cases that it is compared with. `after`: a request whose response
    this one goes on from; its id takes the place of `PREVIOUS`.
    """

    key: str
    group: str
    name: str
    place: Place
    body: bytes
    end: bytes
    route: str = CHAT
    connections: int = 16
    proxies: tuple[str, ...] = FAST
    gateway: str = "gateway"
    beside: tuple[str, ...] = ()
    after: bytes = b""

    @property
    def paced(self) -> bool:
        """Counted by the events that the upstream wrote, not by requests."""
        return self.place.manner == "paced"

    def server(self, proxy: str) -> str:
        return self.gateway if proxy == "gateway" else proxy


PREVIOUS = "resp_previous"


def cases() -> list[Case]:
    """Everything."""
    return [*_json(), *_bodies(), *_streams(), *_paced(), *_events(), *_state(), *_tls(), *_workers()]


def _json() -> list[Case]:
    body = questions.chat("json")
    many = {64: FAST, 256: FAST, 1000: FAST}
    return [
        Case("json16", "json", "JSON passed on, 16 connections", PLACES["json"], body, _WHOLE, proxies=ALL),
        *(
            Case(
                f"json{number}",
                "json",
                f"… {number:,} connections",
                PLACES["json"],
                body,
                _WHOLE,
                connections=number,
                proxies=proxies,
                beside=("json16",),
            )
            for number, proxies in many.items()
        ),
        Case(
            "unledgered",
            "json",
            "… 16 connections, without the store",
            PLACES["json"],
            body,
            _WHOLE,
            proxies=ALONE,
            gateway="bare",
            beside=("json16",),
        ),
    ]


def _bodies() -> list[Case]:
    sizes = {"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20, "4m": 4 << 20, "8m": 8 << 20}
    names = {"1k": "1 KB", "64k": "64 KB", "1m": "1 MB", "4m": "4 MB, 4 connections", "8m": "8 MB, 4 connections"}
    return [
        Case(
            f"body{key}",
            "bodies",
            f"request body of {names[key]}",
            PLACES["json"],
            questions.chat("json", size=size),
            _WHOLE,
            connections=4 if size > 1 << 20 else 16,
            proxies=ALL if key == "1m" else FAST,
        )
        for key, size in sizes.items()
    ]


def _chat(key: str, group: str, name: str, place: str, **rest: object) -> Case:
    """A chat client that streams."""
    return Case(key, group, name, PLACES[place], questions.chat(place, stream=True), _DONE, **rest)  # type: ignore[arg-type] # as Case has them


def _streams() -> list[Case]:
    def same(deltas: int) -> Case:
        place = f"innerburst{deltas}"
        body = questions.responses(place, stream=True)
        name = f"stream of {deltas:,} deltas passed on, Responses"
        return Case(f"same{deltas}", "streams", name, PLACES[place], body, _COMPLETED, RESPONSES)

    return [
        _chat("burst200", "streams", "stream of 200 deltas passed on, chat", "burst200", proxies=ALL),
        _chat("burst2000", "streams", "stream of 2,000 deltas passed on, chat", "burst2000", beside=("burst200",)),
        same(200),
        same(2000),
        _chat("inner200", "streams", "stream of 200 deltas, Responses → chat", "innerburst200", proxies=ALONE),
        _chat(
            "inner2000",
            "streams",
            "stream of 2,000 deltas, Responses → chat",
            "innerburst2000",
            proxies=ALONE,
            beside=("inner200",),
        ),
    ]


def _paced() -> list[Case]:
    name = "an event each 20 ms, 50 streams"
    return [
        _chat("paced", "paced", f"{name}, passed on", "paced", connections=50, proxies=ALL),
        _chat(
            "pacedinner",
            "paced",
            f"{name}, Responses → chat",
            "innerpaced",
            connections=50,
            proxies=ALONE,
            beside=("paced",),
        ),
    ]


def _events() -> list[Case]:
    def one(size: int, inner: str, name: str, proxies: tuple[str, ...]) -> Case:
        place = f"{inner}event{size}"
        beside = (f"{inner}event1",) if size > 1 else ()
        return _chat(
            place, "events", f"an event of {size} MB {name}", place, connections=4, proxies=proxies, beside=beside
        )

    return [
        *(one(size, "", "passed on, 4 connections", FAST) for size in (1, 4)),
        *(one(size, "inner", "Responses → chat, 4 connections", ALONE) for size in (1, 4)),
    ]


def _state() -> list[Case]:
    def ask(key: str, name: str, body: bytes, after: bytes = b"", beside: tuple[str, ...] = ()) -> Case:
        name = f"JSON, chat-only server → Responses, {name}"
        place = PLACES["kept"]
        return Case(key, "state", name, place, body, _COMPLETED, RESPONSES, proxies=ALONE, beside=beside, after=after)

    first = questions.responses("kept", store=True)
    going_on = questions.responses("kept", store=False, after=PREVIOUS)
    going_on_kept = questions.responses("kept", store=True, after=PREVIOUS)
    return [
        ask("unkept", "not kept", questions.responses("kept", store=False)),
        ask("kept", "kept", first, beside=("unkept",)),
        ask("continued", "after a kept one, not kept", going_on, first, ("unkept",)),
        ask("continuedkept", "after a kept one, kept", going_on_kept, first, ("kept",)),
    ]


def _tls() -> list[Case]:
    body = questions.chat("jsontls")
    return [
        Case("jsontls", "tls", "JSON passed on, TLS upstream", PLACES["jsontls"], body, _WHOLE, beside=("json16",)),
        _chat("bursttls", "tls", "stream of 200 deltas passed on, TLS upstream", "bursttls", beside=("burst200",)),
    ]


def _workers() -> list[Case]:
    name = "JSON passed on, 64 connections, 2 workers"
    place = PLACES["json"]
    body = questions.chat("json")
    return [
        Case(
            "two",
            "workers",
            name,
            place,
            body,
            _WHOLE,
            connections=64,
            proxies=ALONE,
            gateway="two",
            beside=("json64",),
        )
    ]
