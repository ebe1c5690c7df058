"""What every way of logging in ends with, and logging out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from gateway.errors import OAuthUnavailable
from gateway.oauth.endpoint import LoginFailed, TokenEndpoint
from gateway.oauth.file import TokenFile, told
from gateway.oauth.lock import hold
from gateway.oauth.token import Token

_BLANK = Token(access_token="")


class Login:
    """Turns an authorization code into a saved login."""

    def __init__(self, endpoint: TokenEndpoint, file: TokenFile, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._file = file
        self._clock = clock

    async def finish(self, code: str, verifier: str, redirect_uri: str) -> Token:
        """Exchange the code and save the login. Raises LoginFailed, TokenHostRefused."""
        reply = await self._endpoint.exchange(code, verifier, redirect_uri)
        token = _BLANK.renewed(reply, self._clock())
        if not token.access_token:
            raise LoginFailed(
                "The login server answered without an access token. Log in again; if it stays, check "
                "oauth.token_endpoint.",
                code="token_exchange_failed",
            )
        await save(self._file, token)
        return token


async def save(file: TokenFile, token: Token) -> None:
    """Replace the login, after any refresh that is under way. Raises LoginFailed when it cannot be written."""
    try:
        async with hold(file.lock_path):
            file.write(token)
            file.clear_mark()
    except OSError as error:
        raise LoginFailed(
            f"The login worked but {file.path} could not be written ({error.strerror}). "
            "Make the work directory writable and log in again.",
            code="persist_failed",
        ) from error


async def logout(file: TokenFile, endpoint: TokenEndpoint) -> list[str]:
    """Remove the login here, then ask the issuer to revoke it. Returns what happened, one sentence each.

    Raises OAuthUnavailable only when the file could not be removed.
    """
    try:
        token = file.read()
        damage = ""
    except OAuthUnavailable as error:
        token, damage = None, told(error)
    removed = await _remove(file)
    if not removed:
        return [f"Nobody was logged in: there is no {file.path}."]
    said = [f"Removed {file.path}."]
    if token is None:
        return [*said, f"Nothing could be revoked. {damage}".strip()]
    secret, hint = (
        (token.refresh_token, "refresh_token") if token.refresh_token else (token.access_token, "access_token")
    )
    try:
        await endpoint.revoke(secret, hint)
    except OAuthUnavailable as error:
        return [
            *said,
            f"The server did not confirm the revocation: {error.message.rstrip('.')}. "
            "To be sure, end the session in the security settings of the ChatGPT account.",
        ]
    return [*said, "The login was revoked at the server."]


async def _remove(file: TokenFile) -> bool:
    try:
        # Who waits for a process that hangs would never get out; the file goes even then.
        with suppress(OAuthUnavailable):
            async with hold(file.lock_path):
                return file.remove()
        return file.remove()
    except OSError as error:
        raise OAuthUnavailable(
            f"{file.path} could not be removed ({error.strerror}). Remove it as the user that owns the work directory."
        ) from error
