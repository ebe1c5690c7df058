"""Model names: what a client may call a model, and what the backend calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gateway.upstreams import Model

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""Reasoning efforts, weakest first."""

_TO_MAX = ("low", "medium", "high", "xhigh", "max")
_TO_ULTRA = (*_TO_MAX, "ultra")

BUILT_IN: tuple[Model, ...] = (
    Model("gpt-6-astra", efforts=_TO_ULTRA),
    Model("gpt-6-sol", efforts=_TO_ULTRA),
    Model("gpt-6-luna", efforts=_TO_MAX),
    Model("gpt-reserve", hidden=True, efforts=_TO_MAX),
    Model("gpt-5.6-sol", efforts=_TO_ULTRA, tiers=("priority", "ultrafast")),
    Model("gpt-5.6-terra", efforts=_TO_ULTRA, tiers=("priority",)),
    Model("gpt-5.6-luna", efforts=_TO_MAX, tiers=("priority",)),
    Model("gpt-5.5", efforts=_TO_MAX[:-1], tiers=("priority",)),
    Model("codex-auto-review", hidden=True, efforts=_TO_MAX, tiers=("priority",)),
)
"""What is offered while the backend's own list cannot be reached (codex-upstream §6.3, 2026-09-29)."""

_SUFFIX = re.compile(rf"(?P<slug>.+?)(?:[-_:](?P<tail>{'|'.join(EFFORTS)})|\((?P<inner>{'|'.join(EFFORTS)})\))")


def resolve(name: str, models: Sequence[Model], aliases: Mapping[str, str]) -> tuple[str, str | None]:
    """The backend's name of a model, and the effort that the client's name asks for.

    `model-high`, `model_high`, `model:high` and `model(high)` name an effort only where `model` is known and has that
    effort, so that no real name loses its end. Unknown names stay as they are: the backend may know them.
    """
    name = aliases.get(name, name)
    if find(name, models) is not None:
        return name, None
    stem, effort = stem_and_effort(name)
    if effort is None:
        return name, None
    slug = aliases.get(stem, stem)
    known = find(slug, models)
    if known is None or effort not in known.efforts:
        return name, None
    return slug, effort


def stem_and_effort(name: str) -> tuple[str, str | None]:
    """A name in two, if it ends as if it named an effort; whether it does is for `resolve` to say."""
    match = _SUFFIX.fullmatch(name)
    return (name, None) if match is None else (match["slug"], match["tail"] or match["inner"])


def looks_suffixed(name: str) -> bool:
    """Whether a name may carry an effort, so that `resolve` is worth asking."""
    return _SUFFIX.fullmatch(name) is not None


def find(slug: str, models: Sequence[Model]) -> Model | None:
    """The row of a model, hidden ones included."""
    return next((model for model in models if model.id == slug), None)


def nearest_effort(effort: str, efforts: Sequence[str]) -> str:
    """The strongest effort of a model that is not above the one asked for, else its weakest.

    Unknown efforts and unknown models are left to the backend. `ultra` is a client's word for `max`.
    """
    if effort == "ultra":
        effort = "max"
    known = [name for name in EFFORTS if name in efforts]
    if effort not in EFFORTS or effort in efforts or not known:
        return effort
    below = [name for name in known if EFFORTS.index(name) <= EFFORTS.index(effort)]
    return below[-1] if below else known[0]


def names(models: Sequence[Model], count: int = 20) -> str:
    """Some current models, for the text of an error."""
    return ", ".join([model.id for model in models if not model.hidden][:count])
