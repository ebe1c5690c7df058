"""Nothing secret comes out: every route and failure is driven with marked secrets, then everything seen is searched."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from gateway import logs
from gateway.config import Logging
from gateway.simulator import Scenario, Simulator
from tests.live.stack import CODEX, MODEL, MODES, NATIVE, Mode, Stack, running
from tests.serving import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

# Plain words on purpose: what only a pattern for well-known shapes would catch is not safe.
CLIENT_KEY = "marked-client-key-7f3a"
WRONG_KEY = "marked-wrong-key-91bc"
API_KEY = "marked-upstream-key-55de"
PROXY_PASSWORD = "marked-proxy-password-c0de"
ACCOUNT = "marked-account-0815"
CODE = "marked-authorization-code-4711"
FIXED = (CLIENT_KEY, WRONG_KEY, API_KEY, PROXY_PASSWORD, ACCOUNT, CODE)

POSTS: dict[str, Json] = {
    "/v1/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]},
    "/v1/responses": {"model": MODEL, "input": "hi"},
}
PAGES = ("/", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.yaml", "/openapi.json", "/v1/models")
FAILURES = (
    "usage_limit_reached challenge too_large forbidden server_error bad_gateway overloaded outage unauthorized "
    "token_revoked deactivated_workspace cut end failed:server_error first:context_length_exceeded error:server_error"
)


class Log:
    """What was logged, wherever it went."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capture = capture

    def pieces(self) -> dict[str, str]:
        captured = self._capture.readouterr()
        files = {path.name: path.read_text("utf-8") for path in self._folder.rglob("*") if path.is_file()}
        return {"standard output": captured.out, "standard error": captured.err, **files}


