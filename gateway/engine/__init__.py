"""Runs turns. The steps have the same names in code, logs, metrics and docs: admit, choose, call, relay, record.

    admit    the body is sound for its dialect
    choose   model and upstream; relay the body natively, or translate it
    call     one or more attempts, before the client has seen a byte
    relay    frames to the client as they come
    record   always runs, also when the client left

It knows no HTTP of the client's side: a `Sink` takes what it produces. It knows no wire format: dialects do.
"""
