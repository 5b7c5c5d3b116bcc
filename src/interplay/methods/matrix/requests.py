"""From the targets of a batch of clips to observation requests, padded so that every clip may have its own entities.

Entities are a list per clip, not slots with fixed numbers: a term takes as many requests as the clip with most
entities of that role has, and the other clips take part in the surplus ones with empty regions.

Shape legend: ``b`` batch, ``e`` entities of all its clips, ``n`` video tokens, ``o`` positions of a target (tokens, or
pixel frames and latents), ``f h w`` token frames, height, width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.attention import Region, Scores
from interplay.backbones.base import Backbone, Site, SiteKind
from interplay.core.errors import InputError
from interplay.methods.matrix.config import Kind, MatrixConfig
from interplay.methods.matrix.layers import LayerLists, existing_of_each
from interplay.methods.matrix.targets import ClipTargets, Entity


@dataclass(frozen=True)
class MatrixSites:
    """Addresses of the sites that are aligned in a transformer."""

    v2t: tuple[str, ...]
    v2v: tuple[str, ...]

    @classmethod
    def of(cls, backbone: Backbone, config: MatrixConfig) -> MatrixSites:
        """Those that are aligned in any of the backbone's transformers."""
        each = cls.of_each(backbone, config)
        return cls(v2t=_once(own.v2t for own in each), v2v=_once(own.v2v for own in each))

    @classmethod
    def of_each(cls, backbone: Backbone, config: MatrixConfig) -> tuple[MatrixSites, ...]:
        """Of each transformer the sites of its layers: joint or cross for v2t, joint or self for v2v.

        None where none is needed.

        Where a model's text is no query (cross-attention alone), t2v is an ``InputError``.
        """
        if config.needs_v2t and config.sga_direction == "t2v" and all(s.kind != "joint" for s in backbone.sites()):
            cure = "choose v2t, or a model with joint attention"
            raise InputError("the words of this model query nothing", where="matrix.sga_direction", cure=cure)
        kinds: tuple[SiteKind, ...] = ("joint",) if config.sga_direction == "t2v" else ("joint", "cross")
        none: tuple[tuple[str, ...], ...] = ((),) * len(backbone.transformers)
        v2t = addresses_of(backbone, config.v2t_layers, kinds, "v2t_layers") if config.needs_v2t else none
        v2v = addresses_of(backbone, config.v2v_layers, ("joint", "self"), "v2v_layers") if config.needs_v2v else none
        return tuple(cls(*own) for own in zip(v2t, v2v, strict=True))

    def lora_sites(self, backbone: Backbone) -> list[Site]:
        """The sites themselves, which are those that both the paper and the released code adapt."""
        return [site for site in backbone.sites() if site.address in {*self.v2t, *self.v2v}]

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """v2t for grounding, v2v for propagation."""
        return self.v2t if kind == "sga" else self.v2v


@dataclass(frozen=True)
class Slot:
    """One request of a term: of each clip at most one entity, by its number among those of the batch."""

    request: Scores
    term: str
    kind: Kind
    entities: tuple[int | None, ...]

    @property
    def clips(self) -> tuple[int, ...]:
        """Those that have an entity in it."""
        return tuple(clip for clip, entity in enumerate(self.entities) if entity is not None)

    @property
    def rows(self) -> list[int]:
        """The entities of these clips."""
        return [entity for entity in self.entities if entity is not None]


@dataclass(frozen=True)
class Truth:
    """What the maps of a batch's entities are compared with.

    ``seen`` are the tokens in whose frames the track is known, ``valid`` the positions of the target that are.
    """

    seen: Bool[Tensor, "e n"]
    target: Float[Tensor, "e o"]
    valid: Bool[Tensor, "e o"]

    @classmethod
    def of(cls, entities: Sequence[Entity], device: torch.device | str) -> Truth:
        """Of entities whose tracks are of one size; at least one."""
        masks, known = zip(*(entity.target for entity in entities), strict=True)
        return cls(
            seen=_in_every_place(torch.stack([entity.known for entity in entities]), entities[0].track).to(device),
            target=torch.stack(masks).flatten(1).to(device),
            valid=_in_every_place(torch.stack(known), masks[0]).to(device),
        )


def _in_every_place(known: Bool[Tensor, "e _"], frames: Float[Tensor, "_ _ _"]) -> Bool[Tensor, "e _"]:
    """Frame by frame to position by position."""
    return known.repeat_interleave(frames[0].numel(), dim=1)


@dataclass(frozen=True)
class Missing:
    """What a term cannot use, and why: counted and reported, never silently supervised. Term ``all`` is every term."""

    clip_id: str
    term: str
    key: str
    reason: str


@dataclass(frozen=True)
class MatrixBatch:
    """What to observe for a batch (``requests``), and what to compare it with (``truth``, none without ``slots``)."""

    size: int
    token_shape: tuple[int, int, int]
    slots: tuple[Slot, ...]
    truth: Truth | None = None

    @property
    def requests(self) -> tuple[Scores, ...]:
        """The observation requests of one forward of this batch."""
        return tuple(slot.request for slot in self.slots)


