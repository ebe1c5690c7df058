"""An upstream that writes as a model does: a delta each 20 ms, a write for each. `python -m bench.paced PORT`.

A stream has 50 deltas, so that many streams end while wrk runs. `/count` answers how many deltas have been written so
far: what a proxy did for streams that the end of the load cut off is counted as well.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from bench.answers import chat_stream, responses_stream

DELTAS, PAUSE_SECONDS = 50, 0.02
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunks(stream: bytes) -> list[bytes]:
    """Every event as an HTTP chunk."""
    events = [event + b"\n\n" for event in stream.split(b"\n\n") if event]
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in events]


CHAT = _chunks(chat_stream("paced", DELTAS))
INNER = _chunks(responses_stream("pacedinner", DELTAS))
written = 0


class Paced(asyncio.Protocol):
    """One request after the other on a connection; the body is read to its length and not looked at."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or b"0"):
            return
        self.buffer = b""
        if head.startswith(b"GET"):
            told = b"%d" % written
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            return
        self.transport.write(_HEAD)
        self.send(INNER if b"/responses" in head.partition(b"\r\n")[0] else CHAT, 0)

    def send(self, chunks: list[bytes], at: int) -> None:
        """The next event; those before and after the deltas come as slowly, and count as deltas."""
        global written  # noqa: PLW0603 - one number of the whole process
        if self.transport.is_closing():
            return
        if at == len(chunks):
            self.transport.write(b"0\r\n\r\n")
            return
        self.transport.write(chunks[at])
        written += 1
        asyncio.get_running_loop().call_later(PAUSE_SECONDS, self.send, chunks, at + 1)


async def _serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(Paced, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
