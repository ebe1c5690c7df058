"""`codex-gateway doctor` and `codex-gateway models`: what they find on a machine and on the network."""

from __future__ import annotations

import asyncio
import json
import socket
from email.utils import formatdate
from pathlib import Path
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
        (Answers({"error": {"message": "Slow down."}}, status=429), "answered 429: Slow down."),
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


REFUSAL = {"error": {"message": "No API key was sent."}}


@pytest.mark.proves("CLI-models")
async def test_models_without_the_key_says_where_it_was_looked_for_and_what_to_do(cli: Cli) -> None:
    async with serving(Answers(REFUSAL, status=401)) as url:
        cli.environ["GATEWAY_SERVER__LISTEN"] = listen = url.removeprefix("http://")
        nothing = await asyncio.to_thread(cli, "models")
        path = cli.write("auth: {downstream_api_key: another}")
        another = await asyncio.to_thread(cli, "models")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert nothing.stderr.splitlines()[-1] == (
        f"error: the gateway at {listen} needs a key, and none was found. The key was looked for in the work directory "
        f"{cli.workdir}: auth.downstream_api_key of {path} (there is no such file), then OPENAI_API_KEY of the "
        "environment. Name the work directory of that gateway with --workdir DIR or CODEX_GATEWAY_HOME=DIR (`make run` "
        "uses .work), or set OPENAI_API_KEY to its key"
    )
    assert f"error: the gateway at {listen} refused the key that was found. " in another.stderr
    assert f"auth.downstream_api_key of {path}, then" in another.stderr


@pytest.mark.proves("CLI-models")
@pytest.mark.parametrize(("configured", "sent"), [("", "Bearer sk-env"), ("team", "Bearer team")])
async def test_models_sends_the_key_of_the_environment_when_the_settings_have_none(
    cli: Cli, configured: str, sent: str
) -> None:
    cli.write(f"auth: {{downstream_api_key: '{configured}'}}")
    cli.environ["OPENAI_API_KEY"] = "sk-env"
    gateway = Answers({"object": "list", "data": []})
    async with serving(gateway) as url:
        cli.environ["GATEWAY_SERVER__LISTEN"] = url.removeprefix("http://")
        assert (await asyncio.to_thread(cli, "models")).exit_code == 0
    assert gateway.keys == [sent]


@pytest.mark.proves("CLI-doctor")
@pytest.mark.parametrize(
    ("configured", "said"), [("", "wants a key, and none is set here"), ("team", "the key here is not its key")]
)
async def test_a_gateway_that_runs_with_another_key_is_noticed(cli: Cli, configured: str, said: str) -> None:
    path = cli.write(f"auth: {{downstream_api_key: '{configured}'}}")
    gateway = Answers(REFUSAL, status=401)
    async with serving(gateway) as url:
        cli.environ["GATEWAY_SERVER__LISTEN"] = url.removeprefix("http://")
        result = await asyncio.to_thread(cli, "doctor", "--offline")
    (line,) = [line for line in result.stdout.splitlines() if "  key: " in line]
    assert line.startswith("warn")
    assert line.endswith(said)
    assert f"auth.downstream_api_key of {path}" in result.stdout
    assert "every program on this machine may use the gateway" not in result.stdout
    assert gateway.keys == [None, f"Bearer {configured}" if configured else None]


async def test_the_doctor_shows_the_key_to_no_program_but_a_gateway(cli: Cli) -> None:
    cli.write("auth: {downstream_api_key: team}")
    other = Answers(gateway=False)
    async with serving(other) as url:
        cli.environ["GATEWAY_SERVER__LISTEN"] = url.removeprefix("http://")
        await asyncio.to_thread(cli, "doctor", "--offline")
    assert other.keys == [None]


@pytest.mark.proves("CLI-doctor")
def test_the_path_of_a_unix_socket_is_free_or_in_the_way(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    cli.environ["GATEWAY_SERVER__LISTEN"] = f"unix:{path}"
    subject = f"listen unix:{path}"
    assert findings(cli, "--offline")[1][subject][0] == "ok"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert findings(cli, "--offline")[1][subject][0] == "ok"
    path.unlink()
    path.write_text("kept")
    assert findings(cli, "--offline")[1][subject][0] == "fail"
    assert path.read_text() == "kept"


@pytest.mark.proves("CLI-models")
def test_models_says_that_nothing_runs(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cli.environ["GATEWAY_SERVER__LISTEN"] = f"127.0.0.1:{port}"
    found = cli("models")
    assert found.exit_code == 1
    assert f"no gateway runs at 127.0.0.1:{port}; start one: " in found.stderr
