"""What is promised of: legacy completions."""

from __future__ import annotations

from tests.promises import Promise

COMPLETIONS: dict[str, Promise] = {}
