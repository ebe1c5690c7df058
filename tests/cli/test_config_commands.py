"""`codex-gateway config`, the options every command has, and exit codes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from gateway import __version__
from gateway.config import Settings, load
from tests.cli.conftest import Cli


@pytest.mark.proves("CLI-config-init")
def test_init_writes_a_private_file_with_a_new_key_that_loads(cli: Cli) -> None:
    first = cli("config", "init")
    path = cli.workdir / "config.yaml"
    assert (first.exit_code, first.stdout) == (0, f"wrote {path} with a new key\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cli.workdir.stat().st_mode) == 0o700
    key = load(path, {}).auth.downstream_api_key.get_secret_value()
    assert key.startswith("sk-gw-")
    assert len(key) > 32
    assert cli("config", "key").stdout == f"{key}\n"
    assert key not in first.output


@pytest.mark.proves("CLI-config-init")
def test_init_replaces_a_file_only_when_told_to(cli: Cli) -> None:
    path = cli.write("server: {workers: 2}")
    refused = cli("config", "init")
    assert (refused.exit_code, path.read_text()) == (1, "server: {workers: 2}")
    assert "--force" in refused.stderr
    assert cli("config", "init", "--force").exit_code == 0
    assert load(path, {}).server.workers == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in cli.workdir.iterdir()] == ["config.yaml"]


@pytest.mark.proves("CLI-every-mistake")
def test_check_names_every_mistake_and_fails(cli: Cli) -> None:
    path = cli.write("servre: {}\nlimits: {retries: 99}\n")
    found = cli("config", "check")
    assert found.exit_code == 1
    assert found.stderr.endswith(
        f"error: 2 mistakes in {path}\n"
        "  line 1: servre: unknown key; did you mean server?\n"
        "  line 2: limits.retries: expected at most 10, found 99\n"
    )


def test_check_says_that_all_is_well(cli: Cli) -> None:
    assert cli("config", "check").stdout == "ok: no settings file; the defaults hold\n"
    path = cli.write("")
    assert cli("config", "check").stdout == f"ok: {path}\n"


def test_check_refuses_a_public_address_without_a_key(cli: Cli) -> None:
    cli.write("server: {listen: ':8080'}")
    assert cli("config", "check").exit_code == 1


@pytest.mark.proves("CLI-config-show")
def test_show_prints_what_holds_and_hides_every_secret(cli: Cli) -> None:
    path = cli.write(
        "auth: {downstream_api_key: hunter2}\n"
        "oauth: {client_secret: hunter2}\n"
        "network: {proxy_url: 'http://user:hunter2@proxy:8080'}\n"
        "upstream: {mode: openai_api, base_url: 'https://user:hunter2@llm.example/api'}\n"
    )
    cli.environ |= {"GATEWAY_UPSTREAM__API_KEY": "hunter2", "GATEWAY_SERVER__WORKERS": "3"}
    shown = cli("config", "show")
    assert "hunter2" not in shown.output
    assert shown.stdout.splitlines()[:3] == [
        f"# from {path}",
        "# from the environment: server.workers (GATEWAY_SERVER__WORKERS)",
        "# from the environment: upstream.api_key (GATEWAY_UPSTREAM__API_KEY)",
    ]
    document = yaml.safe_load(shown.stdout)
    expected = yaml.safe_load(Settings().model_dump_json())
    expected["server"]["workers"] = 3
    expected["auth"]["downstream_api_key"] = "***"
    expected["oauth"]["client_secret"] = "***"
    expected["network"]["proxy_url"] = "http://***@proxy:8080"
    expected["upstream"] |= {"mode": "openai_api", "base_url": "https://***@llm.example/api", "api_key": "***"}
    assert document == expected


def test_key_fails_when_there_is_none(cli: Cli) -> None:
    found = cli("config", "key")
    assert (found.exit_code, found.stdout) == (1, "")


@pytest.mark.proves("CLI-workdir")
@pytest.mark.parametrize("place", ["before", "after"])
def test_workdir_and_config_are_options_of_every_command(cli: Cli, tmp_path: Path, place: str) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("server: {workers: 7}")
    options = ["--workdir", str(tmp_path / "elsewhere"), "--config", str(other)]
    found = cli(*options, "config", "show") if place == "before" else cli("config", "show", *options)
    assert yaml.safe_load(found.stdout)["server"]["workers"] == 7
    assert found.stderr == f"work directory: {tmp_path / 'elsewhere'} (from --workdir)\n"


COMMANDS = [
    ["serve"],
    ["models"],
    ["doctor", "--offline"],
    ["config", "init"],
    ["config", "check"],
    ["config", "show"],
    ["config", "key"],
    ["auth", "status"],
    ["auth", "login"],
    ["auth", "logout"],
    ["auth", "import", "x.json"],
]


@pytest.mark.proves("CLI-workdir")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_work_directory_that_is_a_file_ends_every_command(cli: Cli, tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    found = cli(*command, "--workdir", str(file))
    said = f"error: the work directory {file} (from --workdir) is not a directory\n"
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", said)
    assert file.read_text() == "kept"


@pytest.mark.proves("CLI-workdir", "CLI-exit-codes")
@pytest.mark.parametrize("option", ["--workdir", "--config"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_an_empty_path_is_wrong_usage_and_not_the_current_directory(cli: Cli, option: str, place: str) -> None:
    found = cli(option, "", "config", "show") if place == "before" else cli("config", "show", option, "")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "expected a path, found nothing" in found.stderr


def test_a_settings_file_that_is_named_must_exist(cli: Cli) -> None:
    found = cli("config", "check", "--config", "/nowhere/config.yaml")
    assert (found.exit_code, found.stderr) == (1, "error: there is no settings file /nowhere/config.yaml\n")


@pytest.mark.proves("CLI-exit-codes")
def test_exit_codes_of_the_real_command(cli: Cli) -> None:
    version = cli.run("--version")
    assert (version.returncode, version.stdout) == (0, f"codex-gateway {__version__}\n")
    wrong_usage = cli.run("serve", "--nonsense")
    assert (wrong_usage.returncode, wrong_usage.stdout) == (2, "")
    assert "--nonsense" in wrong_usage.stderr


@pytest.mark.proves("CLI-exit-codes")
@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["serve", "--listen", "nowhere"], ["serve", "--workers", "0"], ["simulate", "--listen", "x"]],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str]) -> None:
    assert cli(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("scenario", "said"), [("nonsense: 1", "scenario.yaml: nonsense"), (None, "scenario.yaml")], ids=["wrong", "absent"]
)
def test_simulate_fails_with_the_reason(cli: Cli, tmp_path: Path, scenario: str | None, said: str) -> None:
    path = tmp_path / "scenario.yaml"
    if scenario is not None:
        path.write_text(scenario)
    found = cli("simulate", "--listen", "127.0.0.1:0", "--scenario", str(path))
    assert found.exit_code == 1
    assert said in found.stderr
