"""Guidance at inference, without training: away from a model that cannot bind words, or cannot look across frames.

MATRIX, appendix E: *cross-modal guidance* (CMG) takes away, at the layers that ground words, what the tokens of a
noun's instance take from that noun, and those of the interaction from its verb; *cross-frame guidance* (CAG, from
DiffTrack) takes away, at a layer that propagates instances, attention to other frames. Both push the prediction away
from what the crippled model says (:class:`.Guide`). It needs neither training nor an adapter, but masks for CMG.

Shape legend: ``f h w`` token frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial, reduce

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from interplay.attention import Region
from interplay.attention.intervene import Change, OwnFrameOnly, WordsUnseen, intervene
from interplay.backbones.base import Backbone, SiteKind, TokenLayout
from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.diffusion.guides import Guide
from interplay.grid.pooling import pool_track
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.layers import LayerListsField, Layers
from interplay.methods.matrix.published import published_for
from interplay.methods.matrix.requests import addresses_of
from interplay.records.caption import is_instance_id, parse_caption
from interplay.records.check import roles_of
from interplay.records.clip import Clip
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack


class GuidanceConfig(Config):
    """Which guidance, how strong and where. A scale of 0 switches it off; each costs one more pass per step.

    Layers are one list for all transformers of a model, or one list for each (:mod:`.layers`): a pass is one expert's,
    and it is crippled at its own. Those that are not named are those of :func:`with_layers`. The paper's scale is "as
    in PAG" and its value is not published; gains are slight and saturate (appendix E).
    """

    cmg_scale: float = Field(0.0, ge=0, description="cross-modal guidance")
    cmg_layers: LayerListsField = Field((), description="paper, CogVideoX-5B: 7 and 11, those of SGA")
    cag_scale: float = Field(0.0, ge=0, description="cross-frame guidance; DiffTrack, CogVideoX-5B: 1")
    cag_layers: LayerListsField = Field((), description="paper, CogVideoX-5B: 12, that of SPA; DiffTrack: 15, 17, 18")


def with_layers(config: GuidanceConfig, backbone: Backbone, aligned: Layers) -> GuidanceConfig:
    """The config with the layers that it leaves open.

    They are those that a training ``aligned``, else those that were published for this model (trained ones before
    dominant ones); where nobody knows any, an :class:`InputError`. A scale of 0 needs no layers.
    """
    if not (config.cmg_scale or config.cag_scale):
        return config
    known = published_for(backbone)
    v2t = aligned.v2t or (() if known is None else known.v2t.trained or known.v2t.dominant)
    v2v = aligned.v2v or (() if known is None else known.v2v.trained or known.v2v.dominant)
    chosen = {}
    for scale, name, own, others in (
        (config.cmg_scale, "cmg_layers", config.cmg_layers, v2t),
        (config.cag_scale, "cag_layers", config.cag_layers, v2v),
    ):
        if scale and not (own or others):
            raise _no_layers(backbone, name)
        chosen[name] = (own or others) if scale else own
    return config.model_copy(update=chosen)


def _no_layers(backbone: Backbone, name: str) -> InputError:
    problem = f"no layer is chosen, none was published for {backbone.name}, and no training is given that aligned any"
    last = max(site.layer for site in backbone.sites())
    cure = f'name some of 0 to {last} (--set "guidance.{name}=[{last // 2}]"); interplay analyze says which'
    return InputError(problem, where=f"guidance.{name}", cure=cure)


@dataclass(frozen=True)
class Course:
    """Where each instance is from frame to frame, by id, and who takes part in which verb.

    Tracks are of all frames, or of the first alone: then everybody is taken to stay in their place. (Ours: the paper
    does not say what its regions are while a clip is generated.) A verb that ``verbs`` does not list is that of all
    instances whose ids stand in the prompt.
    """

    tracks: Mapping[str, MaskTrack]
    verbs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, clip: Clip, *, num_frames: int, fps: float) -> Course:
        """That of a dataset's clip, at the times of so many frames at this rate; unknown places are held."""
        times = [round(number * clip.fps / fps) for number in range(num_frames)]
        return cls({name: _held(track, times) for name, track in clip.tracks.items()}, _taking_part(clip))

    @property
    def first(self) -> dict[str, MaskTrack]:
        """The masks of the first frame."""
        return {name: track.select([0]) for name, track in self.tracks.items()}

    @property
    def goes_on(self) -> bool:
        """Whether there is more to it than the masks of the first frame."""
        return bool(self.verbs) or any(len(track) > 1 for track in self.tracks.values())


