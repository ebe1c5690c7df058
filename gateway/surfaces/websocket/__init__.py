"""Responses over a WebSocket: `GET /v1/responses` with an upgrade, as Codex and the openai SDK use it.

    endpoint    the handshake, and how many connections there may be
    connection  one client: a reader beside a worker that runs one turn after another
    creates     what a client's message asks for, with the history put in front of a continuation
    memory      the responses of a connection that nobody stored, for `previous_response_id`
    sink        the engine's events as messages
    events      what the gateway itself says: errors, the answer to a warm-up

A turn is the same as over HTTP: it goes through the engine, which knows nothing of sockets. What the engine has stored
is known everywhere. The memory has the rest: it dies with the connection, and never reaches another client.
"""
