"""`codex-gateway models`: what a running gateway offers."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption


def models(
    ctx: typer.Context,
    workdir: WorkdirOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """List the models of the running gateway."""
    context: Context = ctx.obj
    rows = asyncio.run(_fetch(context))
    if as_json:
        context.say(json.dumps(rows, indent=2))
        return
    for row in rows:
        context.say(str(row.get("id", "")))


async def _fetch(context: Context) -> list[dict[str, Any]]:
    import httpx2

    from gateway.config import listeners

    address = listeners(context.settings)[0]
    try:
        async with context.local_client(address, context.client_key) as client:
            response = await client.get("/v1/models")
        document = response.json()
    except httpx2.ConnectError:
        context.fail(f"no gateway runs at {address}; start one: {context.command('serve')}")
    except httpx2.TransportError as error:
        context.fail(f"the gateway at {address} does not answer: {error or type(error).__name__}")
    except ValueError:
        context.fail(f"what answers at {address} is not a gateway (HTTP {response.status_code})")
    if response.is_success and isinstance(document, dict) and isinstance(document.get("data"), list):
        return [row for row in document["data"] if isinstance(row, dict)]
    if response.status_code == 401:
        problem = "refused the key that was found" if context.client_key else "needs a key, and none was found"
        context.fail(f"the gateway at {address} {problem}. {context.where_keys_are()}")
    refusal = document.get("error") if isinstance(document, dict) else None
    reason = refusal.get("message") if isinstance(refusal, dict) else None
    context.fail(f"the gateway at {address} answered {response.status_code}: {reason or 'without a reason'}")
