"""A small MCP server on standard input and output, with one tool: the price of a fruit."""

from __future__ import annotations

import json
import sys
from typing import Any

Json = dict[str, Any]
TOOL: Json = {
    "name": "price_of",
    "description": "The price of a fruit",
    "inputSchema": {"type": "object", "properties": {"fruit": {"type": "string"}}, "required": ["fruit"]},
}


def answer(method: str, params: Json) -> Json | None:
    """The result of a request; None for what this server does not have."""
    match method:
        case "initialize":
            server = {"name": "shop", "version": "1"}
            return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            text = f"{params['arguments']['fruit']}: 3 coins"
            return {"content": [{"type": "text", "text": text}]}
        case "ping":
            return {}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue  # a notification
    result = answer(message["method"], message.get("params") or {})
    outcome = {"error": {"code": -32601, "message": "not here"}} if result is None else {"result": result}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome}) + "\n")
    sys.stdout.flush()
