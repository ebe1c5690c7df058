"""Places that cannot be used: a clear error, and nothing else stops."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.config import Store as StoreSettings
from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.check import check
from gateway.store.connection import Connection
from gateway.store.place import place_of
from tests.store.home import OWNER, Home, answer, message, response
from tests.store.postgres import Server
from tests.store.test_ledger import ROW

ROOT = Path(__file__).parents[2]


def settings(url: str = "", **changes: object) -> StoreSettings:
    return StoreSettings.model_validate({"url": url, "busy_seconds": 0.2, **changes})


async def refusal(store: Store) -> StoreUnavailable:
    """What opening says, which every use then says too; the ledger takes rows all the same."""
    try:
        with pytest.raises(StoreUnavailable) as opening:
            await store.open()
        for use in (store.responses.response(OWNER, "resp_a"), store.responses.save(response(), [])):
            with pytest.raises(StoreUnavailable) as using:
                await use
            assert using.value.message == opening.value.message
        store.ledger.put(ROW)
        assert (opening.value.status, opening.value.code) == (503, "store_unavailable")
        return opening.value
    finally:
        await store.aclose()


def garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database at all" * 1000)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


@pytest.mark.proves("STORE-unavailable")
@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (garbage, "not a SQLite database"),
        (newer, "version 9999, and this gateway knows versions up to 0001"),
        (foreign, "another program"),
        (Path.mkdir, "Is a directory"),
    ],
    ids=["garbage", "newer", "foreign", "directory"],
)
async def test_a_file_that_cannot_be_used_is_refused_and_left_alone(tmp_path: Path, spoil: object, word: str) -> None:
    path = tmp_path / "gateway.db"
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreUnavailable, match=word):
        await check(settings(), tmp_path)
    error = await refusal(Store(settings(), tmp_path))
    assert word in error.message
    assert str(tmp_path) not in error.message
    assert str(tmp_path) in error.detail
    if before is not None:
        assert (path.read_bytes() if path.is_file() else None) == before or spoil is not garbage


@pytest.mark.proves("STORE-unavailable")
async def test_a_damaged_file_is_found_by_the_check_and_by_use(tmp_path: Path) -> None:
    home = Home("", tmp_path)
    async with home.store() as store:
        for number in range(50):
            await store.responses.save(response(f"resp_{number}"), [message("x" * 2000), answer("y" * 2000)])
    path = tmp_path / "gateway.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (size - 16384))
    with pytest.raises(StoreUnavailable, match="damaged"):
        await check(settings(), tmp_path)
    store = Store(settings(), tmp_path)
    try:
        with pytest.raises(StoreUnavailable, match="damaged"):
            await store.open()
            for number in range(50):
                await store.responses.history(OWNER, f"resp_{number}")
    finally:
        await store.aclose()


@pytest.mark.proves("STORE-unavailable")
async def test_a_missing_directory_is_named_to_the_operator_only(tmp_path: Path) -> None:
    place = settings(f"sqlite:///{tmp_path}/nowhere/x.db")
    with pytest.raises(StoreUnavailable, match="no directory"):
        await check(place, tmp_path)
    error = await refusal(Store(place, tmp_path))
    assert "No such file or directory" in error.message
    assert str(tmp_path) not in error.message


@pytest.mark.proves("STORE-unavailable")
async def test_a_full_disk_fails_what_writes_and_not_what_reads(tmp_path: Path) -> None:
    async with Home("", tmp_path).store() as store:
        await store.responses.save(response("resp_a"), [message("x")])

        async def fill(connection: Connection) -> None:
            await connection.exec_driver_sql("PRAGMA max_page_count=1")  # SQLite makes it the size of now

        await store.database.write(fill)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.responses.save(response("resp_b"), [message("x" * 100_000)])
        assert await store.responses.response(OWNER, "resp_a") is not None
        assert await store.responses.response(OWNER, "resp_b") is None

        async def empty(connection: Connection) -> None:
            await connection.exec_driver_sql("PRAGMA max_page_count=100000")

        await store.database.write(empty)
        await store.responses.save(response("resp_b"), [message("x" * 100_000)])


FULL = """
import asyncio, resource, sys
from pathlib import Path
from gateway.config import Store as Settings
from gateway.errors import StoreUnavailable
from gateway.store import Store
from tests.store.home import OWNER, message, response

