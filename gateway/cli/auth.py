"""`codex-gateway auth`: log in, import a login, show it, log out. The work is done in `gateway.oauth`."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption
from gateway.errors import OAuthUnavailable

if TYPE_CHECKING:
    from gateway.oauth.file import TokenFile
    from gateway.oauth.token import Token

T = TypeVar("T")

app = typer.Typer(help="The ChatGPT login.", no_args_is_help=True)


@app.command()
def login(
    ctx: typer.Context,
    device: Annotated[bool, typer.Option("--device", help="Log in with a code, from any other machine.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open nothing.")] = False,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
) -> None:
    """Log in with a ChatGPT account. Replaces the login that is there."""
    context: Context = ctx.obj
    file = _token_file(context)
    token = _run(context, _login(context, file, device=device, open_browser=not no_browser))
    _welcome(context, file, token)


@app.command("import")
def import_(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="auth.json of Codex, or oauth-token.json.")],
    access_only: Annotated[
        bool, typer.Option("--access-only", help="Leave the refresh token to its owner; works until the token ends.")
    ] = False,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
) -> None:
    """Take over a login of Codex, the original codex-gateway or CLIProxyAPI."""
    from gateway.oauth.foreign import MOVED, read_foreign
    from gateway.oauth.login import save

    context: Context = ctx.obj
    file = _token_file(context)
    if file.path.exists() and source.exists() and source.samefile(file.path):
        context.fail(f"{source} is the login in use already; there is nothing to import")
    try:
        token = read_foreign(source.read_bytes(), access_only=access_only, now=time.time())
    except OSError as error:
        context.fail(f"{source} cannot be read ({error.strerror}). Check the path and the permissions")
    except OAuthUnavailable as error:
        context.fail(context.pasteable(f"{source} {error.message}"))
    _run(context, save(file, token))
    _welcome(context, file, token)
    if token.refresh_token:
        context.note(f"Warning: {MOVED}")


@app.command()
def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the login, without its tokens. Exit code 1 when nobody is logged in."""
    import orjson

    from gateway.oauth.file import TokenFile
    from gateway.oauth.status import login_status

    context: Context = ctx.obj
    found = login_status(TokenFile(context.token_path), time.time())
    document = found.document()
    advice = document["advice"] = context.pasteable(found.advice) or None
    if as_json:
        context.say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        context.say("Logged in." if found.logged_in else "Not logged in.")
        for key, value in document.items():
            if key == "expires_at" and value is None and found.logged_in:
                context.say("expires at: unknown")
            elif key not in ("logged_in", "advice") and value is not None:
                context.say(f"{key.replace('_', ' ')}: {value}")
        if advice:
            context.note(advice)
    if not found.logged_in:
        raise typer.Exit(1)


@app.command()
def logout(ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None) -> None:
    """Remove the login here and revoke it at the server."""
    from gateway.oauth.endpoint import TokenEndpoint
    from gateway.oauth.login import logout as leave

    context: Context = ctx.obj
    file = _token_file(context)

    async def run() -> list[str]:
        async with context.http_client() as client:
            return await leave(file, TokenEndpoint(context.settings.oauth, client))

    for line in _run(context, run()):
        context.say(line)


async def _login(context: Context, file: TokenFile, *, device: bool, open_browser: bool) -> Token:
    from gateway.oauth.browser import BrowserLogin
    from gateway.oauth.device import DeviceLogin
    from gateway.oauth.endpoint import TokenEndpoint
    from gateway.oauth.login import Login

    settings = context.settings.oauth
    async with context.http_client() as client:
        finish = Login(TokenEndpoint(settings, client), file, time.time).finish
        if device:
            return await DeviceLogin(settings, client, finish, say=context.say, clock=time.time).run()
        return await BrowserLogin(
            settings,
            finish,
            say=context.say,
            open_page=_page_opener(context.environ) if open_browser else None,
            pasted=_typed_lines() if sys.stdin.isatty() else None,
        ).run()


def _token_file(context: Context) -> TokenFile:
    from gateway.oauth.file import TokenFile

    return TokenFile(context.token_path)


def _run(context: Context, work: Coroutine[Any, Any, T]) -> T:
    """Run the work; its failure is one line on standard error."""
    from gateway.oauth.file import told

    try:
        return asyncio.run(work)
    except OAuthUnavailable as error:
        context.fail(context.pasteable(told(error)))
    except KeyboardInterrupt:
        context.fail(context.pasteable("interrupted. `codex-gateway auth status` shows whether a login was saved"))


def _welcome(context: Context, file: TokenFile, token: Token) -> None:
    about = token.about()
    who = about.email or about.account_id or "an account without a name"
    plan = f", plan {about.plan}" if about.plan else ""
    context.say(f"Logged in as {who}{plan}. The login is in {file.path}.")
    context.say(f"Start the gateway with: {context.command('serve')}")
    if warning := file.warning():
        context.note(warning)


def _page_opener(environ: Mapping[str, str]) -> Callable[[str], None] | None:
    """Opens a graphical browser, if there is one: a text browser would take the terminal over."""
    if sys.platform not in ("darwin", "win32") and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return None

    def open_page(url: str) -> None:
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    return open_page


def _typed_lines() -> Callable[[], Coroutine[Any, Any, str]]:
    """Lines from the terminal, read in a thread that does not keep the program from ending."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        line = "-"
        while line:
            line = sys.stdin.readline()
            try:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            except RuntimeError:  # the loop has ended: nobody waits any more
                return

    threading.Thread(target=read, daemon=True).start()
    return lines.get
