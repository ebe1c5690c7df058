"""No file tells where it was made, where packages come from, or a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.config.presets import KNOWN
from tests.docs.pages import PAGES, ROOT

TOP = ("README.md", "CHANGELOG.md", "Makefile", "config.example.yaml", "pyproject.toml", ".ci", "deploy", "docs")
KINDS = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".txt",
    ".json",
    ".sse",
    ".html",
    ".js",
    ".css",
    ".conf",
    ".service",
    "",
}

# Written so that the patterns do not find themselves.
PLACES = re.compile(r"(?<![\w.:/-])/(?:wor[k]|hom[e]|User[s]|roo[t])/\w")
REGISTRIES = re.compile(
    r"pyp[i]\.org|pythonhoste[d]|registr[y]\.[a-z]|docke[r]\.io|ghc[r]\.io|proxy\.golan[g]|index-ur[l]"
)
SECRETS = re.compile(
    r"\bsk-(?:gw-|proj-|ant-)?[A-Za-z0-9]{24,}|\bAKIA[A-Z0-9]{16}|\bgh[pos]_[A-Za-z0-9]{30,}"
    r"|\beyJ[\w-]{40,}\.[\w-]{40,}\.[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY"
)


MADE_UP = re.compile(r"marked|simulated|example|test", re.IGNORECASE)
"""Keys that tests plant in order to look for them later say so."""


def _files(*names: str) -> Iterator[Path]:
    for name in names:
        start = ROOT / name
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file() and path.suffix in KINDS and "__pycache__" not in path.parts:
                yield path


def _found(pattern: re.Pattern[str], *names: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {match[0][:40]}"
        for path in _files(*names)
        if (match := pattern.search(path.read_text("utf-8", "replace")))
    ]


@pytest.mark.proves("DOCS-clean")
def test_no_file_names_a_directory_of_the_machine_it_was_written_on() -> None:
    assert _found(PLACES, *TOP, "gateway", "tests") == []


@pytest.mark.proves("DOCS-clean")
def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert _found(REGISTRIES, *TOP, "gateway", "tests") == []


@pytest.mark.proves("DOCS-clean")
def test_no_file_holds_what_looks_like_a_secret() -> None:
    found = _found(SECRETS, *TOP, "gateway", "tests")
    assert [line for line in found if not MADE_UP.search(line.partition(": ")[2])] == []


@pytest.mark.proves("DOCS-clean")
def test_the_patterns_find_what_they_look_for() -> None:
    assert PLACES.search("in /" + "home/somebody/x")
    assert REGISTRIES.search("https://" + "pypi" + ".org/simple")
    assert SECRETS.search("sk-" + "a1B2" * 8)


@pytest.mark.proves("DOCS-clean")
def test_documents_link_only_to_hosts_that_a_reader_needs() -> None:
    known = re.compile(r"(?:\w+\.)*(?:openai\.com|chatgpt\.com|example|example\.com)|localhost|127\.0\.0\.1|user")
    servers = {urlsplit(provider["base_url"]).hostname for provider in KNOWN.values()}
    hosts = {
        (page.name, host)
        for page in PAGES
        for host in re.findall(r"https?://([\w.-]+)", page.read_text("utf-8"))
        if not known.fullmatch(host) and host not in servers
    }
    assert hosts == set()
