"""Stored responses, conversations and chat completions over HTTP: reads and writes of rows. No model runs here.

`routes` makes everything; the wiring puts it into the router. `endpoint` is what handlers get to see of a request,
`lists` reads query strings and writes list bodies, `items` and `metadata` judge what clients want kept. Imports the
store and the pure part; dialects through `chat.stored` only.
"""

from __future__ import annotations

from gateway.surfaces.state.routes import routes

__all__ = ["routes"]
