"""``intervene``: the context in which chosen sites of a model attend otherwise than they would.

The counterpart of :func:`.observe`, by the same means: the processor of a site is replaced by one that calls the
original and changes what its attention kernel returns. What a change takes away is computed from the very queries,
keys and values that the model uses, without building the whole attention matrix. Nothing is left on the model
afterwards, also not after an exception.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens of the site, ``d`` head width, ``n`` video
tokens, ``t`` text tokens, ``j`` words of a clip (text tokens that something is taken from).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.attention.compiled import around, put_back, set_aside
from interplay.attention.intercept import Arguments, catching, uncaught
from interplay.attention.observe import ObservingProcessor
from interplay.attention.regions import Region
from interplay.attention.requests import AttentionCall, Mass
from interplay.attention.step_caches import refuse_step_cache
from interplay.backbones.base import Backbone, Site, SiteKind, TokenLayout
from interplay.core.errors import InputError


class Change(ABC):
    """What happens to the output of attention at some ``sites``."""

    sites: tuple[str, ...]

    @abstractmethod
    def changed(
        self,
        output: Float[Tensor, "b h q d"],
        call: AttentionCall,
        value: Float[Tensor, "b h k d"],
        layout: TokenLayout,
    ) -> Float[Tensor, "b h q d"]:
        """The output instead of the kernel's."""


@dataclass(frozen=True)
class WordsUnseen(Change):
    """Video tokens of a region do not take from certain words: those weights are zero after the softmax.

    The other weights stay as they were, so a row sums to less than 1. ``words`` are one text token of each clip (a
    region with one member, or none), ``regions`` the video tokens that do not see it, in 0..1: a token that is half
    inside loses half.

    Each clip is computed by itself: sums are grouped by shape, and the clip beside it is not to decide the last bit.

    Formula: o_q - sum over j of w_j(q) softmax(q K^T)_j v_j. Source: MATRIX, appendix E (cross-modal guidance).
    """

    sites: tuple[str, ...]
    words: tuple[Region, ...]
    regions: tuple[Region, ...]

    def changed(
        self,
        output: Float[Tensor, "b h q d"],
        call: AttentionCall,
        value: Float[Tensor, "b h k d"],
        layout: TokenLayout,
    ) -> Float[Tensor, "b h q d"]:
        """Less what the region's queries took from the words."""
        video, text = layout.queries["video"], layout.keys["text"]
        changed = output.clone()
        for number, clip in zip(range(len(output)), self._clips, strict=True):
            if clip is None:
                continue
            chosen = slice(number, number + 1)
            taken = clip.weights.measure(call.elements(chosen), layout) * clip.blind.to(output.device)[:, None]
            of_words = clip.columns.to(value)[:, None] @ value[chosen, :, text]
            changed[chosen, :, video] -= (taken.to(value) @ of_words).to(output)
        return changed

    @cached_property
    def _clips(self) -> list[_UnseenWords | None]:
        return [self._of_clip(slice(number, number + 1)) for number in range(len(self.words[0].weights))]

    def _of_clip(self, chosen: slice) -> _UnseenWords | None:
        pairs = zip(self.words, self.regions, strict=True)
        own = [(word.weights[chosen], region.weights[chosen]) for word, region in pairs]
        own = [(word, region) for word, region in own if word.any() and region.any()]
        if not own:
            return None
        words, regions = zip(*own, strict=True)
        blind = torch.stack(regions, dim=-1)
        queries, keys = Region("video", blind.amax(dim=-1)), tuple(Region("text", word) for word in words)
        return _UnseenWords(Mass("words", self.sites, queries, keys, "none"), blind, torch.stack(words, dim=1))


@dataclass(frozen=True)
class _UnseenWords:
    """Those of one clip: the attention of all tokens of any region to each word, the regions, and the words."""

    weights: Mass
    blind: Float[Tensor, "1 n j"]
    columns: Float[Tensor, "1 j t"]


@dataclass(frozen=True)
class OwnFrameOnly(Change):
    """Video tokens attend to the video tokens of their own token frame alone, and to all other streams as before.

    The other frames' keys are masked before the softmax, so a row still sums to 1. Source: the cross-frame guidance
    of DiffTrack, which MATRIX's appendix E uses beside its own.
    """

    sites: tuple[str, ...]
    tokens_per_frame: int

    def changed(
        self,
        output: Float[Tensor, "b h q d"],
        call: AttentionCall,
        value: Float[Tensor, "b h k d"],
        layout: TokenLayout,
    ) -> Float[Tensor, "b h q d"]:
        """Video rows anew, frame by frame."""
        queries, keys = layout.queries["video"], layout.keys["video"]
        places = torch.arange(call.key.shape[2], device=call.key.device)
        others = places[(places < keys.start) | (places >= keys.stop)]
        changed = output.clone()
        for start in range(0, keys.stop - keys.start, self.tokens_per_frame):
            rows = slice(queries.start + start, queries.start + start + self.tokens_per_frame)
            own = torch.cat([others, places[keys.start + start : keys.start + start + self.tokens_per_frame]])
            mask = None if call.mask is None else _part(call.mask, rows, own)
            changed[:, :, rows] = functional.scaled_dot_product_attention(
                call.query[:, :, rows], call.key[:, :, own], value[:, :, own], attn_mask=mask, scale=call.scale
            )
        return changed


