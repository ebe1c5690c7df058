"""The simulator as one ASGI app: routes, steering, the log of what was asked, and the world tests can look into."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import orjson

from gateway.simulator.auth import AuthHost
from gateway.simulator.codex import CodexBackend
from gateway.simulator.library import BUILT_IN
from gateway.simulator.mistakes import ScenarioError
from gateway.simulator.openai import OpenAIServer
from gateway.simulator.others import OtherRoutes
from gateway.simulator.player import Answer, Gate, Message, Player, Receive, Send, Sleep, canned, document
from gateway.simulator.receiving import Unreadable, collected, read
from gateway.simulator.scenario import ROUTES, Plan, Scenario, Script, reference
from gateway.simulator.turns import numbers


@dataclass(eq=False, slots=True)
class Call:
    """One request as it came, and how it ended.

    `body`: the decoded document (JSON, or a dict for forms), None when there is none or it cannot be read; `raw`: the
    body after decompression, of a long form only the beginning; `size`: its bytes as they came. `auth`: ok, or why not.
    `concurrency`: streams open when it came, this one included. `finished` is set when the answer is over;
    `closed_early`: the client left before that.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes = b""
    size: int = 0
    body: Any = None
    route: str = ""
    auth: str = ""
    script: str = "default"
    status: int | None = None
    concurrency: int = 0
    closed_early: bool = False
    account: str = ""
    unreadable: str = ""
    finished: asyncio.Event = field(default_factory=asyncio.Event)


