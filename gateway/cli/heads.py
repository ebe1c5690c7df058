"""The heads of answers: lines that can be read as nothing but what they say."""

from __future__ import annotations

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = Iterable[tuple[bytes, bytes]]

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What a name may consist of (RFC 9110, 5.6.2)."""

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""What no value may contain: CR and LF would end its line, and no reader agrees with another about the rest."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


def lines_of(headers: Headers) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Headers as lines, with their names in lower case, and those of them that say where an answer ends.

    Raises RuntimeError, as uvicorn does, for a name or a value that cannot be sent.
    """
    names, lines, framing = [], [], []
    for name, value in headers:
        name = name.lower()  # noqa: PLW2901 - there is no other
        names.append(name)
        lines.append(b"%b: %b\r\n" % (name, value))
        if name in _FRAMING:
            framing.append((name, value))
    text = b"".join(lines)
    if b"".join(names).translate(None, _TOKEN):
        raise RuntimeError("Invalid HTTP header name.")
    # Each line has the two control characters written here. Any more are inside it.
    if len(text) - len(text.translate(None, _CONTROLS)) != 2 * len(lines):
        raise RuntimeError("Invalid HTTP header value.")
    return text, framing


class Starts:
    """Status lines, each with the headers that every answer has: joined once, until the date is another one."""

    __slots__ = ("_common", "_starts")

    def __init__(self) -> None:
        self._common: list[tuple[bytes, bytes]] | None = None
        self._starts: dict[int, bytes] = {}

    def of(self, status: int, common: list[tuple[bytes, bytes]]) -> bytes:
        """`common`: a list that is replaced, and never changed, when it has to say something else."""
        if common is not self._common:
            self._common = common
            self._starts = {}
        start = self._starts.get(status)
        if start is None:
            start = self._starts[status] = STATUS_LINE[status] + lines_of(common)[0]
        return start


STARTS = Starts()
