"""Finding one field at the beginning of a multipart/form-data body while it streams by. Pure.

Form fields come before files in what SDKs send, and in what careful people send with curl. So a look at the first
part of the body is enough to choose a provider, and the body needs not be held.
"""

from __future__ import annotations

import re

WINDOW_BYTES = 64 * 1024
"""How far is looked. Fields in front of a file are short; prompts of images may be long."""

_KIND = re.compile(
    r'\s*multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;",]{1,70})(?:[\s;]|$))', re.IGNORECASE
)
_NAME = re.compile(rb';\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_FILE_NAME = re.compile(rb";\s*filename\*?=", re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition\s*:([^\r\n]*)", re.IGNORECASE)


def boundary_of(content_type: str) -> bytes | None:
    """The boundary in a Content-Type; None when the body is no form in parts, or nobody can take it apart."""
    match = _KIND.match(content_type)
    return (match[1] or match[2]).encode("latin-1") if match else None


class FieldFinder:
    """Feed it pieces until it is `done`; then `head` is all that was fed, and `value` the field's, if it was there.

    A field behind a file, or beyond `window` bytes, is not found.
    """

    def __init__(self, boundary: bytes, name: str, window: int = WINDOW_BYTES) -> None:
        self.done = False
        self.value: str | None = None
        self._delimiter = b"--" + boundary
        self._name = name.encode()
        self._window = window
        self._fed = bytearray()
        self._span = (0, 0)
        self._part = -1
        """Where the headers of the current part begin; -1: the first delimiter has not come yet."""
        self._body = -1
        """Where its body begins; -1: its headers are not complete yet."""
        self._seen = 0
        """How far the next landmark has been looked for in vain."""
        self._is_wanted = False

    @property
    def head(self) -> bytes:
        """All that was fed."""
        return bytes(self._fed)

    def feed(self, piece: bytes) -> None:
        """Look at more of the body."""
        self._fed += piece
        while not self.done and self._step():
            pass
        if len(self._fed) >= self._window:
            self.done = True

    def renamed(self, value: str) -> bytes:
        """`head` with another value of the field."""
        start, end = self._span
        return bytes(self._fed[:start]) + value.encode() + bytes(self._fed[end:])

    def _step(self) -> bool:
        """Pass the next landmark; False when it has not come yet."""
        if self._part < 0:
            return self._open()
        if self._body < 0:
            return self._read_headers()
        return self._close()

    def _find(self, landmark: bytes, start: int) -> int:
        """Where a landmark is, at `start` or behind it; -1 when it has not come. No byte is searched twice."""
        at = self._fed.find(landmark, max(start, self._seen - len(landmark)), self._window)
        self._seen = 0 if at >= 0 else len(self._fed)
        return at

    def _open(self) -> bool:
        at = self._find(self._delimiter, 0)
        if at < 0:
            return False
        self._part = at + len(self._delimiter)
        return True

    def _read_headers(self) -> bool:
        if self._fed[self._part : self._part + 2] == b"--":
            self.done = True  # behind the last delimiter comes no part
            return False
        # From the line's end that closes the delimiter's own line: a part may have no headers at all.
        end = self._find(b"\r\n\r\n", self._part)
        if end < 0:
            return False
        disposition = _DISPOSITION.search(self._fed, self._part, end)
        about = disposition[1] if disposition else b""
        self.done = _FILE_NAME.search(about) is not None
        name = _NAME.search(about)
        self._is_wanted = name is not None and (name[1] or name[2]) == self._name
        self._body = end + len(b"\r\n\r\n")
        return True

    def _close(self) -> bool:
        # The line's end in front of a delimiter belongs to it; an empty value shares its own with the headers'.
        end = self._find(b"\r\n" + self._delimiter, self._body - 2)
        if end < 0:
            return False
        if self._is_wanted:
            self._span = (self._body, max(end, self._body))
            self.value = bytes(self._fed[self._body : end]).decode("utf-8", "replace")
            self.done = True
        self._part, self._body = end + 2 + len(self._delimiter), -1
        return True
