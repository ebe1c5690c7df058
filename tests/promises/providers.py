"""What is promised of: several upstreams at once."""

from __future__ import annotations

from tests.promises import Promise

PROVIDERS: dict[str, Promise] = {}
