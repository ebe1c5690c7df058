"""`codex-gateway serve`."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption

if TYPE_CHECKING:
    from gateway.config import Address


def serve(
    ctx: typer.Context,
    *,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Listen here instead of at server.listen.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes, instead of server.workers.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Simulated answers while nobody is logged in.")] = False,
) -> None:
    """Run the gateway until it is stopped."""
    context: Context = ctx.obj
    _override(context, listen, workers)
    settings = context.settings
    _refuse_open_door(context)
    if demo and settings.upstream.mode != "codex_oauth":
        context.fail("--demo stands in for a ChatGPT login; with upstream.mode openai_api answers come from its server")
    context.make_workdir()

    from gateway import logs
    from gateway.cli.listening import raise_open_files, remove_socket

    raise_open_files()
    addresses, sockets = _bind(context)
    try:
        logs.configure(settings.logging, context.workdir)
    except OSError as error:
        context.fail(f"cannot write the log: {error}")
    try:
        started = _run(context, addresses, sockets, demo=demo)
    finally:
        for listener in sockets:
            listener.close()
        for address in addresses:
            if address.path:
                remove_socket(address.path)
    if not started:
        context.fail("the gateway could not start; the reason is in the log above")


def new_key() -> str:
    """A fresh key for clients of the gateway."""
    from gateway.config.presets import KEY_PREFIX

    return KEY_PREFIX + secrets.token_urlsafe(24)


def open_door_help(context: Context, addresses: list[Address]) -> str:
    """Why the gateway does not listen there without a key, and the lines that change it."""
    key = new_key() if context.at_terminal else "sk-gw-<long random text>"
    fixes = [
        f"refusing to listen on {', '.join(map(str, addresses))} without a key: whoever reaches it could spend your "
        "quota. Do one of these:"
    ]
    if not context.config_path.exists():
        fixes.append(f"  - {context.command('config', 'init')}   (writes a settings file with a new key)")
    fixes += [
        f"  - put into {context.config_path}:",
        "      auth:",
        f'        downstream_api_key: "{key}"',
        f"  - set GATEWAY_AUTH__DOWNSTREAM_API_KEY='{key}' in the environment",
        "  - listen on this machine only: --listen 127.0.0.1:8080",
    ]
    return "\n".join(fixes)


def _override(context: Context, listen: str | None, workers: int | None) -> None:
    """Options win over everything: they take the place of the environment's variables, in workers too."""
    from gateway.config import parse_address

    if listen is not None:
        try:
            parse_address(listen)
        except ValueError as error:
            raise typer.BadParameter(f"expected {error}", param_hint="--listen") from error
        context.environ["GATEWAY_SERVER__LISTEN"] = listen
    if workers is not None:
        context.environ["GATEWAY_SERVER__WORKERS"] = str(workers)


def _refuse_open_door(context: Context) -> None:
    from gateway.config import open_doors

    addresses = open_doors(context.settings)
    if addresses:
        context.fail(open_door_help(context, addresses))


def _bind(context: Context) -> tuple[list[Address], list[socket.socket]]:
    from gateway.cli.listening import CannotListen, bind, bound
    from gateway.config import listeners

    addresses: list[Address] = []
    sockets: list[socket.socket] = []
    try:
        for address in listeners(context.settings):
            opened = bind(address)
            addresses.append(bound(address, opened))
            sockets += opened
    except CannotListen as error:
        context.fail(str(error))
    return addresses, sockets


def _run(context: Context, addresses: list[Address], sockets: list[socket.socket], *, demo: bool) -> bool:
    """Serve until a signal comes; False when the app could not start."""
    from gateway import logs
    from gateway.cli import server

    settings = context.settings

    def ready() -> None:
        context.note(_banner(context, addresses, demo=demo))

    def stopping() -> None:
        context.note(f"stopping; open requests have {settings.limits.drain_seconds:g} seconds")

    hooks = server.Hooks(ready, stopping)
    if settings.server.workers == 1:
        return server.run(settings, context.workdir, sockets, demo=demo, hooks=hooks)
    os.environ.update(context.environ)
    logs.configure(settings.logging, context.workdir, seldom=True)  # the lines are the workers'
    return server.run_workers(
        settings,
        sockets,
        os.environ,
        workdir=context.workdir,
        config_path=context.config_path,
        demo=demo,
        hooks=hooks,
    )


def _banner(context: Context, addresses: list[Address], *, demo: bool) -> str:
    from gateway.cli.banner import Commands, banner
    from gateway.oauth.file import TokenFile
    from gateway.oauth.status import login_status

    return banner(
        context.settings,
        addresses,
        Commands(login=context.command("auth", "login"), key=context.command("config", "key")),
        logged_in=login_status(TokenFile(context.token_path), time.time()).logged_in,
        demo=demo,
        show_key=context.at_terminal,
    )
