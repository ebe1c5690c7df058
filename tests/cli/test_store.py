"""`codex-gateway store`, and what `config check` says about the store."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from gateway.config import Store as Settings
from gateway.store import Store
from tests.cli.conftest import Cli
from tests.store.home import answer, message, response


@pytest.fixture
def kept(cli: Cli) -> Cli:
    """A work directory with a store that holds one response."""

    async def keep() -> None:
        async with Store(Settings(), cli.workdir) as store:
            await store.responses.save(response("resp_a"), [message("hello"), answer("caf\u00e9")])

    asyncio.run(keep())
    return cli


@pytest.mark.proves("STORE-cli")
def test_stats_are_a_table_or_json(kept: Cli) -> None:
    table = kept("store", "stats")
    assert table.exit_code == 0
    assert any(line.split()[:2] == ["items", "2"] for line in table.stdout.splitlines())
    document = json.loads(kept("store", "stats", "--json").stdout)
    assert {row["table"]: row["rows"] for row in document["tables"]}["responses"] == 1
    assert document["schema"] == "0001"


@pytest.mark.proves("STORE-cli", "STORE-export")
def test_an_export_has_a_line_for_each_row(kept: Cli, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in kept("store", "export").stdout.splitlines()]
    assert [line["table"] for line in lines] == ["responses", "items", "items"]
    assert json.loads(lines[2]["row"]["body"])["content"][0]["text"] == "café"
    file = tmp_path / "out.jsonl"
    assert kept("store", "export", "--table", "items", "--output", str(file)).exit_code == 0
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == lines[1:]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.proves("STORE-cli")
def test_what_cannot_be_exported_is_said(cli: Cli, kept: Cli, tmp_path: Path) -> None:
    wrong = kept("store", "export", "--table", "secrets")
    assert (wrong.exit_code, "expected one of" in wrong.stderr) == (2, True)
    unwritable = kept("store", "export", "--output", str(tmp_path / "missing" / "x"))
    assert (unwritable.exit_code, "cannot write" in unwritable.stderr) == (1, True)


@pytest.mark.proves("STORE-cli")
def test_without_a_store_nothing_is_made(cli: Cli) -> None:
    for command in (("stats",), ("export",)):
        done = cli("store", *command)
        assert (done.exit_code, "no store yet" in done.stderr) == (1, True)
    assert not cli.workdir.exists()


def spoil(cli: Cli, statement: str) -> None:
    connection = sqlite3.connect(cli.workdir / "gateway.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.proves("STORE-cli", "STORE-unavailable")
def test_the_check_of_the_config_tells_of_the_store(kept: Cli) -> None:
    done = kept("config", "check")
    assert (done.exit_code, "gateway.db, tables of version 0001" in done.stderr) == (0, True)
    spoil(kept, "UPDATE alembic_version SET version_num = '9999'")
    for command in (("config", "check"), ("store", "stats")):
        done = kept(*command)
        assert (done.exit_code, "Run the newer gateway" in done.stderr) == (1, True)
    spoil(kept, "UPDATE alembic_version SET version_num = '0000'")
    done = kept("config", "check")
    assert (done.exit_code, "Make a backup first" in done.stderr) == (0, True)
    assert kept("store", "stats").exit_code == 1
    (kept.workdir / "gateway.db").write_bytes(b"x" * 5000)
    for command in (("config", "check"), ("store", "stats")):
        done = kept(*command)
        assert (done.exit_code, "not a SQLite database" in done.stderr) == (1, True)


@pytest.mark.proves("STORE-cli")
def test_the_check_of_the_config_makes_no_store(cli: Cli) -> None:
    done = cli("config", "check")
    assert (done.exit_code, "made at the start" in done.stderr) == (0, True)
    assert not cli.workdir.exists()
