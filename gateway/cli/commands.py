"""Every command, in the order of the help."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import auth, config, doctor, models, serve, service, simulate, store
from gateway.cli.context import ConfigOption, WorkdirOption

app = typer.Typer(
    name="codex-gateway",
    help="An OpenAI-compatible gateway in front of a ChatGPT plan or any OpenAI-compatible server.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Pretty tracebacks show local variables, and with them keys and tokens.
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.add_typer(auth.app, name="auth")
app.add_typer(config.app, name="config")
app.command("models")(models.models)
app.command("doctor")(doctor.doctor)
app.command("simulate")(simulate.simulate)
app.add_typer(service.app, name="service")
app.add_typer(store.app, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codex-gateway {__version__}")
        raise typer.Exit


@app.callback()
def options(
    workdir: WorkdirOption = None,
    config_file: ConfigOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """An OpenAI-compatible gateway in front of a ChatGPT plan or any OpenAI-compatible server."""
