"""`codex-gateway doctor` and `codex-gateway models`: what they find on a machine and on the network."""

from __future__ import annotations

import asyncio
import json
import socket
from email.utils import formatdate
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from gateway.cli.checks import Finding
from gateway.cli.reach import network, origins
from gateway.config import Network, OAuth, Settings, Upstream
from tests.cli.conftest import Cli
from tests.serving import serving

NOW = 1_790_000_000.0
EXPIRED_TOKEN = {"access_token": "opaque", "refresh_token": "", "expires_at": "2020-01-01T00:00:00Z"}


class Answers:
    """A server that gives one answer to everything, and echoes the request id if it is a gateway."""

    def __init__(self, document: Any = None, *, status: int = 200, gateway: bool = True, date: float = NOW) -> None:
        self.body = b"<html>" if document is None else json.dumps(document).encode()
        self.status = status
        self.gateway = gateway
        self.date = formatdate(date, usegmt=True).encode()
        self.keys: list[str | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        sent = dict(scope["headers"])
        self.keys.append(sent.get(b"authorization", b"").decode() or None)
        headers = [(b"date", self.date)]
        if self.gateway and b"x-request-id" in sent:
            headers.append((b"x-request-id", sent[b"x-request-id"]))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def findings(cli: Cli, *options: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and subject → (level, what to do) of the last finding about it."""
    result = cli("doctor", "--json", *options)
    return result.exit_code, {row["subject"]: (row["level"], row["fix"]) for row in json.loads(result.stdout)}


@pytest.mark.proves("CLI-doctor")
def test_a_sound_machine_passes_every_check(cli: Cli) -> None:
    cli("config", "init")
    cli.environ["GATEWAY_SERVER__LISTEN"] = "127.0.0.1:0"
    token = cli.workdir / "oauth-token.json"
    token.write_text(json.dumps({"access_token": "opaque", "refresh_token": "r", "expires_at": "2100-01-01T00:00:00Z"}))
    token.chmod(0o600)
    code, found = findings(cli, "--offline")
    assert code == 0
    assert {subject: level for subject, (level, _) in found.items()} == {
        "python": "ok",
        "open files": "ok",
        "work directory": "ok",
        "settings file": "ok",
        "settings": "ok",
        "key": "ok",
        "listen 127.0.0.1:0": "ok",
        "login": "ok",
    }


@pytest.mark.proves("CLI-doctor")
def test_what_is_wrong_is_found_and_each_has_a_fix(cli: Cli, busy: int) -> None:
    path = cli.write(f"server: {{listen: '127.0.0.1:{busy}', extra_listen: ['0.0.0.0:0']}}")
    path.chmod(0o644)
    cli.workdir.chmod(0o777)
    (cli.workdir / "oauth-token.json").write_text(json.dumps(EXPIRED_TOKEN))
    # The other program accepts connections and says nothing.
    cli.environ["GATEWAY_UPSTREAM__TIMEOUT_SECONDS"] = "0.2"
    code, found = findings(cli, "--offline")
    assert code == 1
    assert {subject: level for subject, (level, fix) in found.items() if fix} == {
        "work directory": "fail",
        "settings file": "warn",
        "key": "fail",
        f"listen 127.0.0.1:{busy}": "fail",
        "login": "fail",
    }


def test_a_token_that_others_can_read_is_a_warning(cli: Cli) -> None:
    cli("config", "init")
    token = cli.workdir / "oauth-token.json"
    token.write_text(json.dumps({"access_token": "opaque"}))
    token.chmod(0o644)
    assert findings(cli, "--offline")[1]["token file"][0] == "warn"


def test_wrong_settings_are_findings(cli: Cli) -> None:
    cli.write("limits: {retries: 99}\nserver: {workers: 0}")
    result = cli("doctor", "--offline")
    assert result.exit_code == 1
    assert "fail  settings: line 1: limits.retries: expected at most 10, found 99" in result.stdout
    assert "fail  settings: line 2: server.workers: expected at least 1, found 0" in result.stdout


@pytest.mark.parametrize(("key", "level"), [("", "fail"), ("sk-1", "ok")])
def test_the_key_of_openai_is_checked_in_its_mode(cli: Cli, key: str, level: str) -> None:
    cli.write(f"upstream: {{mode: openai_api, api_key: '{key}'}}")
    found = findings(cli, "--offline")[1]
    assert found["api key"][0] == level
    assert "login" not in found


@pytest.mark.parametrize(("gateway", "level"), [(True, "ok"), (False, "fail")])
async def test_a_taken_address_is_fine_when_a_gateway_answers_there(cli: Cli, gateway: bool, level: str) -> None:
    async with serving(Answers(gateway=gateway)) as url:
        listen = url.removeprefix("http://")
        cli.environ["GATEWAY_SERVER__LISTEN"] = listen
        _, found = await asyncio.to_thread(findings, cli, "--offline")
    assert found[f"listen {listen}"][0] == level


def test_the_servers_of_the_mode_are_the_ones_that_are_tried() -> None:
    assert origins(Settings()) == ["https://chatgpt.com/", "https://auth.openai.com/"]
    mode = Upstream(mode="openai_api", base_url="http://llm.example:1/api")
    assert origins(Settings(upstream=mode)) == ["http://llm.example:1/"]


@pytest.mark.proves("CLI-doctor")
@pytest.mark.parametrize(
    ("ahead", "clock"),
    [
        (5, Finding("clock", "ok", "agrees with 127.0.0.1")),
        (
            -7200,
            Finding(
                "clock",
                "fail",
                "this machine is 7200 seconds behind 127.0.0.1",
                "Set the clock: timedatectl set-ntp true",
            ),
        ),
    ],
)
async def test_the_clock_is_compared_with_the_servers(ahead: float, clock: Finding) -> None:
    async with serving(Answers(status=403)) as url, httpx2.AsyncClient(trust_env=False) as client:
        upstream, oauth = Upstream(codex_base_url=url), OAuth(token_endpoint=f"{url}/oauth/token")
        found = await network(Settings(upstream=upstream, oauth=oauth), client, NOW + ahead)
    assert found == [Finding("reach 127.0.0.1", "ok", "answers (HTTP 403)"), clock]


async def test_a_server_and_a_proxy_that_are_not_there_are_failures() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]  # free again when the block is left
    settings = Settings(
        upstream=Upstream(mode="openai_api", base_url=f"http://127.0.0.1:{port}"),
        network=Network(proxy_url=SecretStr(f"socks5://user:hunter2@127.0.0.1:{port}")),
    )
    async with httpx2.AsyncClient(trust_env=False) as client:
        found = await network(settings, client, NOW)
    assert [(finding.subject, finding.level) for finding in found] == [("proxy", "fail"), ("reach 127.0.0.1", "fail")]
    assert "hunter2" not in repr(found)


@pytest.mark.proves("CLI-models")
async def test_models_lists_what_the_running_gateway_offers(cli: Cli) -> None:
    rows = [{"id": "gpt-5.5", "object": "model"}, {"id": "other", "object": "model"}]
    gateway = Answers({"object": "list", "data": rows})
    async with serving(gateway) as url:
        cli.write(f"server: {{listen: '{url.removeprefix('http://')}'}}\nauth: {{downstream_api_key: team}}")
        plain = await asyncio.to_thread(cli, "models")
        as_json = await asyncio.to_thread(cli, "models", "--json")
    assert (plain.exit_code, plain.stdout) == (0, "gpt-5.5\nother\n")
    assert json.loads(as_json.stdout) == rows
    assert gateway.keys == ["Bearer team"] * 2


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (Answers({"error": {"message": "Wrong key."}}, status=401), "answered 401: Wrong key."),
        (Answers({"detail": "?"}, status=500), "answered 500: without a reason"),
        (Answers([]), "answered 200: without a reason"),
        (Answers(), "is not a gateway (HTTP 200)"),
    ],
    ids=["refused", "broken", "not-a-list", "html"],
)
async def test_models_gives_the_reason_of_a_refusal(cli: Cli, server: Answers, said: str) -> None:
    async with serving(server) as url:
        cli.environ["GATEWAY_SERVER__LISTEN"] = url.removeprefix("http://")
        found = await asyncio.to_thread(cli, "models")
    assert (found.exit_code, found.stdout) == (1, "")
    assert said in found.stderr


@pytest.mark.proves("CLI-models")
def test_models_says_that_nothing_runs(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cli.environ["GATEWAY_SERVER__LISTEN"] = f"127.0.0.1:{port}"
    found = cli("models")
    assert found.exit_code == 1
    assert f"no gateway runs at 127.0.0.1:{port}; start one: " in found.stderr
