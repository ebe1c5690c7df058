"""Which upstream runs a model: the default one, or a provider that is named in front of the model or lists it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.dialects import Choices
from gateway.errors import GatewayError, ModelNotFound, OAuthUnavailable, UpstreamFault, UpstreamRefusal
from gateway.upstreams import Model, Upstream
from gateway.upstreams.catalogue import find, looks_suffixed, names, resolve

DEFAULT = "upstream"
"""How lists of providers call the default one: after the section of the settings."""

_QUOTED_SLASH = re.compile("%2f", re.IGNORECASE)
_SPENT = frozenset({402, 429})
"""Refusals that another provider would not meet: the plan or the key has no more to spend."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream under a name, and what the operator decided about it.

    `models`: names that it runs without its own in front. `fallback`: entries `name` or `name/model`.
    `slashes`: its own model ids may contain one.
    """

    name: str
    upstream: Upstream
    choices: Choices = field(default_factory=Choices)
    aliases: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    slashes: bool = True

    def claims(self, name: str) -> bool:
        """The operator wants this name run here."""
        return name in self.aliases or name in self.models

    def row(self, model: Model) -> Model:
        """A model as the gateway lists it: under this provider's name, unless its bare name is enough."""
        if self.name == DEFAULT or self.claims(model.id):
            return model
        shown = f"{self.name}/{model.id}"
        return replace(model, id=shown, document=model.document and {**model.document, "id": shown})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a turn is run. `asked`: the model's name there, an effort behind it included; `model`: without that.

    Both are None when the request names no model: the server is left to judge.
    """

    provider: Provider
    asked: str | None = None
    model: str | None = None
    effort: str | None = None


class Providers:
    """All upstreams. `named` is in the operator's order."""

    def __init__(self, default: Provider, named: Sequence[Provider] = ()) -> None:
        self.default = default
        self.named = {provider.name: provider for provider in named}

    def __iter__(self) -> Iterator[Provider]:
        return iter((self.default, *self.named.values()))

    async def choose(self, name: str | None) -> Target:
        """The target of a model's name as a client says it.

        An alias first; then what the default upstream lists under this very name; then the provider named in front of
        the model; then the one whose `models` or `aliases` have it; else the default upstream, which may know it.
        Raises ModelNotFound for a provider that is not configured, where the default upstream cannot mean it.
        """
        if name is None:
            return Target(self.default)
        asked = self.default.aliases.get(name, name)
        if self.named:
            asked = _QUOTED_SLASH.sub("/", asked)
            prefix, slash, rest = asked.partition("/")
            if slash and rest and prefix in self.named and not await self._is_default(asked):
                return await self._target(self.named[prefix], rest)
            if not self.default.claims(asked):
                for provider in self.named.values():
                    if provider.claims(asked):
                        return await self._target(provider, asked)
        if "/" in asked and not self.default.slashes:
            raise await self._unknown(asked)
        return await self._target(self.default, asked)

    async def after(self, target: Target) -> list[Target]:
        """The targets that the operator wants tried when this one fails before its first byte."""
        found = []
        for entry in target.provider.fallback:
            name, _, model = entry.partition("/")
            provider = self.default if name == DEFAULT else self.named.get(name)
            if provider is not None:
                found.append(await self._target(provider, model or target.model))
        return found

    async def models(self) -> list[Model]:
        """The models of all upstreams and the operator's aliases, each once, hidden ones included.

        What cannot be reached is left out. Raises the default upstream's GatewayError when nothing can.
        """
        lists = await asyncio.gather(*map(_listed, self), return_exceptions=True)
        rows: dict[str, Model] = {}
        for listed in lists:
            if isinstance(listed, list):
                for model in listed:
                    rows.setdefault(model.id, model)
            elif not isinstance(listed, GatewayError):
                raise listed
        if not rows and isinstance(lists[0], GatewayError):
            raise lists[0]
        return list(rows.values())

    async def model(self, name: str) -> Model | None:
        """One model by any name a request may give it: its own, an alias, or one with an effort behind it."""
        target = await self.choose(name)
        found = find(target.model or "", await target.provider.upstream.models())
        if found is None and target.model in target.provider.models:
            found = Model(target.model, owned_by=target.provider.upstream.name)
        if found is None or found.id == name:
            return found
        return replace(found, id=name, document=found.document and {**found.document, "id": name})

    async def check(self) -> None:
        """Raises the default upstream's GatewayError when no upstream can run turns now."""
        failures = []
        for provider in self:
            try:
                await provider.upstream.check()
            except GatewayError as error:
                failures.append(error)
            else:
                return
        raise failures[0]

    async def _is_default(self, name: str) -> bool:
        """The default upstream lists a model of this very name: aggregators call theirs `maker/model`."""
        if not self.default.slashes:
            return False
        try:
            return find(name, await self.default.upstream.models()) is not None
        except GatewayError:
            return False

    async def _target(self, provider: Provider, asked: str | None) -> Target:
        if asked is None:
            return Target(provider)
        known = provider.aliases.get(asked, asked)
        if not looks_suffixed(known):
            return Target(provider, known, known)
        slug, effort = resolve(known, await _known(provider), provider.aliases)
        return Target(provider, known, slug, effort)

    async def _unknown(self, asked: str) -> ModelNotFound:
        provider = asked.partition("/")[0][:100]
        message = f"The model {asked[:200]!r} does not exist here: no provider {provider!r} is configured"
        message += f" (configured: {', '.join(self.named) or 'none'})."
        if listed := names(await _known(self.default)):
            message += f" The default upstream has: {listed}."
        return ModelNotFound(message, param="model")


def falls_back(error: GatewayError) -> bool:
    """Whether another provider may do better: this one is out of reach, out of order, or has nothing left to spend."""
    if isinstance(error, UpstreamRefusal):
        return error.status in _SPENT
    return isinstance(error, UpstreamFault | OAuthUnavailable)


async def _listed(provider: Provider) -> list[Model]:
    """The rows of one provider: what its server lists, and what the operator says it has."""
    try:
        own = await provider.upstream.models()
    except GatewayError:
        if not provider.models:
            raise
        own = []
    rows = [provider.row(model) for model in own]
    taken = {row.id for row in rows}
    said = (*provider.models, *provider.aliases)
    return [*rows, *(Model(name, owned_by="codex-gateway") for name in said if name not in taken)]


async def _known(provider: Provider) -> list[Model]:
    """The models of a provider; none when they cannot be had: a name may still be right."""
    try:
        return await provider.upstream.models()
    except GatewayError:
        return []
