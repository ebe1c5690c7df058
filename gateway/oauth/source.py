"""TokenSource: the credentials of the next request, kept fresh (codex-upstream §4.2-4.5).

Its state is what is on disk: the token file and the mark of a failed refresh. A refresh changes them under the lock,
then everybody looks again. That makes the order simple to follow, and the same for tasks and for processes:

    look (one stat) → usable? → else one refresh for all who wait → look again → usable? → else say why not
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from gateway.errors import OAuthUnavailable
from gateway.logs import get_logger
from gateway.oauth.endpoint import TokenEndpoint
from gateway.oauth.failures import Failure, Mark, next_mark
from gateway.oauth.file import Stamp, TokenFile
from gateway.oauth.lock import hold
from gateway.oauth.status import LoginStatus, login_status
from gateway.oauth.token import Token, fingerprint

if TYPE_CHECKING:
    from gateway.config import OAuth

_MARGIN_SECONDS = 300.0
"""A token that ends sooner is refreshed."""
_SKEW_SECONDS = 60.0
"""A token that ends sooner is not sent any more without trying to refresh it: clocks differ."""
_OLDEST_SECONDS = 8 * 86_400.0
"""When the end of a token cannot be read, its age decides."""
_LOOK_SECONDS = 60.0
_LOGIN = "Run `codex-gateway auth login`; a running gateway picks the new login up by itself."
_log = get_logger("gateway.oauth")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request to the backend carries. `expires_at` in Unix seconds, None when unknown."""

    access_token: str = field(repr=False)
    account_id: str
    plan: str
    fedramp: bool
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class _Held:
    """A login as it was read, with what is asked of it on every request."""

    token: Token
    credentials: Credentials
    access_print: str
    refresh_print: str
    ends_at: float
    due_at: float
    early: float
    """How many seconds before `due_at` the background refresh runs; drawn by lot, so that processes differ."""


