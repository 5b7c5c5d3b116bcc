"""The attention alignment score (AAS) of MATRIX, section 4, as one request of the attention room.

For a term e with mask m_e, tokens T_e and first-frame region Q_e, and attention A (post-softmax, over all keys):

    AAS_e(v2t) = sum over video queries q of m_e(q) * mean over t in T_e of A(q, t)
    AAS_e(v2v) = sum over video keys k of m_e(k) * (mean over q in Q_e of A(q, k))

Both are paired attention masses: of each mask's rows on its words, and of each first-frame region's rows on its
mask. No tokens x tokens matrix exists. Both are raw mass: a larger mask scores higher. ``aas_per_area`` divides by the
mask's area on the token grid (sum of m_e), which makes it the mean attention per token of the mask.

Shape legend: ``b`` clips, ``h`` heads, ``r`` terms, ``s`` relations, ``n`` video tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.analyze.terms import RELATIONS, Relation, TermRegions
from interplay.attention import PairedMass, Request
from interplay.attention.budget import FLOAT_BYTES
from interplay.attention.requests import AttentionCall
from interplay.backbones.base import Site, SiteKind, Stream, TokenLayout


@dataclass(frozen=True)
class AlignmentScores(Request):
    """AAS of every term of a batch in one or both relations: ``b h r s`` with ``s`` in the order of ``relations``.

    The batch of the forward may be longer than the regions' (guidance puts empty prompts first): only its last
    elements are measured. Terms without a score are 0 here; :meth:`TermRegions.defined` tells them apart.
    """

    regions: TermRegions
    relations: tuple[Relation, ...]

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """Video queries; the keys that the relations look at."""
        return {"video"}, {key_stream(relation) for relation in self.relations}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h r s"]:
        """Per relation one :class:`PairedMass`, of each term's own mask or first-frame region on its words or mask."""
        call = replace(call, budget=call.budget.without(self._aside_bytes(call)))
        of_clips = call.elements(slice(-len(self.regions.terms), None))
        return torch.stack([self._masses[relation].measure(of_clips, layout) for relation in self.relations], dim=-1)

    def _aside_bytes(self, call: AttentionCall) -> int:
        """What is needed beside one relation: its result twice, and the gradients by the other."""
        sides = (call.query, call.key)
        gradients = sum(side.nbytes for side in sides if torch.is_grad_enabled() and side.requires_grad)
        return FLOAT_BYTES * call.key.shape[1] * self.regions.masks.shape[:2].numel() * 2 + gradients

    @cached_property
    def _masses(self) -> Mapping[Relation, PairedMass]:
        """Made once for all sites and forwards, for they remember what they prepare."""
        regions = self.regions
        first = [region.normalised() for region in regions.first_frame_regions()]
        pairs = {
            "v2t": (regions.mask_regions(), regions.word_regions()),
            "v2v": (first, regions.mask_regions()),
        }
        return {relation: PairedMass(self.name, self.sites, *pairs[relation]) for relation in self.relations}


def key_stream(relation: Relation) -> Stream:
    """The stream of the keys that a relation looks at."""
    return "text" if relation == "v2t" else "video"


def relations_of(layout: TokenLayout) -> tuple[Relation, ...]:
    """The relations that a kind of site has: both in joint attention, one in self or cross-attention."""
    if "video" not in layout.queries:
        return ()
    return tuple(relation for relation in RELATIONS if key_stream(relation) in layout.keys)


def score_requests(
    regions: TermRegions, sites: Sequence[Site], layout: Mapping[SiteKind, TokenLayout]
) -> list[AlignmentScores]:
    """Requests that score every relation at every site that has it, named after the kind of site."""
    requests = []
    for kind, of_kind in layout.items():
        addresses = tuple(site.address for site in sites if site.kind == kind)
        relations = relations_of(of_kind)
        if addresses and relations:
            requests.append(AlignmentScores(kind, addresses, regions, relations))
    return requests
