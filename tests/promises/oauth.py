"""What is promised of: oauth."""

from __future__ import annotations

from tests.promises import Promise

OAUTH: dict[str, Promise] = {
    "OAUTH-browser": Promise(
        "codex-upstream §1", "a person logs in with a browser, and the page tells the true outcome"
    ),
    "OAUTH-authorize": Promise("codex-upstream §1.1, §1.3", "the login asks under our own name with PKCE S256"),
    "OAUTH-browser-state": Promise("codex-upstream §1.2", "a wrong state is a 400 and the login keeps waiting"),
    "OAUTH-browser-denied": Promise("codex-upstream §1.2", "a refusal is shown, escaped, and ends the login"),
    "OAUTH-browser-cancel": Promise("codex-upstream §1.2", "/cancel ends a waiting login"),
    "OAUTH-browser-timeout": Promise("codex-upstream §1.2", "a login that nobody finishes ends and names the way on"),
    "OAUTH-paste": Promise("codex-upstream §1.1", "the last address, or code#state, can be pasted into the terminal"),
    "OAUTH-port": Promise("codex-upstream §1.2", "a taken port is never shared or taken over; the second one is tried"),
    "OAUTH-device": Promise("codex-upstream §2", "a person logs in with a code, warned of codes that others send"),
    "OAUTH-device-table": Promise("codex-upstream §2", "each answer of a poll goes on, slows down or ends as listed"),
    "OAUTH-device-ceiling": Promise(
        "codex-upstream §2", "waiting for a device code ends after 15 minutes at the latest"
    ),
    "OAUTH-login-command": Promise("design §5.1", "auth login says where it saved the login and for which account"),
    "OAUTH-import": Promise("codex-upstream §3", "logins of other programs are taken over, others refused with advice"),
    "OAUTH-access-only": Promise("codex-upstream §3.3", "an access token alone works, read-only, until it ends"),
    "OAUTH-status": Promise(
        "design §5.1", "auth status shows account, end and refresh state; exit code 1 without a login"
    ),
    "OAUTH-logout": Promise(
        "codex-upstream §4.6", "logout removes the login whatever the server says, and tries to revoke"
    ),
    "OAUTH-file-layout": Promise("codex-upstream §3.2", "oauth-token.json keeps the original's keys; ours are added"),
    "OAUTH-file-private": Promise("design §6", "the token file is 0600, never written through a link, and watched"),
    "OAUTH-file-atomic": Promise("design §6", "a process killed while it writes leaves the old or the new file whole"),
    "OAUTH-hosts": Promise(
        "design §5.2", "no token or code goes to a host that the rule does not allow, nor after a redirect"
    ),
    "OAUTH-no-secrets": Promise("design §5.5", "no token or code is in an output, a log line, an error or a traceback"),
    "OAUTH-credentials": Promise("design §2", "a fresh token costs one stat per request and no call"),
    "OAUTH-new-login": Promise("design §5.1", "a new login, another account or a logout is seen without a restart"),
    "OAUTH-refresh": Promise(
        "codex-upstream §4.2", "an ending token is refreshed; the new pair is saved before it is used"
    ),
    "OAUTH-proactive": Promise(
        "codex-upstream §4.2", "the background refreshes some minutes before the end, or after 8 days"
    ),
    "OAUTH-partial-reply": Promise("codex-upstream §4.1", "what a token reply leaves out keeps its old value"),
    "OAUTH-single-flight": Promise("codex-upstream §4.4", "tasks and processes with one ended token send one refresh"),
    "OAUTH-lock": Promise("codex-upstream §4.4", "the lock covers re-read, call and write, and dies with its process"),
    "OAUTH-not-cancelled": Promise("design §6", "a refresh outlives the request that began it, and the shutdown waits"),
    "OAUTH-failure-table": Promise("codex-upstream §4.3", "refused refreshes are permanent or transient as listed"),
    "OAUTH-permanent": Promise("codex-upstream §4.3", "a dead refresh token is not sent again by any process"),
    "OAUTH-back-off": Promise("codex-upstream §4.3", "trouble backs off with jitter while a valid token stays in use"),
    "OAUTH-uncertain": Promise("codex-upstream §4.4", "a refresh whose reply was lost is not blindly repeated"),
    "OAUTH-unsaved": Promise(
        "codex-upstream §4.4", "a pair that cannot be written is kept and written as soon as it can be"
    ),
    "OAUTH-recover": Promise("codex-upstream §4.5", "after a 401: the file, then one refresh, then a clear error"),
    "FAIL-15": Promise(
        "codex-upstream §12", "nobody logs in again every ten days: tokens are refreshed early and kept"
    ),
    "FAIL-16": Promise("codex-upstream §12", "two gateways on one file never spend one refresh token twice"),
    "FAIL-17": Promise(
        "codex-upstream §12", "a session that the server ended gives one clear message and no more calls"
    ),
    "FAIL-18": Promise("codex-upstream §12", "login works without a local browser: device code or pasted address"),
}
