"""`codex-gateway store`: what is kept, as numbers and as lines. Nothing is made or changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption

if TYPE_CHECKING:
    from gateway.store.database import Database
    from gateway.store.rows import Stats

app = typer.Typer(help="Count and export what is kept.", no_args_is_help=True)


@app.command()
def stats(
    ctx: typer.Context,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count the rows of every table."""
    context: Context = ctx.obj
    found = asyncio.run(_stats(context))
    if as_json:
        context.say(json.dumps(asdict(found), indent=2))
        return
    context.say(f"{found.place}, tables of version {found.schema}, {found.size / 2**20:.1f} MiB")
    for table in found.tables:
        ages = f"{_day(table.oldest)} to {_day(table.newest)}" if table.oldest and table.newest else ""
        context.say(f"{table.table:<15}{table.rows:>12}  {ages}".rstrip())


@app.command()
def export(
    ctx: typer.Context,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="Only this table; may be repeated.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to a file that only you can read.")
    ] = None,
) -> None:
    """Print every row as a line of JSON: {"table": …, "row": …}. Hashes of keys and tokens are left out."""
    from gateway.store.export import TABLES

    context: Context = ctx.obj
    unknown = [name for name in table or () if name not in TABLES]
    if unknown:
        raise typer.BadParameter(f"expected one of {', '.join(TABLES)}, found {unknown[0]!r}", param_hint="--table")
    if output is None:
        asyncio.run(_export(context, table or TABLES, sys.stdout))
        return
    try:
        output.touch(mode=0o600)
        with output.open("w", encoding="utf-8") as file:
            asyncio.run(_export(context, table or TABLES, file))
    except OSError as error:
        context.fail(f"cannot write {output}: {error.strerror}")


async def _stats(context: Context) -> Stats:
    from gateway.store import export as exporting

    async with _opened(context) as database:
        return await exporting.stats(database)


async def _export(context: Context, tables: list[str] | tuple[str, ...], file: IO[str]) -> None:
    from gateway.store import export as exporting

    async with _opened(context) as database:
        for name in tables:
            async for row in exporting.export(database, name):
                file.write(json.dumps({"table": name, "row": row}, ensure_ascii=False) + "\n")


@contextlib.asynccontextmanager
async def _opened(context: Context) -> AsyncIterator[Database]:
    """A store that is there and has the tables of today. Exits with 1 otherwise."""
    from gateway.errors import StoreUnavailable
    from gateway.store.database import Database
    from gateway.store.place import place_of
    from gateway.store.versions import refuse

    settings = context.settings.store
    place = place_of(settings.url.get_secret_value(), context.workdir)
    if place.file is not None and not place.file.exists():
        context.fail(f"there is no store yet: {place.shown} is made when the gateway starts")
    database = Database(place, busy=settings.busy_seconds, clock=time.monotonic)
    try:
        state, version = await database.look()
        refuse(state, version, place.shown)
        if state != "current":
            context.fail(
                f"{place.shown} has tables of version {version or 'none'}; a start of the gateway changes that"
            )
        await database.open()
        yield database
    except StoreUnavailable as error:
        context.fail(f"{error.message} ({error.detail})")
    finally:
        await database.aclose()


def _day(moment: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment / 1000))
