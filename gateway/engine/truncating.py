"""`truncation: "auto"` where the server does not have it: what to send after it refused a history for its length."""

from __future__ import annotations

from typing import Any

from gateway.core.truncation import is_too_long, shortened
from gateway.engine.plan import Plan
from gateway.errors import GatewayError

Json = dict[str, Any]

MOST_CUTS = 6
"""Each leaves out half of what is left to leave out: after six, hardly two in a hundred are still there."""


def cut(plan: Plan, error: GatewayError, cuts: int) -> Json | None:
    """The plan's body without its oldest turns, worth one more attempt; None when nothing of the kind can help.

    `cuts`: how often this was done before. Session and cache key stay: what is left is the same conversation.
    """
    document = plan.document
    if document is None or cuts >= MOST_CUTS or not _wished(plan, document) or not is_too_long(error):
        return None
    name = "messages" if plan.outbound is not None else "input"
    shorter = shortened(document[name])
    return None if shorter is None else {**document, name: shorter}


def _wished(plan: Plan, document: Json) -> bool:
    """A server that was sent the field does it itself. A compaction is of the whole history, or of none."""
    if plan.exchange is None or "truncation" in document:
        return False
    request = plan.exchange.request
    return request.body.get("truncation") == "auto" and not request.compact
