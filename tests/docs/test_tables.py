"""The tables of docs/ say what the code does."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from gateway import errors
from gateway.config import Settings
from gateway.config.fields import leaves
from gateway.config.loading import _ORIGINAL
from gateway.config.presets import KNOWN
from gateway.core import failures
from gateway.dialects import Choices, chat, completions
from gateway.dialects.responses.request import _TYPES
from gateway.engine.counting import OwnNumbers
from gateway.engine.metrics import Metrics
from gateway.simulator import BUILT_IN
from gateway.simulator.library import FAILURES
from gateway.simulator.scenario import _SCENARIO_KEYS, _SCRIPT_KEYS, ROUTES, STEPS
from gateway.upstreams.profile import CODEX
from gateway.upstreams.servers import SERVERS
from tests.docs.pages import ROOT, codes, table, tables, text_of
from tests.docs.verdicts import (
    CHAT_BASE,
    CHAT_SAMPLES,
    PROFILES,
    RESPONSES_BASE,
    RESPONSES_SAMPLES,
    TEXT_BASE,
    TEXT_SAMPLES,
    chat_server_verdict,
    chat_verdict,
    responses_verdict,
    text_verdict,
)


def _bare(cell: str) -> str:
    return cell.replace("`", "").removesuffix(" *")


# errors.md ---------------------------------------------------------------------------------------------------------


def _kinds(top: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    yield top
    for kind in top.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _kinds(kind)


def _codes_in_source() -> Iterator[str]:
    """Codes that requests can meet and that are written where the error is raised."""
    rooms = ("core", "wire", "dialects", "engine", "upstreams", "surfaces")
    for path in (path for room in rooms for path in (ROOT / "gateway" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given = [word.value for word in node.keywords if word.arg == "code"]
                if isinstance(node.func, ast.Attribute) and node.func.attr == "client_error":
                    given += node.args[1:2]
                yield from (str(value.value) for value in given if isinstance(value, ast.Constant) and value.value)


@pytest.mark.proves("DOCS-errors")
def test_the_table_of_errors_has_every_code_of_the_gateway_with_its_status() -> None:
    told = {_bare(row[0]): int(row[1]) for row in table(text_of("docs/errors.md"), "code")}
    abstract = (errors.UpstreamFault, errors.UpstreamRefusal, errors.NotFound)
    made = {kind.code: kind.status for kind in _kinds(errors.GatewayError) if kind not in abstract}
    assert {code: told.get(str(code)) for code in made} == made
    assert set(_codes_in_source()) - told.keys() == set()


@pytest.mark.proves("DOCS-errors")
def test_the_table_of_errors_has_no_code_that_nothing_makes() -> None:
    told = {_bare(row[0]) for row in table(text_of("docs/errors.md"), "code")}
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    assert {code for code in told if f'"{code}"' not in source} == set()


@pytest.mark.proves("DOCS-errors")
def test_the_families_of_upstream_codes_are_those_of_the_code_in_their_order() -> None:
    told = [
        (row[0], re.findall(r"`([^`]+)`", row[1]), int(row[2])) for row in table(text_of("docs/errors.md"), "family")
    ]
    assert told == [(row.name, list(row.words), row.status) for row in failures._ROWS]


# configuration.md --------------------------------------------------------------------------------------------------


def _default(value: Any) -> str:
    """A default as the table writes it: JSON, whole numbers without a point."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


@pytest.mark.proves("DOCS-settings")
def test_the_table_of_settings_is_the_tree_with_its_defaults() -> None:
    rows = table(text_of("docs/configuration.md"), "setting")
    told = [(_bare(row[0]), _bare(row[1]), row[0].endswith(" *")) for row in rows]
    assert told == [(path, _default(field.default), path in _ORIGINAL) for path, field in leaves(Settings)]


@pytest.mark.proves("DOCS-settings")
def test_the_example_file_names_every_setting_in_the_order_of_the_tree() -> None:
    def paths(document: Any, above: str, tree: set[str]) -> Iterator[str]:
        for name, value in document.items():
            path = f"{above}{name}"
            if path in tree:
                yield path
            else:
                yield from paths(value, f"{path}.", tree)

    known = [path for path, _ in leaves(Settings)]
    assert list(paths(yaml.safe_load(text_of("config.example.yaml")), "", set(known))) == known


@pytest.mark.proves("DOCS-settings", "PROVIDERS-presets")
def test_the_table_of_known_providers_is_that_of_the_code() -> None:
    rows = table(text_of("docs/configuration.md"), "name")
    told = {_bare(row[0]): (row[1], row[2].split(", ")) for row in rows}
    usual = list(Settings().upstream.dialects)
    assert told == {name: (known["base_url"], known.get("dialects", usual)) for name, known in KNOWN.items()}


# dialects.md -------------------------------------------------------------------------------------------------------


