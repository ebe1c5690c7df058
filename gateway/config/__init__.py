"""Settings: one typed, frozen tree (`tree`), and how it is filled from a YAML file and the environment (`loading`).

Read once by `cli` and `app`, then handed down as arguments; other packages import these classes for types only.
`config.example.yaml` names every setting.
"""

from gateway.config.addresses import Address, listeners, open_doors, parse_address
from gateway.config.loading import Loaded, Workdir, find_workdir, load, load_workdir, read
from gateway.config.mistakes import ConfigError, Mistake
from gateway.config.tree import (
    Auth,
    Chat,
    Cors,
    Limits,
    LogFile,
    Logging,
    Network,
    OAuth,
    Section,
    Server,
    Settings,
    Store,
    Upstream,
)

__all__ = [
    "Address",
    "Auth",
    "Chat",
    "ConfigError",
    "Cors",
    "Limits",
    "Loaded",
    "LogFile",
    "Logging",
    "Mistake",
    "Network",
    "OAuth",
    "Section",
    "Server",
    "Settings",
    "Store",
    "Upstream",
    "Workdir",
    "find_workdir",
    "listeners",
    "load",
    "load_workdir",
    "open_doors",
    "parse_address",
    "read",
]
