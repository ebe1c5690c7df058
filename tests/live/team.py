"""A gateway before several upstreams on real sockets, a simulator each; and turns that are asked of it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.simulator import Scenario, Simulator
from tests.live.stack import CODEX, NATIVE, DialectName, Json, Mode, Stack, running
from tests.sdk_types import check_chat, check_chat_stream, check_response, check_response_stream
from tests.serving import serving

DEFAULT = "upstream"
PATHS: dict[DialectName, str] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
PLAN: Json = {"mode": "codex_oauth"}


def key_of(name: str) -> str:
    """The key that a provider's simulator lets in, and no other."""
    return f"sk-{name}-0123456789"


@dataclass
class Team:
    """A running gateway; `sims` are its upstreams by name, the default one as `upstream`."""

    stack: Stack
    sims: dict[str, Simulator]
    modes: dict[str, Mode]

    def play(self, name: str, dialect: DialectName, *scripts: Any) -> None:
        """Scripts for the next calls of one upstream."""
        self.sims[name].queue(self.modes[name].route(dialect), *scripts)

    def calls(self, name: str) -> list[Any]:
        """The turns that one upstream was asked for."""
        return [call for call in self.sims[name].log if call.method == "POST"]

    @property
    def asked(self) -> dict[str, int]:
        """How many turns each upstream was asked for; those that were asked for none are left out."""
        counts = {name: len(self.calls(name)) for name in self.sims}
        return {name: count for name, count in counts.items() if count}

    def reset(self) -> None:
        """As new: nothing is queued, nothing was asked."""
        for name, sim in self.sims.items():
            assert sim.leftover == {}, f"scripts that {name} has not played"
            sim.reset()

    async def post(self, dialect: DialectName, model: str, *, stream: bool = False, **more: Any) -> Any:
        """One turn whose answer is the word hello, if all goes well."""
        return await self.stack.http.post(PATHS[dialect], json=body(dialect, model, stream=stream, **more))


def body(dialect: DialectName, model: str, *, stream: bool = False, **more: Any) -> Json:
    text = "Reply with exactly: hello"
    said: Json = {"messages": [{"role": "user", "content": text}]} if dialect == "chat" else {"input": text}
    return {"model": model, "stream": stream, **said, **more}


def text_of(dialect: DialectName, answer: Any) -> str:
    """The text of a good answer, whole or streamed, which is judged as strictly as SDKs read it."""
    assert answer.status_code == 200, answer.text
    streamed = answer.headers["content-type"].startswith("text/event-stream")
    if dialect == "chat":
        if not streamed:
            return check_chat(answer.content).choices[0].message.content or ""
        chunks = check_chat_stream(answer.content, expect_usage=False)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    response = check_response_stream(answer.content) if streamed else check_response(answer.content)
    return response.output_text


@asynccontextmanager
async def team(
    mode: Mode, workdir: Path, /, *, login: bool = True, demo: bool = False, providers: dict[str, Json], **changes: Any
) -> AsyncIterator[Team]:
    """`providers`: fields of each; address and key are those of its simulator unless they are given."""
    async with AsyncExitStack() as stack:
        sims: dict[str, Simulator] = {}
        modes = {DEFAULT: mode}
        sections: dict[str, Json] = {}
        for name, fields in providers.items():
            plan = fields.get("mode") == "codex_oauth"
            sims[name] = Simulator(Scenario(open=plan, api_keys=(key_of(name),)))
            url = await stack.enter_async_context(serving(sims[name]))
            own = {"codex_base_url": url} if plan else {"base_url": url, "api_key": key_of(name)}
            sections[name] = {**own, **fields}
            native = frozenset(fields.get("dialects", NATIVE.native))
            modes[name] = CODEX if plan else Mode(name, {"mode": "openai_api"}, native)
        running_stack = await stack.enter_async_context(
            running(mode, workdir, login=login, demo=demo, providers=sections, **changes)
        )
        if login and not mode.codex:
            running_stack.log_in()
        yield Team(running_stack, {DEFAULT: running_stack.sim, **sims}, modes)


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        yield "http://{}:{}".format(*taken.getsockname())
