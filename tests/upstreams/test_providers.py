"""Which upstream a name means, and who stands in for it."""

from __future__ import annotations

import pytest

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    OAuthUnavailable,
    StreamTruncated,
    UpstreamAuth,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstreams.providers import _PLAIN_NAMES, DEFAULT, falls_back
from tests.upstreams.worlds import PLAN, ListServer, world

# which upstream a name means ------------------------------------------------------------------------------------------


@pytest.mark.proves(
    "PROVIDERS-prefix", "PROVIDERS-slashes", "PROVIDERS-lists", "PROVIDERS-aliases", "PROVIDERS-efforts"
)
@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("gpt-5.5", (DEFAULT, "gpt-5.5", None), id="a plain name is the default's"),
        pytest.param("gpt-5.5-high", (DEFAULT, "gpt-5.5", "high"), id="with an effort"),
        pytest.param("unheard-of", (DEFAULT, "unheard-of", None), id="an unknown one too: it may know it"),
        pytest.param("upstream/gpt-5.5", (DEFAULT, "gpt-5.5", None), id="the default by its own name"),
        pytest.param("local/qwen3", ("local", "qwen3", None), id="prefix"),
        pytest.param("local/org/qwen3", ("local", "org/qwen3", None), id="only the first slash counts"),
        pytest.param("local%2Fqwen3", ("local", "qwen3", None), id="quoted slash"),
        pytest.param("local%2forg%2Fqwen3", ("local", "org/qwen3", None), id="quoted slashes in any case"),
        pytest.param("local/quick", ("local", "qwen3-small", None), id="prefix and the provider's own alias"),
        pytest.param("quick", ("local", "qwen3-small", None), id="the provider's own alias"),
        pytest.param("llama", ("local", "llama", None), id="the provider's list"),
        pytest.param("plan/gpt-5.5-high", ("plan", "gpt-5.5", "high"), id="prefix and an effort"),
        pytest.param("gpt-6-sol", ("plan", "gpt-6-sol", None), id="a plan's list"),
        pytest.param("gpt-6-sol(low)", ("plan", "gpt-6-sol", "low"), id="a plan's list and an effort"),
        pytest.param("llama-high", (DEFAULT, "llama-high", None), id="servers' names are taken whole"),
        pytest.param("local/llama-high", ("local", "llama-high", None), id="behind a prefix too"),
        pytest.param("both", ("local", "both", None), id="the first that lists it, in the operator's order"),
        pytest.param("local/both", ("local", "both", None), id="and by prefix"),
        pytest.param("other/both", ("other", "both", None), id="or the other one"),
        pytest.param("other/local/x", ("other", "local/x", None), id="a prefix behind a prefix is a name"),
        pytest.param("local/full/name", ("other", "local/full/name", None), id="a listed whole name beats a prefix"),
        pytest.param("fast", ("local", "qwen3", None), id="alias to a provider's model"),
        pytest.param("fastest", ("local", "qwen3-small", None), id="alias to a provider's alias"),
        pytest.param("thinker", ("plan", "gpt-5.5", "high"), id="alias to a provider's model with an effort"),
        pytest.param("planned-low", ("plan", "gpt-5.5", "low"), id="alias of a provider's model, and an effort"),
        pytest.param("mine", (DEFAULT, "gpt-5.5", None), id="alias to the default's model"),
        pytest.param("mine:low", (DEFAULT, "gpt-5.5", "low"), id="alias of the default's model, and an effort"),
    ],
)
async def test_a_name_leads_to_its_provider(name: str, place: tuple[str, str, str | None]) -> None:
    aliases = {
        "fast": "local/qwen3",
        "fastest": "local/quick",
        "thinker": "plan/gpt-5.5-high",
        "planned": "plan/gpt-5.5",
        "mine": "gpt-5.5",
    }
    async with world(
        upstream=(PLAN, {"aliases": aliases}),
        local=(ListServer(["qwen3"]), {"models": ("llama", "both"), "aliases": {"quick": "qwen3-small"}}),
        other=(ListServer(), {"models": ("both", "local/full/name")}),
        plan=(PLAN, {"models": ("gpt-6-sol",)}),
    ) as here:
        assert await here.place(name) == place
        settled = here.providers.settled(name)
        assert settled is None or (settled.provider.name, settled.model, settled.effort) == place


