"""``observe``: the context in which a backbone's forward also yields the statistics that were asked for.

The processor of each needed site is replaced by one that calls the original and measures what it computed, and put back
on exit, also after an exception. Under gradient checkpointing the statistics are part of the forward only: they keep
their own few saved tensors, so that ``backward`` may run inside or outside the ``with`` block and the recomputation
neither repeats nor overwrites them. Reentrant checkpointing is not supported (it runs the forward without gradients).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from interplay.attention.intercept import Interception
from interplay.attention.requests import AttentionCall, Request
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

    def __init__(self, names: Iterable[str]) -> None:
        self._values: dict[str, dict[str, Tensor]] = {name: {} for name in names}

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
class _Observer:
    """The requests of one ``observe`` at one site, and where their values go."""

    site: Site
    layout: TokenLayout
    requests: tuple[Request, ...]
    seen: Observations

    def measure(self, call: AttentionCall) -> None:
        self._check(call)
        for request in self.requests:
            self.seen.record(request.name, self.site.address, request.measure(call, self.layout))

    def _check(self, call: AttentionCall) -> None:
        for axis, slices, tokens in (("query", self.layout.queries, call.query), ("key", self.layout.keys, call.key)):
            expected = max(part.stop for part in slices.values())
            if tokens.shape[2] != expected:
                raise InputError(
                    f"has {tokens.shape[2]} {axis} tokens, the layout describes {expected}",
                    where=f"attention site {self.site.address}",
                    cure="take the layout of this clip's grid and text length",
                )


class _ObservingProcessor:
    """Stands in for a site's processor and serves every ``observe`` that is open on it."""

    def __init__(self, original: Processor) -> None:
        self.original = original
        self.observers: list[_Observer] = []
        # diffusers passes on only the arguments it finds in the signature of `processor.__call__`: show the original's.
        vars(self)["__call__"] = functools.wraps(original.__call__)(lambda *args, **kwargs: self._run(*args, **kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        if _inside_backward():
            return self.original(*args, **kwargs)
        with Interception() as interception:
            output = self.original(*args, **kwargs)
        with _own_saved_tensors(), _no_autocast(interception.calls):
            for observer in self.observers:
                observer.measure(_call_of(interception.calls, observer.site))
        return output


@contextmanager
def observe(
    backbone: Backbone, requests: Sequence[Request], layout: Mapping[SiteKind, TokenLayout]
) -> Iterator[Observations]:
    """Within this context, every forward of the backbone also yields the requested statistics.

    ``layout`` is ``backbone.layout(grid, text_length)`` of the clips that go through. Values carry gradients unless the
    forward runs under ``no_grad``. Contexts nest. Nothing is left on the model afterwards.
    """
    _check_names(requests)
    for transformer in backbone.transformers:
        refuse_step_cache(transformer)
    seen = Observations(request.name for request in requests)
    opened: list[tuple[nn.Module, _Observer]] = []
    try:
        for site, asked in _by_site(backbone.sites(), requests, layout).items():
            observer = _Observer(site, layout[site.kind], asked, seen)
            # Of several experts only one runs in a forward, so a site's value is that of the expert that ran.
            for transformer in backbone.transformers:
                module = transformer.get_submodule(site.module)
                _open(module, observer)
                opened.append((module, observer))
        yield seen
    finally:
        for module, observer in opened:
            _close(module, observer)


def _open(module: nn.Module, observer: _Observer) -> None:
    processor = cast(Processor, module.processor)
    if not isinstance(processor, _ObservingProcessor):
        processor = _ObservingProcessor(processor)
        _set_processor(module, processor)
    processor.observers.append(observer)


def _close(module: nn.Module, observer: _Observer) -> None:
    processor = cast(Processor, module.processor)
    if not isinstance(processor, _ObservingProcessor):
        return  # somebody set another processor inside the context: theirs stays
    # By identity: two observers may be equal as values, and comparing tensors is not a truth value anyway.
    processor.observers = [other for other in processor.observers if other is not observer]
    if not processor.observers:
        _set_processor(module, processor.original)


def _set_processor(module: nn.Module, processor: Processor) -> None:
    cast(Callable[[Processor], None], module.set_processor)(processor)


def _by_site(
    sites: Sequence[Site], requests: Sequence[Request], layout: Mapping[SiteKind, TokenLayout]
) -> dict[Site, tuple[Request, ...]]:
    """Which requests each site serves; a site that serves none is not in the result."""
    for request in requests:
        _check_sites(request, sites, layout)
    served = {site: tuple(r for r in requests if _serves(site, r, layout[site.kind])) for site in sites}
    return {site: asked for site, asked in served.items() if asked}


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


def _own_saved_tensors() -> AbstractContextManager[Any]:
    """Saves what follows as usual, out of the hands of checkpointing: its recomputation then need not repeat it."""
    return torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.detach(), lambda tensor: tensor)


def _no_autocast(calls: Sequence[AttentionCall]) -> AbstractContextManager[Any]:
    """Statistics are computed in float32 even when the model runs under autocast."""
    device = calls[0].query.device.type if calls else "cpu"
    # The meta device, on which a rehearsal runs, has no autocast that could be off.
    return torch.autocast(device, enabled=False) if device != "meta" else nullcontext()