class _Watched(dict[str, Any]):
    """A request body that remembers which of its fields were looked for."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def _chat_rows() -> dict[str, tuple[str, str]]:
    rows = tables(text_of("docs/dialects.md"), "field")[0]
    return {_bare(row[0]).removeprefix("any other, such as "): (row[1], row[2]) for row in rows}


def _text_rows() -> dict[str, tuple[str, str]]:
    rows = tables(text_of("docs/dialects.md"), "field")[1]
    return {_bare(row[0]).removeprefix("any other, such as "): (row[1], row[2]) for row in rows}


def _responses_rows() -> dict[str, tuple[str, str]]:
    rows = tables(text_of("docs/dialects.md"), "field")[2]
    return {_bare(row[0]).removeprefix("any other, such as "): (row[1], row[2]) for row in rows}


@pytest.mark.proves("DOCS-dialects")
def test_the_chat_table_has_every_field_that_the_decoder_looks_for() -> None:
    spoken, inner = _Watched(CHAT_BASE), _Watched(RESPONSES_BASE)
    chat.DIALECT.decode(spoken, Choices())
    chat.DIALECT.decode(inner, Choices())
    assert (spoken.asked | inner.asked) - _chat_rows().keys() == set()
    assert "reasoning_effort" in spoken.asked


@pytest.mark.proves("DOCS-dialects")
def test_the_responses_table_has_every_field_of_the_codex_profile_and_of_the_dialect() -> None:
    fields = {*(CODEX.fields or {}), *_TYPES, "input", "model"}
    assert fields - _responses_rows().keys() == set()


@pytest.mark.proves("DOCS-dialects")
def test_each_chat_field_is_treated_as_the_table_says() -> None:
    done = {
        field: (chat_verdict(field, PROFILES["codex_oauth"]), chat_verdict(field, PROFILES["openai_api"]))
        for field in CHAT_SAMPLES
    }
    assert done == _chat_rows()


@pytest.mark.proves("DOCS-dialects")
def test_the_table_of_legacy_completions_is_what_the_decoder_does() -> None:
    spoken = _Watched({**TEXT_BASE, "stream": True})
    completions.DIALECT.decode(spoken, Choices())
    assert spoken.asked - _text_rows().keys() == set()
    done = {
        field: (text_verdict(field, PROFILES["codex_oauth"]), text_verdict(field, PROFILES["openai_api"]))
        for field in TEXT_SAMPLES
    }
    assert done == _text_rows()


@pytest.mark.proves("DOCS-dialects")
def test_each_responses_field_is_treated_as_the_table_says() -> None:
    done = {field: (responses_verdict(field), chat_server_verdict(field)) for field in RESPONSES_SAMPLES}
    assert done == _responses_rows()


@pytest.mark.proves("DOCS-dialects")
def test_the_table_of_known_servers_is_that_of_the_code() -> None:
    told = {_bare(row[0]): row[1] for row in table(text_of("docs/configuration.md"), "server")}
    ways = {name: (codes(cell), re.findall(r"port (\d+)", cell)) for name, cell in told.items()}
    assert ways == {
        name: (list(server.hosts), [str(server.port)] if server.port else []) for name, server in SERVERS.items()
    }


# simulator.md and deployment.md ------------------------------------------------------------------------------------


@pytest.mark.proves("DOCS-scripts")
def test_the_built_in_scripts_are_those_of_the_simulator() -> None:
    section = text_of("docs/simulator.md").split("## Built-in scripts\n")[1].split("\n## ")[0]
    plain, failing = section.split("Failures inside a stream")
    forms = set(re.findall(r"`(\w+):CODE`", failing))
    told = set(codes(plain)) | {f"{form}:{code}" for form in forms for code in FAILURES}
    assert told == BUILT_IN.keys()
    assert set(codes(failing)) - {f"{form}:CODE" for form in forms} == FAILURES.keys()


@pytest.mark.proves("DOCS-scripts")
def test_every_key_of_scenarios_and_scripts_is_described() -> None:
    told = " ".join(codes(text_of("docs/simulator.md")))
    words = set(re.findall(r"[\w.]+", told))
    assert {*_SCENARIO_KEYS, *ROUTES, *STEPS, *_SCRIPT_KEYS} - {"name"} - words == set()


@pytest.mark.proves("DOCS-metrics")
def test_the_table_of_metrics_names_each_with_its_labels() -> None:
    told = {
        _bare(row[0]): sorted(filter(None, row[1].split(", ")))
        for row in table(text_of("docs/deployment.md"), "metric")
    }
    metrics = Metrics(("codex",))
    numbers = metrics._numbers
    assert isinstance(numbers, OwnNumbers)
    families = {
        f"{family.name}{'_total' if family.type == 'counter' else ''}": sorted(vars(family)["_labelnames"])
        for family in numbers._collectors.collect()
    }
    assert told == families


@pytest.mark.proves("DOCS-deploy")
def test_the_nginx_snippet_holds_nothing_back_and_hides_the_metrics() -> None:
    text = text_of("deploy/nginx.conf")
    wanted = ("proxy_buffering off;", "proxy_http_version 1.1;", "gzip off;", "proxy_read_timeout 3600s;")
    assert [line for line in wanted if line not in text] == []
    assert re.search(r"location = /metrics \{\s*return 404;", text)
    assert f"client_max_body_size {Settings().limits.body_bytes // 2**20}m;" in text
    assert f"server {Settings().server.listen};" in text


@pytest.mark.proves("DOCS-deploy")
def test_the_caddyfile_flushes_at_once_and_hides_the_metrics() -> None:
    text = text_of("deploy/Caddyfile")
    assert f"reverse_proxy {Settings().server.listen} {{" in text
    assert "flush_interval -1" in text
    assert "respond /metrics 404" in text
    assert not re.search(r"^\s*encode", text, re.MULTILINE)


@pytest.mark.proves("DOCS-deploy")
def test_the_image_is_made_of_files_that_exist_and_does_not_run_as_root() -> None:
    text = text_of("deploy/Dockerfile")
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    sources = [source for words in copied for source in words]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    allowed = re.findall(r"^!(.+)$", Path(ROOT / "deploy/Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(sources) == sorted(allowed)
    assert text.rindex("USER codex-gateway") < text.index("ENTRYPOINT")
    assert "--constraint deploy/constraints.txt" in text
