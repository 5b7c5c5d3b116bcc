"""Any backbone's observations against dense attention from queries and keys that were recorded in another way.

Recording replaces torch's attention function by one that takes notes; observing does not see it. So nothing here comes
through the interception, the kernels or the statistics that are tested.

Shape legend: ``b`` batch, ``h`` heads, ``n`` tokens of a stream, ``q k`` all query and key tokens of a site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from interplay.attention import Mass, Region, RowMap, Scores, _reference
from interplay.attention.requests import Request
from interplay.backbones.base import Backbone, SiteKind, Stream, TokenLayout
from interplay.backbones.batch import Batch


@dataclass(frozen=True)
class Scene:
    """A backbone and the arguments of one forward of two clips."""

    backbone: Backbone
    layout: Mapping[SiteKind, TokenLayout]
    latents: Tensor
    timesteps: Tensor
    text: Batch
    first_frame: Batch

    @classmethod
    def of(cls, backbone: Backbone) -> Scene:
        """Random clips, prompts of different length, and attention far from uniform."""
        generator = torch.Generator().manual_seed(1)
        for transformer in backbone.transformers:
            for name, weight in transformer.named_parameters():
                if "norm_q" in name or "norm_k" in name or "norm_added" in name:
                    # Weights of 1 leave attention nearly uniform, where a wrong statistic hardly shows.
                    torch.nn.init.normal_(weight, std=1.5, generator=generator)
        grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
        images = torch.rand(2, 3, *backbone.native_size_hw, generator=generator) * 2 - 1
        first_frame = backbone.first_frame_condition(images, grid)
        text = backbone.encode_text(["a man in red pushes a green ball", "a cup"], first_frame)
        latents = torch.randn(2, backbone.latent_channels, *grid.latent_shape, generator=generator)
        layout = backbone.layout(grid, backbone.text_length)
        return cls(backbone, layout, latents, torch.tensor([100, 800]), text, first_frame)

    def forward(self) -> Tensor:
        """The prediction; conditions are detached, so gradients end at the transformer."""
        return self.backbone.denoise(self.latents, self.timesteps, self.text, self.first_frame)

    def in_dtype(self, dtype: torch.dtype) -> Scene:
        """The same in another floating point type."""
        for transformer in self.backbone.transformers:
            transformer.to(dtype)

        def cast(batch: Batch) -> Batch:
            return Batch({n: t.to(dtype) if t.is_floating_point() else t for n, t in batch.tensors.items()})

        return replace(self, latents=self.latents.to(dtype), text=cast(self.text), first_frame=cast(self.first_frame))


@dataclass(frozen=True)
class Recorded:
    """What a site's attention was really given."""

    query: Tensor
    key: Tensor
    mask: Tensor | None
    scale: float


