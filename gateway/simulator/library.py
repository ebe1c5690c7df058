"""The built-in scripts, by name: every refusal and mishap of the real services that is worth rehearsing."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import Script

CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>(simulated) challenge</body></html>"
_HTML = {"content-type": "text/html; charset=UTF-8", "cf-mitigated": "challenge", "server": "cloudflare"}

# code → (type, message), for failures inside a stream
FAILURES: dict[str, tuple[str, str]] = {
    "server_error": ("server_error", "An error occurred while processing your request. (simulated)"),
    "server_is_overloaded": (
        "service_unavailable_error",
        "Our servers are currently overloaded. Please try again later.",
    ),
    "slow_down": ("service_unavailable_error", "Please slow down. (simulated)"),
    "rate_limit_exceeded": ("tokens", "Rate limit reached. Please try again in 11.054s. (simulated)"),
    "insufficient_quota": ("insufficient_quota", "You exceeded your current quota. (simulated)"),
    "usage_limit_reached": ("usage_limit_reached", "The usage limit has been reached"),
    "usage_not_included": ("usage_not_included", "This plan does not include Codex. (simulated)"),
    "context_length_exceeded": (
        "invalid_request_error",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
    ),
    "cyber_policy": ("invalid_request_error", "This request was stopped by a cyber policy. (simulated)"),
    "misalignment_policy_violation": ("invalid_request_error", "This request was stopped by a policy. (simulated)"),
    "bio_policy": ("invalid_request_error", "This request was stopped by a bio policy. (simulated)"),
    "invalid_prompt": ("invalid_request_error", "This prompt was refused. (simulated)"),
    "invalid_encrypted_content": ("invalid_request_error", "The encrypted content could not be verified. (simulated)"),
    "previous_response_not_found": ("invalid_request_error", "Previous response not found. (simulated)"),
    "content_filter": ("invalid_request_error", "The output was filtered. (simulated)"),
}


def failure(code: str) -> dict[str, Any]:
    """The error object of a code: `type`, `code`, `message`, `param`."""
    kind, message = FAILURES.get(code, ("server_error", f"{code} (simulated)"))
    return {"type": kind, "code": code, "message": message, "param": None}


def refusal(status: int, message: str, code: str | None, kind: str = "invalid_request_error", top: Any = None) -> Any:
    """A canned answer with an OpenAI error object; `top` holds keys beside it."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return {"status": status, "body": {"error": error, **(top or {})}}


