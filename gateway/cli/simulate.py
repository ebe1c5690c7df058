"""`codex-gateway simulate`: an offline upstream to test against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.context import Context

if TYPE_CHECKING:
    from gateway.simulator import Scenario


def simulate(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the simulator listens.")] = "127.0.0.1:9090",
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What it answers; without it, sensible answers to everything.")
    ] = None,
) -> None:
    """Play the Codex backend, its login server and an OpenAI server, without any network."""
    from gateway.cli.listening import CannotListen, bind
    from gateway.config import parse_address
    from gateway.simulator import Scenario
    from gateway.simulator.serving import run

    context: Context = ctx.obj
    try:
        address = parse_address(listen)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--listen") from error
    if address.path:
        raise typer.BadParameter('expected "host:port"', param_hint="--listen")
    world = _load(context, scenario) if scenario else Scenario()
    try:
        listeners = bind(address)
    except CannotListen as error:
        context.fail(str(error))
    run(world, address.host, listeners)


def _load(context: Context, path: Path) -> Scenario:
    """The scenario of a file. Exits with 1 and every mistake when it cannot be used."""
    from gateway.simulator import Scenario, ScenarioError

    try:
        return Scenario.load(path)
    except FileNotFoundError:
        context.fail(f"there is no scenario file {path}")
    except OSError as error:
        context.fail(f"cannot read the scenario file {path}: {error.strerror}")
    except ScenarioError as error:
        context.fail("\n".join(f"{path}: {mistake}" for mistake in error.mistakes))