def record(scene: Scene) -> dict[str, Recorded]:
    """Queries and keys of every site in one forward."""
    calls: dict[str, list[Recorded]] = {}
    inside: list[str] = []
    original = functional.scaled_dot_product_attention

    def noting(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
        if inside:
            scale = options.get("scale") or query.shape[-1] ** -0.5
            calls.setdefault(inside[-1], []).append(Recorded(query, key, attn_mask, scale))
        return original(query, key, value, attn_mask=attn_mask, **options)

    with mock.patch.object(functional, "scaled_dot_product_attention", noting), _inside_sites(scene, inside):
        scene.forward()
    return {site.address: calls[site.module][site.call] for site in scene.backbone.sites()}


@contextmanager
def _inside_sites(scene: Scene, inside: list[str]) -> Iterator[None]:
    """Keep the path of the site's module that is running on the list."""
    handles = []
    for path in {site.module for site in scene.backbone.sites()}:
        for transformer in scene.backbone.transformers:
            module = transformer.get_submodule(path)
            handles.append(module.register_forward_pre_hook(lambda m, a, path=path: inside.append(path)))
            handles.append(module.register_forward_hook(lambda m, a, o: inside.pop() and None))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


Twin = Callable[[Recorded], Tensor]


@dataclass(frozen=True)
class Case:
    """A request and its dense twin."""

    request: Request
    twin: Twin


def cases(scene: Scene, layers: Sequence[int]) -> list[Case]:
    """Every statistic, between every pair of streams, at every site of these layers."""
    return [case for kind in scene.layout for case in _cases_of_kind(scene, kind, layers)]


def _cases_of_kind(scene: Scene, kind: SiteKind, layers: Sequence[int]) -> Iterator[Case]:
    layout = scene.layout[kind]
    of_kind = [site for site in scene.backbone.sites() if site.kind == kind]
    sites = tuple(site.address for site in of_kind if site.layer in layers)
    keys = {stream: soft_region(stream, part, seed=1) for stream, part in layout.keys.items()}
    queries = {stream: soft_region(stream, part, seed=2) for stream, part in layout.queries.items()}
    for query_stream, region in queries.items():
        rows = layout.queries[query_stream]
        at = f"{kind} {query_stream}"
        columns = torch.stack([_spread(keys[stream], layout.keys) for stream in keys], dim=-1)
        everywhere = _spread(region, layout.queries)
        yield Case(Mass(f"{at} mass", sites, region, tuple(keys.values()), "none"), _mass(region, columns, rows))
        yield Case(Mass(f"{at} mean", sites, region, tuple(keys.values()), "mean"), _mean_mass(everywhere, columns))
        for key_stream, key_region in keys.items():
            over, of_keys = layout.keys[key_stream], _spread(key_region, layout.keys)
            pair = f"{at} {key_stream}"
            yield Case(RowMap(f"{pair} map", sites, region, over=key_stream), _map(everywhere, over))
            yield Case(
                Scores(f"{pair} on keys", sites, keys=key_region, over=query_stream),
                lambda r, w=of_keys, rows=rows: _reference.dense_mean_over_keys(_scores(r), w)[:, :, rows],
            )
            yield Case(
                Scores(f"{pair} on queries", sites, queries=region, over=key_stream),
                lambda r, w=everywhere, over=over: _reference.dense_mean_over_queries(_scores(r), w)[:, :, over],
            )
            yield Case(
                Scores(f"{pair} both", sites, queries=region, keys=key_region),
                lambda r, w=everywhere, v=of_keys: torch.einsum(
                    "bhq,bq->bh", _reference.dense_mean_over_keys(_scores(r), v), w / w.sum(1, keepdim=True)
                ),
            )


def soft_region(stream: Stream, part: slice, seed: int) -> Region:
    """About a third of the tokens, softly, different ones in the two clips; always the first."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(2, part.stop - part.start, generator=generator) - 0.66
    weights[:, 0] = 0.5
    return Region(stream, weights.clamp(min=0.0))


def _spread(region: Region, slices: Mapping[Stream, slice]) -> Tensor:
    weights = torch.zeros(2, max(part.stop for part in slices.values()))
    weights[:, slices[region.stream]] = region.weights
    return weights


def _scores(recorded: Recorded) -> Tensor:
    return _reference.dense_scores(recorded.query, recorded.key, recorded.scale)


def _attention(recorded: Recorded) -> Tensor:
    return _reference.dense_attention(recorded.query, recorded.key, recorded.mask, recorded.scale)


def _mass(region: Region, columns: Tensor, rows: slice) -> Twin:
    inside = (region.weights > 0)[:, None, :, None]
    return lambda recorded: _reference.dense_mass(_attention(recorded), columns)[:, :, rows] * inside


def _mean_mass(everywhere: Tensor, columns: Tensor) -> Twin:
    share = everywhere / everywhere.sum(1, keepdim=True)
    return lambda recorded: torch.einsum("bq,bhqr->bhr", share, _reference.dense_mass(_attention(recorded), columns))


def _map(everywhere: Tensor, over: slice) -> Twin:
    return lambda recorded: _reference.dense_mean_over_queries(_attention(recorded), everywhere)[:, :, over]
