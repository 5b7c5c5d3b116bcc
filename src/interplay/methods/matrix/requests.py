"""From the targets of a batch of clips to observation requests, padded so that every clip may have its own entities.

Entities are a list per clip, not slots with fixed numbers: a term takes as many requests as the clip with most
entities of that role has, and the other clips take part in the surplus ones with empty regions.

Shape legend: ``b`` batch, ``n`` video tokens, ``o`` positions of a target (tokens, or pixel frames and latents),
``f h w`` token frames, height, width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.attention import Region, Scores
from interplay.backbones.base import Backbone, Site, SiteKind
from interplay.core.errors import InputError
from interplay.methods.matrix.alignment import positive_weight
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
    """One request of a term: at most one entity of each clip, its target, and the ``clips`` that have one at all.

    ``seen`` are the tokens in whose frames the track is known, ``valid`` the positions of the target that are, and
    ``weight`` is that of the target's positives (:func:`.positive_weight`), ``None`` for 1.
    """

    request: Scores
    term: str
    kind: Kind
    clips: tuple[int, ...]
    seen: Bool[Tensor, "b n"]
    target: Float[Tensor, "b o"]
    valid: Bool[Tensor, "b o"]
    present: Bool[Tensor, " b"]
    weight: Float[Tensor, " b"] | None = None


@dataclass(frozen=True)
class Missing:
    """What a term cannot use, and why: counted and reported, never silently supervised. Term ``all`` is every term."""

    clip_id: str
    term: str
    key: str
    reason: str


@dataclass(frozen=True)
class MatrixBatch:
    """What to observe for a batch (``requests``), and what to compare it with (``slots``)."""

    size: int
    token_shape: tuple[int, int, int]
    slots: tuple[Slot, ...]

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
    slots: list[Slot] = []
    for term, kind, role in config.terms():
        usable = [[e for e in clip.entities if e.role == role and not _unusable(e, kind)] for clip in clips]
        for index in range(max(map(len, usable), default=0)):
            column = [entities[index] if index < len(entities) else None for entities in usable]
            request = _request(config, f"{term}.{index}", kind, column, sites.of_kind(kind), text_length, device)
            slots.append(_slot(term, kind, column, request, device))
    shapes = [entity.track.shape for clip in clips for entity in clip.entities]
    return MatrixBatch(
        size=len(clips),
        token_shape=(shapes[0][0], shapes[0][1], shapes[0][2]) if shapes else (0, 0, 0),
        slots=tuple(_weighted(config, slots)),
    )


def missing_in(config: MatrixConfig, clip: ClipTargets) -> Iterator[Missing]:
    """What of a clip the terms of the config cannot use."""
    for key, reason in clip.unused:
        yield Missing(clip.clip_id, "all", key, reason)
    for term, kind, role in config.terms():
        for entity in clip.entities:
            if entity.role == role and (reason := _unusable(entity, kind)):
                yield Missing(clip.clip_id, term, entity.key, reason)
        for trackless, key in clip.trackless:
            if trackless == role:
                yield Missing(clip.clip_id, term, key, "no mask track")


def aligns(config: MatrixConfig, clip: ClipTargets) -> bool:
    """Whether any term of the config can use any entity of the clip."""
    return any(e.role == role and not _unusable(e, kind) for _, kind, role in config.terms() for e in clip.entities)


def _unusable(entity: Entity, kind: Kind) -> str:
    """Why an entity cannot contribute to this kind of term; empty when it can."""
    if not entity.known.any():
        return "mask track is unknown in every frame"
    if not entity.track.any():
        # A standardised map cannot be low everywhere, so an empty track has no fit to reach.
        return "mask track is empty in every frame"
    if kind == "sga" and not entity.tokens:
        return "no text tokens"
    if kind == "spa" and not entity.track[0].any():
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


def _slot(term: str, kind: Kind, column: Sequence[Entity | None], request: Scores, device: torch.device | str) -> Slot:
    one = next(entity for entity in column if entity is not None)
    nothing = torch.zeros_like(one.target[0]), torch.zeros_like(one.target[1])
    targets = [nothing if entity is None else entity.target for entity in column]
    unseen = torch.zeros_like(one.known)
    frames = torch.stack([unseen if entity is None else entity.known for entity in column])
    return Slot(
        request=request,
        term=term,
        kind=kind,
        clips=tuple(number for number, entity in enumerate(column) if entity is not None),
        seen=frames.repeat_interleave(one.track[0].numel(), dim=1).to(device),
        target=torch.stack([masks for masks, _ in targets]).to(device),
        valid=torch.stack([known for _, known in targets]).to(device),
        present=torch.tensor([entity is not None for entity in column], device=device),
    )


def _weighted(config: MatrixConfig, slots: Sequence[Slot]) -> list[Slot]:
    """The slots with the weight of their positives: their own, or one for all slots of a kind in a clip."""
    cap = config.positive_weight_cap
    if cap is None:
        return list(slots)
    if config.positive_weight_over == "instance":
        return [replace(slot, weight=positive_weight(slot.target, slot.valid, cap)) for slot in slots]
    of_kind = {}
    for kind in {slot.kind for slot in slots}:
        same = [slot for slot in slots if slot.kind == kind]
        targets, valid = torch.cat([s.target for s in same], dim=1), torch.cat([s.valid for s in same], dim=1)
        of_kind[kind] = positive_weight(targets, valid, cap)
    return [replace(slot, weight=of_kind[slot.kind]) for slot in slots]


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
