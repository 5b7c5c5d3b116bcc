"""``observe``: the context in which a backbone's forward also yields the statistics that were asked for.

The processor of each needed site is replaced by one that calls the original and measures what it computed, and put back
on exit, also after an exception. Under gradient checkpointing the statistics are part of the forward only: they keep
their own few saved tensors, so that ``backward`` may run inside or outside the ``with`` block and the recomputation
neither repeats nor overwrites them. Reentrant checkpointing is not supported (it runs the forward without gradients).
Compiled blocks run eagerly while they are observed (:mod:`interplay.attention.compiled`). Weights that are offloaded
come and go with their modules' own hooks, and regions follow the attention's device.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from interplay.attention.compiled import around, put_back, set_aside
from interplay.attention.intercept import Listing, catching
from interplay.attention.ledger import Ledger
from interplay.attention.requests import AttentionCall, Request, ScoreGroup
from interplay.attention.step_caches import refuse_step_cache
from interplay.backbones.base import Backbone, Site, SiteKind, TokenLayout
from interplay.core.errors import InputError, InterplayError


@runtime_checkable
class Processor(Protocol):
    """An attention processor of diffusers: called with the attention module and whatever its family passes."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The attention's output."""


class Observations:
    """What was seen: ``seen[request name][site address]`` is the statistic of the last forward."""

    def __init__(self, names: Iterable[str], ledger: Ledger) -> None:
        self._values: dict[str, dict[str, Tensor]] = {name: {} for name in names}
        self._ledger = ledger

    @property
    def nbytes(self) -> int:
        """Bytes of all statistics that are held, and of what is kept for their backward pass beyond the model's own."""
        values = sum(value.nbytes for of_sites in self._values.values() for value in of_sites.values())
        return values + self._ledger.saved_bytes

    def __getitem__(self, name: str) -> Mapping[str, Tensor]:
        if name not in self._values:
            raise KeyError(f"no request is named {name!r}; there are: {', '.join(self._values)}")
        if not self._values[name]:
            raise InterplayError(f"nothing was observed for {name!r}: run the model inside the `with observe` block")
        return self._values[name]

    def record(self, name: str, address: str, value: Tensor) -> None:
        """Keep the statistic of a site's latest forward."""
        self._values[name][address] = value


@dataclass(frozen=True)
class _Asked:
    """Requests that are served together: scores in one pass where they can be, and the others."""

    scores: list[ScoreGroup]
    others: list[Request]

    @classmethod
    def of(cls, requests: Sequence[Request]) -> _Asked:
        """Sort them."""
        scores = ScoreGroup.all_of(requests)
        grouped = {request.name for group in scores for request in group.requests}
        return cls(scores, [request for request in requests if request.name not in grouped])


@dataclass(frozen=True)
class _Observer:
    """The requests of one ``observe`` at one site, and where their values go."""

    site: Site
    layout: TokenLayout
    asked: _Asked
    seen: Observations
    ledger: Ledger

    @property
    def after_softmax(self) -> bool:
        return any(request.after_softmax for request in self.asked.others)

    def measure(self, call: AttentionCall) -> None:
        self._check(call)
        with self.ledger.saving():
            for group in self.asked.scores:
                values = group.measure(self._affordable(call), self.layout)
                for scores, value in zip(group.requests, values, strict=True):
                    self.seen.record(scores.name, self.site.address, value)
            for request in self.asked.others:
                value = request.measure(self._affordable(call), self.layout)
                self.seen.record(request.name, self.site.address, value)
        self.ledger.left(self.seen)  # refuses what a request that plans nothing took too much

    def _affordable(self, call: AttentionCall) -> AttentionCall:
        """The call with what is left of the budget."""
        left = self.ledger.left(self.seen)
        return call if left is call.budget else replace(call, budget=left)

    def _check(self, call: AttentionCall) -> None:
        of_query, of_key = (self.layout.num_queries, call.query), (self.layout.num_keys, call.key)
        for axis, (expected, tokens) in (("query", of_query), ("key", of_key)):
            if tokens.shape[2] != expected:
                raise InputError(
                    f"has {tokens.shape[2]} {axis} tokens, the layout describes {expected}",
                    where=f"attention site {self.site.address}",
                    cure="take the layout of this clip's grid and text length",
                )


