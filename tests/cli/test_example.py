"""The files that ship beside the package agree with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Settings, load
from gateway.config.fields import leaves

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"


def dotted(values: dict[str, Any], above: str = "") -> Iterator[str]:
    maps = {"upstream.aliases", "providers"}
    for key, value in values.items():
        if isinstance(value, dict) and above + key not in maps:
            yield from dotted(value, f"{above}{key}.")
        else:
            yield above + key


@pytest.mark.proves("CLI-example-config")
def test_the_example_names_every_setting_with_its_default() -> None:
    assert load(EXAMPLE, {}) == Settings()
    assert list(dotted(yaml.safe_load(EXAMPLE.read_text()))) == [path for path, _ in leaves(Settings)]


@pytest.mark.proves("CLI-example-config")
def test_every_setting_of_the_example_has_a_comment_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"(?:\s+[a-z_]+|providers): \S", line)]
    assert len(settings) == len(list(leaves(Settings)))
    assert [lines[number] for number in settings if not lines[number - 1].lstrip().startswith("#")] == []


def test_every_dependency_is_pinned_by_plain_versions() -> None:
    lines = (ROOT / "deploy" / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line)] == []
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in named}
    assert wanted - pinned == set()


def test_the_makefile_holds_no_absolute_path_and_no_host() -> None:
    text = (ROOT / "Makefile").read_text()
    assert re.findall(r"(?<![\w.$)}-])/(?!dev/null)\w+|https?://", text) == []