class TokenSource:
    """Credentials from `path`, refreshed in time. One for each process; several processes may share the file.

    `client` stays the caller's to close. `on_refresh` is told the outcome of each refresh: refreshed, permanent,
    transient, uncertain, replaced (the file changed meanwhile, the reply was dropped), unsaved (the new tokens could
    not be written), blocked (no refresh could begin). `clock` in Unix seconds, `jitter` in 0..1.
    """

    def __init__(
        self,
        path: Path,
        *,
        settings: OAuth,
        client: httpx2.AsyncClient,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        on_refresh: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._file = TokenFile(path)
        self._endpoint = TokenEndpoint(settings, client)
        self._clock = clock
        self._jitter = jitter
        self._on_refresh = on_refresh
        self._sleep = sleep
        self._stamp: Stamp | None = None
        self._held: _Held | None = None
        self._mark: Mark | None = None
        self._rejected = ""
        """Fingerprint of the access token that the backend refused."""
        self._minted: tuple[str, float] = ("", 0.0)
        """Fingerprint of the access token of our last refresh, and when."""
        self._unsaved: tuple[str, Token] | None = None
        """Tokens that could not be written, and the fingerprint of the refresh token that was spent for them."""
        self._trouble: OAuthUnavailable | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._calling = False
        self._background: asyncio.Task[None] | None = None

    async def credentials(self) -> Credentials:
        """For the next request; waits only when the token at hand has ended. Raises OAuthUnavailable."""
        held = self._look()
        if self._usable(held, _SKEW_SECONDS):
            if self._due(held, 0) and not self._blocked(held):
                self._begin(0)
            return held.credentials
        if not self._blocked(held):
            # Waiting this way leaves the refresh alone when the waiting request is cancelled.
            await asyncio.wait({self._begin(0)})
            held = self._look()
        if self._usable(held, 0):
            return held.credentials
        raise self._unavailable(held)

    async def recover(self, rejected_access_token: str) -> Credentials:
        """After a 401: another process's tokens, else those of one refresh. Raises OAuthUnavailable."""
        self._rejected = fingerprint(rejected_access_token)
        self._stamp = None
        return await self.credentials()

    def status(self) -> LoginStatus:
        """What is known of the login, read from disk."""
        return login_status(self._file, self._clock())

    def start(self) -> None:
        """Refresh in the background, some minutes before the token ends. Needs a running loop."""
        if self._background is None:
            self._background = asyncio.create_task(self._keep_fresh())

    async def aclose(self) -> None:
        """Stop; a refresh whose request is on its way is waited for, because its token is spent."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait({self._background})
            self._background = None
        if self._refreshing is not None:
            if not self._calling:
                self._refreshing.cancel()
            await asyncio.wait({self._refreshing})

    async def _keep_fresh(self) -> None:
        while True:
            try:
                held = self._look()
            except OAuthUnavailable:
                pass  # nobody is logged in yet
            else:
                if self._due(held, held.early) and not self._blocked(held):
                    await asyncio.wait({self._begin(held.early)})
            # Short naps: a laptop that slept, or a new login, is noticed within one of them.
            await self._sleep(_LOOK_SECONDS)

    def _look(self) -> _Held:
        """The login on disk; the file is read only when it changed. Raises OAuthUnavailable."""
        stamp = self._file.stamp()
        if stamp is None:
            self._held = self._stamp = None
        elif stamp != self._stamp:
            token = self._file.read()
            self._held = None if token is None else _hold(token, self._jitter())
            self._stamp = stamp
            if warning := self._file.warning():
                _log.warning("oauth.token_file", advice=warning)
        if self._held is None:
            raise OAuthUnavailable(f"Nobody is logged in to ChatGPT. {_LOGIN}")
        return self._held

    def _usable(self, held: _Held, margin: float) -> bool:
        return held.access_print != self._rejected and self._clock() + margin < held.ends_at

    def _due(self, held: _Held, early: float) -> bool:
        if not held.token.refresh_token:
            return False
        return held.access_print == self._rejected or self._clock() + early >= held.due_at

    def _blocked(self, held: _Held) -> bool:
        """Whether a refresh is out of the question now."""
        now = self._clock()
        if not held.token.refresh_token or (self._mark and self._mark.blocks(held.refresh_print, now)):
            return True
        return self._fresh_but_rejected(held)

    def _fresh_but_rejected(self, held: _Held) -> bool:
        """The backend refuses what a refresh has just brought: another one would not help, only spend tokens."""
        minted, at = self._minted
        return held.access_print == self._rejected == minted and abs(self._clock() - at) < _SKEW_SECONDS

    def _begin(self, early: float) -> asyncio.Task[None]:
        """The refresh under way, or a new one."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(early))
        return self._refreshing

    async def _refresh(self, early: float) -> None:
        self._trouble = None
        try:
            async with hold(self._file.lock_path):
                self._stamp = None
                held = self._look()
                self._mark = self._file.read_mark()
                # Another process may have been first, or may have failed for all of us.
                if self._due(held, early) and not self._blocked(held):
                    await self._exchange(held)
        except OAuthUnavailable as error:
            self._trouble = error
            self._report("blocked", error.message, error.detail)

    async def _exchange(self, held: _Held) -> None:
        if self._unsaved is not None and self._unsaved[0] == held.refresh_print:
            self._save(held, self._unsaved[1])
            return
        self._calling = True
        try:
            reply = await self._endpoint.refresh(held.token.refresh_token)
            # No await from here to the written file: whoever cancels now cannot lose the new tokens.
            if isinstance(reply, Failure):
                self._note(held, reply)
            else:
                self._keep(held, reply)
        finally:
            self._calling = False

    def _keep(self, held: _Held, reply: dict[str, Any]) -> None:
        fresh = held.token.renewed(reply, self._clock())
        if fresh.access_token == held.token.access_token:
            # Half a reply: what it has is kept, what it lacks is asked for again after a pause.
            self._save(held, fresh)
            self._note(_hold(fresh, 0.0), Failure("transient", "no_access_token"))
        else:
            self._save(held, fresh)

    def _save(self, held: _Held, fresh: Token) -> None:
        """Write the new tokens; only then are they used."""
        if self._replaced(held):
            self._unsaved = None
            self._report("replaced", "The login was replaced while it was refreshed; the newer one is used.")
            return
        try:
            self._file.write(fresh)
            self._file.clear_mark()
        except OSError as error:
            self._unsaved = (held.refresh_print, fresh)
            self._trouble = OAuthUnavailable(
                f"The refreshed login could not be written ({error.strerror}). Free some space or make the work "
                "directory writable, and do not stop the gateway before: it holds the only copy.",
                detail=f"token file: {self._file.path}",
            )
            self._report("unsaved", self._trouble.message, self._trouble.detail)
            return
        self._unsaved = self._mark = None
        self._minted = (fingerprint(fresh.access_token), self._clock())
        self._report("refreshed")

    def _note(self, held: _Held, failure: Failure) -> None:
        """Remember a failure for all processes, unless somebody logged in meanwhile."""
        if self._replaced(held):
            return
        self._mark = next_mark(self._mark, held.refresh_print, failure, self._clock(), self._jitter())
        try:
            self._file.write_mark(self._mark)
        except OSError as error:
            _log.warning("oauth.mark_not_written", reason=error.strerror)
        self._report(failure.kind, f"The ChatGPT login could not be refreshed ({failure.code}).")

    def _replaced(self, held: _Held) -> bool:
        """Whether the file no longer holds the refresh token that was sent: a new login, an import, a logout."""
        self._stamp = None
        try:
            token = self._file.read()
        except OAuthUnavailable:
            return False  # a damaged file is no newer login
        return token is None or token.refresh_token != held.token.refresh_token

    def _report(self, outcome: str, advice: str = "", detail: str = "") -> None:
        if outcome == "refreshed":
            _log.info("oauth.refreshed")
        else:
            facts = {"detail": detail} if detail else {}
            _log.warning("oauth.refresh_failed", outcome=outcome, advice=advice, **facts)
        self._on_refresh(outcome)

    def _unavailable(self, held: _Held) -> OAuthUnavailable:
        """Why there are no credentials, and what to do."""
        mark, now = self._mark, self._clock()
        if mark and mark.refresh_print == held.refresh_print and held.token.refresh_token:
            if mark.kind == "permanent":
                return OAuthUnavailable(f"The ChatGPT login is dead: {mark.meaning()} ({mark.code}). {_LOGIN}")
            wait = max(1, math.ceil(mark.retry_at - now))
            return OAuthUnavailable(
                f"The ChatGPT login could not be refreshed ({mark.code}); the next try is in {wait} s. "
                f"If it stays so, check the network, or log in again. {_LOGIN}",
                headers={"retry-after": str(wait)},
            )
        if self._trouble:
            # Not the same one again: each raise would add to its traceback.
            return OAuthUnavailable(self._trouble.message, detail=self._trouble.detail)
        ended = "was refused by ChatGPT" if held.access_print == self._rejected else "has expired"
        if not held.token.refresh_token:
            return OAuthUnavailable(f"The access token {ended} and there is no refresh token. {_LOGIN}")
        if self._fresh_but_rejected(held):
            return OAuthUnavailable(f"ChatGPT refuses tokens that it has just issued: the session was ended. {_LOGIN}")
        return OAuthUnavailable(f"The access token {ended} and could not be refreshed. {_LOGIN}")


def _hold(token: Token, lot: float) -> _Held:
    about = token.about()
    if token.expires_at is not None:
        due_at = token.expires_at - _MARGIN_SECONDS
    else:
        due_at = math.inf if token.last_refresh is None else token.last_refresh + _OLDEST_SECONDS
    return _Held(
        token=token,
        credentials=Credentials(token.access_token, about.account_id, about.plan, about.fedramp, token.expires_at),
        access_print=fingerprint(token.access_token),
        refresh_print=fingerprint(token.refresh_token),
        ends_at=math.inf if token.expires_at is None else token.expires_at,
        due_at=due_at,
        early=lot * _MARGIN_SECONDS,
    )
