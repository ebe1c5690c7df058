"""Settings from a file and the environment, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from gateway.config import (
    Auth,
    ConfigError,
    Limits,
    LogFile,
    Logging,
    Network,
    OAuth,
    Server,
    Settings,
    Upstream,
    find_workdir,
    load,
    load_workdir,
    read,
)
from gateway.config.fields import leaves

ORIGINAL = Path(__file__).with_name("original.yaml")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def mistakes(path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "server:\nlogging:\n  file:\n"])
def test_an_empty_file_is_all_defaults(written: Path, text: str) -> None:
    written.write_text(text)
    assert load(written, {}) == Settings() == load(None, {})


@pytest.mark.proves("CLI-original-config")
def test_the_file_of_the_original_loads_and_its_blanks_are_defaults() -> None:
    assert load(ORIGINAL, {}) == Settings(
        server=Server(listen=":8090"),
        network=Network(proxy_url=SecretStr("socks5h://proxy.internal:1080")),
        auth=Auth(downstream_api_key=SecretStr("local-team-key")),
        logging=Logging(
            level="warn",
            format="text",
            output="both",
            color="never",
            file=LogFile(name="gateway.log", max_size_mb=20, max_age_days=30, compress=True),
        ),
        oauth=OAuth(
            client_id="app_example",
            authorize_endpoint="https://login.example/oauth/authorize",
            token_endpoint="https://login.example/oauth/token",
            redirect_host="localhost",
            scopes=("openid", "offline_access"),
        ),
        upstream=Upstream(mode="openai_api", base_url="https://llm.example"),
    )


@pytest.mark.proves("CLI-environment")
def test_the_environment_wins_over_the_file_and_reads_lists_and_maps(written: Path) -> None:
    written.write_text("server: {listen: '127.0.0.1:1', workers: 2}\nupstream: {aliases: {a: b}}\n")
    environ = {
        "GATEWAY_SERVER__LISTEN": "127.0.0.1:2",
        "GATEWAY_SERVER__EXTRA_LISTEN": "[::1]:2, unix:/run/x.sock",
        "GATEWAY_UPSTREAM__ALIASES": '{"gpt-4o": "gpt-5.5"}',
        "GATEWAY_UPSTREAM__DIALECTS": '["chat"]',
        "GATEWAY_LOGGING__FILE__COMPRESS": "true",
        "GATEWAY_LIMITS__IDLE_SECONDS": "1.5",
        "GATEWAY_AUTH__DOWNSTREAM_API_KEY": "",
        "GATEWAY_PORT": "tcp://10.0.0.1:80",
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
    }
    assert load(written, environ) == Settings(
        server=Server(listen="127.0.0.1:2", workers=2, extra_listen=("[::1]:2", "unix:/run/x.sock")),
        upstream=Upstream(aliases={"gpt-4o": "gpt-5.5"}, dialects=("chat",)),
        logging=Logging(file=LogFile(compress=True)),
        limits=Limits(idle_seconds=1.5),
    )


def test_loaded_settings_tell_which_variables_they_came_from(written: Path) -> None:
    loaded = read(written, {"GATEWAY_SERVER__WORKERS": "3", "OTHER": "1"})
    assert (loaded.path, loaded.variables) == (None, {"server.workers": "GATEWAY_SERVER__WORKERS"})


@pytest.mark.proves("CLI-every-mistake")
def test_every_mistake_is_told_at_once_with_place_expectation_and_finding(written: Path) -> None:
    text = """\
server:
  lisen: x
  listen: 127.0.0.1:99999
listen: z
auth: sk-in-the-wrong-place
network:
  proxy_url: ftp://user:password@host
logging: {level: LOUD}
upstream:
  api_key: 12345678
  timeout_seconds: abc
  base_url: https://me:password@host/?token=password
  dialects: [chat, foo]