def build_batch(
    config: MatrixConfig,
    sites: MatrixSites,
    clips: Sequence[ClipTargets],
    *,
    text_length: int,
    device: torch.device | str = "cpu",
) -> MatrixBatch:
    """Requests and targets for these clips, in the order of the batch; what they lack is told by :func:`missing_in`."""
    entities = [entity for clip in clips for entity in clip.entities]
    if not entities:
        return MatrixBatch(len(clips), (0, 0, 0), ())
    sights, ends = _sights(entities), list(accumulate(len(clip.entities) for clip in clips))
    rows = [range(end - len(clip.entities), end) for clip, end in zip(clips, ends, strict=True)]
    slots: list[Slot] = []
    for term, kind, role in config.terms():
        able = [
            [r for r in own if entities[r].role == role and not _unusable(entities[r], sights[r], kind)] for own in rows
        ]
        for index in range(max(map(len, able))):
            column = tuple(own[index] if index < len(own) else None for own in able)
            shown = [None if row is None else entities[row] for row in column]
            request = _request(config, f"{term}.{index}", kind, shown, sites.of_kind(kind), text_length, device)
            slots.append(Slot(request, term, kind, column))
    frames, height, width = entities[0].track.shape
    return MatrixBatch(len(clips), (frames, height, width), tuple(slots), Truth.of(entities, device) if slots else None)


def missing_in(config: MatrixConfig, clip: ClipTargets) -> Iterator[Missing]:
    """What of a clip the terms of the config cannot use."""
    for key, reason in clip.unused:
        yield Missing(clip.clip_id, "all", key, reason)
    sights = _sights(clip.entities)
    for term, kind, role in config.terms():
        for entity, sight in zip(clip.entities, sights, strict=True):
            if entity.role == role and (reason := _unusable(entity, sight, kind)):
                yield Missing(clip.clip_id, term, entity.key, reason)
        for trackless, key in clip.trackless:
            if trackless == role:
                yield Missing(clip.clip_id, term, key, "no mask track")


def aligns(config: MatrixConfig, clip: ClipTargets) -> bool:
    """Whether any term of the config can use any entity of the clip."""
    pairs = list(zip(clip.entities, _sights(clip.entities), strict=True))
    return any(
        e.role == role and not _unusable(e, sight, kind) for _, kind, role in config.terms() for e, sight in pairs
    )


class Sight(NamedTuple):
    """Of an entity: whether its track is known anywhere, is not empty, and is not empty in the first frame."""

    known: bool
    anywhere: bool
    at_first: bool


def _sights(entities: Sequence[Entity]) -> list[Sight]:
    """Of all at once: a question for each would cost as much as the losses of a small model."""
    if not entities:
        return []
    known = torch.stack([entity.known for entity in entities]).any(dim=1)
    frames = torch.stack([entity.track for entity in entities]).flatten(2).any(dim=2)
    columns = known.tolist(), frames.any(dim=1).tolist(), frames[:, 0].tolist()
    return [Sight(*row) for row in zip(*columns, strict=True)]


def _unusable(entity: Entity, sight: Sight, kind: Kind) -> str:
    """Why an entity cannot contribute to this kind of term; empty when it can."""
    if not sight.known:
        return "mask track is unknown in every frame"
    if not sight.anywhere:
        # A standardised map cannot be low everywhere, so an empty track has no fit to reach.
        return "mask track is empty in every frame"
    if kind == "sga" and not entity.tokens:
        return "no text tokens"
    if kind == "spa" and not sight.at_first:
        return "not seen in the first frame"
    return ""


def _request(
    config: MatrixConfig,
    name: str,
    kind: Kind,
    column: Sequence[Entity | None],
    sites: tuple[str, ...],
    text_length: int,
    device: torch.device | str,
) -> Scores:
    if kind == "spa":
        shape = next(entity.track.shape for entity in column if entity is not None)
        tracks = [torch.zeros(shape) if entity is None else entity.track for entity in column]
        return Scores(name, sites, queries=Region.first_frame(torch.stack(tracks).to(device)))
    words = Region.text([() if entity is None else entity.tokens for entity in column], text_length, device)
    if config.sga_direction == "t2v":
        return Scores(name, sites, queries=words)
    return Scores(name, sites, keys=words)


def addresses_of(
    backbone: Backbone, layers: LayerLists, kinds: Sequence[SiteKind], field: str, *, room: str = "matrix"
) -> tuple[tuple[str, ...], ...]:
    """Of each transformer the sites of its layers that are of one of these kinds.

    An ``InputError`` is about ``<room>.<field>``.
    """
    by_layer = {site.layer: site.address for site in backbone.sites() if site.kind in kinds}
    each = existing_of_each(layers, len(backbone.transformers), by_layer, where=f"{room}.{field}")
    return tuple(tuple(by_layer[layer] for layer in own) for own in each)


def _once(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for addresses in lists for address in addresses))
