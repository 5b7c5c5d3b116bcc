"""Guidance at inference, without training: away from a model that cannot bind words, or cannot look across frames.

MATRIX, appendix E: *cross-modal guidance* (CMG) takes away, at the layers that ground words, what the tokens of a
noun's instance take from that noun, and those of the interaction from its verb; *cross-frame guidance* (CAG, from
DiffTrack) takes away, at a layer that propagates instances, attention to other frames. Both push the prediction away
from what the crippled model says (:class:`.Guide`). It needs neither training nor an adapter, but masks for CMG.

Shape legend: ``f h w`` token frames, height, width, ``y x`` pixel height and width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from interplay.attention import Region
from interplay.attention.intervene import Change, OwnFrameOnly, WordsUnseen, intervene
from interplay.backbones.base import Backbone
from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.diffusion.guides import Guide
from interplay.grid.pooling import pool_masks
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.requests import addresses_of
from interplay.methods.matrix.targets import ClipTargets
from interplay.records.caption import is_instance_id
from interplay.records.masks import MaskTrack


class GuidanceConfig(Config):
    """Which guidance, how strong and where. A scale of 0 switches it off; each costs one more pass per step.

    The paper's scale is "as in PAG" and its value is not published; gains are slight and saturate (appendix E).
    """

    cmg_scale: float = Field(0.0, ge=0, description="cross-modal guidance")
    cmg_layers: tuple[int, ...] = Field((), description="paper, CogVideoX-5B: 7 and 11, those of SGA")
    cag_scale: float = Field(0.0, ge=0, description="cross-frame guidance; DiffTrack, CogVideoX-5B: 1")
    cag_layers: tuple[int, ...] = Field((), description="paper, CogVideoX-5B: 12, that of SPA; DiffTrack: 15, 17, 18")


@dataclass(frozen=True)
class WordRegion:
    """A word's text tokens, and the video tokens that mean it, in 0..1."""

    tokens: tuple[int, ...]
    region: Float[Tensor, "f h w"]


def words_of_targets(targets: ClipTargets) -> tuple[WordRegion, ...]:
    """The words of a clip whose tracks are known in all frames: nouns with their instances, verbs with their unions."""
    return tuple(WordRegion(entity.tokens, entity.track) for entity in targets.entities if entity.tokens)


def words_of_masks(
    tokens: Mapping[str, Sequence[int]], masks: Mapping[str, MaskTrack], grid: TokenGrid, *, hold: bool = True
) -> tuple[WordRegion, ...]:
    """The words of a clip of which the first frame's masks are known: each id's own mask, and for verbs their union.

    ``tokens`` are the text positions of the caption's labels, ``masks`` tracks of one frame at the grid's size. Where
    instances will be is not known; with ``hold`` each is taken to stay in its place, without it only the first frame
    counts. (Ours: the paper does not say what its regions are while a clip is generated.)
    """
    first = {name: torch.from_numpy(track.to_array()[:1]) for name, track in masks.items()}
    if not first:
        return ()
    together = torch.stack(list(first.values())).any(dim=0)
    found = []
    for label, positions in tokens.items():
        mask = first.get(label) if is_instance_id(label) else together
        if mask is not None and positions:
            found.append(WordRegion(tuple(positions), _on_tokens(mask, grid, hold)))
    return tuple(found)


def guides(
    backbone: Backbone, config: GuidanceConfig, grid: TokenGrid, words: Sequence[Sequence[WordRegion]]
) -> tuple[Guide, ...]:
    """The guides of a batch of clips; ``words`` are those of each clip, which only CMG reads.

    A clip without words is not guided by CMG; a batch without any is an ``InputError``.
    """
    found = []
    if config.cmg_scale:
        sites = addresses_of(backbone, config.cmg_layers, ("joint", "cross"), "cmg_layers", room="guidance")
        found.append(_guide(backbone, grid, "cmg", config.cmg_scale, _unseen(backbone, sites, words)))
    if config.cag_scale:
        sites = addresses_of(backbone, config.cag_layers, ("joint", "self"), "cag_layers", room="guidance")
        found.append(_guide(backbone, grid, "cag", config.cag_scale, OwnFrameOnly(sites, grid.tokens_per_frame)))
    return tuple(found)


def _guide(backbone: Backbone, grid: TokenGrid, name: str, scale: float, change: Change) -> Guide:
    layout = backbone.layout(grid, backbone.text_length)
    return Guide(name, scale, partial(intervene, backbone, [change], layout))


def _unseen(backbone: Backbone, sites: tuple[str, ...], words: Sequence[Sequence[WordRegion]]) -> WordsUnseen:
    """Every token of every word, with the union of the regions that it stands for."""
    of_clips: list[dict[int, Tensor]] = []
    for of_clip in words:
        regions: dict[int, Tensor] = {}
        for word in of_clip:
            for token in word.tokens:
                regions[token] = torch.maximum(regions.get(token, torch.zeros_like(word.region)), word.region)
        of_clips.append(regions)
    count = max(map(len, of_clips), default=0)
    if not count:
        cure = "give captions with markers and masks of the first frame, or set guidance.cmg_scale to 0"
        raise InputError("no clip has a word with a region", where="guidance.cmg_scale", cure=cure)
    nothing = torch.zeros_like(next(region for regions in of_clips for region in regions.values()))
    columns = [list(regions.items()) + [(None, nothing)] * (count - len(regions)) for regions in of_clips]
    slots = list(zip(*columns, strict=True))
    length, device = backbone.text_length, backbone.device
    return WordsUnseen(
        sites,
        tuple(Region.text([() if token is None else (token,) for token, _ in slot], length, device) for slot in slots),
        tuple(Region.video(torch.stack([region for _, region in slot]).to(device)) for slot in slots),
    )


def _on_tokens(mask: Tensor, grid: TokenGrid, hold: bool) -> Float[Tensor, "f h w"]:
    """A mask of the first frame on the token grid, in all frames or in the first alone."""
    frames = mask[None].expand(1, grid.frames, *mask.shape[1:])
    pooled = pool_masks(frames, grid, rule="area", rate="latent")[0].clone()
    if not hold:
        pooled[1:] = 0
    return pooled
