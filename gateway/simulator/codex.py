"""The Codex backend: responses, models, compaction and usage of a ChatGPT plan, with the refusals of the real one."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from gateway.simulator import catalogue, limits
from gateway.simulator.asks import read_responses
from gateway.simulator.auth import claims_of
from gateway.simulator.checks import Asker, Refused, check
from gateway.simulator.library import BUILT_IN
from gateway.simulator.player import Answer, canned, document
from gateway.simulator.scripts import Composer, sealed, tokens
from gateway.simulator.turns import input_usage, played, response_object, streamed

if TYPE_CHECKING:
    from gateway.simulator.app import Call, Simulator
    from gateway.simulator.scenario import Script

_LIBRARIES = re.compile(
    r"(python-httpx|python-httpx2|python-requests|aiohttp|Go-http-client|curl|okhttp|node|axios)\b", re.I
)
_PROXY_HEADERS = ("x-forwarded-", "forwarded", "cf-", "x-real-ip", "x-stainless-")
_CACHE_LEAST, _CACHE_BLOCK = 1024, 128  # tokens: shortest cached prefix, and the steps it grows in


class CodexBackend:
    """Handlers of the Codex routes; keeps what the cached-token model needs."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._prefixes: dict[tuple[str, str], bytes] = {}

    def routes(self) -> list[tuple[str, str, str, Callable[[Call], Answer | None], Callable[..., Answer]]]:
        """Method, path, name, guard and handler of every route."""
        base = r"/backend-api/codex"
        return [
            ("POST", rf"{base}/responses", "codex.responses", self.guard, self.responses),
            ("POST", rf"{base}/responses/compact", "codex.compact", self.guard, self.compact),
            ("GET", rf"{base}/models", "codex.models", self.guard, self.models),
            ("GET", r"/backend-api/wham/usage", "codex.usage", self.guard, self.usage),
            ("GET", rf"{base}/usage", "codex.usage", self.guard, self.usage),
        ]

    # Who asks

    def guard(self, call: Call) -> Answer | None:
        """Refuse what the edge or the token check would; fills `auth` and `account` of the call."""
        call.auth, refused = self._judge(call)
        return refused

    def _judge(self, call: Call) -> tuple[str, Answer | None]:
        scenario = self._sim.scenario
        if scenario.edge_guard and _suspicious(call.headers):
            return "blocked", canned(BUILT_IN["challenge"])
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "missing", _unauthorized("unauthorized")
        account = call.headers.get("chatgpt-account-id")
        if scenario.open:
            call.account = account or scenario.account_id
            return "ok", None
        known = self._sim.auth.access.get(token)
        if known is None:
            return "unknown", _unauthorized("unauthorized")
        if known.refused:
            return known.refused, _unauthorized(known.refused)
        if known.expires <= self._sim.clock():
            return "token_expired", _unauthorized("token_expired")
        if account is None:
            return "no account", canned(BUILT_IN["challenge"])
        if account != known.grant.account_id:
            return "wrong account", _unauthorized("unauthorized")
        call.account = account
        return "ok", None

    def _plan(self, call: Call) -> str:
        token = call.headers.get("authorization", "").partition(" ")[2]
        claims = claims_of(token).get("https://api.openai.com/auth")
        plan = claims.get("chatgpt_plan_type") if isinstance(claims, dict) else None
        return str(plan or self._sim.scenario.plan)

    def dressed(self, answer: Answer, script: Script | None, call: Call) -> Answer:
        """An answer with the headers every Codex reply carries."""
        scenario, now = self._sim.scenario, self._sim.clock()
        plan = self._plan(call)
        chosen = script.limits if script is not None and script.limits is not None else scenario.limits
        resolved = limits.resolve(chosen)
        if answer.status == 429 and script is not None and script.canned:
            answer = _dated(answer, script, limits.resolve("exhausted")["primary"], plan, now)
        number = len(self._sim.log)
        tracing = {"x-request-id": f"req-simulated-{number}", "cf-ray": f"{number:016x}-SIM"}
        # Answers of the edge (pages, bare text) never reached the service that knows the limits.
        edge = answer.headers.get("content-type", "").startswith("text/") and not answer.stream
        rates = {} if edge else limits.headers(resolved, plan, now)
        etag = {} if edge else {"x-models-etag": catalogue.etag(catalogue.rows(scenario.models))}
        answer.headers = {**tracing, **rates, **etag, **answer.headers}
        return answer

    # What they ask

    def responses(self, call: Call, script: Script | None) -> Answer:
        """One turn."""
        scenario = self._sim.scenario
        if scenario.concurrency and call.concurrency > scenario.concurrency:
            return canned(BUILT_IN["burst"])
        if call.unreadable:
            return document({"detail": call.unreadable}, 400)
        rows = {row["slug"]: row for row in catalogue.rows(scenario.models)}
        asker = Asker(
            call.account,
            self._plan(call),
            call.headers.get("version", ""),
            call.headers.get("x-openai-internal-codex-responses-lite") == "true",
            rows,
            scenario.require_instructions,
        )
        try:
            check(call.body, asker)
        except Refused as refused:
            return document(refused.body, refused.status)
        return self._turn(call, script)

    def _turn(self, call: Call, script: Script | None) -> Answer:
        sim, body = self._sim, call.body
        play = played(script, read_responses(body))
        now = sim.clock()
        read = tokens([body.get("instructions"), body["input"], body.get("tools") or []])
        response = response_object(body, next(sim.ids), int(now), input_usage(read, self._cached(call)))
        composer = Composer(
            play,
            response,
            sim.ids,
            account=call.account,
            terminal_output=play.completed_output or sim.scenario.completed_output,
            limits_event=limits.event(limits.resolve(sim.scenario.limits), self._plan(call), now),
        )
        answer = streamed(composer, play)
        turn_state = call.headers.get("x-codex-turn-state") or f"turn-simulated-{len(sim.log)}"
        answer.headers |= {
            "openai-model": body["model"],
            "x-reasoning-included": "true",
            "x-codex-turn-state": turn_state,
        }
        return answer

    def _cached(self, call: Call) -> int:
        """Cached tokens: the common prefix with the last request of the same session, when it names itself alike."""
        session = call.headers.get("session-id") or call.headers.get("session_id")
        key = call.body.get("prompt_cache_key")
        if not session or (key is not None and key != session):
            return 0
        text = orjson.dumps([call.body.get("model"), call.body.get("instructions"), *call.body["input"]])
        before = self._prefixes.get((call.account, session), b"")
        self._prefixes[(call.account, session)] = text
        # The closing bracket of the older list is not part of the prefix.
        shared = _common(before[:-1], text) // 4
        return shared // _CACHE_BLOCK * _CACHE_BLOCK if shared >= _CACHE_LEAST else 0

    def models(self, call: Call, script: Script | None) -> Answer:
        """The catalogue, as much of it as the client's version may see."""
        client = call.query.get("client_version")
        if not client:
            return document({"detail": "Missing required query parameter: client_version"}, 400)
        catalog = catalogue.visible(catalogue.rows(self._sim.scenario.models), client)
        tag = catalogue.etag(catalog)
        if call.headers.get("if-none-match") == tag:
            return Answer(304, {"etag": tag})
        return document({"models": catalog}, etag=tag)

    def usage(self, call: Call, script: Script | None) -> Answer:
        """How much of the plan is used."""
        return document(limits.usage(limits.resolve(self._sim.scenario.limits), self._plan(call), self._sim.clock()))

    def compact(self, call: Call, script: Script | None) -> Answer:
        """Compaction: the last user message stays, the rest becomes one opaque item."""
        body = call.body
        if not isinstance(body, dict) or not isinstance(body.get("input"), list):
            return document({"detail": "Input must be a list"}, 400)
        for key in ("store", "stream"):
            if key in body:
                return document({"detail": f"Unsupported parameter: {key}"}, 400)
        kept = [item for item in body["input"] if isinstance(item, dict) and item.get("role") == "user"][-1:]
        number = next(self._sim.ids)
        blob = sealed(call.account, str(body.get("model")), number)
        return document(
            {"output": [*kept, {"id": f"cmp_{number:032x}", "type": "compaction", "encrypted_content": blob}]}
        )


