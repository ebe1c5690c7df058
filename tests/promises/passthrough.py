"""What is promised of: paths the gateway does not know."""

from __future__ import annotations

from tests.promises import Promise

PASSTHROUGH: dict[str, Promise] = {}
