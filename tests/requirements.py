"""What the product promises: id → (source, behaviour). Tests name ids with `@pytest.mark.proves(...)`.

`tests/test_requirements.py` fails when a promise has no test, or a test names a promise that does not exist.
One section an area; ids read `AREA-subject`.
"""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    source: str
    behaviour: str


WIRE: dict[str, Promise] = {}

RESPONSES: dict[str, Promise] = {}

CHAT: dict[str, Promise] = {}

UPSTREAM: dict[str, Promise] = {}

OAUTH: dict[str, Promise] = {}

SIMULATOR: dict[str, Promise] = {}

CLI: dict[str, Promise] = {}

HTTP: dict[str, Promise] = {}

ENGINE: dict[str, Promise] = {}

DOCS: dict[str, Promise] = {}

PROMISES: dict[str, Promise] = {
    **WIRE,
    **RESPONSES,
    **CHAT,
    **UPSTREAM,
    **OAUTH,
    **SIMULATOR,
    **CLI,
    **HTTP,
    **ENGINE,
    **DOCS,
}