@dataclass(frozen=True)
class WordRegion:
    """A word's text tokens, and the video tokens that mean it, in 0..1."""

    tokens: tuple[int, ...]
    region: Float[Tensor, "f h w"]


def words_of(tokens: Mapping[str, Sequence[int]], course: Course, grid: TokenGrid) -> tuple[WordRegion, ...]:
    """The words that have a region: nouns that of their instance, verbs the union of those who take part.

    ``tokens`` are the text positions of the caption's labels (``token_spans(...).tokens``). Who is not in the prompt
    and takes part in nothing has no word.
    """
    ids = tuple(label for label in tokens if is_instance_id(label))
    found = []
    for label, positions in tokens.items():
        names = (label,) if is_instance_id(label) else course.verbs.get(label, ids)
        tracks = [course.tracks[name] for name in names if name in course.tracks]
        if not (positions and tracks):
            continue
        region = _on_tokens(reduce(MaskTrack.union, tracks), grid)
        if region.any():
            found.append(WordRegion(tuple(positions), region))
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
        unseen = _unseen(backbone, words)
        found.append(_guide(backbone, grid, "cmg", config.cmg_scale, [WordsUnseen(own, *unseen) for own in sites]))
    if config.cag_scale:
        sites = addresses_of(backbone, config.cag_layers, ("joint", "self"), "cag_layers", room="guidance")
        alone = [OwnFrameOnly(own, grid.tokens_per_frame) for own in sites]
        found.append(_guide(backbone, grid, "cag", config.cag_scale, alone))
    return tuple(found)


def _guide(backbone: Backbone, grid: TokenGrid, name: str, scale: float, changes: Sequence[Change]) -> Guide:
    """One change for each of the backbone's transformers."""
    return Guide(name, scale, partial(_perturbed, backbone, changes, backbone.layout(grid, backbone.text_length)))


def _perturbed(
    backbone: Backbone, changes: Sequence[Change], layout: Mapping[SiteKind, TokenLayout], timesteps: Tensor
) -> AbstractContextManager[None]:
    """The change of the transformer that runs at these timesteps."""
    return intervene(backbone, [changes[backbone.expert_at(timesteps)]], layout)


def _unseen(backbone: Backbone, words: Sequence[Sequence[WordRegion]]) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """Every token of every word, and the union of the regions that each stands for."""
    of_clips: list[dict[int, Tensor]] = []
    for of_clip in words:
        regions: dict[int, Tensor] = {}
        for word in of_clip:
            for token in word.tokens:
                regions[token] = torch.maximum(regions.get(token, torch.zeros_like(word.region)), word.region)
        of_clips.append(regions)
    count = max(map(len, of_clips), default=0)
    if not count:
        cure = "give captions with markers, and masks of their instances, or set guidance.cmg_scale to 0"
        raise InputError("no clip has a word with a region", where="guidance.cmg_scale", cure=cure)
    nothing = torch.zeros_like(next(region for regions in of_clips for region in regions.values()))
    columns = [list(regions.items()) + [(None, nothing)] * (count - len(regions)) for regions in of_clips]
    slots = list(zip(*columns, strict=True))
    length, device = backbone.text_length, backbone.device
    return (
        tuple(Region.text([() if token is None else (token,) for token, _ in slot], length, device) for slot in slots),
        tuple(Region.video(torch.stack([region for _, region in slot]).to(device)) for slot in slots),
    )


def _on_tokens(track: MaskTrack, grid: TokenGrid) -> Float[Tensor, "f h w"]:
    """A track of all frames, or of the first alone, on the token grid."""
    frames = [min(number, len(track) - 1) for number in range(grid.frames)]
    fit = Fit(track.size_hw, (grid.height, grid.width))
    return pool_track(track.select(frames), grid, rule="area", rate="latent", fit=fit)


def _held(track: MaskTrack, times: Sequence[int]) -> MaskTrack:
    """The track's frames at these times; whoever is lost from sight, or outlasts the track, stays where they were."""
    held: list[bytes | None] = []
    for counts in track.frames:
        held.append(held[-1] if counts is None and held else counts)
    return MaskTrack(track.size_hw, tuple(held[min(time, len(held) - 1)] for time in times))


def _taking_part(clip: Clip) -> dict[str, tuple[str, ...]]:
    """The ids behind each verb label: those of its interaction if there are as many of both, else of all of them."""
    labels = parse_caption(clip.caption).verb_labels
    roles = [roles_of(interaction) for interaction in clip.interactions]
    if len(labels) == len(roles):
        return dict(zip(labels, roles, strict=True))
    everybody = tuple(dict.fromkeys(name for one in roles for name in one))
    return dict.fromkeys(labels, everybody) if everybody else {}
