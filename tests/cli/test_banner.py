"""The banner, line by line."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from gateway import __version__
from gateway.cli.banner import Commands, banner
from gateway.config import Address, Auth, Settings, Upstream

COMMANDS = Commands(login="codex-gateway auth login", key="codex-gateway config key")
WITH_KEY = Settings(auth=Auth(downstream_api_key=SecretStr("it's")))
LOCAL = Address("127.0.0.1", 8080)


@pytest.mark.proves("CLI-banner")
def test_at_a_terminal_the_banner_holds_the_key() -> None:
    text = banner(WITH_KEY, [LOCAL], COMMANDS, logged_in=True, demo=False, show_key=True)
    assert text.splitlines() == [
        f"codex-gateway {__version__}",
        "  listening on  http://127.0.0.1:8080",
        "  upstream      ChatGPT plan (codex_oauth, https://chatgpt.com)",
        "",
        "Use it from any OpenAI SDK:",
        "  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1",
        "  export OPENAI_API_KEY='it'\"'\"'s'",
        "",
        "Try it:",
        "  curl -N http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer it'\"'\"'s' "
        "-H 'Content-Type: application/json' "
        '-d \'{"model": "gpt-5.5", "stream": true, "messages": [{"role": "user", "content": "Say hello"}]}\'',
    ]


@pytest.mark.proves("CLI-banner")
def test_elsewhere_it_fetches_the_key() -> None:
    text = banner(WITH_KEY, [LOCAL], COMMANDS, logged_in=True, demo=False, show_key=False)
    assert "it's" not in text
    assert '  export OPENAI_API_KEY="$(codex-gateway config key)"' in text.splitlines()
    assert '-H "Authorization: Bearer $(codex-gateway config key)"' in text


@pytest.mark.parametrize(
    ("logged_in", "demo", "line"),
    [
        (False, True, "  answers       SIMULATED: nobody is logged in. To use your ChatGPT plan"),
        (False, False, "  login         nobody is logged in. To use your ChatGPT plan"),
    ],
)
def test_without_a_login_it_says_how_to_get_one(logged_in: bool, demo: bool, line: str) -> None:
    text = banner(Settings(), [LOCAL], COMMANDS, logged_in=logged_in, demo=demo, show_key=True)
    assert f"{line} (no restart needed): codex-gateway auth login" in text.splitlines()


def test_another_server_on_several_addresses_without_a_key() -> None:
    upstream = Upstream(mode="openai_api", base_url="http://me:hunter2@llm.example")
    addresses = [Address(path="/run/gw.sock"), Address("", 80), Address("::1", 1)]
    text = banner(Settings(upstream=upstream), addresses, COMMANDS, logged_in=False, demo=False, show_key=True)
    lines = text.splitlines()
    assert lines[1:4] == [
        "  listening on  unix:/run/gw.sock, http://127.0.0.1:80, http://[::1]:1",
        "  upstream      openai_api, http://***@llm.example",
        "  warning       no key is set: every program on this machine can use it (auth.downstream_api_key)",
    ]
    assert "  export OPENAI_API_KEY=unused" in lines
    assert "curl -N --unix-socket /run/gw.sock http://localhost/v1/chat/completions -H 'Content-Type" in text
    assert lines[-1] == "  (with a model of your server in place of gpt-5.5)"
