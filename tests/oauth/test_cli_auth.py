"""The `auth` commands as a person runs them: what they print, where, and their exit codes. Nothing shows a token."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
import yaml
from starlette.responses import JSONResponse

from gateway.oauth.failures import Failure, next_mark
from gateway.oauth.file import TokenFile
from gateway.oauth.token import Token, fingerprint
from tests.serving import serving

from .issuer import ALWAYS, Issuer, jwt, refusal, settings

ROOT = Path(__file__).parents[2]
ACCESS = jwt(ALWAYS, name="MARKED-ACCESS")
REFRESH = "MARKED-REFRESH"
SECRETS = re.compile(r"MARKED|eyJ|refresh-\d")
RUN = (
    "from gateway.cli.auth import app; from gateway.cli.context import Context; import os; app(obj=Context(os.environ))"
)


class Shell:
    """Runs `auth` commands in a process of their own, on a work directory of their own."""

    def __init__(self, workdir: Path, issuer: Issuer, base_url: str) -> None:
        self.workdir = workdir
        self.issuer = issuer
        self.file = TokenFile(workdir / "oauth-token.json")
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.oauth = settings(base_url, redirect_port=port)
        self.configure()

    def configure(self, **changes: object) -> None:
        keys = {"authorize_endpoint", "token_endpoint", "revoke_endpoint", "device_authorization_endpoint"}
        values = {**self.oauth.model_dump(include={*keys, "redirect_port"}), **changes}
        (self.workdir / "config.yaml").write_text(yaml.safe_dump({"oauth": values}))

    def log_in(self, access: str = ACCESS, refresh: str = REFRESH) -> Token:
        token = Token.read({"access_token": access, "refresh_token": refresh})
        self.file.write(token)
        return token

    async def start(self, *arguments: str, stdin: int = DEVNULL) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, *arguments, "--workdir", str(self.workdir),
            stdin=stdin, stdout=PIPE, stderr=PIPE, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        )  # fmt: skip

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        """Exit code, standard output and standard error; both are looked through for secrets."""
        process = await self.start(*arguments)
        out, err = (stream.decode() for stream in await process.communicate())
        assert not SECRETS.search(out + err), out + err
        assert f"work directory: {self.workdir}" in err
        return process.returncode, out, err


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    issuer = Issuer(expires_at=ALWAYS)
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(issuer.app()))
        await stack.enter_async_context(asyncio.timeout(60))
        yield Shell(tmp_path, issuer, base_url)


@pytest.mark.proves("OAUTH-status", "OAUTH-no-secrets")
async def test_status_as_json_is_json_alone(shell: Shell) -> None:
    shell.log_in()
    code, out, err = await shell.run("status", "--json")
    assert json.loads(out) == {
        "logged_in": True,
        "account_id": "acct-1",
        "email": "ada@example.com",
        "plan": "pro",
        "expires_at": "2096-10-02T07:06:40Z",
        "last_refresh": None,
        "refresh": "untried",
        "file": str(shell.file.path),
        "mode": "0600",
        "advice": None,
    }
    assert code == 0
    assert err.count("\n") == 1


@pytest.mark.proves("OAUTH-status")
async def test_status_of_nobody_exits_with_one_and_says_what_to_run(shell: Shell) -> None:
    code, out, err = await shell.run("status")
    assert (code, out.splitlines()[0]) == (1, "Not logged in.")
    command = re.search(r"Nobody is logged in\. Run `(.*)`\.\n", err)
    assert command
    assert shlex.split(command[1])[-4:] == ["auth", "login", "--workdir", str(shell.workdir)]
    _, out, _ = await shell.run("status", "--json")
    assert json.loads(out)["advice"] == f"Nobody is logged in. Run `{command[1]}`."


@pytest.mark.proves("OAUTH-status")
@pytest.mark.parametrize("ends", ["0001-01-01T00:00:00Z", "some day", None])
async def test_status_says_when_nobody_knows_the_end_of_the_token(shell: Shell, ends: str | None) -> None:
    document = {"access_token": jwt(None, name="MARKED"), "refresh_token": REFRESH, "expires_at": ends}
    shell.file.path.write_text(json.dumps(document))
    shell.file.path.chmod(0o600)
    code, out, err = await shell.run("status")
    assert (code, out.splitlines()[:5]) == (
        0,
        ["Logged in.", "account id: acct-1", "email: ada@example.com", "plan: pro", "expires at: unknown"],
    )
    assert "\nExpiry unknown: " in err


@pytest.mark.proves("OAUTH-status")
@pytest.mark.parametrize(
    ("ends", "kind", "exit_code", "refresh"),
    [(ALWAYS, "permanent", 0, "dead"), (1.0, "permanent", 1, "dead"), (1.0, "transient", 0, "failing")],
)
async def test_status_tells_whether_refresh_works(
    shell: Shell, ends: float, kind: str, exit_code: int, refresh: str
) -> None:
    token = shell.log_in(jwt(ends, name="MARKED"))
    failure = Failure("permanent" if kind == "permanent" else "transient", "refresh_token_reused")
    shell.file.write_mark(next_mark(None, fingerprint(token.refresh_token), failure, 0.0, 0.0))
    code, out, _ = await shell.run("status", "--json")
    assert (code, json.loads(out)["refresh"]) == (exit_code, refresh)
    assert "refresh_token_reused" in json.loads(out)["advice"]


async def test_status_warns_of_a_file_that_others_can_read(shell: Shell) -> None:
    shell.log_in()
    shell.file.path.chmod(0o644)
    code, out, err = await shell.run("status")
    assert (code, "mode: 0644" in out, f"chmod 600 {shell.file.path}" in err) == (0, True, True)


@pytest.mark.proves("OAUTH-status")
async def test_status_of_a_damaged_file_is_not_logged_in(shell: Shell) -> None:
    shell.file.path.write_text('{"access_token": "MARKED')
    code, _, err = await shell.run("status")
    assert code == 1
    assert "damaged" in err
    assert f"token file: {shell.file.path}" in err


@pytest.mark.proves("OAUTH-login-command", "OAUTH-no-secrets")
async def test_login_prints_the_address_and_then_the_account(shell: Shell) -> None:
    shell.log_in()
    process = await shell.start("login", "--no-browser")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"Open this address in a browser and log in:\n"
    asked = parse_qs(urlsplit((await process.stdout.readline()).decode().strip()).query)
    shell.issuer.challenges["code-1"] = asked["code_challenge"][0]
    query = urlencode({"code": "code-1", "state": asked["state"][0]})
    async with httpx2.AsyncClient(trust_env=False) as browser:
        page = await browser.get(f"{asked['redirect_uri'][0]}?{query}")
    out, err = (stream.decode() for stream in await process.communicate())
    assert "You are logged in as ada@example.com" in page.text
    assert out.startswith(f"Logged in as ada@example.com, plan pro. The login is in {shell.file.path}.\n")
    assert process.returncode == 0
    assert not SECRETS.search(page.text + out + err)
    assert (shell.file.read() or Token("")).refresh_token == "refresh-1"


@pytest.mark.proves("OAUTH-login-command", "FAIL-18")
async def test_login_with_a_device_code(shell: Shell) -> None:
    shell.issuer.challenges["code-1"] = "iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ"
    shell.issuer.device_answers.extend(
        [
            JSONResponse({"device_auth_id": "d", "user_code": "ABCD-12345", "interval": "1"}),
            JSONResponse({"authorization_code": "code-1", "code_verifier": "verifier"}),
        ]
    )
    code, out, _ = await shell.run("login", "--device")
    assert code == 0
    assert "ABCD-12345" in out
    assert "Logged in as ada@example.com" in out


@pytest.mark.proves("OAUTH-paste", "OAUTH-no-secrets")
async def test_the_last_address_is_pasted_into_the_terminal(shell: Shell) -> None:
    person, terminal = os.openpty()
    try:
        process = await shell.start("login", stdin=terminal)
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        assert "paste it here" in lines[2]
        asked = parse_qs(urlsplit(lines[1].strip()).query)
        shell.issuer.challenges["code-1"] = asked["code_challenge"][0]
        os.write(person, f"code-1#{asked['state'][0]}\n".encode())
        out, err = (stream.decode() for stream in await process.communicate())
    finally:
        os.close(person)
        os.close(terminal)
    assert out.startswith("Logged in as ada@example.com")
    assert process.returncode == 0
    assert not SECRETS.search(out + err)


async def test_a_failed_login_is_one_line_and_exit_code_one(shell: Shell) -> None:
    shell.issuer.device_answers.append(refusal(500, "server_error"))
    code, out, err = await shell.run("login", "--device")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: The login server gave no device code (HTTP 500 server_error).")


@pytest.mark.proves("OAUTH-hosts")
async def test_login_with_a_token_endpoint_elsewhere_is_refused(shell: Shell) -> None:
    shell.configure(token_endpoint="https://elsewhere.example/token")
    code, _, err = await shell.run("login", "--no-browser")
    assert code == 1
    assert "add 'elsewhere.example' to oauth.token_hosts" in err


@pytest.mark.proves("OAUTH-import", "OAUTH-no-secrets")
async def test_import_takes_a_login_over_and_warns_of_the_other_owner(shell: Shell) -> None:
    source = shell.workdir / "auth.json"
    source.write_text(json.dumps({"tokens": {"access_token": ACCESS, "refresh_token": REFRESH}}))
    code, out, err = await shell.run("import", str(source))
    assert code == 0
    assert out.startswith("Logged in as ada@example.com, plan pro.")
    assert "ONE owner" in err
    assert shell.file.read() == Token(ACCESS, REFRESH, expires_at=ALWAYS, account_id="acct-1")
    assert shell.file.mode() == 0o600


@pytest.mark.proves("OAUTH-import")
async def test_import_of_garbage_keeps_the_login_that_is_there(shell: Shell) -> None:
    before = shell.log_in()
    source = shell.workdir / "auth.json"
    source.write_text(json.dumps({"access_token": "MARKED garbage", "refresh_token": REFRESH}))
    code, out, err = await shell.run("import", str(source))
    assert (code, out, shell.file.read()) == (1, "", before)
    assert f"error: {source} names no ChatGPT account" in err
    assert f"auth login --workdir {shell.workdir}`" in err


@pytest.mark.proves("OAUTH-access-only")
async def test_import_of_the_access_token_alone_warns_of_nothing(shell: Shell) -> None:
    source = shell.workdir / "auth.json"
    source.write_text(json.dumps({"tokens": {"access_token": ACCESS, "refresh_token": REFRESH}}))
    code, _, err = await shell.run("import", str(source), "--access-only")
    assert (code, "ONE owner" in err) == (0, False)
    assert (shell.file.read() or Token("x", "x")).refresh_token == ""


@pytest.mark.parametrize("name", ["missing.json", "oauth-token.json", "key.json"])
async def test_import_says_why_not(shell: Shell, name: str) -> None:
    before = shell.log_in()
    (shell.workdir / "key.json").write_text('{"OPENAI_API_KEY": "sk-MARKED"}')
    code, out, err = await shell.run("import", str(shell.workdir / name))
    assert (code, out) == (1, "")
    assert name in err.splitlines()[-1]
    assert shell.file.read() == before


@pytest.mark.proves("OAUTH-logout", "OAUTH-no-secrets")
async def test_logout_removes_the_login_and_revokes_it(shell: Shell) -> None:
    shell.log_in()
    code, out, _ = await shell.run("logout")
    assert (code, out.splitlines()) == (
        0,
        [f"Removed {shell.file.path}.", "The login was revoked at the server."],
    )
    assert shell.file.read() is None
    assert shell.issuer.revoked == [
        {"token": REFRESH, "token_type_hint": "refresh_token", "client_id": shell.oauth.client_id}
    ]


@pytest.mark.proves("OAUTH-logout")
async def test_logout_of_an_access_token_revokes_that(shell: Shell) -> None:
    shell.log_in(refresh="")
    await shell.run("logout")
    assert shell.issuer.revoked == [{"token": ACCESS, "token_type_hint": "access_token"}]


@pytest.mark.proves("OAUTH-logout")
@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (None, "answered 500"),
        ("http://127.0.0.1:9/revoke", "connect_failed"),
        ("https://elsewhere.example/revoke", "oauth.token_hosts"),
    ],
    ids=["refused", "unreachable", "not allowed"],
)
async def test_logout_removes_the_login_also_when_it_cannot_be_revoked(
    shell: Shell, endpoint: str | None, text: str
) -> None:
    shell.log_in()
    shell.issuer.revoke_status = 500
    if endpoint:
        shell.configure(revoke_endpoint=endpoint)
    code, out, _ = await shell.run("logout")
    assert code == 0
    assert text in out
    assert "did not confirm the revocation" in out
    assert shell.file.read() is None


async def test_logout_of_nobody_and_of_a_damaged_file(shell: Shell) -> None:
    assert "Nobody was logged in" in (await shell.run("logout"))[1]
    shell.file.path.write_text("{")
    code, out, _ = await shell.run("logout")
    assert (code, out.splitlines()[0]) == (0, f"Removed {shell.file.path}.")
