"""Several upstreams behind one gateway: who runs a turn, what each of them sees, and what all of them list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.stack import CODEX, MODEL, NATIVE, DialectName, Json
from tests.live.team import DEFAULT, PLAN, Team, key_of, nobody, team, text_of
from tests.sdk_types import check_error, check_models

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIALECTS: tuple[DialectName, ...] = ("chat", "responses")
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planned_team(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Team]:
    providers: dict[str, Json] = {
        "local": {"models": [MODEL + "-listed"], "aliases": {"quick": MODEL}},
        "inner": {"dialects": ["responses"]},
        "chatty": {"dialects": ["chat"]},
    }
    changes: Json = {"upstream": {"aliases": {"fast": f"local/{MODEL}"}}}
    async with team(CODEX, tmp_path_factory.mktemp("planned"), providers=providers, **changes) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served_team(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Team]:
    async with team(NATIVE, tmp_path_factory.mktemp("served"), providers={"plan": PLAN, "other": {}}) as made:
        yield made


@pytest.fixture
def planned(planned_team: Team) -> Iterator[Team]:
    """A ChatGPT plan by default, beside servers."""
    yield planned_team
    planned_team.reset()


@pytest.fixture
def served(served_team: Team) -> Iterator[Team]:
    """A server by default, beside a ChatGPT plan and another server."""
    yield served_team
    served_team.reset()


# turns ----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-turns", "PROVIDERS-prefix", "PROVIDERS-slashes", "PROVIDERS-aliases")
@streamed_or_not
@each_dialect
@pytest.mark.parametrize(
    ("name", "runs"),
    [
        (MODEL, DEFAULT),
        (f"local/{MODEL}", "local"),
        (f"local%2F{MODEL}", "local"),
        ("quick", "local"),
        ("fast", "local"),
        (f"inner/{MODEL}", "inner"),
        (f"chatty/{MODEL}", "chatty"),
        (f"upstream/{MODEL}", DEFAULT),
    ],
)
async def test_a_plan_beside_servers(planned: Team, dialect: DialectName, stream: bool, name: str, runs: str) -> None:
    answer = await planned.post(dialect, name, stream=stream)
    assert text_of(dialect, answer) == "hello"
    assert planned.asked == {runs: 1}
    (call,) = planned.calls(runs)
    assert (call.body["model"], call.route) == (MODEL, planned.modes[runs].route(dialect))
    assert "x-gateway-upstream" not in answer.headers


@pytest.mark.proves("PROVIDERS-turns", "PROVIDERS-efforts")
@streamed_or_not
@each_dialect
@pytest.mark.parametrize(
    ("name", "runs", "effort"),
    [
        (MODEL, DEFAULT, None),
        (f"plan/{MODEL}", "plan", None),
        (f"plan/{MODEL}-low", "plan", "low"),
        (f"other/{MODEL}", "other", None),
    ],
)
async def test_a_server_beside_a_plan(
    served: Team, dialect: DialectName, stream: bool, name: str, runs: str, effort: str | None
) -> None:
    answer = await served.post(dialect, name, stream=stream)
    assert text_of(dialect, answer) == "hello"
    assert served.asked == {runs: 1}
    (call,) = served.calls(runs)
    assert (call.body["model"], call.body.get("reasoning", {}).get("effort")) == (MODEL, effort)


@pytest.mark.proves("PROVIDERS-turns")
async def test_the_requests_own_effort_wins_over_the_one_in_the_name(served: Team) -> None:
    text_of("chat", await served.post("chat", f"plan/{MODEL}-low", reasoning_effort="high"))
    assert served.calls("plan")[0].body["reasoning"]["effort"] == "high"


# keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-keys")
async def test_each_server_sees_its_own_key_and_never_the_token(planned: Team, served: Team) -> None:
    for made in (planned, served):
        for name in made.sims:
            text_of("chat", await made.post("chat", f"{name}/{MODEL}"))
        await made.stack.http.get("/v1/models")
        for name, sim in made.sims.items():
            seen = {call.headers.get("authorization", "") for call in sim.log}
            if made.modes[name].codex:
                (token,) = seen
                assert token.startswith("Bearer eyJ")
            else:
                assert seen == {f"Bearer {'sk-simulated' if name == DEFAULT else key_of(name)}"}
                assert {call.headers.get("chatgpt-account-id") for call in sim.log} == {None}


@pytest.mark.proves("PROVIDERS-keys")
async def test_a_provider_without_a_key_is_sent_none(tmp_path: Path) -> None:
    async with team(CODEX, tmp_path, providers={"local": {"api_key": ""}}) as made:
        answer = await made.post("chat", f"local/{MODEL}")
        assert (answer.status_code, check_error(answer.content).code) == (502, "upstream_auth")
        assert [call.headers.get("authorization") for call in made.calls("local")] == [None]


@pytest.mark.proves("PROVIDERS-token-hosts")
@pytest.mark.parametrize("mode", [CODEX, NATIVE], ids=lambda mode: mode.name)
async def test_the_token_goes_to_no_other_host_through_a_provider_either(mode: Any, tmp_path: Path) -> None:
    far = {**PLAN, "codex_base_url": "https://llm.example"}
    async with team(mode, tmp_path, providers={"far": far, "plan": PLAN}) as made:
        answer = await made.post("responses", f"far/{MODEL}")
        error = check_error(answer.content)
        assert (answer.status_code, error.code) == (503, "oauth_unavailable")
        assert "is not sent to https://llm.example:443" in error.message
        assert text_of("responses", await made.post("responses", f"plan/{MODEL}")) == "hello"


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-errors")
async def test_a_key_that_a_provider_refuses_is_told_with_its_setting(tmp_path: Path) -> None:
    async with team(CODEX, tmp_path, providers={"local": {"api_key": "sk-wrong-0123456789"}}) as made:
        for dialect in DIALECTS:
            answer = await made.post(dialect, f"local/{MODEL}", stream=True)
            error = check_error(answer.content)
            assert (answer.status_code, error.code) == (502, "upstream_auth")
            assert error.message == (
                "The provider 'local' refused the gateway's own key (HTTP 401). Check `providers.local.api_key`."
            )


@pytest.mark.proves("PROVIDERS-errors")
async def test_a_refusal_of_a_provider_is_in_the_clients_words(planned: Team) -> None:
    problem = {
        "message": "Unsupported parameter: 'max_output_tokens'",
        "type": "invalid_request_error",
        "param": "max_output_tokens",
        "code": "unsupported_parameter",
    }
    planned.play("inner", "chat", {"status": 400, "body": {"error": problem}})
    answer = await planned.post("chat", f"inner/{MODEL}", max_completion_tokens=5)
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (400, "unsupported_parameter", "max_completion_tokens")


@pytest.mark.proves("PROVIDERS-unknown")
@each_dialect
async def test_a_provider_that_is_not_there_is_a_404_with_those_that_are(planned: Team, dialect: DialectName) -> None:
    answer = await planned.post(dialect, f"nobody/{MODEL}", stream=True)
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert "Configured providers: local, inner, chatty." in error.message
    assert planned.asked == {}


@pytest.mark.proves("PROVIDERS-login")
async def test_without_a_login_the_others_go_on_and_are_named(tmp_path: Path) -> None:
    async with team(CODEX, tmp_path, login=False, providers={"local": {}, "plan": PLAN}) as made:
        for name in (MODEL, f"plan/{MODEL}"):
            error = check_error((await made.post("chat", name)).content)
            assert error.code == "oauth_unavailable"
            assert error.message.endswith("Models of other providers need no login: local/…")
        assert text_of("chat", await made.post("chat", f"local/{MODEL}")) == "hello"


# models ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-models")
async def test_the_models_of_all_are_one_list(planned: Team) -> None:
    names = [model.id for model in check_models((await planned.stack.http.get("/v1/models")).content)]
    own = [name for name in names if "/" not in name]
    assert names[: len(own) - 3] == own[:-3], "the plan's own come first"
    assert own[-3:] == [f"{MODEL}-listed", "fast", "quick"]
    behind = [name.partition("/")[0] for name in names if "/" in name]
    assert list(dict.fromkeys(behind)) == ["local", "inner", "chatty"], "in the operator's order"
    assert {MODEL, f"local/{MODEL}", f"chatty/{MODEL}"} <= set(names)
    assert not any("codex-auto-review" in name for name in names), "hidden ones are not for choosing"


@pytest.mark.proves("PROVIDERS-models", "PROVIDERS-model")
async def test_a_provider_that_is_gone_leaves_the_others(tmp_path: Path) -> None:
    with nobody() as gone:
        providers = {"gone": {"base_url": gone}, "local": {}}
        async with team(CODEX, tmp_path, login=False, providers=providers) as made:
            names = {model.id for model in check_models((await made.stack.http.get("/v1/models")).content)}
            assert f"local/{MODEL}" in names
            assert not any(name.startswith("gone/") for name in names)
            answer = await made.stack.http.get(f"/v1/models/gone/{MODEL}")
            assert (answer.status_code, check_error(answer.content).code) == (502, "upstream_unavailable")
        async with team(CODEX, tmp_path, login=False, providers={"gone": {"base_url": gone}}) as made:
            answer = await made.stack.http.get("/v1/models")
            error = check_error(answer.content)
            assert (answer.status_code, error.code) == (503, "oauth_unavailable")
            assert error.message.endswith("need no login: gone/…")


@pytest.mark.proves("PROVIDERS-model", "PROVIDERS-slashes")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (MODEL, MODEL),
        (f"local/{MODEL}", f"local/{MODEL}"),
        (f"local%2F{MODEL}", f"local/{MODEL}"),
        (f"local%252F{MODEL}", f"local%2F{MODEL}"),
        ("quick", "quick"),
        ("local/quick", "local/quick"),
        ("fast", "fast"),
        (f"{MODEL}-listed", f"{MODEL}-listed"),
        (f"{MODEL}-high", f"{MODEL}-high"),
        (f"upstream/{MODEL}", f"upstream/{MODEL}"),
    ],
)
async def test_a_model_can_be_looked_up_by_every_name(planned: Team, path: str, name: str) -> None:
    answer = await planned.stack.http.get(f"/v1/models/{path}")
    assert (answer.status_code, answer.json()["id"], answer.json()["object"]) == (200, name, "model")


@pytest.mark.proves("PROVIDERS-model")
@pytest.mark.parametrize("path", ["unheard-of", "local/unheard-of", f"nobody/{MODEL}", f"local/{MODEL}-high"])
async def test_every_other_name_is_a_404_that_names_what_there_is(planned: Team, path: str) -> None:
    answer = await planned.stack.http.get(f"/v1/models/{path}")
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert MODEL in error.message


# readiness ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-ready")
async def test_the_gateway_is_ready_while_one_upstream_is(tmp_path: Path) -> None:
    async with team(CODEX, tmp_path, login=False, providers={"local": {}}) as made:
        answer = await made.stack.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        assert answer.json()["checks"] == {"login": "oauth_unavailable", "upstream": "ok"}
    with nobody() as gone:
        async with team(CODEX, tmp_path, login=False, providers={"gone": {"base_url": gone}}) as made:
            answer = await made.stack.http.get("/readyz")
            assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
            assert answer.json()["checks"]["login"] == "oauth_unavailable"
    with nobody() as gone:
        async with team(NATIVE, tmp_path, providers={"local": {}}, upstream={"base_url": gone}) as made:
            answer = await made.stack.http.get("/readyz")
            assert (answer.status_code, answer.json()["checks"]) == (200, {"login": "ok", "upstream": "ok"})


# what the demo is when there are providers ----------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-demo", "PROVIDERS-turns")
async def test_a_demo_simulates_the_plan_and_asks_the_real_providers(tmp_path: Path) -> None:
    async with team(CODEX, tmp_path, login=False, demo=True, providers={"local": {}}) as made:
        simulated = await made.post("chat", MODEL)
        assert (text_of("chat", simulated), simulated.headers["x-simulated"]) == ("hello", "true")
        assert made.asked == {}
        assert text_of("chat", await made.post("chat", f"local/{MODEL}")) == "hello"
        assert made.asked == {"local": 1}
        names = {model.id for model in check_models((await made.stack.http.get("/v1/models")).content)}
        assert {MODEL, f"local/{MODEL}"} <= names
