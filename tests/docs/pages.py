"""The user's documents as text: pages, tables, code blocks, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def text_of(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks of one language."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def without_blocks(text: str) -> str:
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    return _LINK.findall(without_blocks(text))


def codes(text: str) -> list[str]:
    """What stands in `code` marks outside blocks."""
    return _CODE.findall(without_blocks(text))


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(text: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose header begins with this word, without marks; a cell may hold an escaped bar."""
    return next(rows for rows in _tables(text) if rows[0][0] == first_column)[2:]


def tables(text: str, first_column: str) -> list[list[list[str]]]:
    """All tables whose header begins with this word, without their headers."""
    return [rows[2:] for rows in _tables(text) if rows[0][0] == first_column]


def _tables(text: str) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in [*without_blocks(text).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            yield rows
            rows = []
