"""Scoring: from the observed forwards of a batch to one table of alignment scores per clip.

Shape legend: ``b`` clips, ``h`` heads, ``r`` terms, ``s`` relations, ``e`` sites of a request, ``j`` head rows (the
mean, then each head).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from interplay.analyze.alignment import AlignmentScores, score_requests
from interplay.analyze.source import Case
from interplay.analyze.terms import Kind, Relation, TermRegions, regions_of, terms_of
from interplay.attention import observe
from interplay.backbones.base import Backbone, Site
from interplay.grid.pooling import PoolRule
from interplay.grid.token_grid import TokenGrid

VARIANTS: tuple[tuple[str, Kind, Relation], ...] = (
    ("noun_v2t", "noun", "v2t"),
    ("verb_v2t", "verb", "v2t"),
    ("noun_v2v", "noun", "v2v"),
    ("verb_v2v", "verb", "v2v"),
)
MEAN_HEAD = -1

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("step", pa.int32()),
        ("timestep", pa.int32()),
        ("layer", pa.int32()),
        ("site", pa.string()),
        ("variant", pa.string()),
        ("head", pa.int32()),
        ("aas", pa.float32()),
        ("aas_per_area", pa.float32()),
    ]
)


@dataclass
class Scorer:
    """A watch that observes every forward of one batch and keeps its scores; :meth:`tables` gives them per clip."""

    backbone: Backbone
    batch: Sequence[Case]
    pool: PoolRule
    _steps: list[tuple[int, int]] = field(default_factory=list)
    _scores: dict[str, list[Float[Tensor, "e b h r s"]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._regions, grid = batch_regions(self.backbone, self.batch, self.pool)
        self._layout = self.backbone.layout(grid, self.backbone.text_length)
        self._requests = score_requests(self._regions, self.backbone.sites(), self._layout)

    def __call__(self, step: int, timestep: int, forward: Callable[[], Tensor]) -> Tensor:
        """One observed forward."""
        with observe(self.backbone, self._requests, self._layout) as seen, torch.no_grad():
            output = forward()
        self._steps.append((step, timestep))
        for request in self._requests:
            of_sites = torch.stack([seen[request.name][address] for address in request.sites])
            self._scores.setdefault(request.name, []).append(of_sites.cpu())
        return output

    def tables(self) -> list[pa.Table]:
        """The rows of each clip, in the order of the batch; a variant that a clip has no term for has no rows."""
        sites = {site.address: site for site in self.backbone.sites()}
        return [pa.concat_tables(self._parts(clip, sites)) for clip in range(len(self.batch))]

    def _parts(self, clip: int, sites: dict[str, Site]) -> list[pa.Table]:
        parts = [SCHEMA.empty_table()]
        for request in self._requests:
            scores = torch.stack(self._scores[request.name])[:, :, clip].numpy()
            for name, kind, relation in VARIANTS:
                members = _members(self._regions, clip, kind, relation)
                if relation in request.relations and members.any():
                    of_variant = scores[..., members, request.relations.index(relation)]
                    areas = self._regions.masks[clip].sum(dim=-1).cpu().numpy()[members]
                    parts.append(self._rows(clip, name, request, sites, of_variant, areas))
        return parts

    def _rows(
        self,
        clip: int,
        variant: str,
        request: AlignmentScores,
        sites: dict[str, Site],
        scores: Float[ndarray, "f e h r"],
        areas: Float[ndarray, " r"],
    ) -> pa.Table:
        aas, per_area = (with_mean_head(values.mean(axis=-1)) for values in (scores, scores / areas))
        step, site, head = (index.ravel() for index in np.indices(aas.shape))
        layers = np.array([sites[address].layer for address in request.sites])
        steps, timesteps = np.array(self._steps).T
        columns = [
            pa.repeat(self.batch[clip].clip.clip_id, aas.size),
            steps[step],
            timesteps[step],
            layers[site],
            pa.array(np.array(request.sites)[site]),
            pa.repeat(variant, aas.size),
            head + MEAN_HEAD,
            aas.ravel(),
            per_area.ravel(),
        ]
        return pa.table(dict(zip(SCHEMA.names, columns, strict=True))).cast(SCHEMA)


def batch_regions(backbone: Backbone, batch: Sequence[Case], pool: PoolRule) -> tuple[TermRegions, TokenGrid]:
    """The terms of a batch of one geometry on its token grid."""
    grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
    terms = [terms_of(case.clip, case.tracks, backbone) for case in batch]
    return regions_of(terms, grid, backbone.text_length, pool, backbone.device), grid


def _members(regions: TermRegions, clip: int, kind: Kind, relation: Relation) -> Bool[ndarray, " r"]:
    """Which terms of a clip the mean of a variant is taken over."""
    members = regions.defined(relation)[clip].cpu().numpy()
    kinds = [term.kind == kind for term in regions.terms[clip]]
    members[: len(kinds)] &= kinds
    return members


def with_mean_head(scores: Float[ndarray, "f e h"]) -> Float[ndarray, "f e j"]:
    """The mean over heads in front of the heads, so that position j is head j - 1 and the mean is head -1."""
    return np.concatenate([scores.mean(axis=-1, keepdims=True), scores], axis=-1)
