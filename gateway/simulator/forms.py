"""Forms in parts (multipart/form-data): fields as texts, files as what is known of them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"^content-disposition:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^content-type:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(rb';\s*name="([^"]*)"')
_FILE_NAME = re.compile(rb';\s*filename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form. `content` is what was kept of it: all, or the beginning of `size` bytes."""

    name: str
    type: str
    size: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A body of `size` bytes as far as it was kept: `head` is all, or `tail` is how it ended."""

    head: bytes
    size: int
    tail: bytes = b""


def is_form(content_type: str) -> bool:
    """Whether a body of this type comes in parts."""
    return content_type.lower().startswith("multipart/form-data")


def form(body: Kept, content_type: str) -> dict[str, Any] | None:
    """Fields and files by name; a list where a name ends in []. None when it cannot be taken apart.

    What was not kept is taken for the middle of the part that it begins in: the file that made the body long.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    head, tail = b"\r\n" + body.head, body.tail.rstrip(b"\r\n")
    if not body.tail:
        head = head.rstrip(b"\r\n")
    if not head.startswith(delimiter) or not (tail or head).endswith(delimiter + b"--"):
        return None
    parts = head.split(delimiter)[1:]
    behind = tail.split(delimiter)
    missing = body.size - len(body.head) - len(body.tail) + len(behind[0])
    held: dict[str, Any] = {}
    for part in parts[:-1]:
        _put(held, part, 0)
    if tail:
        _put(held, parts[-1], missing)
    for part in behind[1:-1]:
        _put(held, part, 0)
    return held


def _put(held: dict[str, Any], part: bytes, missing: int) -> None:
    """Add a part, of which so many bytes are missing."""
    head, _, content = part.partition(b"\r\n\r\n")
    about = _DISPOSITION.search(head)
    name = _NAME.search(about[1]) if about else None
    if about is None or name is None:
        return
    key = name[1].decode("utf-8", "replace")
    file_name = _FILE_NAME.search(about[1])
    value: Any = content.decode("utf-8", "replace")
    if file_name is not None:
        kind = _TYPE.search(head)
        told = kind[1].strip().decode("latin-1") if kind else "application/octet-stream"
        value = Upload(file_name[1].decode("utf-8", "replace"), told, len(content) + missing, content)
    if key.endswith("[]"):
        held.setdefault(key[:-2], []).append(value)
    else:
        held[key] = value
