"""What of a request, and of its answer, is handed on when the gateway only passes it through. Pure.

Names are listed, not excluded: what nobody thought of (cookies, keys, addresses of proxies) stays on its side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from gateway.errors import InvalidRequest

RawHeaders = list[tuple[bytes, bytes]]

PREFIX = b"/v1/"
EVERYTHING = "*"

_SEGMENT = re.compile(rb"[A-Za-z0-9._~:@!$&'()*+,=-]+")
"""What a path segment may hold once decoded. Slashes, backslashes, percent signs and semicolons are read differently
by servers that stand behind each other; no route of any known server needs one."""

_STATE = re.compile(
    "responses/[^/]+(/cancel|/input_items)?"
    "|conversations(/[^/]+(/items(/[^/]+)?)?)?"
    "|chat/completions(/[^/]+(/messages)?)?"
)

_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")
"""Visible ASCII without the number sign, which would end it."""

_ASKED = frozenset(
    {
        b"content-type",
        b"accept",
        b"range",
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"if-range",
        b"openai-beta",
        b"idempotency-key",
    }
)

_TOLD = frozenset(
    {
        "content-type",
        "content-length",
        "content-encoding",
        "content-disposition",
        "content-language",
        "content-range",
        "accept-ranges",
        "etag",
        "last-modified",
        "cache-control",
        "expires",
        "age",
        "vary",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
    }
)
_TOLD_PREFIXES = ("x-ratelimit-", "openai-", "x-simulated")
_PRIVATE = frozenset({"openai-organization", "openai-project"})
"""Whose account it is."""

_CODINGS = ("gzip", "deflate")
"""Codings that we could also take off ourselves, which the text of a refusal needs."""


def path_below(raw_path: bytes) -> str:
    """The path below `/v1/`, decoded, with single slashes and none at its end: no server can read it as another one.

    `raw_path` is as the client sent it, without the query, and begins with `/v1/`.
    Raises InvalidRequest for empty and dotted segments and for characters that servers read differently.
    """
    path = raw_path.removeprefix(PREFIX).rstrip(b"/")
    segments = [unquote_to_bytes(segment) for segment in path.split(b"/")]
    for segment in segments:
        if segment in (b".", b"..") or not _SEGMENT.fullmatch(segment):
            raise InvalidRequest(
                "The path must be made of plain segments with one slash between them: no dots alone, no encoded "
                f"slashes, no spaces; found {segment.decode('ascii', 'replace')[:80]!r}.",
                param="path",
            )
    return b"/".join(segments).decode("ascii")


def sound_query(query: bytes) -> bytes:
    """The query as it is. Raises InvalidRequest when it cannot stand in a request line."""
    if not _QUERY.fullmatch(query):
        raise InvalidRequest("The query must be visible ASCII, anything else percent-encoded.", param="query")
    return query


def covers(allowed: Iterable[str], path: str) -> bool:
    """Whether one of the allowed paths is this one or above it."""
    return any(entry in (EVERYTHING, path) or path.startswith(entry + "/") for entry in allowed)


def is_state(path: str) -> bool:
    """Whether this is a path of what servers keep: responses, conversations, chat completions."""
    return _STATE.fullmatch(path) is not None


def asked(headers: Iterable[tuple[bytes, bytes]], *, encoded: bool) -> RawHeaders:
    """The client's headers that the server gets; `encoded`: the body goes on in the coding it came in."""
    return [(name, value) for name, value in headers if name in _ASKED or (encoded and name == b"content-encoding")]


def codings(accepted: str) -> tuple[str, ...]:
    """The content codings of an Accept-Encoding that an answer may keep on its way through."""
    found = []
    for entry in accepted.lower().split(","):
        name, _, weight = entry.partition(";")
        if name.strip() in _CODINGS and not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight):
            found.append(name.strip())
    return tuple(dict.fromkeys(found))


def told(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The server's headers that the client gets, names in lower case; none that holds one of `secrets`."""
    hidden = [secret for secret in secrets if secret]
    kept = ((name.lower(), value) for name, value in headers.items())
    return {
        name: value
        for name, value in kept
        if (name in _TOLD or name.startswith(_TOLD_PREFIXES))
        and name not in _PRIVATE
        and not any(secret in value for secret in hidden)
    }
