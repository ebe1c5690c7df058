"""Tests of the transport of our own, on asyncio's loop and on uvloop."""
