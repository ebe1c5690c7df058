"""`codex-gateway serve` as a real process: when it starts, when it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.conftest import PATIENCE_SECONDS, Cli, Process
from tests.serving import serving


@pytest.mark.proves("CLI-open-door")
@pytest.mark.parametrize("listen", [":0", "0.0.0.0:0", "[::]:0"])
def test_a_public_address_without_a_key_is_refused_with_the_fix(cli: Cli, listen: str) -> None:
    found = cli("serve", "--listen", listen)
    assert found.exit_code == 1
    assert f"refusing to listen on {listen} without a key" in found.stderr
    assert " config init   (writes a settings file with a new key)" in found.stderr
    assert "GATEWAY_AUTH__DOWNSTREAM_API_KEY=" in found.stderr
    assert f"put into {cli.workdir / 'config.yaml'}:\n      auth:\n        downstream_api_key:" in found.stderr


@pytest.mark.proves("CLI-busy-port")
def test_a_busy_port_is_named_and_a_free_one_offered(cli: Cli, busy: int) -> None:
    found = cli.run("serve", "--listen", f"127.0.0.1:{busy}")
    assert (found.returncode, found.stdout) == (1, "")
    said = re.search(
        rf"cannot listen on 127\.0\.0\.1:{busy}: .* --listen (\S+) \(with make: (.*) make run\)\n$", found.stderr
    )
    assert said
    assert said[2] == f"GATEWAY_SERVER__LISTEN={said[1]}"
    with socket.create_server(("127.0.0.1", int(said[1].removeprefix("127.0.0.1:")))):
        pass


def test_wrong_settings_end_the_start_with_every_mistake(cli: Cli) -> None:
    cli.write("limits: {retries: 99}\nserver: {workers: 0}")
    found = cli("serve")
    assert found.exit_code == 1
    assert "2 mistakes" in found.stderr


def test_demo_is_refused_where_answers_are_not_a_plans(cli: Cli) -> None:
    cli.write("upstream: {mode: openai_api}")
    found = cli("serve", "--demo")
    assert found.exit_code == 1
    assert "--demo" in found.stderr


@pytest.mark.proves("CLI-banner", "CLI-demo")
def test_the_banner_line_streams_a_simulated_answer_when_pasted(cli: Cli, processes: list[Process]) -> None:
    cli("config", "init")
    process = Process(cli, "serve", "--demo", "--listen", "127.0.0.1:0")
    processes.append(process)
    base_url = process.base_url()
    line = process.wait_for("curl -N")
    assert f"work directory: {cli.workdir} " in process.said
    assert "SIMULATED" in process.said
    assert "auth login" in process.said
    key = cli("config", "key").stdout.strip()
    assert key not in process.said, "standard error is no terminal here, so it may be kept"
    assert f"export OPENAI_BASE_URL={base_url}/v1" in process.said
    exported = re.search(r"export (OPENAI_API_KEY=.*)", process.said)
    assert exported
    if shutil.which("curl") is None:
        return  # a machine where nobody can paste the line
    pasted = f"{exported[1]}; {line}"
    answer = subprocess.run(
        ["sh", "-c", pasted], env=cli.environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert answer.stdout.startswith("data: {")
    assert answer.stdout.endswith("data: [DONE]\n\n")
    process.terminate()
    assert process.exit_code() == 0


@pytest.mark.proves("CLI-no-login")
def test_without_login_and_demo_it_starts_and_says_how_to_log_in(cli: Cli, processes: list[Process]) -> None:
    process = Process(cli, "serve", "--listen", "127.0.0.1:0")
    processes.append(process)
    base_url = process.base_url()
    assert "nobody is logged in. To use your ChatGPT plan (no restart needed): " in process.said
    assert "no key is set" in process.said
    assert "SIMULATED" not in process.said
    answer = httpx2.post(f"{base_url}/v1/responses", json={"model": "gpt-5.5", "input": "hi"}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "oauth_unavailable")


class Held:
    """An OpenAI server that streams the first piece of an answer, and the rest when it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": _chunk("first"), "more_body": True})
        await self.let_go.wait()
        await send({"type": "http.response.body", "body": _chunk("last") + b"data: [DONE]\n\n"})


def _chunk(text: str) -> bytes:
    return (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
    ) % text.encode()


@pytest.mark.proves("CLI-drain", "CLI-notify")
async def test_sigterm_lets_an_open_stream_finish_and_ends_with_0(
    cli: Cli, processes: list[Process], manager: socket.socket
) -> None:
    """The service manager is told READY=1 and STOPPING=1 on the way."""
    upstream = Held()
    cli.environ["NOTIFY_SOCKET"] = manager.getsockname()
    async with (
        serving(upstream) as upstream_url,
        httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client,
    ):
        cli.write(f"upstream: {{mode: openai_api, base_url: '{upstream_url}'}}")
        process = Process(cli, "serve", "--listen", "127.0.0.1:0")
        processes.append(process)
        base_url = await asyncio.to_thread(process.base_url)
        assert await asyncio.to_thread(manager.recv, 64) == b"READY=1"
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        async with client.stream("POST", f"{base_url}/v1/chat/completions", json=body) as answer:
            pieces = answer.aiter_bytes()
            assert b"first" in await anext(pieces)
            process.terminate()
            assert await asyncio.to_thread(manager.recv, 64) == b"STOPPING=1"
            upstream.let_go.set()
            rest = b"".join([piece async for piece in pieces])
        assert b"last" in rest
        assert rest.endswith(b"data: [DONE]\n\n")
    assert await asyncio.to_thread(process.exit_code) == 0
    assert "stopping; open requests have 30 seconds" in process.said


@pytest.mark.proves("CLI-workers", "CLI-notify")
def test_several_workers_share_their_addresses_and_end_with_0(
    cli: Cli, processes: list[Process], manager: socket.socket
) -> None:
    cli.environ["NOTIFY_SOCKET"] = manager.getsockname()
    unix = cli.workdir.parent / "gateway.sock"
    cli.write(f"server: {{extra_listen: ['unix:{unix}']}}")
    process = Process(cli, "serve", "--workers", "2", "--listen", "localhost:0")
    processes.append(process)
    line = process.wait_for("listening on")
    assert manager.recv(64) == b"READY=1"
    assert line.endswith(f", unix:{unix}\n")
    port = shlex.split(line)[2].rstrip(",").rpartition(":")[2]
    for uds, host in ((None, f"127.0.0.1:{port}"), (str(unix), "localhost")):
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=uds)) as client:
            assert client.get(f"http://{host}/healthz").status_code == 200
    process.terminate()
    assert process.exit_code() == 0
    assert manager.recv(64) == b"STOPPING=1"
    assert not unix.exists()


@pytest.mark.proves("CLI-workers", "HTTP-log-rotation")
def test_the_log_file_is_held_by_the_workers_alone(cli: Cli, processes: list[Process]) -> None:
    cli.write("logging: {output: file}")
    process = Process(cli, "serve", "--workers", "2", "--listen", "127.0.0.1:0")
    processes.append(process)
    assert httpx2.get(f"{process.base_url()}/healthz", trust_env=False).status_code == 200
    held = [str(file.readlink()) for file in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert held and not [file for file in held if file.endswith(".log")]
    process.terminate()
    assert process.exit_code() == 0
    assert '"/healthz"' in (cli.workdir / "logs" / "codex-gateway.log").read_text()
