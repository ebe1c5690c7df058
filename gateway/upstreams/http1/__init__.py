"""HTTP/1.1 to the upstreams, on asyncio protocols and httptools: a transport in the sense of httpx2.

`transport` puts the parts together. `message` is a request as bytes, `opening` makes a connection, `connection` is one,
`parsing` reads what comes back on it, `exchange` is one answer on its way to the reader, `pool` says who may use what.
Nothing here knows what the requests are about, or the settings; `gateway.upstreams.transport` decides who uses it.

No call makes a task, a queue or a timer of its own, and what one read brought goes on as one piece: streams of many
small events cost what their reads cost.
"""

from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.http1.headers import by_name
from gateway.upstreams.http1.message import Destination, Message
from gateway.upstreams.http1.opening import Dialer
from gateway.upstreams.http1.transport import HTTP1Transport

__all__ = ["Destination", "Dialer", "Exchange", "HTTP1Transport", "Message", "by_name"]
