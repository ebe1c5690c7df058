"""What is promised of: programs people use."""

from __future__ import annotations

from tests.promises import Promise

CLIENTS: dict[str, Promise] = {}