def _part(mask: Tensor, rows: slice, columns: Tensor) -> Tensor:
    """The mask of some queries and keys; a mask may be one row for all queries."""
    shared = mask if mask.shape[2] == 1 else mask[:, :, rows]
    return shared[..., columns]


@contextmanager
def intervene(backbone: Backbone, changes: Sequence[Change], layout: Mapping[SiteKind, TokenLayout]) -> Iterator[None]:
    """Within this context, every forward of the backbone attends with these changes, in their order.

    ``layout`` is ``backbone.layout(grid, text_length)`` of the clips that go through. Contexts nest, also with
    :func:`.observe`, which then sees what the model would have attended to.
    """
    opened: list[tuple[nn.Module, str, Any]] = []
    try:
        for transformer in backbone.transformers:
            refuse_step_cache(transformer)
            for module, sites in _by_module(backbone, changes).items():
                processor = _processor(transformer, module)
                _set_processor(transformer, module, _ChangingProcessor(processor, sites, changes, layout))
                set_aside(around(transformer, [module]))
                opened.append((transformer, module, processor))
        yield
    finally:
        for transformer, module, processor in reversed(opened):
            put_back(around(transformer, [module]))
            _set_processor(transformer, module, processor)


class _ChangingProcessor:
    """Stands in for a processor whose kernel's output is changed."""

    def __init__(
        self,
        original: Any,
        sites: Sequence[Site],
        changes: Sequence[Change],
        layout: Mapping[SiteKind, TokenLayout],
    ) -> None:
        self.original = original
        self._sites, self._changes, self._layout = sites, changes, layout
        # diffusers passes on only the arguments it finds in the signature of `processor.__call__`: show the original's.
        vars(self)["__call__"] = functools.wraps(original.__call__)(lambda *args, **kwargs: self._run(*args, **kwargs))

    # Where torch.compile wraps the whole model, its graph ends here.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        kernel = _ChangedKernel(self._change)
        with catching(kernel):
            output = self.original(*args, **kwargs)
        if kernel.calls != self._sites[0].calls:
            raise InputError(
                f"made {kernel.calls} calls of torch's scaled_dot_product_attention, {self._sites[0].calls} expected",
                where=f"attention site {self._sites[0].address}",
                cure='use the "native" attention backend: transformer.set_attention_backend("native")',
            )
        return output

    def _change(self, number: int, output: Tensor, call: AttentionCall, value: Tensor) -> Tensor:
        for site in self._sites:
            for change in self._changes:
                if site.call == number and site.address in change.sites:
                    output = change.changed(output, call, value, self._layout[site.kind])
        return output


class _ChangedKernel:
    """A handler that hands each call's output to ``change`` (number of the call, output, call, value)."""

    def __init__(self, change: Callable[[int, Tensor, AttentionCall, Tensor], Tensor]) -> None:
        self._change = change
        self.calls = 0

    def __call__(self, kernel: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        number, self.calls = self.calls, self.calls + 1
        given = Arguments(*args, **kwargs)
        output = kernel(*args, **kwargs)
        # An observation around this one is to see the model's own calls alone.
        with uncaught():
            return self._change(number, output, given.call(), given.value)


def _by_module(backbone: Backbone, changes: Sequence[Change]) -> dict[str, list[Site]]:
    wanted = {address for change in changes for address in change.sites}
    unknown = wanted - {site.address for site in backbone.sites()}
    if unknown:
        raise ValueError(f"{backbone.name} has no attention sites {sorted(unknown)}")
    found: dict[str, list[Site]] = {}
    for site in backbone.sites():
        if site.address in wanted:
            found.setdefault(site.module, []).append(site)
    return found


def _processor(transformer: nn.Module, path: str) -> Any:
    """The processor at a site, of an observed site the one that does the work: a change happens inside observations."""
    processor: Any = transformer.get_submodule(path).processor
    return processor.original if isinstance(processor, ObservingProcessor) else processor


def _set_processor(transformer: nn.Module, path: str, processor: Any) -> None:
    module: Any = transformer.get_submodule(path)
    if isinstance(module.processor, ObservingProcessor):
        module.processor.original = processor
    else:
        module.set_processor(processor)
