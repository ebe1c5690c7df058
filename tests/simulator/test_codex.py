"""The Codex backend: who may ask, what it refuses, what its answers carry."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx2
import orjson
import pytest
import zstandard

from gateway.simulator import Scenario, Simulator
from gateway.simulator.auth import jwt
from tests.simulator.asking import CODEX, NOW, WEATHER, events_of, headers_of, text_of, turn, user

Login = dict[str, Any]
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}


async def refused(client: httpx2.AsyncClient, login: Login, body: Any, **headers: str) -> Any:
    answer = await client.post(CODEX, json=body, headers=headers_of(login, **headers))
    assert answer.status_code in {400, 404}, answer.text
    document = answer.json()
    return document.get("detail") or (document["error"]["code"], document["error"]["param"])


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in turn().items() if key not in keys}


@pytest.mark.proves("SIM-refusals")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(without("store"), "Store must be set to false", id="store left out"),
        pytest.param(turn(stream=False), "Stream must be set to true", id="not streamed"),
        pytest.param(without("instructions"), "Instructions are required", id="no instructions"),
        pytest.param(turn(instructions=None), "Instructions are required", id="null instructions"),
        pytest.param(turn(input="hi"), "Input must be a list", id="text input"),
        pytest.param(turn(temperature=1), "Unsupported parameter: temperature", id="temperature"),
        pytest.param(turn(metadata={}), "Unsupported parameter: metadata", id="metadata"),
        pytest.param(turn(previous_response_id="r"), "Unsupported parameter: previous_response_id", id="previous"),
        pytest.param(turn(stream_options={"include_usage": True}),
            "Unsupported parameter: stream_options.include_usage", id="stream option"),
        pytest.param(turn(input=[{"role": "system", "content": "x"}]), "System messages are not allowed", id="system"),
        pytest.param(turn(input=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
            ("invalid_value", "input[0].content[0].type"), id="chat part"),
        pytest.param(turn(input=[{**user("x"), "id": "m" * 65}]),
            ("string_above_max_length", "input[0].id"), id="long id"),
        pytest.param(turn(input=[{**user("x"), "id": "item_1"}]),
            ("invalid_id_prefix", "input[0].id"), id="wrong prefix"),
        pytest.param(turn(input=[{"type": "item_reference", "id": "rs_1"}]), (None, "input"), id="reference"),
        pytest.param(turn(input=[CALL]), (None, "input"), id="call without output"),
        pytest.param(turn(input=[OUTPUT]), (None, "input"), id="output without call"),
        pytest.param(turn(input=[{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAother"}]),
            ("invalid_encrypted_content", "input"), id="foreign reasoning"),
        pytest.param(turn(input=[{"role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,aGk="}]}]),
            ("invalid_image", "input[0].content[0]"), id="bad image"),
        pytest.param(turn(model="gpt-4"),
            "The 'gpt-4' model is not supported when using Codex with a ChatGPT account.", id="unknown model"),
        pytest.param(turn(reasoning={"effort": None}), ("unsupported_value", "reasoning.effort"), id="null effort"),
        pytest.param(turn(reasoning={"effort": "ultra"}), ("unsupported_value", "reasoning.effort"), id="effort"),
        pytest.param(turn(service_tier="flex"), "Unsupported service_tier: flex", id="tier"),
        pytest.param(turn(tools=[{"type": "function", "function": {"name": "f"}}]),
            ("missing_required_parameter", "tools[0].name"), id="nested tool"),
        pytest.param(turn(tools=[{"type": "file_search"}]), ("invalid_value", "tools[0].type"), id="hosted tool"),
        pytest.param(turn(tools=[{**WEATHER, "strict": True}]),
            ("invalid_function_parameters", "tools[0].parameters"), id="loose strict schema"),
        pytest.param(turn(tool_choice={"type": "function", "name": "g"}),
            ("invalid_value", "tool_choice"), id="choice of no tool"),
    ],
)  # fmt: skip
async def test_the_backend_refuses(client: httpx2.AsyncClient, login: Login, body: Any, expected: Any) -> None:
    assert await refused(client, login, body) == expected


@pytest.mark.proves("SIM-instructions")
@pytest.mark.parametrize(
    "body", [without("instructions"), turn(instructions=None), turn()], ids=["none", "null", "empty"]
)
async def test_a_scenario_may_do_without_instructions(
    sim: Simulator, client: httpx2.AsyncClient, login: Login, body: Any
) -> None:
    sim.scenario = Scenario(require_instructions=False)
    answer = await client.post(CODEX, json=body, headers=headers_of(login))
    assert (answer.status_code, text_of(answer.content)) == (200, "(simulated) You said: Hello")
    assert await refused(client, login, turn(instructions=5)) == "Instructions are required"


@pytest.mark.parametrize("version", ["1.²", "9" * 5000, "new"], ids=["no digit", "endless", "word"])
async def test_a_version_nobody_can_read_counts_as_the_lowest(
    client: httpx2.AsyncClient, login: Login, version: str
) -> None:
    headers = {name.encode(): value.encode("latin-1") for name, value in headers_of(login, version=version).items()}
    answer = await client.post(CODEX, json=turn(), headers=headers)
    assert "requires a newer version" in answer.json()["detail"]


async def test_an_open_backend_takes_any_token(sim: Simulator, client: httpx2.AsyncClient) -> None:
    sim.scenario = Scenario(open=True, plan="plus")
    token = jwt({"https://api.openai.com/auth": ["odd"]})
    answer = await client.post(CODEX, json=turn(), headers=headers_of({"access_token": token, "account_id": "any"}))
    assert (answer.status_code, answer.headers["x-codex-plan-type"]) == (200, "plus")


ORDERED: list[tuple[dict[str, Any], Any]] = [
    ({"store": True}, "Store must be set to false"),
    ({"stream": False}, "Stream must be set to true"),
    ({"instructions": None}, "Instructions are required"),
    ({"input": "x"}, "Input must be a list"),
    ({"user": "x"}, "Unsupported parameter: user"),
    ({"input": [{"role": "system", "content": ""}]}, "System messages are not allowed"),
    ({"input": [OUTPUT]}, (None, "input")),
    ({"model": "m"}, "The 'm' model is not supported when using Codex with a ChatGPT account."),
    ({"service_tier": "x"}, "Unsupported service_tier: x"),
    ({"tools": [{}]}, ("invalid_value", "tools[0].type")),
]


@pytest.mark.proves("SIM-refusals")
@pytest.mark.parametrize("first", range(len(ORDERED)))
async def test_the_first_of_several_faults_is_named(client: httpx2.AsyncClient, login: Login, first: int) -> None:
    faults: dict[str, Any] = {}
    for change, _ in reversed(ORDERED[first:]):
        faults |= change
    assert await refused(client, login, turn(**faults)) == ORDERED[first][1]


@pytest.mark.proves("SIM-version-gate")
async def test_models_are_gated_by_version_and_plan(sim: Simulator, client: httpx2.AsyncClient, login: Login) -> None:
    gated = "The 'gpt-6-sol' model requires a newer version of Codex. "
    assert (await refused(client, login, turn(model="gpt-6-sol"), version="0.150.0")).startswith(gated)
    free = sim.issue_tokens(plan="free", account_id="acct-free")
    plan = "The 'gpt-6-astra' model is not supported when using Codex with a ChatGPT account."
    assert await refused(client, free, turn(model="gpt-6-astra")) == plan


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("zstd", zstandard.compress), ("gzip", gzip.compress), ("identity", bytes)],
    ids=["zstd", "gzip", "identity"],
)
@pytest.mark.proves("SIM-encodings")
async def test_bodies_are_decoded(client: httpx2.AsyncClient, login: Login, encoding: str, packed: Any) -> None:
    body = packed(orjson.dumps(turn("Reply with exactly: packed")))
    headers = headers_of(login, content_encoding=encoding, content_type="application/json")
    answer = await client.post(CODEX, content=body, headers=headers)
    assert text_of(answer.content) == "packed"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"{", "identity"), (b"junk", "zstd"), (gzip.compress(b"{}")[:-9], "gzip"), (b"{}", "br")],
    ids=["json", "zstd", "cut gzip", "unknown"],
)
async def test_unreadable_bodies_are_refused(
    client: httpx2.AsyncClient, login: Login, body: bytes, encoding: str
) -> None:
    answer = await client.post(CODEX, content=body, headers=headers_of(login, content_encoding=encoding))
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.proves("SIM-bearer")
async def test_the_bearer_must_be_known_alive_and_of_the_account(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    stale, ended = sim.issue_tokens(expires_in=-1), sim.issue_tokens(account_id="acct-ended")
    sim.auth.end_session("acct-ended", "token_invalidated")
    asked = [
        {}, headers_of({**login, "access_token": "x"}), headers_of(stale), headers_of(ended),
        headers_of({**login, "account_id": "acct-other"}), {"authorization": f"Bearer {login['access_token']}"},
    ]  # fmt: skip
    answers = [await client.post(CODEX, json=turn(), headers=headers) for headers in asked]
    assert [(call.auth, answer.status_code) for call, answer in zip(sim.log, answers, strict=True)] == [
        ("missing", 401), ("unknown", 401), ("token_expired", 401), ("token_invalidated", 401),
        ("wrong account", 401), ("no account", 403),
    ]  # fmt: skip
    assert answers[2].headers["x-openai-authorization-error"] == "token_expired"
    assert answers[3].json()["status"] == 401
    assert answers[5].headers["cf-mitigated"] == "challenge"


@pytest.mark.proves("SIM-edge")
async def test_the_edge_guard_turns_library_agents_and_proxy_headers_away(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    sim.scenario = Scenario(edge_guard=True)
    for strange in ({"user_agent": "python-httpx/1"}, {"x_forwarded_for": "192.0.2.1"}):
        assert (await client.post(CODEX, json=turn(), headers=headers_of(login, **strange))).status_code == 403
    assert (await client.post(CODEX, json=turn(), headers=headers_of(login))).status_code == 200


@pytest.mark.proves("SIM-limits")
async def test_rate_headers_come_with_every_reply_of_the_service(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    def rates(answer: httpx2.Response) -> dict[str, str]:
        wanted = ("x-codex-plan-type", "x-codex-primary-", "x-codex-secondary-")
        return {name: value for name, value in answer.headers.items() if name.startswith(wanted)}

    sim.scenario = Scenario.parse({"limits": "weekly_primary", "plan": "free"})
    weekly = {
        "x-codex-plan-type": "pro",  # the plan of the token
        "x-codex-primary-used-percent": "3",
        "x-codex-primary-window-minutes": "10080",
        "x-codex-primary-reset-at": str(int(NOW) + 400_000),
        "x-codex-primary-reset-after-seconds": "400000",
        "x-codex-secondary-used-percent": "0",
        "x-codex-secondary-window-minutes": "0",
        "x-codex-secondary-reset-at": "",
        "x-codex-secondary-reset-after-seconds": "0",
    }
    for body in (turn(), turn(user="x")):
        assert rates(await client.post(CODEX, json=body, headers=headers_of(login))) == weekly
    sim.queue("codex.responses", "burst", "usage_limit_reached_bare")
    for _ in range(2):
        assert rates(await client.post(CODEX, json=turn(), headers=headers_of(login))) == {}


@pytest.mark.proves("SIM-429")
async def test_each_kind_of_429_has_its_body(sim: Simulator, client: httpx2.AsyncClient, login: Login) -> None:
    sim.queue("codex.responses", "usage_limit_reached", "usage_not_included", "retry_after")
    answers = [await client.post(CODEX, json=turn(), headers=headers_of(login)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 429]
    assert answers[0].json()["error"] == {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "pro",
        "resets_at": int(NOW) + 12_345,
        "eligible_promo": None,
        "resets_in_seconds": 12_345,
    }
    assert answers[0].headers["x-codex-primary-used-percent"] == "100"
    assert answers[1].json()["error"]["type"] == "usage_not_included"
    assert (answers[2].text, answers[2].headers["retry-after"]) == ("Too many requests", "2")


@pytest.mark.proves("SIM-concurrency")
async def test_streams_above_the_limit_meet_the_burst_guard(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    sim.scenario = Scenario(concurrency=1)
    sim.queue("codex.responses", {"text": ["a", {"gate": "hold"}, "b"]})
    async with client.stream("POST", CODEX, json=turn(), headers=headers_of(login)) as first:
        await sim.gate("hold").reached.wait()
        second = await client.post(CODEX, json=turn(), headers=headers_of(login))
        sim.gate("hold").set()
        await first.aread()
    third = await client.post(CODEX, json=turn(), headers=headers_of(login))
    assert (first.status_code, second.status_code, third.status_code) == (200, 429, 200)
    assert ([call.concurrency for call in sim.log], sim.peak_streams) == ([1, 2, 1], 1)


@pytest.mark.proves("SIM-cache")
async def test_tokens_are_cached_only_for_a_repeated_session(client: httpx2.AsyncClient, login: Login) -> None:
    async def cached(session: str | None, items: list[Any], **body: Any) -> int:
        headers = headers_of(login, **({"session_id": session} if session else {}))
        answer = await client.post(CODEX, json=turn(input=items, **body), headers=headers)
        usage = events_of(answer.content)[-1]["response"]["usage"]
        return int(usage["input_tokens_details"]["cached_tokens"])

    long = [user("word " * 2000)]
    assert await cached(None, long) == 0
    assert await cached("s1", long) == 0
    assert await cached("s1", [*long, user("more")]) == 2432  # 10 kB of prefix, in steps of 128 tokens
    assert await cached("s2", long) == 0
    assert await cached("s1", long, prompt_cache_key="s2") == 0


@pytest.mark.proves("SIM-catalogue")
async def test_the_catalogue_is_gated_tagged_and_needs_a_version(client: httpx2.AsyncClient, login: Login) -> None:
    async def models(version: str | None, **headers: str) -> httpx2.Response:
        query = {} if version is None else {"client_version": version}
        return await client.get("/backend-api/codex/models", params=query, headers=headers_of(login, **headers))

    assert (await models(None)).status_code == 400
    everything = await models("0.0.0")
    slugs = {row["slug"]: row["visibility"] for row in everything.json()["models"]}
    assert (slugs["gpt-6-sol"], slugs["codex-auto-review"]) == ("list", "hide")
    older = {row["slug"] for row in (await models("0.130.0")).json()["models"]}
    assert older == {"gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.2", "codex-auto-review"}
    again = await models("0.0.0", if_none_match=everything.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.proves("SIM-usage")
async def test_usage_tells_windows_in_seconds(client: httpx2.AsyncClient, login: Login) -> None:
    usage = (await client.get("/backend-api/wham/usage", headers=headers_of(login))).json()
    assert usage["rate_limit"] == {
        "allowed": True,
        "limit_reached": False,
        "primary_window": {
            "used_percent": 12, "limit_window_seconds": 18_000, "reset_after_seconds": 9_000,
            "reset_at": int(NOW) + 9_000,
        },
        "secondary_window": {
            "used_percent": 3, "limit_window_seconds": 604_800, "reset_after_seconds": 400_000,
            "reset_at": int(NOW) + 400_000,
        },
    }  # fmt: skip


@pytest.mark.proves("SIM-compact")
async def test_compaction_keeps_the_last_user_message(client: httpx2.AsyncClient, login: Login) -> None:
    body = {"model": "gpt-5.5", "input": [user("old"), user("new")]}
    answer = await client.post(f"{CODEX}/compact", json=body, headers=headers_of(login))
    kept, compaction = answer.json()["output"]
    assert (kept, compaction["type"]) == (user("new"), "compaction")
    assert (await client.post(f"{CODEX}/compact", json=turn(), headers=headers_of(login))).status_code == 400


async def test_sealed_reasoning_is_good_for_its_own_account_only(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    asking = turn(reasoning={"effort": "low"}, include=["reasoning.encrypted_content"])
    stream = (await client.post(CODEX, json=asking, headers=headers_of(login))).content
    sealed = next(e["item"] for e in events_of(stream) if e["type"] == "response.output_item.done")
    again = turn(input=[user("a"), sealed, user("b")])
    assert (await client.post(CODEX, json=again, headers=headers_of(login))).status_code == 200
    other = sim.issue_tokens(account_id="acct-other")
    assert await refused(client, other, again) == ("invalid_encrypted_content", "input")


@pytest.mark.proves("SIM-log")
async def test_the_log_holds_what_was_asked(sim: Simulator, client: httpx2.AsyncClient, login: Login) -> None:
    await client.post(CODEX, json=turn(), headers=headers_of(login, session_id="s1"))
    (call,) = sim.calls("codex.responses")
    assert (call.method, call.path, call.body, call.auth, call.status) == ("POST", CODEX, turn(), "ok", 200)
    assert (call.headers["session-id"], sim.counters["codex.responses"], sim.refresh_count) == ("s1", 1, 0)


@pytest.mark.proves("SIM-log")
async def test_a_test_can_wait_until_something_was_asked(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    waiting = asyncio.ensure_future(sim.until(lambda: sim.counters["codex.responses"] == 2))
    await client.post(CODEX, json=turn(), headers=headers_of(login))
    assert not waiting.done()
    await client.post(CODEX, json=turn(), headers=headers_of(login))
    async with asyncio.timeout(5):
        await waiting


async def test_unknown_paths_and_methods_are_refused(client: httpx2.AsyncClient) -> None:
    answers = [await client.get("/backend-api/nothing"), await client.get(CODEX), await client.post("/v1/nothing")]
    assert [answer.status_code for answer in answers] == [404, 405, 404]
    assert answers[1].headers["allow"] == "POST"
