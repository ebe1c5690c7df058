"""`codex-gateway config`: make, check and show the settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption

if TYPE_CHECKING:
    from gateway.config import Section

app = typer.Typer(help="Make, check and show the settings.", no_args_is_help=True)

_NEW_FILE = """\
# Settings of codex-gateway. Everything left out has its default; config.example.yaml lists every setting.

server:
  listen: "127.0.0.1:8080"  # ":8080" listens on every interface

auth:
  downstream_api_key: "{key}"  # what clients send as their API key

upstream:
  mode: codex_oauth  # a ChatGPT plan; log in with: codex-gateway auth login
  # mode: openai_api  # OpenAI, or any server that speaks its API:
  # base_url: https://api.openai.com
  # api_key: ""
"""


@app.command()
def init(
    ctx: typer.Context,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a settings file that is there.")] = False,
) -> None:
    """Write a settings file with a new random key."""
    from gateway.cli.serve import new_key

    context: Context = ctx.obj
    context.make_workdir()
    path = context.config_path
    try:
        _write(path, _NEW_FILE.format(key=new_key()), replace=force)
    except FileExistsError:
        context.fail(f"{path} is there already; --force replaces it")
    except OSError as error:
        context.fail(f"cannot write {path}: {error.strerror}")
    context.say(f"wrote {path} with a new key")
    context.note(f"show the key: {context.command('config', 'key')}")
    context.note(f"start:        {context.command('serve')}")


@app.command()
def check(ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None) -> None:
    """Name every mistake in the settings."""
    from gateway.cli.hints import address, hints
    from gateway.cli.serve import open_door_help
    from gateway.config import open_doors
    from gateway.config.mistakes import mask_url

    context: Context = ctx.obj
    loaded = context.loaded
    addresses = open_doors(loaded.settings)
    if addresses:
        context.fail(open_door_help(context, addresses))
    context.say(f"ok: {loaded.path or 'no settings file; the defaults hold'}")
    for name, section in loaded.settings.providers.items():
        context.say(f"provider {name}: {mask_url(address(section))}")
    context.note(_check_store(context))
    for hint in hints(loaded.settings):
        context.note(f"hint: {hint}")


@app.command()
def show(ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None) -> None:
    """Print the settings that hold, as YAML, with secrets hidden."""
    import yaml

    context: Context = ctx.obj
    loaded = context.loaded
    lines = [f"# from {loaded.path}" if loaded.path else "# no settings file; the defaults hold"]
    lines += [f"# from the environment: {path} ({name})" for path, name in sorted(loaded.variables.items())]
    context.say("\n".join(lines))
    context.say(yaml.safe_dump(_plain(loaded.settings), sort_keys=False, allow_unicode=True).rstrip())


@app.command()
def key(ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None) -> None:
    """Print the key that clients send, for `OPENAI_API_KEY=$(codex-gateway config key)`."""
    context: Context = ctx.obj
    value = context.settings.auth.downstream_api_key.get_secret_value()
    if not value:
        context.fail("no key is set (auth.downstream_api_key)")
    context.say(value)


def _check_store(context: Context) -> str:
    """One line about the store. Exits with 1 when the gateway could not use it."""
    import asyncio

    from gateway.errors import StoreUnavailable
    from gateway.store.check import check as check_store

    try:
        return asyncio.run(check_store(context.settings.store, context.workdir))
    except StoreUnavailable as error:
        context.fail(f"{error.message} ({error.detail})")


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a whole file that only its owner can read; a reader never sees half of it.

    Raises FileExistsError unless `replace`, and OSError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(section: Section) -> dict[str, Any]:
    """Settings as YAML values: secrets as `***`, URLs without their credentials."""
    return {name: _masked(getattr(section, name)) for name in type(section).model_fields}


def _masked(value: Any) -> Any:
    from pydantic import SecretStr

    from gateway.config import Section
    from gateway.config.mistakes import mask_url

    match value:
        case Section():
            return _plain(value)
        case SecretStr():
            text = value.get_secret_value()
            return mask_url(text) if "://" in text else "***" if text else ""
        case str():
            return mask_url(value)
        case tuple():
            return [_masked(part) for part in value]
        case dict():
            return {name: _masked(part) for name, part in value.items()}
        case _:
            return value
