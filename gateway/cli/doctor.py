"""`codex-gateway doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption

if TYPE_CHECKING:
    from gateway.cli.checks import Finding
    from gateway.config import Address, Settings

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    ctx: typer.Context,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the network alone.")] = False,
) -> None:
    """Check settings, files, login, address and network."""
    context: Context = ctx.obj
    findings = list(_findings(context, offline=offline))
    if as_json:
        context.say(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            context.say(_line(finding))
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(1)


def _findings(context: Context, *, offline: bool) -> Iterator[Finding]:
    from gateway.cli import checks
    from gateway.config import ConfigError, listeners, read

    yield checks.python()
    yield checks.open_files()
    yield from checks.files(context.workdir, context.config_path)
    try:
        settings = read(context.config_path, context.environ).settings
    except ConfigError as error:
        for mistake in error.mistakes:
            yield checks.Finding("settings", "fail", str(mistake))
        return  # what follows would check settings that nobody wants
    yield checks.Finding("settings", "ok", f"read; upstream.mode is {settings.upstream.mode}")
    refusing = []
    for address in listeners(settings):
        found = checks.listening(address, lambda address: asyncio.run(_is_ours(context, address)))
        yield found
        if found.text == checks.RUNNING and asyncio.run(_refuses_us(context, address)):
            refusing.append(address)
    if refusing:
        yield checks.other_key(refusing[0], bool(context.client_key), context.where_keys_are())
    else:
        yield checks.keys(settings)
    if settings.uses_login:
        for finding in checks.login(context.token_path, context.command("auth", "login"), time.time()):
            yield replace(finding, text=context.pasteable(finding.text))
    yield from _keys_of_upstreams(settings)
    if not offline:
        yield from asyncio.run(_network(context, settings))


def _keys_of_upstreams(settings: Settings) -> Iterator[Finding]:
    """What each server is sent; a ChatGPT plan is sent the login."""
    from gateway.cli.checks import Finding
    from gateway.cli.hints import hints, needs_key

    for name, section in {"upstream": settings.upstream, **settings.providers}.items():
        if section.mode == "codex_oauth":
            continue
        subject, place = (
            ("api key", "upstream") if section is settings.upstream else (f"provider {name}", f"providers.{name}")
        )
        variable = needs_key(section)
        if section.api_key.get_secret_value():
            yield Finding(subject, "ok", f"a key is set ({place}.api_key)")
        elif variable is not None:
            yield Finding(
                subject, "fail", "its server needs a key", f"Set {place}.api_key{variable and f' or {variable}'}."
            )
        else:
            yield Finding(subject, "ok", "no key is set; requests go out without one")
    for hint in hints(settings, keys=False):
        yield Finding("upstreams", "warn", hint)


async def _is_ours(context: Context, address: Address) -> bool:
    """Every answer of the gateway carries a request id, and echoes one that is sent."""
    import httpx2

    try:
        async with context.local_client(address) as client:
            response = await client.get("/healthz", headers={"X-Request-ID": "doctor"})
    except httpx2.TransportError:
        return False
    return response.headers.get("x-request-id") == "doctor"


async def _refuses_us(context: Context, address: Address) -> bool:
    """Whether the gateway there wants another key than ours. No such address exists, so that nothing else happens."""
    import httpx2

    try:
        async with context.local_client(address, context.client_key) as client:
            response = await client.get("/v1/doctor")
    except httpx2.TransportError:
        return False
    return response.status_code == 401


async def _network(context: Context, settings: Settings) -> list[Finding]:
    from gateway.cli.reach import network

    async with context.http_client() as client:
        return await network(settings, client, time.time())


def _line(finding: Finding) -> str:
    mark = typer.style(f"{finding.level:<4}", fg=_COLORS[finding.level], bold=finding.level != "ok")
    fix = f"\n      {finding.fix}" if finding.fix else ""
    return f"{mark}  {finding.subject}: {finding.text}{fix}"
