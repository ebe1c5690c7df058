"""What the gateway costs: `make bench` (`bench.run`), and measurements of single parts.

Nothing here is part of the gateway; it is started as a process, like the other servers that are measured beside it.
"""
