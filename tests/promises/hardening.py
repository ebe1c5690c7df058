"""What is promised of: bad input."""

from __future__ import annotations

from tests.promises import Promise

HARDENING: dict[str, Promise] = {}