Handler = Callable[[Call, Script | None], Answer]
Guard = Callable[[Call], Answer | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A route: its name in scenarios, who may use it, and what answers."""

    method: str
    path: re.Pattern[str]
    name: str
    guard: Guard
    handler: Handler


class Simulator:
    """An offline auth server, Codex backend and OpenAI server: an ASGI app that can be steered and inspected.

    `log`: every request (`Call`). `open_streams`, `peak_streams`: now and at most. `refresh_count`: grants of kind
    refresh_token that were asked for. `counters`: requests by route. `scenario` may be replaced at any time; its queues
    then begin anew. `clock` returns seconds since 1970, `sleep` waits for seconds. `keep`: how many requests the log
    holds, None for all; a simulator that runs for long forgets the oldest.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        keep: int | None = None,
        first_id: int = 1,
    ) -> None:
        self.clock = clock
        self._keep = keep
        self._sleep = sleep
        self.log: list[Call] = []
        self.counters: Counter[str] = Counter()
        self.open_streams = 0
        self.peak_streams = 0
        self.ids = numbers(first_id)
        self._scenario = self._first = scenario or Scenario()
        self._played: Counter[str] = Counter()
        self._pushed: dict[str, deque[Script | None]] = defaultdict(deque)
        self._gates: dict[str, Gate] = {}
        self._watchers: list[asyncio.Event] = []
        self.auth = AuthHost(self)
        self.codex = CodexBackend(self)
        self.openai = OpenAIServer(self)
        self.others = OtherRoutes(self)
        self._routes = [
            Route(method, re.compile(path), name, guard, handler)
            for part in (self.auth, self.codex, self.openai, self.others)
            for method, path, name, guard, handler in part.routes()
        ]

    # What tests and scenarios steer.

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        return self._scenario

    @scenario.setter
    def scenario(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._played.clear()

    def configure(self, **changes: Any) -> None:
        """Replace settings of the scenario by name, without touching its queues."""
        self._scenario = replace(self._scenario, **changes)

    def reset(self) -> None:
        """Begin anew with the first scenario: queues, gates, log and counts are cleared.

        For use between tests, while no stream is open. What was given out stays good: logins, device codes, stored
        responses.
        """
        self.scenario = self._first
        self._pushed.clear()
        self._gates.clear()
        self.log.clear()
        self.counters.clear()
        self.auth.refresh_count = 0
        self.peak_streams = self.open_streams

    def queue(self, route: str, *scripts: str | Mapping[str, Any] | Script | None) -> None:
        """Play these scripts for the next requests of a route, before the scenario's. Raises ScenarioError."""
        if route not in ROUTES:
            raise ScenarioError(route, f"not one of {', '.join(ROUTES)}")
        for script in scripts:
            self._pushed[route].append(self._resolve(reference(script, route, self._scenario.scripts)))

    @property
    def leftover(self) -> dict[str, int]:
        """Queued scripts that no request has played, by route."""
        waiting = Counter({route: len(scripts) for route, scripts in self._pushed.items()})
        for route, plan in self._scenario.routes.items():
            waiting[route] += max(len(plan.queue) - self._played[route], 0)
        return {route: count for route, count in waiting.items() if count}

    def gate(self, name: str) -> Gate:
        """The pause point of that name: `await gate.reached.wait()`, then `gate.set()` lets the stream go on."""
        return self._gates.setdefault(name, Gate())

    def issue_tokens(
        self,
        *,
        plan: str | None = None,
        account_id: str | None = None,
        email: str | None = None,
        expires_in: int | None = None,
        client_id: str = "",
    ) -> dict[str, Any]:
        """Tokens the simulator will accept: access_token, refresh_token, id_token, token_type, expires_in, scope.

        `expires_in` (seconds) may be negative. Also holds `account_id`, which the real reply does not.
        """
        return self.auth.issue(plan, account_id, email, expires_in, client_id)

    # What tests look at.

    @property
    def refresh_count(self) -> int:
        """Refresh grants asked for: granted, refused, or answered by a script."""
        return self.auth.refresh_count

    def calls(self, route: str) -> list[Call]:
        """The log of one route."""
        return [call for call in self.log if call.route == route]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on this simulator holds; it is looked at after every request, pause and end."""
        changed = asyncio.Event()
        self._watchers.append(changed)
        try:
            while not condition():
                changed.clear()
                await changed.wait()
        finally:
            self._watchers.remove(changed)

    def changed(self) -> None:
        """Wake those who wait in `until`."""
        for watcher in self._watchers:
            watcher.set()

    # ASGI

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        call = Call(scope["method"], scope["path"], query, headers)
        received = await collected(receive, headers)
        if received is None:
            call.closed_early = True
        else:
            call.size = received.size
            try:
                call.raw, call.body = read(received, headers)
            except Unreadable as error:
                call.raw, call.unreadable = error.raw, str(error)
        self.log.append(call)
        if self._keep is not None:
            del self.log[: -self._keep]
        try:
            if received is not None:
                await self._answer(call, receive, send)
        finally:
            call.finished.set()
            self.changed()

    async def _answer(self, call: Call, receive: Receive, send: Send) -> None:
        call.concurrency = self.open_streams + 1
        answer = self._route(call)
        call.status = answer.status
        answer.headers["x-simulated"] = "true"
        player = Player(answer, self.gate, self.changed, self._sleep)
        self.open_streams += answer.stream
        self.peak_streams = max(self.peak_streams, self.open_streams)
        self.changed()
        try:
            await player.play(receive, send)
        finally:
            self.open_streams -= answer.stream
            call.closed_early = player.closed_early

    def _route(self, call: Call) -> Answer:
        matching = [route for route in self._routes if route.path.fullmatch(call.path)]
        route = next((route for route in matching if route.method == call.method), None)
        if route is None:
            return _nowhere(call, [route.method for route in matching])
        call.route = route.name
        self.counters[route.name] += 1
        try:
            script = self._script(call)
        except ScenarioError as error:
            return document(
                {"error": {"message": str(error), "type": "simulator_error", "code": None, "param": None}}, 400
            )
        call.script = script.name if script else "default"
        refused = route.guard(call)
        if script is None:
            answer = refused or route.handler(call, None)
        else:
            own = canned(script) if script.canned else refused or route.handler(call, script)
            answer = _changed(own, script)
        return self.codex.dressed(answer, script, call) if route.name.startswith("codex.") else answer

    def _script(self, call: Call) -> Script | None:
        """The script of this request: of its header, else pushed by a test, else of the scenario."""
        steering = call.headers.get("x-simulate")
        if steering is not None:
            return self._resolve(reference(_steering(steering), "x-simulate", self._scenario.scripts))
        if self._pushed[call.route]:
            return self._pushed[call.route].popleft()
        plan = self._scenario.routes.get(call.route, Plan())
        played = self._played[call.route]
        self._played[call.route] += 1
        return self._resolve(plan.queue[played] if played < len(plan.queue) else plan.default)

    def _resolve(self, script: str | Script | None) -> Script | None:
        if isinstance(script, str):
            script = self._scenario.scripts.get(script) or BUILT_IN[script]
        seen: set[str] = set()
        while script is not None and script.use is not None and script.use not in seen:
            seen.add(script.use)
            base = reference(script.use, "use", self._scenario.scripts)
            script = script.over(self._scenario.scripts.get(script.use) or BUILT_IN[str(base)])
        return script


def _steering(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ScenarioError("x-simulate", f"not a JSON object: {error}") from error


def _changed(answer: Answer, script: Script) -> Answer:
    """An answer with the script's pace and headers, and its `reply` merged over a JSON document."""
    if script.reply and isinstance(answer.document, dict) and answer.status == 200:
        merged = {**answer.document, **script.reply}
        fresh = document({key: value for key, value in merged.items() if value is not None})
        answer = replace(answer, beats=fresh.beats, document=fresh.document)
    answer.headers |= {name.lower(): str(value) for name, value in script.headers.items()}
    if not answer.stream:
        answer.script = replace(answer.script, delay=script.delay, gate=script.gate)
    return answer


def _nowhere(call: Call, methods: list[str]) -> Answer:
    status, headers = (405, {"allow": ", ".join(sorted(methods))}) if methods else (404, {})
    if call.path.startswith("/backend-api/"):
        return document({"detail": "Method Not Allowed" if methods else "Not Found"}, status, **headers)
    message = f"Invalid URL ({call.method} {call.path}) (simulated)"
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "unknown_url"}
    return document({"error": error}, status, **headers)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
