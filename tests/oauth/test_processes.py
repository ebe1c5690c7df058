"""Several gateways on one token file: real processes, real sockets."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from gateway.oauth.file import TokenFile
from gateway.oauth.token import Token, fingerprint
from tests.serving import serving

from .issuer import ALWAYS, Issuer, jwt

ROOT = Path(__file__).parents[2]


async def _asker(file: TokenFile, base_url: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.oauth.asker", file.path, base_url, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )


async def _line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.mark.proves("OAUTH-single-flight", "FAIL-16")
async def test_eight_processes_with_one_expired_token_send_one_refresh(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "oauth-token.json")
    file.write(Token.read({"access_token": jwt(1_000_000.0), "refresh_token": "refresh-0"}))
    issuer = Issuer(expires_at=ALWAYS, hold=asyncio.Event())
    async with serving(issuer.app()) as base_url, asyncio.timeout(60):
        processes = [await _asker(file, base_url) for _ in range(8)]
        assert [await _line(process) for process in processes] == ["ready"] * 8
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        # The first reply is held until all eight ask, so seven stand before the lock.
        assert [await _line(process) for process in processes] == ["asking"] * 8
        await issuer.asked.wait()
        assert issuer.hold is not None
        issuer.hold.set()
        outputs = [(await process.communicate())[0].decode().split()[-1] for process in processes]

    token = file.read()
    assert token is not None
    assert outputs == [fingerprint(token.access_token)] * 8
    assert issuer.refreshes == 1
    assert [process.returncode for process in processes] == [0] * 8


@pytest.mark.proves("OAUTH-lock")
async def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "oauth-token.json")
    file.write(Token.read({"access_token": jwt(1_000_000.0), "refresh_token": "refresh-0"}))
    issuer = Issuer(expires_at=ALWAYS, hold=asyncio.Event())
    async with serving(issuer.app()) as base_url, asyncio.timeout(60):
        for hold, killed in ((issuer.hold, True), (None, False)):
            issuer.hold = hold
            issuer.asked.clear()
            process = await _asker(file, base_url)
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            if killed:
                await issuer.asked.wait()
                process.kill()
            output = (await process.communicate())[0].decode().split()
    assert output[-1] == fingerprint((file.read() or Token("")).access_token)
