"""What a stateless upstream cannot do: turns that go on from kept ones, are kept, run on alone, or run only once.

`wishes` reads what a request wants; `recall` puts the history in front of it; `keeping` records how it ended; `jobs`
run turns without their clients, into the log that `log` writes and reads; `once` is the Idempotency-Key; `restart` ends
and starts what dead processes left. `state.State` is the face that the engine uses.
"""
