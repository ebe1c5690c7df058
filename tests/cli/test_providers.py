"""What the command line tells of providers, and that it never tells a key."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from gateway.cli.banner import Commands, banner
from gateway.cli.hints import hints
from gateway.cli.reach import origins
from gateway.config import Settings
from gateway.config.addresses import parse_address
from tests.cli.conftest import ROOT, Cli

COMMANDS = Commands(login="codex-gateway auth login", key="codex-gateway config key")
LOCAL = parse_address("127.0.0.1:8080")
TEAM = """\
auth: {downstream_api_key: hunter2-clients}
upstream: {api_key: hunter2-upstream}
providers:
  local: {base_url: 'http://me:hunter2@127.0.0.1:11434/v1', models: [qwen3]}
  mistral: {api_key: hunter2-mistral}
  groq: {}
  plan: {mode: codex_oauth}
"""


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


@pytest.mark.proves("PROVIDERS-command-line", "CLI-banner")
@pytest.mark.parametrize("show_key", [True, False])
def test_the_banner_names_each_provider_and_whether_it_has_a_key(show_key: bool) -> None:
    tree = settings(
        providers={
            "local": {"base_url": "http://me:hunter2@127.0.0.1:11434"},
            "openai": {"base_url": "https://api.openai.com", "api_key": "hunter2"},
            "plan": {"mode": "codex_oauth"},
        }
    )
    text = banner(tree, [LOCAL], COMMANDS, logged_in=True, demo=False, show_key=show_key)
    assert text.splitlines()[2:6] == [
        "  upstream      ChatGPT plan (codex_oauth, https://chatgpt.com)",
        "  provider      local/…  http://***@127.0.0.1:11434, no key",
        "  provider      openai/…  https://api.openai.com, with a key",
        "  provider      plan/…  ChatGPT plan (https://chatgpt.com)",
    ]
    assert "hunter2" not in text


@pytest.mark.proves("PROVIDERS-command-line", "CLI-banner")
def test_the_banner_asks_for_a_login_only_where_a_plan_is_used() -> None:
    server = {"mode": "openai_api", "base_url": "http://a.example"}
    for providers, asks in (({}, False), ({"plan": {"mode": "codex_oauth"}}, True)):
        tree = settings(upstream=server, providers=providers)
        text = banner(tree, [LOCAL], COMMANDS, logged_in=False, demo=True, show_key=True)
        assert ("  login         nobody is logged in." in text) is asks
        assert "SIMULATED" not in text


@pytest.mark.proves("PROVIDERS-command-line", "CLI-config-show")
def test_show_prints_providers_whole_and_without_a_secret(cli: Cli) -> None:
    cli.write(TEAM)
    cli.environ["OPENAI_API_KEY"] = "hunter2-openai"
    shown = cli("config", "show")
    assert "hunter2" not in shown.output
    assert "# from the environment: providers.openai.api_key (OPENAI_API_KEY)" in shown.stdout.splitlines()
    providers = yaml.safe_load(shown.stdout)["providers"]
    assert list(providers) == ["local", "mistral", "groq", "plan", "openai"]
    plain = yaml.safe_load(settings(providers={"local": {"base_url": "http://a"}}).providers["local"].model_dump_json())
    assert providers["local"] == {**plain, "base_url": "http://***@127.0.0.1:11434", "models": ["qwen3"]}
    assert {name: row["api_key"] for name, row in providers.items() if row["api_key"]} == {
        "mistral": "***",
        "openai": "***",
    }


@pytest.mark.proves("PROVIDERS-command-line")
def test_what_is_shown_can_be_loaded_again(cli: Cli) -> None:
    cli.write("providers: {plan: {mode: codex_oauth}, ollama: {fallback: [plan/gpt-5.5]}}")
    shown = cli("config", "show").stdout
    cli.write(shown)
    assert yaml.safe_load(cli("config", "show").stdout) == yaml.safe_load(shown)


@pytest.mark.proves("PROVIDERS-command-line", "CLI-demo")
@pytest.mark.parametrize(
    ("text", "demo"),
    [
        ("providers: {local: {mode: openai_api, base_url: 'http://a.example'}}", True),
        ("providers: {mode: {base_url: 'http://a.example'}}\nupstream: {aliases: {mode: openai_api}}", True),
        ("upstream: {mode: openai_api}\nproviders: {plan: {mode: codex_oauth}}", False),
    ],
    ids=["provider", "odd names", "default"],
)
def test_make_run_is_a_demo_by_the_mode_of_the_default_upstream_alone(cli: Cli, text: str, demo: bool) -> None:
    (pattern,) = re.findall(r"grep -q '(.+?)'", (ROOT / "Makefile").read_text())
    cli.write(text)
    found = re.search(pattern, cli("config", "show").stdout, re.MULTILINE)
    assert (found is None) is demo


@pytest.mark.proves("PROVIDERS-command-line")
def test_check_names_the_providers_and_what_is_odd(cli: Cli) -> None:
    path = cli.write(TEAM)
    found = cli("config", "check")
    assert found.exit_code == 0
    assert found.stdout.splitlines() == [
        f"ok: {path}",
        "provider local: http://***@127.0.0.1:11434",
        "provider mistral: https://api.mistral.ai",
        "provider groq: https://api.groq.com/openai",
        "provider plan: https://chatgpt.com",
    ]
    hints = [line for line in found.stderr.splitlines() if line.startswith("hint: ")]
    assert hints == ["hint: providers.groq.api_key is not set: api.groq.com will refuse"]
    assert "hunter2" not in found.output


@pytest.mark.proves("PROVIDERS-command-line")
@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({}, []),
        ({"providers": {"local": {"base_url": "http://127.0.0.1:1"}}}, []),
        (
            {"upstream": {"mode": "openai_api"}},
            ["upstream.api_key is not set, nor is OPENAI_API_KEY: api.openai.com will refuse"],
        ),
        (
            {"providers": {"far": {"base_url": "http://llm.example", "api_key": "hunter2"}}},
            ["providers.far.base_url: the key goes over the network unencrypted; use https where you can"],
        ),
        (
            {"providers": {"far": {"mode": "codex_oauth", "codex_base_url": "https://llm.example"}}},
            [
                "providers.far.codex_base_url: the ChatGPT token is not sent to this host unless oauth.token_hosts "
                "names it"
            ],
        ),
        (
            {"upstream": {"aliases": {"fast": "lokal/qwen3", "slow": "gpt-5.5"}}},
            ["upstream.aliases.fast: there is no provider 'lokal' to run 'lokal/qwen3'"],
        ),
        ({"upstream": {"mode": "openai_api", "base_url": "http://[::1]:1", "aliases": {"fast": "org/qwen3"}}}, []),
        (
            {
                "upstream": {"aliases": {"a": "gpt-5.5"}},
                "providers": {
                    "one": {"base_url": "http://localhost", "models": ["a", "b"]},
                    "two": {"base_url": "http://localhost", "models": ["b", "c"], "aliases": {"b": "x"}},
                },
            },
            [
                "'a' is named by upstream and providers.one; upstream runs it",
                "'b' is named by providers.one and providers.two; providers.one runs it",
            ],
        ),
    ],
    ids=["defaults", "local", "no key", "plain http", "token host", "lost alias", "aggregator", "named twice"],
)
def test_hints(sections: dict[str, object], said: list[str]) -> None:
    assert list(hints(settings(**sections))) == said


@pytest.mark.proves("PROVIDERS-command-line", "CLI-doctor")
def test_the_doctor_looks_at_the_key_of_every_provider(cli: Cli) -> None:
    cli.write(TEAM + "  other: {base_url: 'http://llm.example', api_key: hunter2-other}\n")
    result = cli("doctor", "--json", "--offline")
    assert "hunter2" not in result.output
    rows = {row["subject"]: row for row in json.loads(result.stdout)}
    found = {subject: row["level"] for subject, row in rows.items() if subject.startswith(("provider", "upstreams"))}
    assert found == {
        "provider local": "ok",
        "provider mistral": "ok",
        "provider groq": "fail",
        "provider other": "ok",
        "upstreams": "warn",
    }
    assert rows["provider groq"]["fix"] == "Set providers.groq.api_key."
    assert rows["provider local"]["text"] == "no key is set; requests go out without one"
    assert rows["login"]["level"] == "fail"
    assert "api key" not in rows, "the default upstream is sent the login"


@pytest.mark.proves("PROVIDERS-command-line", "CLI-doctor")
@pytest.mark.parametrize(("mode", "login"), [("codex_oauth", True), ("openai_api", False)])
def test_the_doctor_asks_for_a_login_where_some_upstream_needs_it(cli: Cli, mode: str, login: bool) -> None:
    text = "upstream: {mode: openai_api, base_url: 'http://127.0.0.1:1'}\n"
    cli.write(text + f"providers: {{other: {{mode: {mode}, base_url: 'http://127.0.0.1:2'}}}}")
    rows = json.loads(cli("doctor", "--json", "--offline").stdout)
    assert ("login" in {row["subject"] for row in rows}) is login


@pytest.mark.proves("PROVIDERS-command-line", "CLI-doctor")
def test_the_servers_of_all_upstreams_are_tried_each_once() -> None:
    tree = settings(
        upstream={"mode": "openai_api", "base_url": "http://a.example/v1"},
        providers={
            "same": {"base_url": "http://a.example/other"},
            "local": {"base_url": "http://127.0.0.1:11434"},
            "plan": {"mode": "codex_oauth"},
        },
    )
    assert origins(tree) == [
        "http://a.example/",
        "http://127.0.0.1:11434/",
        "https://chatgpt.com/",
        "https://auth.openai.com/",
    ]
