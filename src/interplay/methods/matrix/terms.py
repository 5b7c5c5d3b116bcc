"""From observations to MATRIX's loss terms: named, unreduced, and saying which clips take part.

    L_SGA = sum over e in {sub, obj, verb} of l(D(A_e^v2t), M_e)
    L_SPA = sum over e in {sub, obj} of l(D(A_e^v2v), M_e)
    L     = L_DM + lambda_SGA * L_SGA + lambda_SPA * L_SPA                                     (paper, section 5)

Deviations: D is a :class:`ScoreHead` on the standardised map and M_e is pooled onto the token grid at latent rate; with
several entities of a role in one clip (two objects) the term is their mean; with several layers it is the mean of the
layers' losses, so that each layer is aligned by itself (the released code averages the maps).

Shape legend: ``b`` batch, ``h`` heads, ``n`` video tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interplay.attention import Observations
from interplay.methods.matrix.alignment import alignment_loss, standardise
from interplay.methods.matrix.config import Kind, MatrixConfig
from interplay.methods.matrix.requests import MatrixBatch, MatrixSites, Slot
from interplay.methods.matrix.score_head import ScoreHead


@dataclass(frozen=True)
class Term:
    """One loss term per clip; where a clip is not ``present`` the value is 0 and means nothing."""

    kind: Kind
    value: Float[Tensor, " b"]
    present: Bool[Tensor, " b"]


class MatrixHeads(nn.Module):
    """The two heads of the paper (D.1), grounding and propagation; trained with the adapter and then dropped."""

    def __init__(self, sites: MatrixSites) -> None:
        super().__init__()
        self.sga = ScoreHead(sites.v2t)
        self.spa = ScoreHead(sites.v2v)

    def of_kind(self, kind: Kind) -> ScoreHead:
        """The head of this kind of term."""
        return self.sga if kind == "sga" else self.spa


def losses(config: MatrixConfig, heads: MatrixHeads, seen: Observations, batch: MatrixBatch) -> dict[str, Term]:
    """Every term of the config, unreduced; a term that no clip of the batch can contribute to is zeros."""
    device = heads.sga.bias.device
    terms: dict[str, Term] = {}
    for name, kind, _ in config.terms():
        total, count = torch.zeros(batch.size, device=device), torch.zeros(batch.size, device=device)
        for slot in (slot for slot in batch.slots if slot.term == name):
            # A clip without an entity in this slot has no valid token, and its loss is 0.
            loss = slot_loss(config, heads.of_kind(kind), seen[slot.request.name], slot)
            total, count = total + loss, count + slot.present
        terms[name] = Term(kind, total / count.clamp(min=1), count > 0)
    return terms


def slot_loss(
    config: MatrixConfig, head: ScoreHead, scores: Mapping[str, Float[Tensor, "b h n"]], slot: Slot
) -> Float[Tensor, " b"]:
    """l(D(A_e), M_e) of one slot, mean over the sites; heads are averaged before the loss (paper D.1)."""
    per_site = []
    for address, site_scores in scores.items():
        logits = head(address, standardise(site_scores.mean(dim=1), slot.valid))
        per_site.append(alignment_loss(logits, slot.target, slot.valid, config))
    return torch.stack(per_site).mean(dim=0)


def weighted_total(config: MatrixConfig, terms: Mapping[str, Term]) -> Float[Tensor, " b"]:
    """lambda_SGA * L_SGA + lambda_SPA * L_SPA per clip; an absent term adds nothing."""
    return torch.stack([config.weight(term.kind) * term.value for term in terms.values()]).sum(dim=0)
