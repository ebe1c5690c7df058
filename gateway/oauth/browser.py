"""Login with a browser: authorization code and PKCE, with a local server or a pasted address (codex-upstream §1)."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from gateway.errors import OAuthUnavailable
from gateway.oauth.callback import listen, page, plain, serving
from gateway.oauth.endpoint import LoginFailed
from gateway.oauth.hosts import require_token_host
from gateway.oauth.token import Token

if TYPE_CHECKING:
    from gateway.config import OAuth

TIMEOUT_SECONDS = 300.0
_REGISTERED = (1455, 1457)
"""The ports registered for the public client id; the second is tried when the first is taken."""
_SUFFIX = ".onboarding_entrypoint=life_sciences"
"""The issuer adds this to the state of some accounts."""

Finish = Callable[[str, str, str], Coroutine[Any, Any, Token]]


class WrongState(Exception):
    """The answer belongs to another login, or to nobody; waiting goes on."""


def read_callback(query: str, state: str) -> str:
    """The authorization code in a callback's query: state first, then error, then code.

    Raises WrongState, LoginFailed (the user or the server said no, or there is no code).
    """
    fields = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    answered = fields.get("state", "").removesuffix(_SUFFIX)
    if not hmac.compare_digest(answered.encode("utf-8", "replace"), state.encode()):
        raise WrongState
    if "error" in fields:
        raise _denied(fields["error"], fields.get("error_description", ""))
    if not fields.get("code"):
        raise LoginFailed("The login server sent no code. Log in again.", code="missing_authorization_code")
    return fields["code"]


def query_of(pasted: str) -> str:
    """The query in what a person pasted: the whole address, its query, or `code#state`. "" when it is neither."""
    text = pasted.strip()
    if "code=" in text or "error=" in text:
        try:
            return urlsplit(text).query or text.lstrip("?")
        except ValueError:
            return ""
    code, _, state = text.partition("#")
    return f"code={code}&state={state}" if code and state and text.isascii() and text.isprintable() else ""


class BrowserLogin:
    """One login. `say` prints a line; `open_page` opens a browser; `pasted` gives the next line a person typed, ""
    at the end; both may be None. `finish` exchanges the code and saves the login."""

    def __init__(
        self,
        settings: OAuth,
        finish: Finish,
        *,
        say: Callable[[str], None],
        open_page: Callable[[str], object] | None = None,
        pasted: Callable[[], Awaitable[str]] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        ports: Sequence[int] = (),
    ) -> None:
        self._settings = settings
        self._finish = finish
        self._say = say
        self._open_page = open_page
        self._pasted = pasted
        self._timeout = timeout_seconds
        first = settings.redirect_port
        self._ports = tuple(ports) or (_REGISTERED if first == _REGISTERED[0] else (first,))
        self._state = _random(32)
        self._verifier = _random(64)
        self._redirect_uri = ""
        self._exchange: asyncio.Task[Token] | None = None
        self._ended: asyncio.Future[Token]

    async def run(self) -> Token:
        """Wait for the browser, or for a pasted address. Raises LoginFailed, TokenHostRefused."""
        require_token_host(self._settings.token_endpoint, self._settings.token_hosts)
        self._ended = asyncio.get_running_loop().create_future()
        sockets, port = listen(self._settings.redirect_host, self._ports)
        self._redirect_uri = f"http://{self._settings.redirect_host}:{port}{self._settings.redirect_path}"
        async with serving(sockets, self._settings.redirect_path, self._on_callback, self._on_cancel):
            typing = asyncio.create_task(self._read_lines())
            try:
                self._invite()
                return await self._outcome()
            finally:
                typing.cancel()

    def authorize_url(self) -> str:
        """Where the person says yes: the parameters of §1.1 under our own name."""
        from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]  # noqa: PLC0415 - only at login
            prepare_grant_uri,
        )
        from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]  # noqa: PLC0415
            create_s256_code_challenge,
        )

        settings = self._settings
        url = prepare_grant_uri(
            settings.authorize_endpoint,
            settings.client_id,
            "code",
            redirect_uri=self._redirect_uri,
            scope=list(settings.scopes),
            state=self._state,
            code_challenge=create_s256_code_challenge(self._verifier),
            code_challenge_method="S256",
            id_token_add_organizations="true",  # noqa: S106 - a switch
            codex_cli_simplified_flow="true",
            originator=settings.originator or None,
            audience=settings.audience or None,
        )
        return str(url)

    def _invite(self) -> None:
        url = self.authorize_url()
        self._say("Open this address in a browser and log in:")
        self._say(url)
        if self._pasted is not None:
            self._say(
                "If the browser runs on another machine, its last page will not load: "
                "copy that page's whole address and paste it here."
            )
        if self._open_page is not None:
            self._open_page(url)

    async def _outcome(self) -> Token:
        await asyncio.wait({self._ended}, timeout=self._timeout)
        if not self._ended.done() and self._exchange is not None:
            await asyncio.wait({self._ended})  # the code is being exchanged: that call has its own limit
        if not self._ended.done():
            raise LoginFailed(
                f"Nobody logged in within {self._timeout:.0f} s. Run `codex-gateway auth login` again; on a machine "
                "without a browser, `codex-gateway auth login --device`.",
                code="login_timeout",
            )
        return self._ended.result()

    async def _on_callback(self, query: str) -> Response:
        try:
            token = await self._settle(query)
        except WrongState:
            return plain("State mismatch: this page belongs to another login. Use the newest address.", 400)
        except OAuthUnavailable as error:
            return page("Login failed", error.message)
        who = token.about().email
        return page("Logged in", f"You are logged in{' as ' + who if who else ''}. You can close this page.")

    def _on_cancel(self) -> Response:
        if self._exchange is None:
            self._end(LoginFailed("The login was cancelled. Run `codex-gateway auth login` again.", code="cancelled"))
        return plain("Login cancelled", 200)

    async def _settle(self, query: str) -> Token:
        """The end of this login, whichever way the answer came. A page that is loaded twice gets one exchange."""
        try:
            code = read_callback(query, self._state)
        except LoginFailed as error:
            if self._exchange is None:
                self._end(error)
            raise
        if self._exchange is None:
            self._exchange = asyncio.create_task(self._finish(code, self._verifier, self._redirect_uri))
            self._exchange.add_done_callback(self._exchanged)
        # A browser that leaves must not stop the exchange: the code is spent by now.
        return await asyncio.shield(self._exchange)

    def _exchanged(self, exchange: asyncio.Task[Token]) -> None:
        if exchange.cancelled():
            self._ended.cancel()
        elif error := exchange.exception():
            self._end(error)
        elif not self._ended.done():
            self._ended.set_result(exchange.result())

    def _end(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    async def _read_lines(self) -> None:
        while self._pasted is not None and (line := await self._pasted()):
            query = query_of(line)
            if not query:
                if line.strip():
                    self._say(
                        "That is not the address of the last page. It holds `code=` and `state=`: paste all of it."
                    )
                continue
            try:
                await self._settle(query)
            except WrongState:
                self._say(
                    "That address belongs to another login. Log in with the address printed above, then paste again."
                )
            except OAuthUnavailable:
                return  # `run` reports it


def _denied(code: str, description: str) -> LoginFailed:
    if code == "access_denied" and "missing_codex_entitlement" in description:
        return LoginFailed(
            "This ChatGPT account has no access to Codex. Ask the administrator of your workspace for it, "
            "or log in with another account.",
            code="missing_codex_entitlement",
        )
    if code == "access_denied":
        return LoginFailed("The login was declined. Run `codex-gateway auth login` to try again.", code="access_denied")
    shown = "".join(letter for letter in f"{code}: {description}".rstrip(": ") if letter.isprintable())[:300]
    return LoginFailed(f"The login server refused ({shown}). Log in again, or with another account.", code="refused")


def _random(size: int) -> str:
    return urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode("ascii")
