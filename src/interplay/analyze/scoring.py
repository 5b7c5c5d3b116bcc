"""Scoring: from the observed forwards of a batch to one table of alignment scores per clip.

Shape legend: ``b`` clips, ``h`` heads, ``r`` terms, ``s`` relations, ``e`` sites of a request, ``f`` forwards, ``j``
head rows (the mean, then each head).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from interplay.analyze.alignment import AlignmentScores, score_requests
from interplay.analyze.source import Case, Moment
from interplay.analyze.terms import Kind, Relation, TermRegions, regions_of, terms_of
from interplay.attention import Plan
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

# One row per clip, forward, site, term and head. ``expert`` is the number of the transformer that ran (0 where there is
# one), ``area`` the sum of the term's mask over the token grid.
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("draw", pa.int32()),
        ("step", pa.int32()),
        ("timestep", pa.int32()),
        ("expert", pa.int32()),
        ("layer", pa.int32()),
        ("site", pa.string()),
        ("variant", pa.string()),
        ("term", pa.string()),
        ("words", pa.string()),
        ("head", pa.int32()),
        ("aas", pa.float32()),
        ("aas_per_area", pa.float32()),
        ("area", pa.float32()),
    ]
)


@dataclass
class Scorer:
    """A watch that observes every forward of one batch and keeps its scores; :meth:`tables` gives them per clip.

    ``memory_bytes`` is what observation may take beyond the model's own.
    """

    backbone: Backbone
    batch: Sequence[Case]
    pool: PoolRule
    heads: bool = True
    memory_bytes: int | None = None
    _moments: list[Moment] = field(default_factory=list)
    _scores: dict[str, list[Float[Tensor, "e b j r s"]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._regions, grid = batch_regions(self.backbone, self.batch, self.pool)
        layout = self.backbone.layout(grid, self.backbone.text_length)
        self._requests = score_requests(self._regions, self.backbone.sites(), layout)
        self._plan = Plan(self.backbone, self._requests, layout, budget_bytes=self.memory_bytes)

    def __call__(self, moment: Moment, forward: Callable[[], Tensor]) -> Tensor:
        """One observed forward."""
        with self._plan.observe() as seen, torch.no_grad():
            output = forward()
        self._moments.append(moment)
        for request in self._requests:
            of_sites = torch.stack([seen[request.name][address] for address in request.sites])
            self._scores.setdefault(request.name, []).append(with_mean_head(of_sites, self.heads).cpu())
        return output

    def tables(self) -> list[pa.Table]:
        """The rows of each clip, in the order of the batch; a term without a score in a relation has no rows."""
        sites = {site.address: site for site in self.backbone.sites()}
        return [pa.concat_tables(self._parts(clip, sites)) for clip in range(len(self.batch))]

    def _parts(self, clip: int, sites: Mapping[str, Site]) -> list[pa.Table]:
        parts = [SCHEMA.empty_table()]
        for request in self._requests:
            scores = torch.stack(self._scores[request.name])[:, :, clip].numpy()
            for name, kind, relation in VARIANTS:
                if relation in request.relations:
                    of_relation = scores[..., request.relations.index(relation)]
                    for term in self._members(clip, kind, relation):
                        parts.append(self._rows(clip, term, name, request, sites, of_relation[..., term]))
        return parts

    def _members(self, clip: int, kind: Kind, relation: Relation) -> list[int]:
        """Which terms of a clip have a score in a variant."""
        defined = self._regions.defined(relation)[clip].tolist()
        return [place for place, term in enumerate(self._regions.terms[clip]) if term.kind == kind and defined[place]]

    def _rows(
        self,
        clip: int,
        term: int,
        variant: str,
        request: AlignmentScores,
        sites: Mapping[str, Site],
        aas: Float[ndarray, "f e j"],
    ) -> pa.Table:
        forward, site, head = (index.ravel() for index in np.indices(aas.shape))
        area = float(self._regions.masks[clip, term].sum())
        told = self._regions.terms[clip][term]
        columns: dict[str, Any] = {
            "clip_id": pa.repeat(self.batch[clip].clip.clip_id, aas.size),
            "layer": np.array([sites[address].layer for address in request.sites])[site],
            "site": pa.array(np.array(request.sites)[site]),
            "variant": pa.repeat(variant, aas.size),
            "term": pa.repeat(told.label, aas.size),
            "words": pa.repeat(told.words, aas.size),
            "head": head + MEAN_HEAD,
            "aas": aas.ravel(),
            "aas_per_area": (aas / area).ravel(),
            "area": pa.repeat(area, aas.size),
        }
        for name in ("draw", "step", "timestep"):
            columns[name] = np.array([getattr(moment, name) for moment in self._moments])[forward]
        columns["expert"] = np.array([self.backbone.expert_of(moment.timestep) for moment in self._moments])[forward]
        return pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)


def batch_regions(backbone: Backbone, batch: Sequence[Case], pool: PoolRule) -> tuple[TermRegions, TokenGrid]:
    """The terms of a batch of one geometry on its token grid."""
    grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
    terms = [terms_of(case.clip, case.tracks, backbone, case.read) for case in batch]
    return regions_of(terms, grid, backbone.text_length, pool, backbone.device), grid


def with_mean_head(scores: Float[Tensor, "e b h r s"], heads: bool) -> Float[Tensor, "e b j r s"]:
    """The mean over heads, and the heads behind it where they are wanted: position j is head j - 1, the mean is -1."""
    mean = scores.mean(dim=2, keepdim=True)
    return torch.cat([mean, scores], dim=2) if heads else mean