def _suspicious(headers: dict[str, str]) -> bool:
    agent = headers.get("user-agent", "")
    leaked = any(name.startswith(_PROXY_HEADERS) for name in headers)
    return leaked or not agent or _LIBRARIES.match(agent) is not None


def _unauthorized(name: str) -> Answer:
    """A 401 variant with the headers that repeat its code."""
    answer = canned(BUILT_IN[name])
    error = (answer.document or {}).get("error")
    if error:
        packed = base64.b64encode(orjson.dumps({"error": {"code": error["code"]}})).decode()
        answer.headers |= {"x-openai-authorization-error": error["code"], "x-error-json": packed}
    return answer


def _dated(answer: Answer, script: Script, window: dict[str, Any], plan: str, now: float) -> Answer:
    """A plan-limit body completed with the plan and the reset time, unless the script names them."""
    error = answer.document.get("error") if isinstance(answer.document, dict) else None
    if not isinstance(error, dict) or error.get("type") != "usage_limit_reached":
        return answer
    given = error.get("resets_in_seconds")
    seconds = given if isinstance(given, int) else window["reset_after_seconds"]
    times = {"plan_type": plan, "resets_at": int(now) + seconds, "resets_in_seconds": seconds}
    fresh = document({**answer.document, "error": {**times, **error}}, answer.status)
    return replace(fresh, headers={**fresh.headers, **answer.headers}, script=answer.script)


def _common(left: bytes, right: bytes) -> int:
    """Length of the common prefix, by halving: requests may be megabytes."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