def _documents() -> dict[str, Any]:
    limit = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "eligible_promo": None}
    denied = {"code": None, "scope": None, "error": "access_denied"}
    scripts: dict[str, Any] = {
        # Whole answers.
        "default": {},
        "usage_limit_reached": {"status": 429, "body": {"error": limit}, "limits": "exhausted"},
        "usage_limit_reached_bare": {"status": 429, "body": {"error": limit}, "limits": "none"},
        "usage_not_included": {
            "status": 429,
            "body": {"error": {"type": "usage_not_included", "message": "This plan does not include Codex."}},
        },
        "burst": {"status": 429, "body": "Too many requests", "limits": "none"},
        "challenge": {"status": 403, "body": CHALLENGE, "headers": _HTML, "limits": "none"},
        "too_large": {
            "status": 413,
            "body": "<html><head><title>413 Request Entity Too Large</title></head></html>",
            "headers": {"content-type": "text/html", "server": "cloudflare"},
            "limits": "none",
        },
        "forbidden": refusal(403, "You do not have access to Codex. (simulated)", "no_entitlement", "permission_error"),
        "server_error": refusal(500, FAILURES["server_error"][1], "server_error", "server_error"),
        "bad_gateway": {"status": 502, "body": "<html><title>502 Bad Gateway</title></html>", "limits": "none"},
        "overloaded": refusal(
            503, FAILURES["server_is_overloaded"][1], "server_is_overloaded", "service_unavailable_error"
        ),
        "outage": {"status": 404, "body": "", "limits": "none"},
        "deactivated_workspace": {"status": 402, "body": {"detail": {"code": "deactivated_workspace"}}},
        # 401 variants of the API.
        "token_expired": refusal(
            401, "Provided authentication token is expired. Please try signing in again.", "token_expired"
        ),
        "token_invalidated": refusal(
            401,
            "Your authentication token has been invalidated. Please try signing in again.",
            "token_invalidated",
            top={"status": 401},
        ),
        "token_revoked": {
            "status": 401,
            "body": {
                "error": {
                    "message": "Encountered invalidated oauth token for user, failing request",
                    "type": None,
                    "code": "token_revoked",
                    "param": None,
                },
                "status": 401,
            },
        },
        "account_deactivated": refusal(401, "Your account has been deactivated. (simulated)", "account_deactivated"),
        "unauthorized": {"status": 401, "body": {"detail": "Unauthorized"}},
        # The auth host.
        "deny": {"redirect": {**denied, "error_description": "The user said no"}},
        "missing_entitlement": {"redirect": {**denied, "error_description": "missing_codex_entitlement"}},
        "wrong_state": {"redirect": {"state": "not-the-state"}},
        "no_code": {"redirect": {"code": None}},
        "no_workspace": refusal(400, "No eligible ChatGPT workspaces found.", "chatgpt_account_missing"),
        "refresh_token_expired": refusal(401, "Your refresh token has expired.", "refresh_token_expired"),
        "refresh_token_reused": refusal(400, "Your refresh token has already been used.", "refresh_token_reused"),
        "refresh_token_invalidated": refusal(
            401, "Your session has ended. Please log in again.", "refresh_token_invalidated"
        ),
        "app_session_terminated": refusal(401, "Your session was terminated.", "app_session_terminated"),
        "invalid_grant": {
            "status": 400,
            "body": {"error": "invalid_grant", "error_description": "The grant is not valid (simulated)"},
        },
        "omit_refresh_token": {"reply": {"refresh_token": None}},
        # Streams.
        "cut": {"steps": [{"text": ["(simulated) This answer is cut ", "off here"]}], "finish": "cut"},
        "end": {"steps": [{"text": "(simulated) This stream ends without its terminal event"}], "finish": "end"},
        "stall": {"steps": [{"text": "(simulated) Silence follows"}], "finish": "stall"},
        "silence": {"steps": [], "opening": False, "finish": "stall"},
        "refusal": {"refusal": "I cannot help with that. (simulated)"},
        "max_output_tokens": {
            "steps": [{"text": "(simulated) This answer reached its"}],
            "finish": {"incomplete": "max_output_tokens"},
        },
        "filtered": {"steps": [{"text": "(simulated) This answer was"}], "finish": {"incomplete": "content_filter"}},
        "reasoning": {
            "steps": [
                {"reasoning": ["**Weighing it**\n\n", "(simulated) thought"], "encrypted": True},
                {"text": "(simulated) Done thinking."},
            ]
        },
        "commentary": {
            "steps": [
                {"text": "(simulated) I will look at it first.", "phase": "commentary"},
                {"text": "(simulated) Here is the answer.", "phase": "final_answer"},
            ]
        },
        "web_search": {
            "steps": [
                {"search": "simulated query"},
                {
                    "text": "(simulated) Found it at example.com.",
                    "citations": [{"url": "https://example.com/", "title": "Example"}],
                },
            ]
        },
        "image": {"steps": [{"image": 3000, "partial": True}, {"text": "(simulated) Here is your picture."}]},
        "huge_event": {"steps": [{"image": 5_000_000}]},
        "crlf": {"crlf": True},
        "byte_by_byte": {"write": "byte"},
        "split_utf8": {"steps": [{"text": "(simulated) grüße, 世界, 🌍!"}], "write": "split"},
        "late_arguments": {"steps": [{"call": "simulated_tool", "arguments": {"late": True}, "deltas": False}]},
        "noisy": {
            "steps": [
                {"comment": "keepalive"},
                {"limits": "standard"},
                {"metadata": {"openai_verification_recommendation": ["trusted_access_for_cyber"]}},
                {"event": {"type": "codex.simulated_news", "value": 1}},
                {"text": "(simulated) Noise was around this."},
            ]
        },
        "long_ids": {"ids": "long"},
        "no_ids": {"ids": "none"},
    }
    for status, name in ((403, "authorization_pending"), (429, "slow_down"), (404, "not_found"),
                         (403, "access_denied"), (400, "expired_token")):  # fmt: skip
        code = f"deviceauth_{name}"
        scripts[code] = refusal(status, f"Device login: {name.replace('_', ' ')}. (simulated)", code)
    scripts["retry_after"] = {**scripts["burst"], "headers": {"retry-after": "2"}}
    for code in FAILURES:
        text = {"text": ["(simulated) This answer ", "fails here"]}
        scripts[f"failed:{code}"] = {"steps": [text], "finish": {"failed": code}}
        scripts[f"first:{code}"] = {"steps": [], "finish": {"failed": code}}
        scripts[f"error:{code}"] = {"steps": [], "opening": False, "finish": {"error": code}}
        scripts[f"error_flat:{code}"] = {"steps": [], "opening": False, "finish": {"error_flat": code}}
    return scripts


BUILT_IN: dict[str, Script] = {name: Script.parse(doc, name, name=name) for name, doc in _documents().items()}
