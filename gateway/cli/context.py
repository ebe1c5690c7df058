"""What every command shares: where the work directory is, the settings, and how to talk to the person at the terminal.

`typer.Context.obj` is a `Context`. A command that reads files takes the two options below; their callbacks tell the
`Context`, so that the command itself only says `context: Context = ctx.obj`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway import __version__

if TYPE_CHECKING:
    import httpx2

    from gateway.config import Address, Loaded, Settings

USER_AGENT = f"codex-gateway/{__version__}"


class Context:
    """One run of the command line. Nothing is read before it is asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ: dict[str, str] = dict(environ)
        self.workdir_option: Path | None = None
        self.config_option: Path | None = None

    @cached_property
    def workdir(self) -> Path:
        """The absolute work directory, which need not exist yet. Says on standard error which one it is."""
        from gateway.config import find_workdir

        found = find_workdir(self.workdir_option, self.environ)
        if found.path.exists() and not found.path.is_dir():
            self.fail(f"the work directory {found.path} ({found.source}) is not a directory")
        self.note(f"work directory: {found.path} ({found.source})")
        return found.path

    def make_workdir(self) -> Path:
        """The work directory, made when it is not there, for its owner only."""
        try:
            self.workdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self.fail(f"cannot make the work directory {self.workdir}: {error.strerror}")
        return self.workdir

    @property
    def config_path(self) -> Path:
        """The settings file, whether it exists or not."""
        if self.config_option is not None:
            return self.config_option.expanduser().resolve()
        return self.workdir / "config.yaml"

    @property
    def at_terminal(self) -> bool:
        """A person reads standard error as it comes, and nothing keeps it: a key may be shown."""
        return sys.stderr.isatty()

    @property
    def token_path(self) -> Path:
        return self.workdir / "oauth-token.json"

    @cached_property
    def loaded(self) -> Loaded:
        """The settings and where they came from. Prints every mistake and exits with 1 when they are wrong."""
        from gateway.config import ConfigError, read

        if self.config_option is not None and not self.config_path.is_file():
            self.fail(f"there is no settings file {self.config_path}")
        _ = self.workdir  # every command says which one it uses, also when --config names the file
        try:
            return read(self.config_path, self.environ)
        except ConfigError as error:
            self.fail(str(error))

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def say(self, text: str) -> None:
        """The result of the command, on standard output."""
        typer.echo(text)

    def note(self, text: str) -> None:
        """What the person should know, on standard error."""
        typer.echo(text, err=True)

    def fail(self, text: str) -> NoReturn:
        """Give the reason on standard error and exit with 1."""
        typer.echo(f"error: {text}", err=True)
        raise typer.Exit(1)

    def command(self, *arguments: str) -> str:
        """A line that can be pasted to run another command on this work directory."""
        if shutil.which("codex-gateway"):
            program = ["codex-gateway"]
        elif Path(sys.argv[0]).name == "codex-gateway":
            program = [str(Path(sys.argv[0]).absolute())]  # a virtual environment that is not activated
        else:
            program = [sys.executable, "-m", "gateway"]
        directory = [] if self.workdir_option is None else ["--workdir", str(self.workdir)]
        file = [] if self.config_option is None else ["--config", str(self.config_path)]
        return shlex.join([*program, *arguments, *directory, *file])

    def pasteable(self, text: str) -> str:
        """A text of another package, with the commands that it names made to run on this work directory."""
        return re.sub(r"`codex-gateway ([^`]+)`", lambda found: f"`{self.command(*found[1].split())}`", text)

    @property
    def client_key(self) -> str:
        """What a client of the gateway sends: the key of the settings, else the one of the environment; "" for none."""
        configured = self.settings.auth.downstream_api_key.get_secret_value()
        ours = self.environ.get("OPENAI_API_KEY", "").strip()
        return configured or (ours if ours.isascii() and ours.isprintable() else "")

    def where_keys_are(self) -> str:
        """Where `client_key` looks, and how to have it look elsewhere."""
        file = self.config_path if self.config_path.exists() else f"{self.config_path} (there is no such file)"
        return (
            f"The key was looked for in the work directory {self.workdir}: auth.downstream_api_key of {file}, then "
            "OPENAI_API_KEY of the environment. Name the work directory of that gateway with --workdir DIR or "
            "CODEX_GATEWAY_HOME=DIR (`make run` uses .work), or set OPENAI_API_KEY to its key"
        )

    def http_client(self) -> httpx2.AsyncClient:
        """A client for the world outside: through `network.proxy_url`, with our User-Agent, following no redirects."""
        import httpx2

        # Certificates of the environment (SSL_CERT_FILE) count, its proxy variables do not: as for upstream calls.
        transport = httpx2.AsyncHTTPTransport(
            proxy=self.settings.network.proxy_url.get_secret_value() or None, trust_env=True
        )
        return httpx2.AsyncClient(
            transport=transport,
            headers={"User-Agent": USER_AGENT},
            timeout=self.settings.upstream.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    def local_client(self, address: Address, key: str = "") -> httpx2.AsyncClient:
        """A client for a gateway that listens at `address`, which never goes through a proxy."""
        import httpx2

        return httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=address.path or None),
            base_url=address.url,
            headers={"User-Agent": USER_AGENT} | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=self.settings.upstream.timeout_seconds,
            trust_env=False,
        )


def _path(text: str) -> Path:
    if not text.strip():
        raise typer.BadParameter("expected a path, found nothing")
    return Path(text)


def _remember_workdir(ctx: typer.Context, value: Path | None) -> Path | None:
    if value is not None:
        ctx.ensure_object(Context).workdir_option = value
    return value


def _remember_config(ctx: typer.Context, value: Path | None) -> Path | None:
    if value is not None:
        ctx.ensure_object(Context).config_option = value
    return value


WorkdirOption = Annotated[
    Path | None,
    typer.Option(
        "--workdir",
        help="Directory of the settings, the login and the logs.",
        metavar="PATH",
        parser=_path,
        callback=_remember_workdir,
        is_eager=True,
        show_default=False,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Settings file, instead of config.yaml in the work directory.",
        metavar="PATH",
        parser=_path,
        callback=_remember_config,
        is_eager=True,
        show_default=False,
    ),
]
