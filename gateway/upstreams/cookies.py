"""The few cookies that the edge in front of the Codex backend hands out; sent back, they make challenges rarer.

Only Cloudflare's own names, and only for https on ChatGPT's hosts (codex-upstream §5.1): no session of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx2

_NAMES = re.compile(
    r"__cf_bm|__cflb|__cfruid|__cfseq|__cfwaitingroom|_cfuvid|cf_clearance|cf_ob_info|cf_use_ob|cf_chl_.+"
)
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_HOST = "chatgpt.com"
_MOST = 32


class CookieJar:
    """The edge's cookies of one upstream."""

    def __init__(self, url: httpx2.URL) -> None:
        self._open = url.scheme == "https" and (url.host == _HOST or url.host.endswith("." + _HOST))
        self._cookies: dict[str, str] = {}

    def keep(self, set_cookie: Sequence[str]) -> None:
        """Learn from the `Set-Cookie` headers of an answer."""
        if not self._open:
            return
        for line in set_cookie:
            pair, _, attributes = line.partition(";")
            name, _, value = (part.strip() for part in pair.partition("="))
            if not _NAMES.fullmatch(name) or not _VALUE.fullmatch(value):
                continue
            if re.search(r"max-age\s*=\s*-?0*\s*(;|$)|max-age\s*=\s*-", attributes, re.IGNORECASE):
                self._cookies.pop(name, None)
            elif name in self._cookies or len(self._cookies) < _MOST:
                self._cookies[name] = value

    def header(self) -> list[tuple[bytes, bytes]]:
        """The `Cookie` header of the next request; nothing when there is none."""
        if not self._cookies:
            return []
        return [(b"Cookie", "; ".join(f"{name}={value}" for name, value in self._cookies.items()).encode("ascii"))]
