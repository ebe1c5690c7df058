"""What all upstreams list together, which names can be looked up, and whether any upstream can be used."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import OAuthUnavailable, UpstreamError, UpstreamOverloaded
from gateway.upstreams.catalogue import BUILT_IN
from gateway.upstreams.lists import QUIET_SECONDS
from tests.upstreams.worlds import PLAN, ListServer, world

# what all of them list ------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-models")
async def test_the_list_has_everybodys_models_once_in_the_operators_order() -> None:
    aliases = {"fast": "local/qwen3", "mine": "b"}
    async with world(
        upstream=(ListServer(["b", "a", "taken", "local/x"]), {"aliases": aliases}),
        local=(ListServer(["qwen3", "x", "bare"]), {"models": ("bare", "said"), "aliases": {"quick": "qwen3"}}),
        other=(ListServer(["o/p", "a"]), {"models": ("said", "taken")}),
    ) as here:
        assert await here.ids() == [
            *("b", "a", "local/x"),
            *("local/qwen3", "bare", "said"),
            *("other/o/p", "other/a", "taken"),
            *("fast", "mine", "quick"),
        ]
        rows = {model.id: model for model in await here.providers.models()}
        assert rows["local/qwen3"].document == {
            "id": "local/qwen3",
            "object": "model",
            "created": 1,
            "owned_by": "maker",
        }
        assert (rows["said"].owned_by, rows["fast"].owned_by) == ("openai", "codex-gateway")


@pytest.mark.proves("PROVIDERS-models")
async def test_hidden_models_stay_hidden_behind_a_prefix() -> None:
    async with world(ListServer(["a"]), plan=(PLAN, {})) as here:
        hidden = {model.id for model in await here.providers.models() if model.hidden}
        assert hidden == {f"plan/{model.id}" for model in BUILT_IN if model.hidden}
        assert "plan/gpt-5.5" in await here.ids()


@pytest.mark.proves("PROVIDERS-models", "PROVIDERS-patience")
@pytest.mark.parametrize("broken", [{"status": 500}, {"silent": True}], ids=["broken", "silent"])
async def test_a_provider_that_cannot_be_reached_leaves_the_others(broken: dict[str, Any]) -> None:
    async with world(
        upstream=(ListServer(["a"]), {"aliases": {"gone": "dead/x", "fast": "local/x"}}),
        dead=(ListServer(**broken), {"aliases": {"lost": "x"}}),
        told=(ListServer(**broken), {"models": ("said",)}),
        local=(ListServer(["x"]), {}),
        patience=0.5,
    ) as here:
        assert await here.ids() == ["a", "said", "local/x", "fast"]


@pytest.mark.proves("PROVIDERS-models", "PROVIDERS-login")
async def test_when_nobody_can_be_reached_the_defaults_error_is_told() -> None:
    async with world(PLAN, dead=(ListServer(status=500), {})) as here:
        here.logins.current = None
        with pytest.raises(OAuthUnavailable, match=r"need no login: dead/…$"):
            await here.providers.models()
    async with world(ListServer(status=500), dead=(ListServer(status=404), {})) as here:
        assert await here.ids() == [], "a server without a list is there"
    async with world(ListServer(status=503), dead=(ListServer(status=500), {})) as here:
        with pytest.raises(UpstreamOverloaded):
            await here.providers.models()


@pytest.mark.proves("PROVIDERS-patience")
async def test_silence_is_waited_for_once_in_a_while_and_a_refusal_each_time() -> None:
    silent, broken = ListServer(silent=True), ListServer(status=500)
    async with world(ListServer(["a"]), silent=(silent, {}), broken=(broken, {}), patience=0.2) as here:
        await here.providers.models()
        await here.providers.models()
        assert (silent.asked, broken.asked) == (1, 2)
        here.clock.time += QUIET_SECONDS
        silent.silent = False
        silent.models = ("now",)
        assert await here.ids() == ["a", "silent/now"]


@pytest.mark.proves("PROVIDERS-patience")
async def test_who_falls_silent_is_shown_as_it_was() -> None:
    server = ListServer(["x"])
    async with world(ListServer(["a"]), local=(server, {}), patience=0.2) as here:
        assert await here.ids() == ["a", "local/x"]
        here.clock.time += 61
        server.silent = True
        assert await here.ids() == ["a", "local/x"]


# one model ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-model")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("local/x", True, id="prefix"),
        pytest.param("local%2Fx", True, id="quoted slash"),
        pytest.param("local/org/y", True, id="slashes"),
        pytest.param("x", False, id="a provider's model without its name"),
        pytest.param("said", True, id="a name the operator lists"),
        pytest.param("local/said", True, id="with its provider"),
        pytest.param("quick", True, id="a provider's alias"),
        pytest.param("local/quick", True, id="with its provider"),
        pytest.param("fast", True, id="an alias to a provider's model"),
        pytest.param("plan/gpt-5.5-high", True, id="with an effort"),
        pytest.param("plan/gpt-5.5-odd", False, id="with what is no effort"),
        pytest.param("local/z", False, id="unknown to its provider"),
        pytest.param("dead/said-too", True, id="promised by the operator, though its server is out of order"),
    ],
)
async def test_a_model_is_found_by_every_name_that_can_run_it(name: str, found: bool) -> None:
    async with world(
        upstream=(ListServer(["a"]), {"aliases": {"fast": "local/x"}}),
        local=(ListServer(["x", "org/y"]), {"models": ("said",), "aliases": {"quick": "x"}}),
        plan=(PLAN, {}),
        dead=(ListServer(status=500), {"models": ("said-too",)}),
    ) as here:
        model = await here.providers.model(name)
        assert (model is not None) is found
        if model is not None:
            assert model.id == name
            assert model.document is None or model.document["id"] == name


@pytest.mark.proves("PROVIDERS-model")
async def test_everything_that_is_listed_can_be_looked_up() -> None:
    async with world(
        upstream=(
            ListServer(["a", "openai/m"]),
            {"aliases": {"fast": "local/x", "mine": "not-listed"}, "models": ("p",)},
        ),
        openai=(ListServer(["m", "n"]), {}),
        local=(ListServer(["x"]), {"models": ("said",), "aliases": {"quick": "not-listed-either"}}),
        plan=(PLAN, {"models": ("gpt-5.5",)}),
    ) as here:
        rows = await here.providers.models()
        assert {"openai/m", "openai/n", "fast", "mine", "quick", "said", "gpt-5.5"} <= {row.id for row in rows}
        assert [row.id for row in rows if await here.providers.model(row.id) is None] == []


@pytest.mark.proves("PROVIDERS-model")
async def test_a_model_of_a_provider_that_is_out_of_order_cannot_be_looked_up() -> None:
    async with world(ListServer(["a"]), dead=(ListServer(status=500), {})) as here:
        with pytest.raises(UpstreamError):
            await here.providers.model("dead/x")


# whether turns can be run ---------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-ready")
async def test_one_that_works_is_enough() -> None:
    silent = ListServer(silent=True)
    async with world(silent, dead=(ListServer(status=500), {}), local=(ListServer(), {})) as here:
        assert await here.providers.check() is None
        await silent.left.wait()  # nobody waits for the others any more


@pytest.mark.proves("PROVIDERS-ready")
async def test_a_default_that_does_not_work_is_told_all_the_same() -> None:
    async with world(PLAN, local=(ListServer(), {})) as here:
        here.logins.current = None
        assert isinstance(await here.providers.check(), OAuthUnavailable)


@pytest.mark.proves("PROVIDERS-ready")
async def test_when_none_works_the_defaults_failure_is_told() -> None:
    async with world(PLAN, dead=(ListServer(status=500), {})) as here:
        here.logins.current = None
        with pytest.raises(OAuthUnavailable):
            await here.providers.check()
