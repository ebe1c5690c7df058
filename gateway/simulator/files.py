"""Files of the OpenAI server: uploads of any size, and downloads made while they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.simulator.forms import Upload
from gateway.simulator.openai import error
from gateway.simulator.player import Answer, document

if TYPE_CHECKING:
    from gateway.simulator.app import Call, Simulator
    from gateway.simulator.scenario import Script

_MOST_FILES = 1000
"""Stored files; the oldest is forgotten."""
_KEPT_BYTES = 1024 * 1024
"""The content of a longer file is not kept but made."""
_LARGEST = 512 * 1024 * 1024 * 1024

_MADE = re.compile(r"file-made-(\d{1,12})")
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_BLOCK = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class _File:
    row: dict[str, Any]
    content: bytes | None


class Files:
    """Handlers of /v1/files. `file-made-N` is always there: N bytes, 0 to 255 and again from 0."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._stored: dict[str, _File] = {}

    def upload(self, call: Call, script: Script | None) -> Answer:
        """Keep a file, or only its size when it is long."""
        form = call.body if isinstance(call.body, dict) else {}
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, Upload):
            return error(400, "'file' is a required property", "missing_required_parameter", "file")
        if not isinstance(purpose, str):
            return error(400, "'purpose' is a required property", "missing_required_parameter", "purpose")
        key = f"file-{next(self._sim.ids):024x}"
        row = {
            "id": key,
            "object": "file",
            "bytes": file.size,
            "created_at": int(self._sim.clock()),
            "filename": file.name,
            "purpose": purpose,
            "status": "processed",
            "expires_at": None,
        }
        whole = file.content if len(file.content) == file.size <= _KEPT_BYTES else None
        self._stored[key] = _File(row, whole)
        if len(self._stored) > _MOST_FILES:
            del self._stored[next(iter(self._stored))]
        return document(row)

    def page(self, call: Call, script: Script | None) -> Answer:
        """Newest first, in pages."""
        rows = [file.row for file in self._stored.values()][::-1]
        if purpose := call.query.get("purpose"):
            rows = [row for row in rows if row["purpose"] == purpose]
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(call.query["after"]) + 1 :] if call.query.get("after") in ids else rows
        limit = int(call.query.get("limit", "")) if call.query.get("limit", "").isdecimal() else 10_000
        page = rows[:limit]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return document({"object": "list", "data": page, **ends, "has_more": len(rows) > len(page)})

    def read(self, call: Call, script: Script | None) -> Answer:
        """What is known of a file."""
        file = self._file(call)
        return document(file.row) if file else _no_file(call)

    def delete(self, call: Call, script: Script | None) -> Answer:
        """Forget a file."""
        key = _key(call)
        if self._stored.pop(key, None) is None:
            return _no_file(call)
        return document({"id": key, "object": "file", "deleted": True})

    def content(self, call: Call, script: Script | None) -> Answer:
        """The bytes of a file, all of them or one range."""
        file = self._file(call)
        if file is None:
            return _no_file(call)
        size = file.row["bytes"]
        tag = f'"{_key(call)}"'
        headers = {
            "content-type": "application/octet-stream",
            "content-disposition": f'attachment; filename="{_token(file.row["filename"])}"',
            "accept-ranges": "bytes",
            "etag": tag,
        }
        if call.headers.get("if-none-match") == tag:
            return Answer(304, {"etag": tag})
        start, end, status = 0, size, 200
        asked = _RANGE.fullmatch(call.headers.get("range", ""))
        if asked:
            start, end, status = int(asked[1]), min(int(asked[2] or size) + 1, size), 206
            if start >= end:
                return Answer(416, {"content-range": f"bytes */{size}", "content-length": "0"})
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        headers["content-length"] = str(end - start)
        pieces = _made(start, end) if file.content is None else iter((file.content[start:end],))
        return Answer(status, headers, pieces=pieces)

    def _file(self, call: Call) -> _File | None:
        key = _key(call)
        made = _MADE.fullmatch(key)
        if made and int(made[1]) <= _LARGEST:
            row = {"id": key, "object": "file", "bytes": int(made[1]), "created_at": int(self._sim.clock())}
            return _File({**row, "filename": "made.bin", "purpose": "user_data", "status": "processed"}, None)
        return self._stored.get(key)


def _made(start: int, end: int) -> Iterator[bytes]:
    """The bytes from one place to another of a file that nobody has."""
    while start < end:
        first = start % 256
        piece = _BLOCK[first : first + min(end - start, len(_BLOCK) - first)]
        yield piece
        start += len(piece)


def _key(call: Call) -> str:
    return call.path.split("/")[3]


def _token(name: str) -> str:
    """A file's name as a header can carry it."""
    return re.sub(r'[^ -~]|["\\]', "_", name)


def _no_file(call: Call) -> Answer:
    return error(404, f"No such File object: {_key(call)}", None, "id")