@pytest.mark.proves("SPEED-plain-names")
async def test_names_that_no_list_decides_are_remembered_within_bounds() -> None:
    server = ListServer(["maker/model"])
    async with world(upstream=(server, {}), local=(ListServer(), {"models": ("llama",)})) as here:
        settled, choose = here.providers.settled, here.providers.choose
        assert settled("llama") is None
        assert await choose("llama") is settled("llama")
        assert (await choose("local/llama")).model == "llama" and settled("local/llama") is None
        assert await choose("x" * 100) is settled("x" * 100)
        assert (await choose("x" * 101)).model == "x" * 101 and settled("x" * 101) is None
        server.models = ["local/llama"]
        for number in range(_PLAIN_NAMES + 10):
            assert (await here.place(f"made-up-{number}"))[1] == f"made-up-{number}"
        assert len(here.providers._plain) == _PLAIN_NAMES


@pytest.mark.proves("PROVIDERS-prefix")
async def test_the_operators_word_for_the_default_beats_a_providers() -> None:
    async with world(upstream=(PLAN, {"models": ("both",)}), local=(ListServer(), {"models": ("both",)})) as here:
        assert await here.place("both") == (DEFAULT, "both", None)


async def test_a_request_without_a_model_is_the_defaults_to_judge() -> None:
    async with world(local=(ListServer(), {})) as here:
        target = await here.providers.choose(None)
        assert (target.provider.name, target.model, target.effort) == (DEFAULT, None, None)


@pytest.mark.proves("PROVIDERS-slashes")
async def test_one_upstream_alone_takes_names_with_slashes_if_it_is_a_server() -> None:
    async with world(ListServer(["org/m"])) as here:
        assert await here.place("org/m") == (DEFAULT, "org/m", None)
        assert await here.place("org%2Fm") == (DEFAULT, "org/m", None)
        assert await here.place("100%") == (DEFAULT, "100%", None)


@pytest.mark.proves("PROVIDERS-aggregators")
async def test_a_name_that_the_default_lists_itself_stays_with_it() -> None:
    aggregator = ListServer(["openai/gpt-x", "other/m"])
    async with world(aggregator, openai=(ListServer(["gpt-x"]), {})) as here:
        assert await here.place("openai/gpt-x") == (DEFAULT, "openai/gpt-x", None)
        assert await here.place("openai/gpt-y") == ("openai", "gpt-y", None)
        assert await here.place("other/m") == (DEFAULT, "other/m", None)
        assert await here.place("nobody/m") == (DEFAULT, "nobody/m", None)
        assert aggregator.asked == 1, "its list is kept for a while"


@pytest.mark.proves("PROVIDERS-aggregators", "PROVIDERS-patience")
async def test_a_default_that_cannot_list_does_not_keep_providers_from_running() -> None:
    for broken in (ListServer(status=500), ListServer(silent=True)):
        async with world(broken, patience=0.05, openai=(ListServer(), {})) as here:
            assert await here.place("openai/gpt-x") == ("openai", "gpt-x", None)


@pytest.mark.proves("PROVIDERS-unknown")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody/m", "no provider 'nobody' is configured. Configured providers: local, other."),
        ("nobody%2fm", "no provider 'nobody' is configured. Configured providers: local, other."),
        ("/m", "no provider '' is configured."),
        ("local/", "no model is named behind 'local'."),
    ],
)
async def test_a_provider_that_does_not_exist_is_told_with_those_that_do(name: str, said: str) -> None:
    async with world(PLAN, local=(ListServer(), {}), other=(ListServer(), {})) as here:
        with pytest.raises(ModelNotFound) as caught:
            await here.providers.choose(name)
        assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
        assert said in caught.value.message
        assert "The default upstream has: gpt-6-astra, " in caught.value.message


