"""What the product promises: id → (source, behaviour). Tests name ids with `@pytest.mark.proves(...)`.

`tests/test_requirements.py` fails when a promise has no test, or a test names a promise that does not exist.
One section an area, a file each in `tests/promises`; ids read `AREA-subject`.
"""

from __future__ import annotations

from tests.promises import Promise
from tests.promises.chat import CHAT
from tests.promises.chat_servers import CHAT_SERVERS
from tests.promises.cli import CLI
from tests.promises.clients import CLIENTS
from tests.promises.completions import COMPLETIONS
from tests.promises.continuity import CONTINUITY
from tests.promises.docs import DOCS
from tests.promises.engine import ENGINE
from tests.promises.hardening import HARDENING
from tests.promises.http import HTTP
from tests.promises.logs import LOGS
from tests.promises.memory import MEMORY
from tests.promises.oauth import OAUTH
from tests.promises.passthrough import PASSTHROUGH
from tests.promises.providers import PROVIDERS
from tests.promises.recall import RECALL
from tests.promises.responses import RESPONSES
from tests.promises.running_on import RUNNING_ON
from tests.promises.runs import RUNS
from tests.promises.simulator import SIMULATOR
from tests.promises.speed import SPEED
from tests.promises.state import STATE
from tests.promises.state_routes import STATE_ROUTES
from tests.promises.store import STORE
from tests.promises.tokens import TOKENS
from tests.promises.transport import TRANSPORT
from tests.promises.upstream import UPSTREAM
from tests.promises.websocket import WEBSOCKET
from tests.promises.wire import WIRE

PROMISES: dict[str, Promise] = {
    **WIRE,
    **RUNS,
    **RESPONSES,
    **CHAT,
    **UPSTREAM,
    **TRANSPORT,
    **OAUTH,
    **SIMULATOR,
    **CLI,
    **HTTP,
    **LOGS,
    **ENGINE,
    **DOCS,
    **CHAT_SERVERS,
    **COMPLETIONS,
    **PROVIDERS,
    **PASSTHROUGH,
    **WEBSOCKET,
    **HARDENING,
    **CLIENTS,
    **STORE,
    **SPEED,
    **MEMORY,
    **STATE,
    **RECALL,
    **RUNNING_ON,
    **STATE_ROUTES,
    **TOKENS,
    **CONTINUITY,
}
