"""A process of its own that writes a token file and dies at a given step: python -m tests.oauth.writer PATH STEP"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gateway.oauth.file import TokenFile
from gateway.oauth.token import Token


def main(path: str, dies_at: str) -> None:
    def step(name: str) -> None:
        if name == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    TokenFile(Path(path)).write(Token("new", "new-refresh", "x" * 5000), step)


if __name__ == "__main__":
    main(*sys.argv[1:])
