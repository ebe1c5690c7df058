"""Providers in the settings: what is taken, what is refused and how, and which keys of the environment go where."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from gateway.config import ConfigError, Settings, load, read
from gateway.config.presets import KNOWN
from gateway.upstreams.openai import join
from gateway.upstreams.servers import SERVERS


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def loaded(path: Path, text: str = "", **environ: str) -> Settings:
    path.write_text(text)
    return load(path, environ)


def mistakes(path: Path, text: str, **environ: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return [str(mistake) for mistake in caught.value.mistakes]


def keys(settings: Settings) -> dict[str, str]:
    """Every key of the settings by its section."""
    sections = {"upstream": settings.upstream, **settings.providers}
    return {name: section.api_key.get_secret_value() for name, section in sections.items()}


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-settings")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "providers:\n  local: {models: [x]}",
            "line 2: providers.local: expected a base_url: no address is known for a provider of this name",
            id="no address",
        ),
        pytest.param(
            "providers:\n  local:",
            "line 2: providers.local: expected a base_url: no address is known for a provider of this name",
            id="nothing at all",
        ),
        pytest.param(
            "providers:\n  upstream: {base_url: 'http://a.example'}",
            "line 2: providers.upstream: expected another name: 'upstream' is how the section of that name is called",
            id="reserved name",
        ),
        pytest.param(
            "providers:\n  a/b: {base_url: 'http://a.example'}",
            "line 2: providers.a/b: expected a name of letters, digits, '.', '_' and '-', which begins with a letter "
            "or digit",
            id="slash in a name",
        ),
        pytest.param(
            "providers:\n  local:\n    base_uri: http://a.example",
            "line 3: providers.local.base_uri: unknown key; did you mean providers.local.base_url?",
            id="unknown key",
        ),
        pytest.param(
            "providers:\n  local:\n    base_url: ''",
            "line 3: providers.local.base_url: expected an absolute http or https URL without query and fragment, "
            "found ''",
            id="blank address",
        ),
        pytest.param(
            "providers:\n  local:\n    base_url: http://a.example\n    timeout_seconds: true",
            "line 4: providers.local.timeout_seconds: expected a number, found true",
            id="truth for a number",
        ),
        pytest.param(
            "providers:\n  local:\n    base_url: http://a.example\n    aliases: {a: b, b: c}",
            "line 4: providers.local.aliases: expected models, not other aliases (a → b → c), "
            "found {'a': 'b', 'b': 'c'}",
            id="alias of an alias",
        ),
        pytest.param(
            "providers:\n  local:\n    base_url: http://a.example\n    fallback:\n      - upstream\n      - lokal/x",
            "line 6: providers.local.fallback[1]: expected one of upstream, found 'lokal/x'",
            id="fallback to nobody",
        ),
        pytest.param(
            "providers:\n  local:\n    base_url: http://a.example\n    fallback: [local/x]",
            "line 4: providers.local.fallback[0]: expected one of upstream, found 'local/x'",
            id="fallback to itself",
        ),
        pytest.param(
            "upstream:\n  fallback: [openai]",
            "line 2: upstream.fallback[0]: expected one of the providers, of which there are none, found 'openai'",
            id="fallback without providers",
        ),
        pytest.param(
            "upstream:\n  fallback: [upstream]\nproviders: {ollama: {}}",
            "line 2: upstream.fallback[0]: expected one of ollama, found 'upstream'",
            id="fallback of the default to itself",
        ),
        pytest.param("providers: [local]", "line 1: providers: expected a map, found a list", id="a list"),
    ],
)
def test_a_mistake_in_a_provider_is_told_with_its_line(written: Path, text: str, said: str) -> None:
    assert mistakes(written, text) == [said]


@pytest.mark.proves("PROVIDERS-settings")
@pytest.mark.parametrize(
    "provider",
    ["hunter2", {"base_url": "http://a.example", "api_key": ["hunter2"]}, {"api_key": "hunter2"}, ["hunter2"]],
    ids=["instead of a section", "in a list", "without an address", "a list"],
)
def test_no_mistake_repeats_a_key(written: Path, provider: object) -> None:
    (found,) = mistakes(written, yaml.safe_dump({"providers": {"local": provider}}))
    assert "providers.local" in found
    assert "hunter2" not in found


def test_the_address_of_a_provider_is_told_without_its_password(written: Path) -> None:
    (found,) = mistakes(written, "providers: {local: {base_url: 'ftp://me:hunter2@a.example'}}")
    assert found.endswith("found 'ftp://***@a.example'")


def test_a_provider_has_the_defaults_of_a_server_and_not_those_of_a_plan(written: Path) -> None:
    settings = loaded(written, "providers: {local: {base_url: 'http://a.example/v1', timeout_seconds: null}}")
    local = settings.providers["local"]
    assert (local.mode, local.base_url, local.timeout_seconds) == ("openai_api", "http://a.example", 60)
    plan = loaded(written, "providers: {plan: {mode: CODEX_OAUTH}}").providers["plan"]
    assert (plan.mode, plan.codex_base_url) == ("codex_oauth", "https://chatgpt.com")


# the environment ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-environment")
def test_a_provider_can_be_made_and_changed_in_the_environment(written: Path) -> None:
    settings = loaded(
        written,
        "providers: {one: {base_url: 'http://a.example', models: [x]}}",
        GATEWAY_PROVIDERS__LOCAL__BASE_URL="http://127.0.0.1:8000/v1",
        GATEWAY_PROVIDERS__LOCAL__MODELS="a, b",
        GATEWAY_PROVIDERS__LOCAL__ALIASES='{"c": "a"}',
        GATEWAY_PROVIDERS__ONE__API_KEY="sk-one",
        GATEWAY_PROVIDERS__WHOLE='{"base_url": "http://b.example", "dialects": ["chat"]}',
        GATEWAY_UPSTREAM__FALLBACK="local/a,one",
    )
    local, one, whole = (settings.providers[name] for name in ("local", "one", "whole"))
    assert (local.base_url, local.models, local.aliases) == ("http://127.0.0.1:8000", ("a", "b"), {"c": "a"})
    assert (one.base_url, one.models, one.api_key) == ("http://a.example", ("x",), SecretStr("sk-one"))
    assert (whole.base_url, whole.dialects) == ("http://b.example", ("chat",))
    assert settings.upstream.fallback == ("local/a", "one")


@pytest.mark.proves("PROVIDERS-environment", "PROVIDERS-settings")
def test_a_mistake_in_the_environment_names_its_variable(written: Path) -> None:
    assert mistakes(
        written,
        "",
        GATEWAY_PROVIDERS__LOCAL__BASE_URI="http://a.example",
        GATEWAY_PROVIDERS__OTHER="{not json",
        OPENAI_API_KEY="two words",
    ) == [
        "GATEWAY_PROVIDERS__LOCAL__BASE_URI: providers.local.base_uri: unknown key; did you mean "
        "providers.local.base_url?",
        "GATEWAY_PROVIDERS__OTHER: providers.other: expected a section with settings in it, found text",
        "OPENAI_API_KEY: providers.openai.api_key: expected a key that a header can carry: visible ASCII characters, "
        "without spaces, found text",
    ]


# presets --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PROVIDERS-presets")
def test_keys_in_the_environment_switch_on_the_providers_of_their_makers(written: Path) -> None:
    environ = {"OPENAI_API_KEY": "sk-o", "ANTHROPIC_API_KEY": "sk-a", "GEMINI_API_KEY": " g ", "MISTRAL_API_KEY": "m"}
    found = read(written, environ)
    assert keys(found.settings) == {"upstream": "", "openai": "sk-o", "anthropic": "sk-a", "gemini": "g"}
    providers = found.settings.providers
    assert providers["openai"].dialects == ("chat", "responses")
    assert providers["anthropic"].dialects == providers["gemini"].dialects == ("chat",)
    assert found.variables == {
        "providers.openai.api_key": "OPENAI_API_KEY",
        "providers.anthropic.api_key": "ANTHROPIC_API_KEY",
        "providers.gemini.api_key": "GEMINI_API_KEY",
    }


@pytest.mark.proves("PROVIDERS-presets")
def test_the_makers_addresses_lead_to_their_routes() -> None:
    routes = {name: str(join(known["base_url"], "/v1/chat/completions")) for name, known in KNOWN.items()}
    assert routes == {
        "openai": "https://api.openai.com/v1/chat/completions",
        "anthropic": "https://api.anthropic.com/v1/chat/completions",
        "gemini": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        "mistral": "https://api.mistral.ai/v1/chat/completions",
        "deepseek": "https://api.deepseek.com/v1/chat/completions",
        "openrouter": "https://openrouter.ai/api/v1/chat/completions",
        "groq": "https://api.groq.com/openai/v1/chat/completions",
        "ollama": "http://127.0.0.1:11434/v1/chat/completions",
        "lmstudio": "http://127.0.0.1:1234/v1/chat/completions",
    }
    assert {known["server"] for known in KNOWN.values()} <= SERVERS.keys()


@pytest.mark.proves("PROVIDERS-presets")
@pytest.mark.parametrize("text", ["{ollama: {}}", "{ollama: null}", "{ollama: {models: [qwen3]}}"])
def test_a_known_name_needs_nothing_more(written: Path, text: str) -> None:
    ollama = loaded(written, f"providers: {text}").providers["ollama"]
    assert (ollama.base_url, ollama.dialects, ollama.server) == ("http://127.0.0.1:11434", ("chat",), "ollama")


@pytest.mark.proves("PROVIDERS-presets")
def test_what_a_section_says_wins_over_what_is_known(written: Path) -> None:
    text = "providers: {anthropic: {base_url: 'https://api.anthropic.com/v1/', api_key: own, dialects: [responses]}}"
    anthropic = loaded(written, text, ANTHROPIC_API_KEY="sk-a").providers["anthropic"]
    assert (anthropic.api_key.get_secret_value(), anthropic.dialects) == ("own", ("responses",))
    assert (anthropic.server, anthropic.base_url) == ("anthropic", "https://api.anthropic.com")


@pytest.mark.proves("PROVIDERS-presets", "PROVIDERS-preset-keys")
def test_a_known_name_with_another_address_is_a_server_like_any_other(written: Path) -> None:
    text = "providers: {openai: {base_url: 'http://127.0.0.1:9'}, ollama: {base_url: 'http://10.0.0.1:11434'}}"
    settings = loaded(written, text, OPENAI_API_KEY="sk-o")
    assert keys(settings) == {"upstream": "", "openai": "", "ollama": ""}
    assert settings.providers["ollama"].dialects == ("chat", "responses")


@pytest.mark.proves("PROVIDERS-presets")
@pytest.mark.parametrize(
    "environ", [{}, {"GATEWAY_PROVIDERS__OPENAI": "false"}], ids=["in the file", "in the environment"]
)
def test_a_provider_that_is_false_is_none(written: Path, environ: dict[str, str]) -> None:
    text = "" if environ else "providers: {openai: false, ollama: false}"
    assert loaded(written, text, OPENAI_API_KEY="sk-o", **environ).providers == {}


@pytest.mark.proves("PROVIDERS-presets")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("upstream: {mode: openai_api}", {"upstream": "sk-o"}),
        ("upstream: {mode: OPENAI_API, api_key: own}", {"upstream": "own"}),
        ("{upstream: {mode: openai_api}, providers: {openai: {}}}", {"upstream": "sk-o", "openai": "sk-o"}),
        ("upstream: {mode: openai_api, base_url: 'http://a.example'}", {"upstream": "", "openai": "sk-o"}),
        ("providers: {openai: {mode: codex_oauth}}", {"upstream": "", "openai": ""}),
        ("providers: {openai: {api_key: ''}}", {"upstream": "", "openai": "sk-o"}),
    ],
    ids=["the default is OpenAI", "with a key", "both", "another default", "a plan", "a blank key"],
)
def test_the_default_upstream_is_not_doubled(written: Path, text: str, found: dict[str, str]) -> None:
    assert keys(loaded(written, text, OPENAI_API_KEY="sk-o")) == found


@pytest.mark.proves("PROVIDERS-presets")
def test_the_default_upstream_takes_the_key_of_its_maker(written: Path) -> None:
    text = "upstream: {mode: openai_api, base_url: 'https://api.anthropic.com/v1'}"
    assert keys(loaded(written, text, ANTHROPIC_API_KEY="sk-a")) == {"upstream": "sk-a"}


@pytest.mark.proves("PROVIDERS-preset-keys")
@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.openai.com",
        "https://api.openai.com:8443",
        "https://api.openai.com.evil.example",
        "https://evil.example/api.openai.com",
        "https://api.openai.com@evil.example",
        "https://API.openai.com.",
    ],
)
def test_the_makers_key_goes_to_no_other_address(written: Path, base_url: str) -> None:
    text = yaml.safe_dump(
        {"upstream": {"mode": "openai_api", "base_url": base_url}, "providers": {"openai": {"base_url": base_url}}}
    )
    assert keys(loaded(written, text, OPENAI_API_KEY="sk-o")) == {"upstream": "", "openai": ""}


@pytest.mark.proves("PROVIDERS-preset-keys")
@pytest.mark.parametrize(
    "environ",
    [
        {"OPENAI_API_KEY": "team"},
        {"OPENAI_API_KEY": "sk-gw-another-gateway"},
        {"OPENAI_API_KEY": "unused"},
        {"OPENAI_API_KEY": "sk-o", "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1"},
        {"OPENAI_API_KEY": "  "},
    ],
    ids=["our key", "another gateway's", "none needed", "beside our address", "blank"],
)
@pytest.mark.parametrize("text", ["{}", "{upstream: {mode: openai_api}}"], ids=["codex_oauth", "openai_api"])
def test_what_a_shell_exports_to_use_the_gateway_is_not_sent_to_openai(
    written: Path, text: str, environ: dict[str, str]
) -> None:
    document = yaml.safe_load(text) | {"auth": {"downstream_api_key": "team"}}
    assert keys(loaded(written, yaml.safe_dump(document), **environ)) == {"upstream": ""}


def test_openais_own_address_in_the_environment_changes_nothing(written: Path) -> None:
    environ = {"OPENAI_API_KEY": "sk-o", "OPENAI_BASE_URL": "https://api.openai.com/v1"}
    assert keys(loaded(written, "", **environ)) == {"upstream": "", "openai": "sk-o"}
