"""The Responses dialect: the inner language itself, as clients speak it. Nothing is translated, little is looked at.

May import core and wire; imported by surfaces and the engine's wiring through `DIALECT`.
"""

from gateway.dialects.responses.dialect import DIALECT, Responses

__all__ = ["DIALECT", "Responses"]