async def main():
    async with Store(Settings(), Path(sys.argv[1])) as store:
        await store.responses.save(response("resp_a"), [message("x")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        try:
            for number in range(200):
                await store.responses.save(response(f"resp_b{number}"), [message("x" * 20_000)])
        except StoreUnavailable as error:
            found = await store.responses.response(OWNER, "resp_a")
            print(error.code, found is not None, error.message)

asyncio.run(main())
"""


@pytest.mark.proves("STORE-unavailable")
def test_a_file_that_may_not_grow_is_told_as_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("store_unavailable True")
    assert "full" in done.stdout


@pytest.mark.proves("STORE-unavailable")
async def test_a_lock_that_somebody_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    async with Store(settings(), tmp_path) as store:
        await store.responses.save(response("resp_a"), [])
        blocker = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another process holds the lock"):
            await store.responses.save(response("resp_b"), [])
        assert await store.responses.response(OWNER, "resp_a") is not None
        async with Store(settings(), tmp_path) as second:  # tables of today need no lock
            assert await second.responses.response(OWNER, "resp_a") is not None
        blocker.execute("ROLLBACK")
        blocker.close()
        await store.responses.save(response("resp_b"), [])


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from gateway.config import Store as Settings
from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.check import check

async def main():
    for step in (lambda: check(Settings(), Path(sys.argv[1])), Store(Settings(), Path(sys.argv[1])).open):
        try:
            print(await step())
        except StoreUnavailable as error:
            print(error.message)

if os.geteuid() == 0:
    import pwd
    from sqlalchemy.dialects.sqlite import pysqlite
    import sqlite3  # what is imported later may not be readable then
    os.setgid(65534)
    os.setuid(65534)
asyncio.run(main())
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.proves("STORE-unavailable")
def test_a_file_that_may_only_be_read_is_told_as_such(public: Path) -> None:
    async def make() -> None:
        async with Home("", public).store():
            pass

    asyncio.run(make())
    (public / "gateway.db").chmod(0o444)
    public.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(public)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    public.chmod(0o755)
    assert done.stdout.count("read-only") == 2


@pytest.mark.proves("STORE-unavailable")
async def test_a_postgresql_that_cannot_be_used_says_why(postgres: Server, tmp_path: Path) -> None:
    for url, word in (
        (postgres.url("nothing"), "no database of the name"),
        (f"postgresql://nobody:pw@/postgres?host={postgres.home}", "user or the password"),
        (f"postgresql://postgres:pw@/x?host={tmp_path}", "does not answer|No such file"),
        ("postgresql://postgres:pw@127.0.0.1:1/x", "does not answer"),
    ):
        with pytest.raises(StoreUnavailable, match=word):
            await check(settings(url), tmp_path)
        error = await refusal(Store(settings(url), tmp_path))
        assert "pw" not in error.message + error.detail


@pytest.mark.proves("STORE-unavailable")
async def test_connections_that_postgresql_cut_are_made_again(
    postgres: Server, postgres_url: str, tmp_path: Path
) -> None:
    home = Home(postgres_url, tmp_path)
    async with (
        home.store() as store,
        home.store() as other,
        asyncio.timeout(30),
        store.signals.listen(type="x") as heard,
    ):
        await asyncio.gather(*(store.responses.history(OWNER, "resp_a") for _ in range(8)))
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        await store.responses.save(response("resp_cut"), [message("x")])
        assert await other.responses.response(OWNER, "resp_cut") is not None
        await other.signals.send(OWNER, "x", "after")
        assert (await heard.next()).subject == "after"


WITHOUT_DRIVER = """
import asyncio, sys
from pathlib import Path
sys.modules[sys.argv[1]] = None
from gateway.config import Store as Settings
from gateway.errors import StoreUnavailable
from gateway.store import Store
try:
    asyncio.run(Store(Settings.model_validate({"url": "postgresql://host/x"}), Path()).open())
except StoreUnavailable as error:
    print(error.message)
"""


@pytest.mark.proves("STORE-unavailable")
@pytest.mark.parametrize("missing", ["asyncpg", "greenlet"])
def test_a_driver_that_is_not_installed_is_named(missing: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER, missing],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{missing} is not installed. Install it: pip install 'codex-gateway[postgres]'" in done.stdout


@pytest.mark.proves("STORE-unavailable")
async def test_a_store_that_could_not_be_opened_is_tried_again_after_a_while(tmp_path: Path) -> None:
    seconds = 0.0
    directory = tmp_path / "later"
    store = Store(settings(f"sqlite:///{directory}/x.db"), tmp_path, clock=lambda: seconds)
    with pytest.raises(StoreUnavailable):
        await store.open()
    directory.mkdir()
    with pytest.raises(StoreUnavailable):
        await store.responses.save(response("resp_a"), [])
    seconds = 5.0
    await store.responses.save(response("resp_a"), [])
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.responses.response(OWNER, "resp_a")


@pytest.mark.proves("STORE-off")
async def test_a_store_that_is_switched_off_says_so(tmp_path: Path) -> None:
    assert await check(settings(enabled=False), tmp_path) == "store: off"
    store = Store(settings(enabled=False), tmp_path)
    with pytest.raises(StoreUnavailable, match=r"store\.enabled"):
        await store.open()
    with pytest.raises(StoreUnavailable):
        await store.responses.response(OWNER, "resp_a")
    await store.aclose()


@pytest.mark.proves("STORE-unavailable")
async def test_the_check_says_what_is_there_and_changes_nothing(home: Home) -> None:
    async with home.store():
        pass
    told = await check(home.settings(), home.workdir)
    assert told.endswith("tables of version 0001")
    empty = home.workdir / "empty"
    assert (await check(settings(), empty)).endswith("made at the start")
    assert not empty.is_dir()


@pytest.mark.proves("STORE-private")
async def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    async with Home("", tmp_path / "new").store() as store:
        await store.responses.save(response("resp_a"), [])
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(("gateway.db", "gateway.db-wal", "gateway.db-shm"), 0o600)
    (tmp_path / "new" / "gateway.db").chmod(0o644)  # as a backup that was put in its place
    async with Home("", tmp_path / "new").store():
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.proves("STORE-place")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///x.db", "x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("postgres://u:secret@host/name?sslmode=require", "postgresql://u:***@host/name"),
        ("postgresql://host:5433/name", "postgresql://host:5433/name"),
    ],
)
def test_a_place_is_shown_without_its_password(tmp_path: Path, url: str, shown: str) -> None:
    assert Settings.model_validate({"store": {"url": url}}).store.url.get_secret_value() == url
    place = place_of(url, tmp_path)
    assert place.shown.endswith(shown)
    assert "secret" not in place.shown
    assert "sslmode" not in place.url.query


@pytest.mark.proves("STORE-place")
@pytest.mark.parametrize("url", ["mysql://host/x", "sqlite://", "sqlite:///", "x.db", "sqlite:///dir/"])
def test_other_places_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        Settings.model_validate({"store": {"url": url}})