@pytest.mark.proves("PROVIDERS-unknown")
async def test_without_providers_a_name_with_a_slash_is_no_plans() -> None:
    async with world(PLAN) as here:
        here.logins.current = None
        with pytest.raises(ModelNotFound, match=r"no provider 'openai' is configured. None is configured. The def"):
            await here.providers.choose("openai/gpt-5.5")


# who stands in --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-fallback", "PROVIDERS-efforts")
@pytest.mark.parametrize(
    ("name", "entry", "place"),
    [
        ("local/m", "other", ("other", "m", None)),
        ("local/m", "other/x/y", ("other", "x/y", None)),
        ("local/m", "upstream/gpt-5.5-low", (DEFAULT, "gpt-5.5", "low")),
        ("local/m", "plan/best", ("plan", "gpt-6-sol", None)),
        ("gpt-5.5-high", "local", ("local", "gpt-5.5", "high")),
        ("gpt-5.5-high", "plan", ("plan", "gpt-5.5", "high")),
        ("gpt-5.5-high", "local/qwen3", ("local", "qwen3", None)),
        (None, "local", ("local", None, None)),
        (None, "local/qwen3", ("local", "qwen3", None)),
    ],
)
async def test_an_entry_of_a_fallback_names_a_provider_or_a_model_of_it(
    name: str | None, entry: str, place: tuple[str, str | None, str | None]
) -> None:
    async with world(
        PLAN, local=(ListServer(), {}), other=(ListServer(), {}), plan=(PLAN, {"aliases": {"best": "gpt-6-sol"}})
    ) as here:
        target = await here.providers.instead(await here.providers.choose(name), entry)
        assert (target.provider.name, target.model, target.effort) == place


def _refusal(status: int, code: str | None = None) -> UpstreamRefusal:
    return UpstreamRefusal("no", status=status, kind="x", code=code)


@pytest.mark.proves("PROVIDERS-fallback", "PROVIDERS-fallback-not")
@pytest.mark.parametrize(
    ("error", "elsewhere"),
    [
        (UpstreamUnavailable("x"), True),
        (UpstreamTimeout("x"), True),
        (UpstreamError("x"), True),
        (UpstreamOverloaded("x"), True),
        (UpstreamAuth("x"), True),
        (StreamTruncated("x"), True),
        (OAuthUnavailable("x"), True),
        (_refusal(429, "usage_limit_reached"), True),
        (_refusal(402), True),
        (_refusal(403, "usage_not_included"), True),
        (_refusal(403, "upstream_blocked"), True),
        (_refusal(403, "cyber_policy"), False),
        (_refusal(400, "context_length_exceeded"), False),
        (_refusal(404, "model_not_found"), False),
        (_refusal(413), False),
        (InvalidRequest("x"), False),
        (ModelNotFound("x"), False),
        (GatewayError("x"), False),
    ],
    ids=lambda value: value if isinstance(value, bool) else f"{type(value).__name__}-{value.status}-{value.code}",
)
def test_only_what_another_could_do_better_is_tried_there(error: GatewayError, elsewhere: bool) -> None:
    assert falls_back(error) is elsewhere


@pytest.mark.proves("PROVIDERS-login")
async def test_without_a_login_the_error_names_who_needs_none() -> None:
    async with world(PLAN, local=(ListServer(), {}), plan=(PLAN, {})) as here:
        here.logins.current = None
        told = here.providers.advised(OAuthUnavailable("Log in.", headers={"a": "b"}, detail="why"))
        assert told.message == "Log in. Models of other providers need no login: local/…"
        assert (told.headers, told.detail) == ({"a": "b"}, "why")
        other = UpstreamError("x")
        assert here.providers.advised(other) is other
    async with world(PLAN, plan=(PLAN, {})) as here:
        error = OAuthUnavailable("Log in.")
        assert here.providers.advised(error) is error