class ObservingProcessor:
    """Stands in for a site's processor and serves every ``observe`` that is open on it."""

    def __init__(self, original: Processor) -> None:
        self.original = original
        self.observers: list[_Observer] = []
        # diffusers passes on only the arguments it finds in the signature of `processor.__call__`: show the original's.
        vars(self)["__call__"] = functools.wraps(original.__call__)(lambda *args, **kwargs: self._run(*args, **kwargs))

    # Where torch.compile wraps the whole model, its graph ends here.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The original's output."""
        return self._run(*args, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        if _inside_backward():
            return self.original(*args, **kwargs)
        listing = Listing(log_sum_exp=any(observer.after_softmax for observer in self.observers))
        with catching(listing):
            output = self.original(*args, **kwargs)
        with _no_autocast(listing.calls):
            for observer in self.observers:
                observer.measure(_call_of(listing.calls, observer.site))
        return output


class Plan:
    """What :func:`observe` does at which site, worked out once for many observations of the same requests.

    ``with plan.observe() as seen`` is an observation with its own values.
    """

    def __init__(
        self,
        backbone: Backbone,
        requests: Sequence[Request],
        layout: Mapping[SiteKind, TokenLayout],
        *,
        budget_bytes: int | None = None,
    ) -> None:
        _check_names(requests)
        self._names = [request.name for request in requests]
        self._budget_bytes = budget_bytes
        self._transformers = backbone.transformers
        self._places = [
            (site, layout[site.kind], asked) for site, asked in _by_site(backbone.sites(), requests, layout).items()
        ]
        paths = [site.module for site, _, _ in self._places]
        self._around = [module for one in self._transformers for module in around(one, paths)]
        # Of several experts only one runs in a forward, so a site's value is that of the expert that ran.
        self._modules = [[one.get_submodule(path) for one in self._transformers] for path in paths]

    @contextmanager
    def observe(self) -> Iterator[Observations]:
        """As :func:`observe`."""
        for transformer in self._transformers:
            refuse_step_cache(transformer)
        ledger = Ledger(self._budget_bytes)
        seen = Observations(self._names, ledger)
        opened: list[tuple[nn.Module, _Observer]] = []
        set_aside(self._around)
        try:
            for place, modules in zip(self._places, self._modules, strict=True):
                observer = _Observer(*place, seen, ledger)
                for module in modules:
                    _open(module, observer)
                    opened.append((module, observer))
            yield seen
        finally:
            for module, observer in opened:
                _close(module, observer)
            put_back(self._around)


def observe(
    backbone: Backbone,
    requests: Sequence[Request],
    layout: Mapping[SiteKind, TokenLayout],
    *,
    budget_bytes: int | None = None,
) -> AbstractContextManager[Observations]:
    """Within this context, every forward of the backbone also yields the requested statistics.

    ``layout`` is ``backbone.layout(grid, text_length)`` of the clips that go through. Values carry gradients unless the
    forward runs under ``no_grad``. Contexts nest. Nothing is left on the model afterwards.

    ``budget_bytes`` bounds the memory beyond the model's own (what counts: :mod:`interplay.attention.budget`); what
    cannot be had for that is an ``InputError``. Without it, temporary tensors stay small and results are not limited.
    """
    return Plan(backbone, requests, layout, budget_bytes=budget_bytes).observe()


def _open(module: nn.Module, observer: _Observer) -> None:
    processor = cast(Processor, module.processor)
    if not isinstance(processor, ObservingProcessor):
        processor = ObservingProcessor(processor)
        _set_processor(module, processor)
    processor.observers.append(observer)


def _close(module: nn.Module, observer: _Observer) -> None:
    processor = cast(Processor, module.processor)
    if not isinstance(processor, ObservingProcessor):
        return  # somebody set another processor inside the context: theirs stays
    # By identity: two observers may be equal as values, and comparing tensors is not a truth value anyway.
    processor.observers = [other for other in processor.observers if other is not observer]
    if not processor.observers:
        _set_processor(module, processor.original)


def _set_processor(module: nn.Module, processor: Processor) -> None:
    cast(Callable[[Processor], None], module.set_processor)(processor)


def _by_site(
    sites: Sequence[Site], requests: Sequence[Request], layout: Mapping[SiteKind, TokenLayout]
) -> dict[Site, _Asked]:
    """Which requests each site serves; a site that serves none is not in the result."""
    for request in requests:
        _check_sites(request, sites, layout)
    served = {site: tuple(r for r in requests if _serves(site, r, layout[site.kind])) for site in sites}
    # Sites that serve the same requests share them, and so what is prepared once for all.
    asked: dict[tuple[str, ...], _Asked] = {}
    found = {}
    for site, requests_of_site in served.items():
        if requests_of_site:
            names = tuple(request.name for request in requests_of_site)
            found[site] = asked.setdefault(names, _Asked.of(requests_of_site))
    return found


def _serves(site: Site, request: Request, layout: TokenLayout) -> bool:
    if request.sites == "all":
        return _has_streams(request, layout)
    return site.address in request.sites


def _has_streams(request: Request, layout: TokenLayout) -> bool:
    queries, keys = request.streams()
    return queries <= layout.queries.keys() and keys <= layout.keys.keys()


def _check_sites(request: Request, sites: Sequence[Site], layout: Mapping[SiteKind, TokenLayout]) -> None:
    able = {site.address for site in sites if _has_streams(request, layout[site.kind])}
    unable = [address for address in request.sites if address not in able] if request.sites != "all" else []
    if unable or not able:
        raise InputError(
            f"cannot be observed at {', '.join(unable) or 'any site'}",
            where=f"observation {request.name!r}",
            cure=f"choose among {', '.join(s.address for s in sites if s.address in able) or 'other streams'}",
        )


def _check_names(requests: Sequence[Request]) -> None:
    twice = [name for name, count in Counter(request.name for request in requests).items() if count > 1]
    if twice:
        raise ValueError(f"observation requests need names of their own; given twice: {', '.join(twice)}")


def _call_of(calls: Sequence[AttentionCall], site: Site) -> AttentionCall:
    if len(calls) != site.calls:
        raise InputError(
            f"made {len(calls)} calls of torch's scaled_dot_product_attention, {site.calls} expected",
            where=f"attention site {site.address}",
            cure='use the "native" attention backend: transformer.set_attention_backend("native")',
        )
    return calls[site.call]


def _inside_backward() -> bool:
    """Whether this forward is a recomputation: this thread is inside autograd (torch's checkpoint asks the same)."""
    return torch._C._current_graph_task_id() != -1


def _no_autocast(calls: Sequence[AttentionCall]) -> AbstractContextManager[Any]:
    """Statistics are computed in float32 even when the model runs under autocast."""
    device = calls[0].query.device.type if calls else "cpu"
    # The meta device, on which a rehearsal runs, knows no autocast and refuses the question.
    on = device != "meta" and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()
