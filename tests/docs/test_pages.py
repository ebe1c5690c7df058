"""README, CHANGELOG and docs: what they point to and what they tell to type exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from gateway.cli.commands import app
from gateway.config import load
from gateway.simulator import Scenario
from tests.docs.pages import PAGES, anchors, blocks, codes, links, text_of


@pytest.mark.proves("DOCS-links")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in links(page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        if ":" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8"))):
            broken.append(link)
    assert broken == []


def _lines(text: str) -> Iterator[str]:
    """Command lines in shell blocks and in `code` marks, as words after `codex-gateway`."""
    shell = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    for line in [*shell, *codes(text)]:
        # A name may stand before it: `sudo -u codex-gateway codex-gateway ...`.
        if match := re.search(r"(?:^|\s|\(|bin/)codex-gateway (?!codex-gateway )(?=[a-z-])(.*)", line.strip()):
            yield match[1].split("  #")[0]


def _mistake(line: str) -> str:
    """What of a command line the program does not know; "" when all of it exists."""
    command: Any = typer.main.get_command(app)  # typer brings a click of its own, with other types
    options: set[str] = set()
    for word in shlex.split(line.replace("[", "").replace("]", "").replace("|", " ")):
        options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        inner = getattr(command, "commands", {})
        if word.startswith("-"):
            if word.split("=")[0] not in options:
                return f"{line}: no option {word}"
        elif inner:
            if word not in inner:
                return f"{line}: no command {word}"
            command = inner[word]
    return f"{line}: {command.name} needs a command" if getattr(command, "commands", {}) else ""


@pytest.mark.proves("DOCS-commands")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page: Path) -> None:
    lines = list(_lines(page.read_text("utf-8")))
    assert [mistake for line in lines if (mistake := _mistake(line))] == []


@pytest.mark.proves("DOCS-commands")
def test_the_check_of_commands_sees_commands_and_knows_wrong_ones() -> None:
    found = [line for page in PAGES for line in _lines(page.read_text("utf-8"))]
    assert len(found) > 40
    assert {"auth login --device", "serve --workers 4", "service show"} <= {line.strip() for line in found}
    assert _mistake("auth logon") == "auth logon: no command logon"
    assert _mistake("serve --worker 4") == "serve --worker 4: no option --worker"


@pytest.mark.proves("DOCS-make")
def test_every_make_target_that_is_named_exists() -> None:
    known = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named: set[str] = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        for code in [*codes(text), *"\n".join(blocks(text, "sh")).splitlines()]:
            named |= set(re.findall(r"\bmake ([a-z]+)\b(?!=)", code))
    assert named - known == set()
    assert {"run", "login", "check", "test"} <= named


@pytest.mark.proves("DOCS-changelog")
def test_the_changelog_has_an_unreleased_section_with_entries() -> None:
    section = text_of("CHANGELOG.md").split("## Unreleased\n", 1)[1].split("\n## ", 1)[0]
    assert re.search(r"^- \S", section, re.MULTILINE)


@pytest.mark.proves("DOCS-examples")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_example_is_a_settings_file_or_a_scenario_that_loads(page: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for block in blocks(page.read_text("utf-8"), "yaml"):
        document = yaml.safe_load(block)
        if document.keys() & {"routes", "scripts"}:
            Scenario.parse(document)
        else:
            file.write_text(block, "utf-8")
            load(file, {})
