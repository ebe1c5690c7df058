"""`codex-gateway simulate`: an offline upstream to test against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.context import Context


def simulate(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the simulator listens.")] = "127.0.0.1:9090",
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What it answers; without it, sensible answers to everything.")
    ] = None,
) -> None:
    """Play the Codex backend, its login server and an OpenAI server, without any network."""
    from gateway.simulator import ScenarioError, serve

    context: Context = ctx.obj
    try:
        serve(listen, str(scenario) if scenario else None)
    except ScenarioError as error:
        context.fail(f"{scenario}: {error}")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from error
    except OSError as error:
        context.fail(str(error))