"""
    environ = {
        "GATEWAY_CHAT__REASONNG": "x",
        "GATEWAY_LIMITS__RETRIES": "-1",
        "GATEWAY_UPSTREAM__ALIASES": "{bad",
    }
    assert mistakes(written, text, environ) == (
        [
            "line 2: server.lisen: unknown key; did you mean server.listen?",
            'line 3: server.listen: expected "host:port", ":port", "[IPv6]:port" or "unix:/path", '
            "found '127.0.0.1:99999'",
            "line 4: listen: unknown key; did you mean server.listen?",
            "line 5: auth: expected a section with settings in it, found text",
            "line 7: network.proxy_url: expected an absolute URL with a host, of scheme http, https, socks5, socks5h, "
            "found text",
            "line 8: logging.level: expected one of 'debug', 'info', 'warn' or 'error', found 'loud'",
            "line 10: upstream.api_key: expected text (in quotes), found a number",
            "line 11: upstream.timeout_seconds: expected a number, found 'abc'",
            "line 12: upstream.base_url: expected an absolute http or https URL without query and fragment, "
            "found 'https://***@host/?***'",
            "line 13: upstream.dialects[1]: expected one of 'chat', 'responses' or 'completions', found 'foo'",
            "GATEWAY_CHAT__REASONNG: chat.reasonng: unknown key; did you mean chat.reasoning?",
            "GATEWAY_LIMITS__RETRIES: limits.retries: expected at least 0, found '-1'",
            "GATEWAY_UPSTREAM__ALIASES: upstream.aliases: expected a map, found '{bad'",
        ]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "line 1, column 6: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("server:\n\tlisten: x", "line 2, column 1: not YAML: found character '\\t' that cannot start any token"),
        ("- 1", "line 1: expected a map of sections at the top"),
        ("just words", "line 1: expected a map of sections at the top"),
        (
            "auth: {downstream_api_key: *hunter2}",
            "line 1, column 28: not YAML: a value that begins with *, & or ! needs quotes",
        ),
        (
            "auth:\n  downstream_api_key: !hunter2",
            "line 2, column 23: not YAML: a value that begins with *, & or ! needs quotes",
        ),
        ("server:\n  workers: 1\n  workers: 2", "line 3: server.workers: this key is set twice (first on line 2)"),
        ("server: {workers: 1, workers: 2}", "line 1: server.workers: this key is set twice (first on line 1)"),
        ("cors: {allow_origins: ['https://a.example/app']}", "line 1: cors.allow_origins[0]: expected"),
        (
            "server: {listen: ':1', extra_listen: [':1']}",
            "line 1: server: expected every listen address once, found :1 twice",
        ),
        ("upstream: {models_path: v1/models}", "line 1: upstream.models_path: expected a path that begins with"),
        ("limits: {idle_seconds: .inf}", "line 1: limits.idle_seconds: expected a finite number, found inf"),
        ("limits: {idle_seconds: 0}", "line 1: limits.idle_seconds: expected more than 0, found 0"),
        ("zebra: 1", "line 1: zebra: unknown key; known here: server, network, auth"),
    ],
)
def test_one_mistake(written: Path, text: str, said: str) -> None:
    (found,) = mistakes(written, text)
    assert found.startswith(said)


@pytest.mark.proves("CLI-every-mistake")
@pytest.mark.parametrize(
    "key",
    [" ", "\t \n", "two words", " sk-1", "sk-1\n", "sk\x00-1", "sk-\x7f", "ключ", "sk-1\u00a0", "sk-\u200b1"],
    ids=ascii,
)
@pytest.mark.parametrize("setting", ["auth.downstream_api_key", "upstream.api_key"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(written: Path, setting: str, key: str) -> None:
    section, name = setting.split(".")
    (found,) = mistakes(written, yaml.safe_dump({section: {name: key}}))
    said = "expected a key that a header can carry: visible ASCII characters, without spaces, found text"
    assert found == f"line 2: {setting}: {said}"
    variable = f"GATEWAY_{section}__{name}".upper()
    (found,) = mistakes(written, "", {variable: key})
    assert found == f"{variable}: {setting}: {said}"


def _numbers() -> list[str]:
    return [path for path, field in leaves(Settings) if field.annotation in (int, float)]


@pytest.mark.proves("CLI-every-mistake")
@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("setting", _numbers())
def test_true_and_false_are_no_numbers(written: Path, setting: str, value: bool) -> None:
    document: object = value
    for name in reversed(setting.split(".")):
        document = {name: document}
    (found,) = mistakes(written, yaml.safe_dump(document, default_flow_style=True))
    assert found == f"line 1: {setting}: expected a number, found {str(value).lower()}"


@pytest.mark.proves("CLI-every-mistake")
@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ({"": "gpt-5.5"}, "expected a name and a model, neither of them empty, found {'': 'gpt-5.5'}"),
        ({"fast": ""}, "expected a name and a model, neither of them empty, found {'fast': ''}"),
        ({"fast": "  "}, "expected a name and a model, neither of them empty, found {'fast': '  '}"),
        ({"a": "a"}, "expected models, not other aliases (a → a → a), found {'a': 'a'}"),
        ({"a": "b", "b": "a"}, "expected models, not other aliases (a → b → a), found {'a': 'b', 'b': 'a'}"),
        ({"a": "b", "b": "m"}, "expected models, not other aliases (a → b → m), found {'a': 'b', 'b': 'm'}"),
    ],
    ids=["no name", "no model", "a blank model", "itself", "loop", "chain"],
)
def test_aliases_name_models(written: Path, aliases: dict[str, str], said: str) -> None:
    text = yaml.safe_dump({"upstream": {"aliases": aliases}})
    assert mistakes(written, text) == [f"line 2: upstream.aliases: {said}"]


@pytest.mark.proves("CLI-every-mistake")
@pytest.mark.parametrize(
    "version", ["", "1", "1.2", "v1.2.3", "1.2.3.4", "1.2.x", "1.2.3-beta", "1.2.3\n", "١.٢.٣"], ids=ascii
)
def test_a_version_has_three_numbers(written: Path, version: str) -> None:
    (found,) = mistakes(written, yaml.safe_dump({"upstream": {"version": version}}))
    assert found == f'line 2: upstream.version: expected a version such as "0.161.0", found {version!r}'


@pytest.mark.parametrize("text", ["\x00", "a: 2026-13-45", "{" * 3000, "a: &a [*a]"])
def test_what_no_parser_reads_is_a_mistake_and_not_a_crash(written: Path, text: str) -> None:
    assert len(mistakes(written, text)) == 1


def test_a_file_that_is_not_text_is_a_mistake(written: Path, tmp_path: Path) -> None:
    written.write_bytes(b"server: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(written, {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("upstream: {mode: openai_api}", "sk-env"),
        ("upstream: {mode: openai_api, api_key: sk-own}", "sk-own"),
        ("upstream: {mode: codex_oauth}", ""),
        ("upstream: {mode: openai_api, base_url: 'https://llm.example'}", ""),
        ("upstream: {mode: openai_api, base_url: 'https://api.openai.com.evil.example'}", ""),
        ("{upstream: {mode: openai_api}, auth: {downstream_api_key: sk-env}}", ""),
    ],
    ids=["openai", "own key", "login", "other server", "look-alike", "the gateway's own key"],
)
def test_the_openai_key_of_the_environment_goes_to_openai_only(written: Path, text: str, key: str) -> None:
    written.write_text(text)
    assert load(written, {"OPENAI_API_KEY": "sk-env"}).upstream.api_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("{base_url: 'http://localhost:11434/v1'}", "http://localhost:11434"),
        ("{base_url: 'http://localhost:11434/v1', models_path: /models}", "http://localhost:11434/v1"),
        ("{base_url: 'https://llm.example/openai/'}", "https://llm.example/openai"),
    ],
)
def test_the_version_prefix_of_a_pasted_base_url_is_not_doubled(written: Path, text: str, base_url: str) -> None:
    written.write_text(f"upstream: {text}")
    assert load(written, {}).upstream.base_url == base_url


@pytest.mark.proves("CLI-workdir")
def test_the_work_directory_is_the_first_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"CODEX_GATEWAY_HOME": str(tmp_path / "home")}
    assert find_workdir(tmp_path / "option", environ).path == tmp_path / "option"
    assert find_workdir(None, environ).path == tmp_path / "home"
    assert find_workdir(None, {}).path.name == "codex-gateway"
    (tmp_path / "config.yaml").touch()
    assert find_workdir(None, {}).path == tmp_path


def test_an_app_factory_finds_settings_and_work_directory_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server: {workers: 2}")
    other = tmp_path / "other.yaml"
    other.write_text("server: {workers: 3}")
    environ = {"CODEX_GATEWAY_HOME": str(tmp_path)}
    assert load_workdir(environ) == (Settings(server=Server(workers=2)), tmp_path)
    environ["CODEX_GATEWAY_CONFIG"] = str(other)
    assert load_workdir(environ) == (Settings(server=Server(workers=3)), tmp_path)
