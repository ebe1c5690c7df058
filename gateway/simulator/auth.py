"""The auth host: browser login, token grants, device login and revocation, and the tokens it has given out."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from gateway.simulator.library import BUILT_IN
from gateway.simulator.player import Answer, canned, document, page

if TYPE_CHECKING:
    from gateway.simulator.app import Call, Simulator
    from gateway.simulator.scenario import Script

_SCOPE = "openid profile email offline_access"
_CODE_SECONDS, _DEVICE_SECONDS = 600, 900


@dataclass(slots=True)
class Grant:
    """Who a token belongs to."""

    account_id: str
    plan: str
    email: str
    client_id: str


@dataclass(slots=True)
class Access:
    """An access token: its owner, its end (seconds since 1970), and why it is refused."""

    grant: Grant
    expires: float
    refused: Literal["", "token_invalidated", "token_revoked", "account_deactivated"] = ""


@dataclass(slots=True)
class Refresh:
    """A refresh token."""

    grant: Grant
    state: Literal["fresh", "spent", "expired", "revoked"] = "fresh"


@dataclass(slots=True)
class Code:
    """An authorization code waiting for its exchange."""

    client_id: str
    redirect_uri: str
    challenge: str
    expires: float
    spent: bool = False


@dataclass(slots=True)
class Device:
    """A device login under way."""

    user_code: str
    client_id: str
    expires: float
    polls: int = 0
    state: Literal["pending", "approved", "declined"] = "pending"


def jwt(claims: dict[str, Any]) -> str:
    """An unsigned token of these claims."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join([*(_encoded(orjson.dumps(part)) for part in parts), "simulated"])


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified; {} when it is no JWT."""
    try:
        payload = token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class AuthHost:
    """Handlers of the auth routes, and the book of what was given out."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self.refresh_count = 0
        self.access: dict[str, Access] = {}
        self.refresh: dict[str, Refresh] = {}
        self.codes: dict[str, Code] = {}
        self.devices: dict[str, Device] = {}

    def routes(self) -> list[tuple[str, str, str, Callable[[Call], Answer | None], Callable[..., Answer]]]:
        """Method, path, name, guard and handler of every route."""
        device = r"/api/accounts/deviceauth"
        table: list[tuple[str, str, str, Callable[..., Answer]]] = [
            ("GET", r"/oauth/authorize", "authorize", self.authorize),
            ("POST", r"/oauth/token", "token", self.token),
            ("POST", r"/oauth/revoke", "revoke", self.revoke),
            ("POST", rf"{device}/usercode", "usercode", self.usercode),
            ("POST", rf"{device}/token", "poll", self.poll),
            ("GET", r"/codex/device", "device", self.device_page),
            ("POST", r"/codex/device", "device", self.device_page),
            ("GET", r"/deviceauth/callback", "callback", self.callback),
        ]
        return [(method, path, name, self.guard, handler) for method, path, name, handler in table]

    def guard(self, call: Call) -> None:
        """Nobody is refused here; counts refresh grants, also those that a script answers."""
        if call.route == "token" and isinstance(call.body, dict) and call.body.get("grant_type") == "refresh_token":
            self.refresh_count += 1

    # Tokens

    def issue(
        self, plan: str | None, account_id: str | None, email: str | None, expires_in: int | None, client_id: str
    ) -> dict[str, Any]:
        """Make a pair and remember it; what is None comes from the scenario."""
        scenario = self._sim.scenario
        grant = Grant(account_id or scenario.account_id, plan or scenario.plan, email or scenario.email, client_id)
        return self._pair(grant, scenario.access_seconds if expires_in is None else expires_in)

    def _pair(self, grant: Grant, seconds: int) -> dict[str, Any]:
        now = int(self._sim.clock())
        number = next(self._sim.ids)
        auth = {
            "chatgpt_account_id": grant.account_id,
            "chatgpt_plan_type": grant.plan,
            "chatgpt_user_id": f"user-{grant.account_id}",
            "user_id": f"user-{grant.account_id}",
            "chatgpt_account_is_fedramp": False,
            "organization_id": "org-simulated",
            "project_id": "proj-simulated",
            "completed_platform_onboarding": True,
            "is_org_owner": False,
        }
        shared = {
            "iss": "https://auth.openai.com",
            "sub": f"simulated|{grant.account_id}",
            "iat": now,
            "exp": now + seconds,
            "jti": f"simulated-{number}",
            "https://api.openai.com/auth": auth,
            "https://api.openai.com/profile": {"email": grant.email, "email_verified": True},
        }
        access = jwt({**shared, "aud": ["https://api.openai.com/v1"], "scp": _SCOPE.split()})
        refresh = f"rt_simulated_{number:08d}"
        self.access[access] = Access(grant, now + seconds)
        self.refresh[refresh] = Refresh(grant)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "id_token": jwt({**shared, "aud": [grant.client_id or "simulated"], "email": grant.email}),
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": _SCOPE,
            "account_id": grant.account_id,
        }

    # Browser login

    def authorize(self, call: Call, script: Script | None) -> Answer:
        """Validate, approve at once, redirect back."""
        asked, scenario = call.query, self._sim.scenario
        problem = self._redirect_problem(asked.get("redirect_uri", ""))
        if not problem and not self._known_client(asked.get("client_id", "")):
            problem = "unknown client_id"
        if problem:
            return page(f"<h1>Login failed (simulated)</h1><p>{html.escape(problem)}</p>", 400)
        back: dict[str, Any] = {"state": asked.get("state")}
        error = _authorize_problem(asked)
        if error:
            back |= {"error": "invalid_request", "error_description": error}
        else:
            code = f"ac_simulated_{next(self._sim.ids):08d}"
            self.codes[code] = Code(
                asked["client_id"], asked["redirect_uri"], asked["code_challenge"], self._sim.clock() + _CODE_SECONDS
            )
            back |= {"code": code, "scope": asked.get("scope", "")}
        back |= script.redirect if script else {}
        target = urlsplit(asked["redirect_uri"])
        query = urlencode([*parse_qsl(target.query), *((k, v) for k, v in back.items() if v is not None)])
        call.auth = scenario.account_id
        return Answer(302, {"location": urlunsplit(target._replace(query=query))})

    def _redirect_problem(self, redirect: str) -> str:
        ports = self._sim.scenario.redirect_ports
        try:
            target, port = urlsplit(redirect), urlsplit(redirect).port
        except ValueError:
            return "redirect_uri is not an address"
        if target.scheme != "http" or target.hostname != "localhost" or target.path != "/auth/callback":
            return "redirect_uri must be http://localhost:<port>/auth/callback"
        if ports is not None and port not in ports:
            return f"redirect_uri must use one of the ports {', '.join(map(str, ports))}"
        return ""

    def _known_client(self, client_id: str) -> bool:
        return bool(client_id) and self._sim.scenario.client_id in {None, client_id}

    # Grants

    def token(self, call: Call, script: Script | None) -> Answer:
        """Exchange a code, or refresh."""
        form = call.body if isinstance(call.body, dict) else {}
        reply = script.reply if script is not None else {}
        keep = "refresh_token" in reply and reply["refresh_token"] is None
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form, keep=keep)
        return _oauth_error("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def _exchange(self, form: dict[str, Any]) -> Answer:
        code = self.codes.get(str(form.get("code")))
        if code is None or code.spent or code.expires < self._sim.clock():
            return _oauth_error("invalid_grant", "The code is unknown, used or expired")
        code.spent = True  # also when the rest is wrong: a code is tried once
        if form.get("client_id") != code.client_id or form.get("redirect_uri") != code.redirect_uri:
            return _oauth_error("invalid_grant", "client_id or redirect_uri differ from those of the authorization")
        if challenge_of(str(form.get("code_verifier", ""))) != code.challenge:
            return _oauth_error("invalid_grant", "The code_verifier does not match the code_challenge")
        return self._reply(self.issue(None, None, None, None, code.client_id))

    def _refresh(self, form: dict[str, Any], *, keep: bool) -> Answer:
        """Rotate a refresh token; `keep`: the reply will name no new one, so the old one stays good."""
        token = form.get("refresh_token")
        if not token:
            message = "Invalid 'refresh_token': empty string. Expected a string with minimum length 1."
            return _openai_error(400, message, "empty_string", "refresh_token")
        if not self._known_client(str(form.get("client_id", ""))):
            return _oauth_error("invalid_client", "Unknown client_id", 401)
        known = self.refresh.get(str(token))
        if known is None:
            return _oauth_error("invalid_grant", "Unknown refresh token")
        if known.state == "spent":
            message = "Your refresh token has already been used to generate a new access token."
            return _openai_error(self._sim.scenario.reused_status, message, "refresh_token_reused")
        if known.state != "fresh":
            return canned(BUILT_IN[f"refresh_token_{'expired' if known.state == 'expired' else 'invalidated'}"])
        known.state = "fresh" if keep else "spent"
        return self._reply(self._pair(known.grant, self._sim.scenario.access_seconds))

    def _reply(self, tokens: dict[str, Any]) -> Answer:
        return document({key: value for key, value in tokens.items() if key != "account_id"}, cache_control="no-store")

    def revoke(self, call: Call, script: Script | None) -> Answer:
        """Take a token back, and for a refresh token every access token of its account. Unknown tokens are fine."""
        form = call.body if isinstance(call.body, dict) else {}
        token = str(form.get("token", ""))
        if token in self.refresh:
            self.refresh[token].state = "revoked"
            self.end_session(self.refresh[token].grant.account_id, "token_revoked")
        elif token in self.access:
            self.access[token].refused = "token_revoked"
        return document({})

    def end_session(
        self, account_id: str, reason: Literal["token_invalidated", "token_revoked", "account_deactivated"]
    ) -> None:
        """Refuse every access token of an account from now on, as the server does after a password change."""
        for access in self.access.values():
            if access.grant.account_id == account_id:
                access.refused = reason

    # Device login

    def usercode(self, call: Call, script: Script | None) -> Answer:
        """Begin a device login."""
        form = call.body if isinstance(call.body, dict) else {}
        if not self._known_client(str(form.get("client_id", ""))):
            return _openai_error(400, "Unknown client_id", "invalid_client", "client_id")
        number = next(self._sim.ids)
        expires = self._sim.clock() + _DEVICE_SECONDS
        device = Device(f"SIMU-{number:05d}", str(form["client_id"]), expires)
        self.devices[f"deviceauth_simulated_{number:08d}"] = device
        return document(
            {
                "device_auth_id": f"deviceauth_simulated_{number:08d}",
                "user_code": device.user_code,
                "interval": self._sim.scenario.interval,
                "expires_at": datetime.fromtimestamp(expires, UTC).isoformat(),
            }
        )

    def poll(self, call: Call, script: Script | None) -> Answer:
        """Say whether a device login was approved; then hand out the code and the PKCE pair."""
        form = call.body if isinstance(call.body, dict) else {}
        device = self.devices.get(str(form.get("device_auth_id")))
        if device is None or device.user_code != form.get("user_code") or device.expires < self._sim.clock():
            return canned(BUILT_IN["deviceauth_not_found"])
        device.polls += 1
        enough = self._sim.scenario.device_polls
        if device.state == "pending" and enough is not None and device.polls > enough:
            device.state = "approved"
        if device.state == "declined":
            return canned(BUILT_IN["deviceauth_access_denied"])
        if device.state == "pending":
            return canned(BUILT_IN["deviceauth_authorization_pending"])
        del self.devices[str(form["device_auth_id"])]
        number = next(self._sim.ids)
        verifier = f"simulated-verifier-{number:043d}"
        challenge = challenge_of(verifier)
        code = f"ac_simulated_{number:08d}"
        redirect = "https://auth.openai.com/deviceauth/callback"
        self.codes[code] = Code(device.client_id, redirect, challenge, self._sim.clock() + _CODE_SECONDS)
        return document({"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier})

    def decide(self, user_code: str, *, approve: bool = True) -> bool:
        """Approve or decline a device login as its user would; False when there is no such code."""
        for device in self.devices.values():
            if device.user_code == user_code:
                device.state = "approved" if approve else "declined"
                return True
        return False

    def device_page(self, call: Call, script: Script | None) -> Answer:
        """The page a user types the code into."""
        form = call.body if isinstance(call.body, dict) else {}
        if call.method == "POST":
            found = self.decide(str(form.get("user_code", "")).strip().upper(), approve=form.get("decide") != "decline")
            return page(
                "<h1>Done (simulated)</h1>" if found else "<h1>No such code (simulated)</h1>", 200 if found else 404
            )
        return page(
            "<title>Device login (simulated)</title><h1>Device login (simulated)</h1><form method=post>"
            "<input name=user_code aria-label=code><button name=decide value=approve>Approve</button>"
            "<button name=decide value=decline>Decline</button></form>"
        )

    def callback(self, call: Call, script: Script | None) -> Answer:
        """Where device logins nominally redirect to."""
        return page("<h1>Device login done (simulated)</h1>")


def _authorize_problem(asked: dict[str, str]) -> str:
    wanted = {"response_type": "code", "code_challenge_method": "S256"}
    for key, value in wanted.items():
        if asked.get(key) != value:
            return f"{key} must be {value}"
    if len(asked.get("code_challenge", "")) != 43:
        return "code_challenge must be an S256 challenge of 43 characters"
    if not asked.get("state"):
        return "state is required"
    if "openid" not in asked.get("scope", "").split():
        return "scope must hold openid"
    return ""


def _oauth_error(error: str, description: str, status: int = 400) -> Answer:
    return document({"error": error, "error_description": f"{description} (simulated)"}, status)


def _openai_error(status: int, message: str, code: str, param: str | None = None) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return document({"error": error}, status)
