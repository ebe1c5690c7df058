"""The auth host: browser login, grants, device login, revocation."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from gateway.simulator import Scenario, Simulator
from gateway.simulator.auth import challenge_of, claims_of
from tests.simulator.asking import CODEX, NOW, headers_of, turn

VERIFIER = "v" * 43
ASKED = {
    "response_type": "code", "client_id": "app", "redirect_uri": "http://localhost:1455/auth/callback",
    "scope": "openid profile email offline_access", "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256", "state": "the-state",
}  # fmt: skip


async def authorize(client: httpx2.AsyncClient, *leave_out: str, **changes: str) -> dict[str, str]:
    asked = {key: value for key, value in {**ASKED, **changes}.items() if key not in leave_out}
    answer = await client.get("/oauth/authorize", params=asked)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def exchange(client: httpx2.AsyncClient, code: str, **changes: str) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code", "code": code, "client_id": "app", "code_verifier": VERIFIER,
        "redirect_uri": ASKED["redirect_uri"],
    }  # fmt: skip
    return await client.post("/oauth/token", data={**form, **changes})


def renewal(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token}


@pytest.mark.proves("SIM-browser-login")
async def test_a_browser_login_gives_tokens_with_the_claims(sim: Simulator, client: httpx2.AsyncClient) -> None:
    back = await authorize(client)
    assert back["state"] == "the-state"
    tokens = (await exchange(client, back["code"])).json()
    assert sorted(tokens) == ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]
    access, identity = claims_of(tokens["access_token"]), claims_of(tokens["id_token"])
    assert access["exp"] == int(NOW) + 864_000
    assert identity["email"] == "simulated@example.com"
    for claims in (access, identity):
        auth = claims["https://api.openai.com/auth"]
        assert (auth["chatgpt_account_id"], auth["chatgpt_plan_type"]) == ("acct-simulated", "pro")
    headers = headers_of({**tokens, "account_id": "acct-simulated"})
    assert (await client.post(CODEX, json=turn(), headers=headers)).status_code == 200


@pytest.mark.proves("SIM-browser-login")
@pytest.mark.parametrize(
    "changes",
    [{"response_type": "token"}, {"code_challenge_method": "plain"}, {"code_challenge": "short"}, {"scope": "email"}],
    ids=str,
)
async def test_wrong_parameters_come_back_as_an_error(client: httpx2.AsyncClient, changes: dict[str, str]) -> None:
    back = await authorize(client, **changes)
    assert (back["error"], back["state"], "code" in back) == ("invalid_request", "the-state", False)


@pytest.mark.parametrize(
    "redirect",
    [
        "http://localhost:x/auth/callback",
        "http://localhost:8000/auth/callback",
        "http://127.0.0.1:1455/auth/callback",
        "http://localhost:1455/x",
        "",
    ],
)
async def test_a_foreign_redirect_is_refused_on_the_page(client: httpx2.AsyncClient, redirect: str) -> None:
    answer = await client.get("/oauth/authorize", params={**ASKED, "redirect_uri": redirect})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_any_port_may_be_allowed(sim: Simulator, client: httpx2.AsyncClient) -> None:
    sim.scenario = Scenario(redirect_ports=None)
    assert "code" in await authorize(client, redirect_uri="http://localhost:8000/auth/callback")


@pytest.mark.proves("SIM-login-mishaps")
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("deny", {"state": "the-state", "error": "access_denied", "error_description": "The user said no"}),
        ("missing_entitlement",
         {"state": "the-state", "error": "access_denied", "error_description": "missing_codex_entitlement"}),
        ("no_code", {"state": "the-state", "scope": ASKED["scope"]}),
    ],
)  # fmt: skip
async def test_a_login_can_go_wrong(
    sim: Simulator, client: httpx2.AsyncClient, script: str, expected: dict[str, str]
) -> None:
    sim.queue("authorize", script, "wrong_state")
    assert await authorize(client) == expected
    assert (await authorize(client))["state"] != "the-state"


@pytest.mark.proves("SIM-pkce")
@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 43}, {"redirect_uri": "http://localhost:1457/auth/callback"}, {"client_id": "b"}],
    ids=["verifier", "redirect", "client"],
)  # fmt: skip
async def test_a_code_is_good_once_and_for_its_maker_only(client: httpx2.AsyncClient, changes: dict[str, str]) -> None:
    code = (await authorize(client))["code"]
    for wrong in (changes, {}):  # the right answer comes too late: the code was spent by the wrong one
        answer = await exchange(client, code, **wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    fresh = (await authorize(client))["code"]
    assert [(await exchange(client, fresh)).status_code for _ in range(2)] == [200, 400]


@pytest.mark.proves("SIM-refresh")
@pytest.mark.parametrize("encoding", ["json", "data"])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refresh_token_rotates_and_is_good_once(
    sim: Simulator, client: httpx2.AsyncClient, login: dict[str, Any], encoding: str, status: int
) -> None:
    sim.scenario = Scenario(reused_status=status)
    first = await client.post("/oauth/token", **{encoding: renewal(login["refresh_token"])})  # type: ignore[arg-type]
    second = await client.post("/oauth/token", **{encoding: renewal(login["refresh_token"])})  # type: ignore[arg-type]
    assert first.json()["refresh_token"] != login["refresh_token"]
    assert (second.status_code, second.json()["error"]["code"]) == (status, "refresh_token_reused")
    assert sim.refresh_count == 2


@pytest.mark.proves("SIM-refresh-count")
async def test_every_refresh_asked_for_is_counted_also_those_that_scripts_answer(
    sim: Simulator, client: httpx2.AsyncClient, login: dict[str, Any]
) -> None:
    sim.queue("token", "server_error", {"status": 200, "body": {"access_token": "a"}})
    for encoding in ("json", "data", "json"):
        await client.post("/oauth/token", **{encoding: renewal(login["refresh_token"])})  # type: ignore[arg-type]
    await client.post("/oauth/token", json={"grant_type": "authorization_code", "code": "x"})
    assert sim.refresh_count == 3


async def test_a_reply_without_a_refresh_token_leaves_the_old_one_good(
    sim: Simulator, client: httpx2.AsyncClient, login: dict[str, Any]
) -> None:
    sim.queue("token", "omit_refresh_token")
    replies = [(await client.post("/oauth/token", json=renewal(login["refresh_token"]))).json() for _ in range(2)]
    assert ["refresh_token" in reply for reply in replies] == [False, True]


@pytest.mark.proves("SIM-login-mishaps")
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("refresh_token_expired", 401, "refresh_token_expired"),
        ("refresh_token_invalidated", 401, "refresh_token_invalidated"),
        ("invalid_grant", 400, "invalid_grant"),
        ("server_error", 500, "server_error"),
    ],
)
async def test_a_refresh_can_go_wrong(
    sim: Simulator, client: httpx2.AsyncClient, login: dict[str, Any], script: str, status: int, code: str
) -> None:
    sim.queue("token", script, "challenge")
    answer = await client.post("/oauth/token", json=renewal(login["refresh_token"]))
    error = answer.json()["error"]
    assert (answer.status_code, error if isinstance(error, str) else error["code"]) == (status, code)
    blocked = await client.post("/oauth/token", json=renewal(login["refresh_token"]))
    assert (blocked.status_code, blocked.headers["content-type"]) == (403, "text/html; charset=UTF-8")
    assert (await client.post("/oauth/token", json=renewal(login["refresh_token"]))).status_code == 200


@pytest.mark.parametrize(
    ("token", "expected"), [("", "empty_string"), ("unknown", "invalid_grant")], ids=["empty", "unknown"]
)
async def test_no_or_unknown_refresh_tokens_are_refused(client: httpx2.AsyncClient, token: str, expected: str) -> None:
    error = (await client.post("/oauth/token", json=renewal(token))).json()["error"]
    assert (error if isinstance(error, str) else error["code"]) == expected


@pytest.mark.proves("SIM-device-login")
async def test_a_device_login_is_pending_then_approved(sim: Simulator, client: httpx2.AsyncClient) -> None:
    start = (await client.post("/api/accounts/deviceauth/usercode", json={"client_id": "app"})).json()
    assert sorted(start) == ["device_auth_id", "expires_at", "interval", "user_code"]
    assert start["interval"] == "5"
    asking = {key: start[key] for key in ("device_auth_id", "user_code")}
    polls = [await client.post("/api/accounts/deviceauth/token", json=asking) for _ in range(3)]
    assert [answer.status_code for answer in polls] == [403, 200, 404]
    assert polls[0].json()["error"]["code"] == "deviceauth_authorization_pending"
    assert polls[2].json()["error"]["code"] == "deviceauth_not_found"
    given = polls[1].json()
    assert challenge_of(given["code_verifier"]) == given["code_challenge"]
    done = await exchange(
        client, given["authorization_code"], code_verifier=given["code_verifier"],
        redirect_uri="https://auth.openai.com/deviceauth/callback",
    )  # fmt: skip
    assert done.status_code == 200


@pytest.mark.proves("SIM-device-login")
@pytest.mark.parametrize(("decide", "status"), [("approve", 200), ("decline", 403)])
async def test_a_user_decides_on_the_page(sim: Simulator, client: httpx2.AsyncClient, decide: str, status: int) -> None:
    sim.scenario = Scenario(device_polls=None)
    start = (await client.post("/api/accounts/deviceauth/usercode", json={"client_id": "app"})).json()
    asking = {key: start[key] for key in ("device_auth_id", "user_code")}
    for _ in range(3):
        assert (await client.post("/api/accounts/deviceauth/token", json=asking)).status_code == 403
    await client.post("/codex/device", data={"user_code": start["user_code"].lower(), "decide": decide})
    assert (await client.post("/api/accounts/deviceauth/token", json=asking)).status_code == status


@pytest.mark.parametrize(
    ("script", "status"),
    [("deviceauth_slow_down", 429), ("deviceauth_expired_token", 400), ("deviceauth_access_denied", 403)],
)
async def test_every_poll_status_can_be_played(
    sim: Simulator, client: httpx2.AsyncClient, script: str, status: int
) -> None:
    sim.queue("poll", script)
    answer = await client.post("/api/accounts/deviceauth/token", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, script)


@pytest.mark.proves("SIM-revoke")
async def test_a_revoked_login_is_refused_everywhere(client: httpx2.AsyncClient, login: dict[str, Any]) -> None:
    body = {"token": login["refresh_token"], "token_type_hint": "refresh_token", "client_id": "app"}
    assert (await client.post("/oauth/revoke", json=body)).status_code == 200
    answer = await client.post(CODEX, json=turn(), headers=headers_of(login))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_revoked")
    again = await client.post("/oauth/token", json=renewal(login["refresh_token"]))
    assert again.json()["error"]["code"] == "refresh_token_invalidated"
