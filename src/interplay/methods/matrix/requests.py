"""From the targets of a batch of clips to observation requests, padded so that every clip may have its own entities.

Entities are a list per clip, not slots with fixed numbers: a term takes as many requests as the clip with most
entities of that role has, and the other clips take part in the surplus ones with empty regions.

Shape legend: ``b`` batch, ``n`` video tokens, ``f h w`` token frames, height, width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.attention import Region, Scores
from interplay.backbones.base import Backbone, SiteKind
from interplay.core.errors import InputError
from interplay.methods.matrix.config import Kind, MatrixConfig
from interplay.methods.matrix.targets import ClipTargets, Entity


@dataclass(frozen=True)
class MatrixSites:
    """Addresses of the sites that are aligned."""

    v2t: tuple[str, ...]
    v2v: tuple[str, ...]

    @classmethod
    def of(cls, backbone: Backbone, config: MatrixConfig) -> MatrixSites:
        """The sites of the config's layers: joint or cross for v2t, joint or self for v2v."""
        return cls(
            v2t=_addresses(backbone, config.v2t_layers, ("joint", "cross"), "v2t_layers"),
            v2v=_addresses(backbone, config.v2v_layers, ("joint", "self"), "v2v_layers"),
        )

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """v2t for grounding, v2v for propagation."""
        return self.v2t if kind == "sga" else self.v2v


@dataclass(frozen=True)
class Slot:
    """One request of a term: at most one entity of each clip, its target, and which clips have one at all."""

    request: Scores
    term: str
    kind: Kind
    target: Float[Tensor, "b n"]
    valid: Bool[Tensor, "b n"]
    present: Bool[Tensor, " b"]


@dataclass(frozen=True)
class Missing:
    """What a term cannot use, and why: counted and reported, never silently supervised. Term ``all`` is every term."""

    clip_id: str
    term: str
    key: str
    reason: str


@dataclass(frozen=True)
class MatrixBatch:
    """What to observe for a batch (``requests``), what to compare it with (``slots``), and what is ``missing``."""

    size: int
    slots: tuple[Slot, ...]
    missing: tuple[Missing, ...]

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
    """Requests and targets for these clips, in the order of the batch."""
    slots: list[Slot] = []
    for term, kind, role in config.terms():
        usable = [[e for e in clip.entities if e.role == role and not _unusable(e, kind)] for clip in clips]
        for index in range(max(map(len, usable), default=0)):
            column = [entities[index] if index < len(entities) else None for entities in usable]
            slots.append(_slot(f"{term}.{index}", term, kind, column, sites.of_kind(kind), text_length, device))
    return MatrixBatch(len(clips), tuple(slots), tuple(one for clip in clips for one in missing_in(config, clip)))


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


def _slot(
    name: str,
    term: str,
    kind: Kind,
    column: Sequence[Entity | None],
    sites: tuple[str, ...],
    text_length: int,
    device: torch.device | str,
) -> Slot:
    shape = next(entity.track.shape for entity in column if entity is not None)
    track = torch.stack([torch.zeros(shape) if e is None else e.track for e in column]).to(device)
    frames = torch.stack([torch.zeros(shape[0], dtype=torch.bool) if e is None else e.known for e in column])
    if kind == "sga":
        tokens = [() if e is None else e.tokens for e in column]
        request = Scores(name, sites, keys=Region.text(tokens, text_length, device))
    else:
        request = Scores(name, sites, queries=Region.first_frame(track))
    return Slot(
        request=request,
        term=term,
        kind=kind,
        target=track.flatten(1),
        valid=frames.to(device)[:, :, None, None].expand(track.shape).flatten(1),
        present=torch.tensor([e is not None for e in column], device=device),
    )


def _addresses(backbone: Backbone, layers: Sequence[int], kinds: Sequence[SiteKind], field: str) -> tuple[str, ...]:
    by_layer = {site.layer: site.address for site in backbone.sites() if site.kind in kinds}
    unknown = [layer for layer in layers if layer not in by_layer]
    if unknown or not layers:
        problem = f"layer {unknown[0]} does not exist" if unknown else "no layer is chosen"
        cure = f"choose among 0 to {max(by_layer)}, or run the analysis, which chooses them"
        raise InputError(problem, where=f"matrix.{field}", cure=cure)
    return tuple(by_layer[layer] for layer in layers)
