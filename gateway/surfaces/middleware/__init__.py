"""What surrounds every request: two pure ASGI layers, and the reader of request bodies.

Order, outermost first: `Edge` (request id, log line, metrics, Host check, CORS; it asks `Errors`, the one renderer),
`Auth`. A layer is a coroutine only if it has something to do when the answer is over: each costs at every resumption.
`send` is wrapped once, by `Edge`; the inner layers ask the wrap (`Sent`) what has gone out. What the layers and the
handlers know about a request lives in `scope["state"]`:

    request_id  str              the id that is echoed, logged and sent on
    headers     Headers          by their names: see `surfaces.headers`
    facts       dict[str, Any]   what handlers add to the log line: surface, model, dialect, upstream,
                                 upstream_status, instead_of (for whom it stood in), tokens, outcome, ...
    sent        Sent             what the client has got so far
    owner       str              whose request it is (set by `Auth`)
"""
