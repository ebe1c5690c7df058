"""Which upstream runs a model: the default one, or a provider that lists it or is named in front of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.dialects import Choices
from gateway.errors import GatewayError, ModelNotFound, OAuthUnavailable, UpstreamFault, UpstreamRefusal
from gateway.upstreams import Model, Upstream
from gateway.upstreams.catalogue import find, looks_suffixed, names, resolve, stem_and_effort
from gateway.upstreams.lists import Lists

DEFAULT = "upstream"
"""How the default upstream is called where providers are named: after the section of the settings."""

LIST_SECONDS = 5.0
"""How long one of several upstreams may take to list its models."""

_QUOTED_SLASH = re.compile("%2f", re.IGNORECASE)
_PLAIN_NAMES, _PLAIN_CHARACTERS = 1_000, 100
"""How many names are remembered, and how long they may be: clients may make them up."""
_SPENT = frozenset({402, 429})
_CLOSED = frozenset({"usage_not_included", "upstream_blocked"})
"""Refusals that another provider would not meet: nothing is left to spend, or this account or address is kept out."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream under a name, and what the operator decided about it.

    `models`: names that it runs without its own in front. `fallback`: entries `name` or `name/model`. `codex`: it is a
    ChatGPT plan, which needs the login; its models have no slash in their names and may have an effort behind them.
    `state`: who keeps its responses.
    """

    name: str
    upstream: Upstream
    choices: Choices = field(default_factory=Choices)
    aliases: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    codex: bool = False
    state: Literal["gateway", "upstream", "off"] = "off"

    def claims(self, name: str) -> bool:
        """The operator wants this name run here."""
        return name in self.aliases or name in self.models

    def row(self, model: Model) -> Model:
        """A model as the gateway lists it: under this provider's name, unless its bare name is enough."""
        if self.name == DEFAULT or self.claims(model.id):
            return model
        return renamed(model, f"{self.name}/{model.id}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a turn is run, and what the model is called there.

    `model` is None when the request names none, for the server to judge. `effort`: asked for behind the model's name.
    `promised`: the operator named this model, whatever its server lists.
    """

    provider: Provider
    model: str | None = None
    effort: str | None = None
    promised: bool = False


class Providers:
    """All upstreams. `named` is in the operator's order."""

    def __init__(
        self,
        default: Provider,
        named: Sequence[Provider] = (),
        *,
        patience: float = LIST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience`: seconds for each list of models, when there are several. `clock` counts seconds, never back."""
        self.default = default
        self.named = {provider.name: provider for provider in named}
        self._all = {DEFAULT: default, **self.named}
        self._plain: dict[str | None, Target] = {}
        """Names whose targets only the settings decide: no list of models has a say in them."""
        self._lists = Lists(patience=patience if named else None, clock=clock)

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._all.values())

    def settled(self, name: str | None) -> Target | None:
        """What `choose` has found for a name that only the settings decide; None when it has to be asked."""
        return self._plain.get(name)

    async def choose(self, name: str | None) -> Target:
        """The target of a model's name as a client says it; a slash in it may be written %2F.

        An alias of the default upstream is replaced first. Then: whose `models` or `aliases` have exactly this name;
        the provider that is named in front of it, unless the default upstream lists a model of this very name; else
        the default upstream, which may know it. Raises ModelNotFound where no upstream can mean the name.
        """
        if name is None:
            return Target(self.default)
        said = _QUOTED_SLASH.sub("/", name) if "%" in name else name
        asked = self._unaliased(said)
        provider, rest = await self._place(asked)
        target = await self._target(provider, rest)
        if asked != said or provider.claims(rest):
            target = replace(target, promised=True)
        plain = not provider.codex and "/" not in asked
        if plain and len(name) <= _PLAIN_CHARACTERS and len(self._plain) < _PLAIN_NAMES:
            self._plain[name] = target
        return target

    async def instead(self, target: Target, entry: str) -> Target:
        """What an entry of the target's `fallback` means: without a model, the same one there, with the same effort."""
        name, _, model = entry.partition("/")
        provider = self._all[name]
        if model:
            return await self._target(provider, model)
        if target.model is None:
            return Target(provider)
        same = await self._target(provider, target.model)
        return replace(same, effort=same.effort or target.effort)

    async def models(self) -> list[Model]:
        """The models of all upstreams and the operator's aliases, each once, hidden ones included.

        What cannot be reached is left out. Raises the default upstream's GatewayError when nothing can be.
        """
        answers = await asyncio.gather(*map(self._listed, self), return_exceptions=True)
        rows: dict[str, Model] = {}
        reached = set()
        for provider, answer in zip(self, answers, strict=True):
            if isinstance(answer, list):
                reached.add(provider.name)
                for row in answer:
                    rows.setdefault(row.id, row)
            elif not isinstance(answer, GatewayError):
                raise answer
        if not reached:
            assert isinstance(answers[0], GatewayError)
            raise self.advised(answers[0])
        for provider in self:
            for alias, model in provider.aliases.items():
                if self._home(provider, model) in reached:
                    rows.setdefault(alias, Model(alias, owned_by="codex-gateway"))
        return list(rows.values())

    async def model(self, name: str) -> Model | None:
        """One model by any name a request may give it: its own, an alias, or one with an effort behind it.

        Raises ModelNotFound as `choose` does, and GatewayError when its upstream cannot say.
        """
        target = await self.choose(name)
        upstream = target.provider.upstream
        listed = await (self._lists.known(upstream) if target.promised else self._lists.of(upstream))
        found = find(target.model or "", listed)
        if found is None and target.promised:
            found = Model(name, owned_by=upstream.name)
        return found if found is None or found.id == name else renamed(found, name)

    async def check(self) -> GatewayError | None:
        """What keeps the default upstream from running turns while another one can; None when nothing is known to.

        Raises the default upstream's GatewayError when none can.
        """
        checks = [asyncio.create_task(_checked(provider)) for provider in self]
        try:
            for check in asyncio.as_completed(checks):
                if await check is None:
                    return checks[0].result() if checks[0].done() else None
            failure = checks[0].result()
            assert failure is not None
            raise failure
        finally:
            for task in checks:
                task.cancel()

    def advised(self, error: GatewayError) -> GatewayError:
        """The error; without a usable login it also names the providers that need none."""
        others = [f"{provider.name}/…" for provider in self.named.values() if not provider.codex]
        if not others or not isinstance(error, OAuthUnavailable):
            return error
        text = f"{error.message} Models of other providers need no login: {', '.join(others)}"
        return type(error)(text, code=error.code, headers=error.headers, detail=error.detail)

    # names ----------------------------------------------------------------------------------------------------------

    def _unaliased(self, name: str) -> str:
        """What an alias of the default upstream stands for, also with an effort behind it and at a provider."""
        if name in self.default.aliases:
            return self.default.aliases[name]
        stem, effort = stem_and_effort(name)
        model = self.default.aliases.get(stem)
        # One that stays with the default upstream is resolved there, where the efforts of its models are known.
        return f"{model}-{effort}" if model and effort and self._home(self.default, model) != DEFAULT else name

    def _home(self, provider: Provider, model: str) -> str:
        """The name of the provider that runs what an alias of this one stands for."""
        prefix = model.partition("/")[0]
        return prefix if provider is self.default and prefix in self.named else provider.name

    async def _place(self, asked: str) -> tuple[Provider, str]:
        """The provider of a name, and the name as that provider has it."""
        claimant = self._claimant(asked)
        if claimant is not None:
            return claimant, asked
        prefix, slash, rest = asked.partition("/")
        if slash and rest and prefix in self._all and not await self._is_default(asked):
            return self._all[prefix], rest
        if slash and self.default.codex:
            raise await self._unknown(asked)
        return self.default, asked

    def _claimant(self, asked: str) -> Provider | None:
        """Who was given this very name by the operator; a plan's models also with an effort behind it."""
        stem, _ = stem_and_effort(asked)
        for provider in self:
            if provider.claims(asked) or (provider.codex and provider.claims(stem)):
                return provider
        return None

    async def _is_default(self, name: str) -> bool:
        """The default upstream lists a model of this very name: aggregators call theirs `maker/model`."""
        return not self.default.codex and find(name, await self._lists.known(self.default.upstream)) is not None

    async def _target(self, provider: Provider, asked: str) -> Target:
        known = provider.aliases.get(asked, asked)
        if not provider.codex or not looks_suffixed(known):
            return Target(provider, known)
        slug, effort = resolve(known, await self._lists.known(provider.upstream), provider.aliases)
        return Target(provider, slug, effort)

    async def _unknown(self, asked: str) -> ModelNotFound:
        prefix = asked.partition("/")[0][:100]
        why = f"no model is named behind {prefix!r}" if prefix in self._all else f"no provider {prefix!r} is configured"
        message = f"The model {asked[:200]!r} does not exist here: {why}. "
        message += f"Configured providers: {', '.join(self.named)}." if self.named else "None is configured."
        if listed := names(await self._lists.known(self.default.upstream)):
            message += f" The default upstream has: {listed}."
        return ModelNotFound(message, param="model")

    async def _listed(self, provider: Provider) -> list[Model]:
        """The rows of one provider: what its server lists, and what the operator says it has.

        Raises its GatewayError when there is neither.
        """
        try:
            own = await self._lists.of(provider.upstream)
        except GatewayError:
            if not provider.models:
                raise
            own = []
        rows = [provider.row(model) for model in own]
        if provider is self.default:  # a name that another provider was given is that one's row
            rows = [row for row in rows if self._claimant(row.id) in (None, provider)]
        taken = {row.id for row in rows}
        said = (Model(name, owned_by=provider.upstream.name) for name in provider.models if name not in taken)
        return [*rows, *said]


def section_of(name: str) -> str:
    """Where the settings of a provider stand."""
    return name if name == DEFAULT else f"providers.{name}"


def renamed(model: Model, name: str) -> Model:
    """The same model under another name."""
    return replace(model, id=name, document=model.document and {**model.document, "id": name})


def falls_back(error: GatewayError) -> bool:
    """Whether another provider may do better: this one is out of reach, out of order, or has nothing left to spend."""
    if isinstance(error, UpstreamRefusal):
        return error.status in _SPENT or error.code in _CLOSED
    return isinstance(error, UpstreamFault | OAuthUnavailable)


async def _checked(provider: Provider) -> GatewayError | None:
    try:
        await provider.upstream.check()
    except GatewayError as error:
        return error
    return None
