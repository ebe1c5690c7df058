"""Running uvicorn on sockets that are bound already, and telling systemd how far we are."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import socket
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from gateway.cli.heap import look_after_heap
from gateway.cli.listening import BACKLOG
from gateway.cli.protocol import Protocol
from gateway.cli.sockets import PING_SECONDS, PONG_SECONDS, WebSockets
from gateway.config import Settings, load_workdir
from gateway.config.loading import CONFIG_VARIABLE, HOME_VARIABLE

DEMO_VARIABLE = "CODEX_GATEWAY_DEMO"

KEEP_ALIVE_SECONDS = 75
"""Longer than client pools keep idle connections (5 to 60 s): who hangs up first never meets a request on its way."""

WORKER_START_SECONDS = 60

_COLLECT_AFTER = 20_000
"""Objects that can be in cycles, more than before; Python's own 700 is met many times in a large request."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Called once when requests are answered, and once when no more are accepted."""

    ready: Callable[[], None]
    stopping: Callable[[], None]

    def on_ready(self) -> None:
        self.ready()
        notify("READY=1", os.environ)

    def on_stopping(self) -> None:
        notify("STOPPING=1", os.environ)
        self.stopping()


def run(settings: Settings, workdir: Path, sockets: list[socket.socket], *, demo: bool, hooks: Hooks) -> bool:
    """Serve in this process until a signal comes and open requests are done; False when the app could not start."""
    from gateway.app import create_app

    app = create_app(settings, workdir=workdir, demo=demo)
    server = _Server(_uvicorn_config(settings, app), hooks)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again when it has finished; with these it ends in exit code 0.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        server.run(sockets)
    except SystemExit as error:
        if error.code == STARTUP_FAILURE:
            return False
        raise
    return True


def run_workers(
    settings: Settings,
    sockets: list[socket.socket],
    environ: MutableMapping[str, str],
    *,
    workdir: Path,
    config_path: Path,
    demo: bool,
    hooks: Hooks,
) -> bool:
    """Serve in several processes. They find their settings through `environ`, which must be the process's own."""
    environ[HOME_VARIABLE] = str(workdir)
    environ[CONFIG_VARIABLE] = str(config_path)
    environ[DEMO_VARIABLE] = "1" if demo else ""
    config = _uvicorn_config(settings, "gateway.cli.server:worker_app", factory=True, workers=settings.server.workers)
    supervisor = _Supervisor(config, sockets, hooks)
    supervisor.run()
    return not any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)


def worker_app() -> Any:
    """The app of a worker process."""
    from gateway import logs
    from gateway.app import create_app

    settings, workdir = load_workdir(os.environ)
    logs.configure(settings.logging, workdir)
    app = create_app(settings, workdir=workdir, demo=bool(os.environ.get(DEMO_VARIABLE)))
    spare_the_collector()
    look_after_heap(asyncio.get_running_loop())
    return app


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send a state such as `READY=1` to systemd, when it started us (sd_notify(3))."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A leading @ stands for the NUL byte of Linux's abstract sockets.
        sender.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)


def _uvicorn_config(settings: Settings, app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws=WebSockets,
        ws_max_size=settings.limits.body_bytes,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        lifespan="on",
        log_config=None,
        log_level="warning",  # its own start and stop lines; ours are the banner and `stopping`
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.limits.drain_seconds),
        **more,
    )


def spare_the_collector() -> None:
    """What is there after the start stays: it need not be walked through again and again, nor what each request makes
    so often. Cycles that requests leave are still found, a few thousand objects later."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, hooks: Hooks) -> None:
        super().__init__(config)
        self._hooks = hooks

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_the_collector()
        look_after_heap(asyncio.get_running_loop())
        self._hooks.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hooks.on_stopping()
        await super().shutdown(sockets)


class _Supervisor(Multiprocess):
    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], hooks: Hooks) -> None:
        super().__init__(config, sockets)
        self._hooks = hooks

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(WORKER_START_SECONDS, self.should_exit) for process in self.processes):
            self._hooks.on_ready()

    def terminate_all(self) -> None:
        self._hooks.on_stopping()
        super().terminate_all()