@contextmanager
def logging_as(form: str, folder: Path, capture: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """Log to standard error and to a file; afterwards logging is as before. To be entered inside the test itself."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    try:
        logs.configure(Logging.model_validate({"level": "debug", "format": form, "output": "both"}), folder)
        yield Log(folder / "logs", capture)
    finally:
        logs.configure(Logging(), folder)  # closes the file
        logging.captureWarnings(False)
        root.handlers, root.level = handlers, level
        structlog.configure(**kept)


in_both_forms = pytest.mark.parametrize("form", ["text", "json"])


class Seen:
    """Everything that came out, piece by piece with a name."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []

    def note(self, name: str, text: str) -> None:
        self.pieces.append((name, text))

    def answer(self, name: str, answer: httpx2.Response) -> None:
        headers = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
        self.note(f"{name} -> {answer.status_code}", f"{headers}\n{answer.text}")

    def log(self, log: Log) -> None:
        for name, text in log.pieces().items():
            self.note(name, text)

    def holding(self, secrets: list[str]) -> list[str]:
        """Which piece holds which secret, with the words around it."""
        found = []
        for name, text in self.pieces:
            for secret in secrets:
                at = text.find(secret)
                if at >= 0:
                    found.append(f"{name}: {text[max(0, at - 100) : at + 60]!r}")
        return found


def token_parts(tokens: Json) -> list[str]:
    """Tokens, and each part of them that would be enough to recognise or misuse them."""
    whole = [tokens[name] for name in ("access_token", "refresh_token", "id_token")]
    return [*whole, *(part for token in whole for part in token.split(".")[1:] if len(part) > 40)]


def repeated(secrets: list[str]) -> Json:
    """An error object of a careless upstream, which repeats what it was sent."""
    told = "you sent " + " and ".join(secrets)
    return {"message": told, "type": "invalid_request_error", "param": None, "code": "careless"}


def refusals(secrets: list[str]) -> list[Json]:
    """A careless upstream's HTTP answers."""
    error = repeated(secrets)
    return [
        *({"status": status, "body": {"error": error}} for status in (400, 401, 403, 404, 429, 500, 503)),
        {"status": 400, "body": {"detail": error["message"]}},
        {"status": 502, "body": f"<html><body>{error['message']}</body></html>"},
    ]


def broken_streams(secrets: list[str]) -> list[Json]:
    """A careless upstream's streams, failing before and after the first output."""
    error = repeated(secrets)
    return [
        {"steps": [], "finish": {"failed": error}},
        {"steps": [{"text": "said"}], "finish": {"failed": error}},
        {"steps": [], "opening": False, "finish": {"error": error}},
    ]


async def ask(stack: Stack, seen: Seen, path: str, key: str | None = CLIENT_KEY, **options: Any) -> None:
    headers = {"authorization": f"Bearer {key}" if key else ""}
    method = options.pop("method", "POST" if path in POSTS else "GET")
    if method == "POST" and not options.keys() & {"json", "content"}:
        options["json"] = POSTS.get(path, {})
    try:
        seen.answer(f"{method} {path}", await stack.http.request(method, path, headers=headers, **options))
    except httpx2.RemoteProtocolError as error:
        seen.note(f"{method} {path}", str(error))  # an answer that was cut on purpose


async def fail(stack: Stack, seen: Seen, scripts: Sequence[str | Json]) -> None:
    """Each failure on each route, streamed and not."""
    for path, body in POSTS.items():
        for script in scripts:
            for stream in (False, True):
                stack.sim.queue(stack.mode.route("chat" if "chat" in path else "responses"), script)
                await ask(stack, seen, path, json={**body, "stream": stream})
                stack.log_in()  # the failure may have cost the login


async def refuse_refresh(stack: Stack, seen: Seen, refusal: str | Json) -> None:
    stack.sim.queue("codex.responses", "token_expired")
    stack.sim.queue("token", refusal)
    await ask(stack, seen, "/v1/responses")
    stack.log_in()


async def drive(stack: Stack, seen: Seen) -> None:
    """Every page, every route, each with every key and failure."""
    for path in (*PAGES, *POSTS):
        for key in (CLIENT_KEY, WRONG_KEY, None):
            await ask(stack, seen, path, key)
        await ask(stack, seen, path, method="DELETE")
    for path in (f"/auth/callback?code={CODE}&state=x", f"/v1/models?api_key={WRONG_KEY}", f"/v1/models/{MODEL}"):
        await ask(stack, seen, path)
    await fail(stack, seen, FAILURES.split())
    for path, body in POSTS.items():
        await ask(stack, seen, path, content=b"{broken " + CODE[:6].encode())
        await ask(stack, seen, path, json={**body, "model": "nobody-knows-this"})
    if stack.mode.codex:
        await refuse_refresh(stack, seen, "refresh_token_expired")
    for path in PAGES:
        await ask(stack, seen, path)


@asynccontextmanager
async def secretive(
    mode: Mode, workdir: Path, *, proxy_url: str = "", api_key: str = API_KEY, account: str = ACCOUNT
) -> AsyncIterator[Stack]:
    marked = {**mode.upstream, **({} if mode.codex else {"api_key": api_key})}
    scenario = Scenario(api_keys=(api_key,), account_id=account)
    async with running(
        Mode(mode.name, marked, mode.native),
        workdir,
        scenario=scenario,
        auth={"downstream_api_key": CLIENT_KEY},
        network={"proxy_url": proxy_url},
    ) as stack:
        yield stack


@pytest.mark.proves("ENGINE-secrets")
@in_both_forms
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_no_secret_is_in_an_answer_a_page_a_metric_or_a_log_line(
    mode: Mode, form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = Seen()
    (tmp_path / "work").mkdir()
    with logging_as(form, tmp_path, capfd) as log:
        async with secretive(mode, tmp_path / "work") as stack:
            tokens = stack.log_in()
            await drive(stack, seen)
            secrets = [*FIXED, *token_parts(tokens)]
            secrets += list(stack.sim.auth.access)
        seen.log(log)
    lines = {name: text.count("\n") for name, text in seen.pieces}
    assert lines["standard error"] > 50 and lines["codex-gateway.log"] > 50, "too little was logged"
    assert seen.holding(secrets) == []


SHAPED = ("sk-proj-Marked55deUpstreamKey0815", "3f2b8c1e-5d7a-4e9b-8c6f-0a1b2c3d4e5f")
PLAIN = (API_KEY, ACCOUNT)


@in_both_forms
@pytest.mark.parametrize(
    ("credentials", "careless"),
    [
        pytest.param(SHAPED, refusals, id="refusal"),
        pytest.param(SHAPED, broken_streams, id="stream"),
        pytest.param(PLAIN, refusals, id="without-shape"),
    ],
)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_an_upstream_that_repeats_our_credentials_is_not_passed_on(
    mode: Mode,
    credentials: tuple[str, str],
    careless: Callable[[list[str]], list[Json]],
    form: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen = Seen()
    api_key, account = credentials
    (tmp_path / "work").mkdir()
    with logging_as(form, tmp_path, capfd) as log:
        async with secretive(mode, tmp_path / "work", api_key=api_key, account=account) as stack:
            tokens = stack.log_in()
            mine = [tokens["access_token"], tokens["refresh_token"], account] if mode.codex else [api_key]
            await fail(stack, seen, careless(mine))
            if mode.codex:
                await refuse_refresh(stack, seen, {"status": 400, "body": {"error": "you sent " + " ".join(mine)}})
        seen.log(log)
    assert seen.holding([*mine, *token_parts(tokens)]) == []


@pytest.mark.proves("ENGINE-secrets")
@in_both_forms
@pytest.mark.parametrize("mode", [CODEX, NATIVE], ids=lambda mode: mode.name)
async def test_a_proxys_password_stays_with_the_proxy(
    mode: Mode, form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = Seen()
    (tmp_path / "work").mkdir()
    proxy = Simulator(Scenario(open=True))
    with logging_as(form, tmp_path, capfd) as log:
        async with serving(proxy) as proxy_url:
            address = proxy_url.replace("http://", f"http://user:{PROXY_PASSWORD}@")
            async with secretive(mode, tmp_path / "work", proxy_url=address) as stack:
                for path in (*POSTS, "/v1/models"):
                    await ask(stack, seen, path)
                assert {call.headers["proxy-authorization"][:6] for call in proxy.log} == {"Basic "}
                proxy.queue(mode.route("responses"), {"status": 407, "body": "no such user"})
                await ask(stack, seen, "/v1/responses")
        async with secretive(mode, tmp_path / "work", proxy_url=address) as stack:  # nobody listens any more
            for path in (*POSTS, "/v1/models", "/readyz", "/metrics"):
                await ask(stack, seen, path)
        seen.log(log)
    assert any("502" in name for name, _ in seen.pieces)
    assert seen.holding(list(FIXED)) == []


@pytest.mark.proves("HTTP-log-secrets")
@in_both_forms
async def test_what_is_kept_is_in_no_log_line(form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen()
    (tmp_path / "work").mkdir()
    prompt, answer = "marked-prompt-2c1d", "marked-answer-8e3f"
    asked = {"model": MODEL, "input": f"{prompt}: reply with exactly: {answer}"}
    with logging_as(form, tmp_path, capfd) as log:
        async with running(CODEX, tmp_path / "work") as stack:
            begun = await stack.http.post("/v1/conversations", json={"items": [{"role": "user", "content": prompt}]})
            for more in ({}, {"conversation": begun.json()["id"]}, {"background": True, "stream": True}):
                made = await stack.http.post("/v1/responses", json={**asked, **more})
                assert made.status_code == 200
                assert answer in made.text
            name = (await stack.http.post("/v1/responses", json=asked)).json()["id"]
            assert answer in (await stack.http.get(f"/v1/responses/{name}")).text
            await stack.http.post("/v1/responses", json=asked, headers={"idempotency-key": "k"})
        seen.log(log)
    assert seen.holding([prompt, answer]) == []


async def test_the_search_would_find_a_secret() -> None:
    seen = Seen()
    seen.answer("GET /", httpx2.Response(200, headers={"x-a": f"b {API_KEY}"}, text="clean"))
    seen.note("log", f"bearer {CLIENT_KEY}")
    assert [line.split(":")[0] for line in seen.holding(list(FIXED))] == ["GET / -> 200", "log"]
