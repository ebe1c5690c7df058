"""Every promise has a test that names it, and every name a test gives is a promise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.requirements import PROMISES

TESTS = Path(__file__).parent


def _proved_ids() -> Iterator[str]:
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "proves":
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), f"{path.name}:{node.lineno}: ids are literals"
                    yield str(argument.value)


def test_each_promise_is_shown_by_a_test_and_each_id_is_a_promise() -> None:
    proved = set(_proved_ids())
    assert sorted(set(PROMISES) - proved) == [], "promises without a test"
    assert sorted(proved - set(PROMISES)) == [], "ids that no promise has"
