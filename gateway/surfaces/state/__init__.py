"""Stored responses, conversations and chat completions over HTTP: reads and writes of rows. No model runs here.

`routes` has the paths; `elsewhere` asks whose a thing is, and passes on what its server keeps: the wiring puts what it
makes into the router. `endpoint` is what handlers get to see of a request, `lists` reads query strings and writes list
bodies, `items` and `metadata` judge what clients want kept. Imports the store, the pure part and what of the
engine passes requests on; dialects through `chat.stored` only.
"""

from __future__ import annotations

from gateway.surfaces.state.elsewhere import endpoints
from gateway.surfaces.state.routes import routes

__all__ = ["endpoints", "routes"]
