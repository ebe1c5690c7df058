"""`codex-gateway simulate`: where it can be reached, and what it says about files and addresses it cannot use."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import Cli


@pytest.mark.proves("SIM-simulate")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nonsense: 1\nconcurrency: x\n",
            ["nonsense: unknown key", "concurrency: must be an integer, is a string"],
        ),
        ("[]", ["the scenario must be an object, is list"]),
        (
            "a: [",
            ["the scenario is neither JSON nor YAML: expected the node content, but found '<stream end>', line 1"],
        ),
    ],
    ids=["two mistakes", "no object", "neither JSON nor YAML"],
)
def test_every_mistake_of_a_scenario_is_a_line(cli: Cli, tmp_path: Path, text: str, said: list[str]) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    found = cli("simulate", "--listen", "127.0.0.1:0", "--scenario", str(path))
    assert found.exit_code == 1
    assert found.stderr == "error: " + "".join(f"{path}: {line}\n" for line in said)


@pytest.mark.proves("SIM-simulate")
def test_a_scenario_that_is_not_there_is_said_in_words(cli: Cli, tmp_path: Path) -> None:
    absent = cli("simulate", "--scenario", str(tmp_path / "absent.yaml"))
    assert (absent.exit_code, absent.stderr) == (1, f"error: there is no scenario file {tmp_path / 'absent.yaml'}\n")
    folder = cli("simulate", "--scenario", str(tmp_path))
    assert (folder.exit_code, folder.stderr) == (
        1,
        f"error: cannot read the scenario file {tmp_path}: Is a directory\n",
    )


@pytest.mark.proves("SIM-simulate")
def test_a_busy_port_is_said_in_words(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = cli("simulate", "--listen", address)
    assert found.exit_code == 1
    assert found.stderr.startswith(f"error: cannot listen on {address}: the address is in use.")


@pytest.mark.parametrize("listen", ["x", "127.0.0.1:70000", "unix:/tmp/socket", "http://127.0.0.1:80"])
def test_an_address_of_another_form_is_wrong_usage(cli: Cli, listen: str) -> None:
    assert cli("simulate", "--listen", listen).exit_code == 2


@pytest.mark.proves("SIM-simulate")
def test_the_printed_address_can_be_used_when_it_listens_everywhere(cli: Cli) -> None:
    command = [sys.executable, "-m", "gateway", "simulate", "--listen", "0.0.0.0:0"]
    with subprocess.Popen(command, env=cli.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split("base_url ")[1].split(",")[0]
        answer = httpx2.get(f"{url}/models", headers={"authorization": "Bearer sk-simulated"})
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert "0.0.0.0" not in line
    assert url.startswith("http://127.0.0.1:")
    assert answer.status_code == 200
