"""The bodies of refusals, whatever their shape, as one error object; and what must not be repeated from them. Pure.

Shapes: codex-upstream §10.1, translation §8.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core import json
from gateway.core.failures import normal
from gateway.core.redact import redact

Json = dict[str, Any]

_SHOWN_CHARACTERS = 200
_READ_CHARACTERS = 8 * 1024
"""No honest message is longer, and looking for secrets in an endless one costs time."""
_KEYS = {"message", "type", "code", "param"}

_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a body says went wrong."""

    error: Json
    """An error object as `core.failures.normal` makes it, with its message redacted."""
    sound: Json | None
    """The body's own error object when it has OpenAI's form, all four keys, and nothing to redact."""
    is_object: bool = False
    is_html: bool = False
    is_empty: bool = False

    @property
    def message(self) -> str:
        message: str = self.error["message"]
        return message

    @property
    def code(self) -> str | None:
        code: str | None = self.error["code"]
        return code


def read(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """What a body says; a body that says nothing is described by its status."""
    try:
        document = json.loads(body)
    except ValueError:
        return _read_text(status, headers, body)
    error = _find(document)
    if error is None:
        return Problem(normal({"message": f"The upstream answered HTTP {status}."}), None, is_empty=not document)
    message = error.get("message")
    if not isinstance(message, str) or not message:
        message = _describe(error, status)
    shown = redact(message[:_READ_CHARACTERS])
    cleaned = normal({**error, "message": shown, "code": error.get("code", error.get("error_code"))})
    return Problem(cleaned, _sound(document, body), is_object=True)


def _sound(document: Any, body: bytes) -> Json | None:
    own = document.get("error") if isinstance(document, dict) else None
    if not isinstance(own, dict) or not own.keys() >= _KEYS or len(body) > _READ_CHARACTERS:
        return None
    text = body.decode("utf-8", "replace")
    return {key: own[key] for key in _KEYS} if redact(text) == text else None


def _find(document: Any) -> Json | None:
    """The error object of a JSON document, made from what there is."""
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # as Gemini puts it
    if not isinstance(document, dict):
        return {"message": document} if isinstance(document, str) and document else None
    for key in ("error", "detail"):
        inner = document.get(key)
        if isinstance(inner, dict) and inner:
            return inner
        if isinstance(inner, str) and inner:
            return {"message": inner}
        if isinstance(inner, list) and inner:
            return {"message": "; ".join(_complaint(entry) for entry in inner)}
    errors = document.get("errors")
    if isinstance(errors, list) and errors:
        return {"message": "; ".join(_complaint(entry) for entry in errors)}
    message = document.get("message") or document.get("msg")
    if isinstance(message, str):
        return {"message": message, "code": document.get("code")}
    response = document.get("response")
    return _find(response) if isinstance(response, dict) else None


def _complaint(entry: Any) -> str:
    """One entry of a validator's list: `loc` and `msg`, or whatever it is."""
    if isinstance(entry, dict):
        text = entry.get("msg") or entry.get("message") or ""
        where = entry.get("loc")
        place = ".".join(str(step) for step in where if step != "body") if isinstance(where, list) else ""
        return f"{place}: {text}" if place else str(text)
    return str(entry)


def _describe(error: Json, status: int) -> str:
    name = error.get("code") or error.get("error_code") or error.get("type")
    return f"The upstream answered HTTP {status}" + (f" ({name})." if name else ".")


def _read_text(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    text = body[:_READ_CHARACTERS].decode("utf-8", "replace").strip()
    is_html = text[:1] == "<" or "text/html" in headers.get("content-type", "")
    if is_html:
        text = _MARKUP.sub(" ", text)
    shown = redact(" ".join(text.split()))[:_SHOWN_CHARACTERS]
    message = f"The upstream answered HTTP {status}" + (f": {shown}" if shown else ".")
    return Problem(normal({"message": message}), None, is_html=is_html, is_empty=not body.strip())
