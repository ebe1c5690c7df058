"""A process of its own that asks for credentials once: python -m tests.oauth.asker PATH BASE_URL

Says "ready", waits for a line, says "asking", then prints the access token's fingerprint.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2

from gateway.config import OAuth
from gateway.oauth.source import TokenSource
from gateway.oauth.token import fingerprint


async def main(path: str, base_url: str) -> None:
    settings = OAuth(token_endpoint=f"{base_url}/oauth/token")
    async with httpx2.AsyncClient(trust_env=False) as client:
        source = TokenSource(Path(path), settings=settings, client=client)
        _say("ready")
        sys.stdin.readline()
        _say("asking")
        credentials = await source.credentials()
        _say(fingerprint(credentials.access_token))
        await source.aclose()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
