"""From observations to MATRIX's loss terms: named, unreduced, and saying which clips take part.

    L_SGA = sum over e in {sub, obj, verb} of l(D(A_e^v2t), M_e)
    L_SPA = sum over e in {sub, obj} of l(D(A_e^v2v), M_e)
    L     = L_DM + lambda_SGA * L_SGA + lambda_SPA * L_SPA                                     (paper, section 5)

A_e is the map of scores before the softmax, standardised; heads are averaged before the loss (paper D.1) unless each is
aligned by itself. D is a :class:`.MaskDecoder` to the full frame rate or, at latent rate, a :class:`.ScoreHead`.
Deviations: with several entities of a role in one clip (two objects) the term is their mean; with several layers it is
the mean of the layers' losses, so that each layer is aligned by itself, unless ``layer_reduction: mean`` averages the
maps, as the released code does.

Shape legend: ``b`` batch, ``h`` heads, ``n`` video tokens, ``o`` positions of a target, ``l`` sites (1 where maps are
averaged over them), ``s`` slots, ``r`` maps of one site (slots, clips and, where each is aligned, heads).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from interplay.attention import Observations
from interplay.backbones.base import Backbone
from interplay.methods.matrix.alignment import positive_weight, standardise
from interplay.methods.matrix.config import Kind, MatrixConfig
from interplay.methods.matrix.decoder import MaskDecoder, Upsampling
from interplay.methods.matrix.fused import alignment_losses
from interplay.methods.matrix.requests import MatrixBatch, MatrixSites, Slot
from interplay.methods.matrix.score_head import ScoreHead

# The address under which maps that were averaged over layers are decoded.
_MEAN = "mean"


@dataclass(frozen=True)
class Term:
    """One loss term per clip; where a clip is not ``present`` the value is 0 and means nothing."""

    kind: Kind
    value: Float[Tensor, " b"]
    present: Bool[Tensor, " b"]


class MatrixHeads(nn.Module):
    """The decoders of grounding and propagation (one module for both where shared); trained and then dropped."""

    def __init__(self, config: MatrixConfig, sites: MatrixSites, upsampling: Upsampling) -> None:
        super().__init__()
        self.config = config
        addresses = {kind: _addresses(config, sites.of_kind(kind)) for kind in _KINDS}
        if config.decoders == "shared":
            one = _decoder(config, [address for kind in _KINDS for address in addresses[kind]], upsampling)
            self.sga, self.spa = one, one
        else:
            self.sga, self.spa = (_decoder(config, addresses[kind], upsampling) for kind in _KINDS)

    @classmethod
    def of(cls, backbone: Backbone, config: MatrixConfig, sites: MatrixSites) -> MatrixHeads:
        """The decoders for a backbone, where its weights are."""
        grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
        return cls(config, sites, Upsampling.of(grid)).to(backbone.device)

    def of_kind(self, kind: Kind) -> MaskDecoder | ScoreHead:
        """The decoder of this kind of term."""
        return self.sga if kind == "sga" else self.spa

    def decode(
        self,
        kind: Kind,
        addresses: Sequence[str],
        standardised: Float[Tensor, "l r n"],
        token_shape: tuple[int, int, int],
    ) -> Float[Tensor, "l r o"]:
        """D(A) of this kind's maps, token by token (:meth:`arranged`)."""
        decoder = self.of_kind(kind)
        if isinstance(decoder, MaskDecoder):
            return decoder.by_token(addresses, standardised, token_shape)
        return decoder(addresses, standardised)  # type: ignore[no-any-return]

    def arranged(
        self, kind: Kind, target: Shaped[Tensor, "r _"], token_shape: tuple[int, int, int]
    ) -> Shaped[Tensor, "r o"]:
        """Targets in the order of this kind's decoded maps."""
        decoder = self.of_kind(kind)
        return decoder.upsampling.by_token(target, token_shape) if isinstance(decoder, MaskDecoder) else target


_KINDS: tuple[Kind, Kind] = ("sga", "spa")


def losses(config: MatrixConfig, heads: MatrixHeads, seen: Observations, batch: MatrixBatch) -> dict[str, Term]:
    """Every term of the config, unreduced; a term that no clip of the batch can contribute to is zeros.

    Computed in the type of the observed scores (float32), also where the model runs under autocast.
    """
    values = {}
    device = next(heads.parameters()).device
    for kind in _KINDS:
        slots = [slot for slot in batch.slots if slot.kind == kind]
        if slots:
            with _no_autocast(device):
                rows = slot_losses(config, heads, kind, slots, [seen[slot.request.name] for slot in slots], batch)
            values.update({slot.request.name: row for slot, row in zip(slots, rows, strict=True)})
    names = [name for name, _, _ in config.terms()]
    parts = {name: [slot for slot in batch.slots if slot.term == name] for name in names}
    counts = torch.tensor([_counted(parts[name], batch.size) for name in names], device=device)
    present, divisors = counts > 0, counts.clamp(min=1)
    terms: dict[str, Term] = {}
    for number, (name, kind, _) in enumerate(config.terms()):
        total = torch.zeros(batch.size, device=device)
        for slot in parts[name]:
            total = total + values[slot.request.name]
        terms[name] = Term(kind, total / divisors[number], present[number])
    return terms


def _counted(slots: Sequence[Slot], clips: int) -> list[int]:
    """How many of these slots each clip has an entity in."""
    return [sum(slot.entities[clip] is not None for slot in slots) for clip in range(clips)]


def slot_losses(
    config: MatrixConfig,
    heads: MatrixHeads,
    kind: Kind,
    slots: Sequence[Slot],
    scores: Sequence[Mapping[str, Float[Tensor, "b h n"]]],
    batch: MatrixBatch,
) -> Float[Tensor, "s b"]:
    """l(D(A_e), M_e) of slots of one kind, mean over sites (and heads): one pass of the decoder for all of them.

    A slot's clips that have no entity in it are left out, and their loss is 0.
    """
    addresses = list(scores[0])
    maps = torch.stack([torch.stack([of_slot[address] for of_slot in scores]) for address in addresses])
    if config.head_reduction == "mean":
        maps = maps.mean(dim=3, keepdim=True)
    if config.layer_reduction == "mean":
        maps, addresses = maps.mean(dim=0, keepdim=True), [_MEAN]
    assert batch.truth is not None
    truth = batch.truth
    places = [number * batch.size + clip for number, slot in enumerate(slots) for clip in slot.clips]
    rows = torch.tensor(places, device=maps.device)
    entities = torch.tensor([entity for slot in slots for entity in slot.rows], device=maps.device)
    target, valid = truth.target[entities], truth.valid[entities]
    weights = positive_weights(config, [clip for slot in slots for clip in slot.clips], target, valid)

    of_heads = maps.flatten(1, 2)[:, rows].transpose(1, 2)  # l h r n: all maps of a row have the same target
    sites, heads_count, count, _ = of_heads.shape
    seen = truth.seen[entities].expand(sites, heads_count, -1, -1)
    standardised = standardise(of_heads.flatten(0, 2), seen.flatten(0, 2)).reshape(sites, heads_count * count, -1)
    logits = heads.decode(kind, addresses, standardised, batch.token_shape)
    target, valid = (heads.arranged(kind, one, batch.token_shape) for one in (target, valid))
    loss = alignment_losses(logits.reshape(sites * heads_count, count, -1), target, valid, config, weights).mean(dim=0)
    return loss.new_zeros(len(slots) * batch.size).index_copy(0, rows, loss).reshape(len(slots), -1)


def positive_weights(
    config: MatrixConfig, clips: Sequence[int], target: Float[Tensor, "r o"], valid: Bool[Tensor, "r o"]
) -> Float[Tensor, " r"] | None:
    """The weight of each row's positives: its own, or one for all rows of its clip; ``None`` where all weigh alike."""
    cap = config.positive_weight_cap
    if cap is None:
        return None
    if config.positive_weight_over == "instance":
        return positive_weight(target, valid, cap)
    weights = target.new_empty(len(clips))
    for clip in set(clips):
        own = [row for row, other in enumerate(clips) if other == clip]
        weights[own] = positive_weight(target[own].reshape(1, -1), valid[own].reshape(1, -1), cap)
    return weights


def weighted_total(config: MatrixConfig, terms: Mapping[str, Term]) -> Float[Tensor, " b"]:
    """lambda_SGA * L_SGA + lambda_SPA * L_SPA per clip (of at least one term); an absent term adds nothing."""
    return torch.stack([config.weight(term.kind) * term.value for term in terms.values()]).sum(dim=0)


def _no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    # The meta device, on which a rehearsal runs, has no autocast that could be off.
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _addresses(config: MatrixConfig, sites: tuple[str, ...]) -> tuple[str, ...]:
    return (_MEAN,) if config.layer_reduction == "mean" and sites else sites


def _decoder(config: MatrixConfig, sites: Sequence[str], upsampling: Upsampling) -> MaskDecoder | ScoreHead:
    if config.supervision == "latent" or not sites:
        return ScoreHead(sites)
    return MaskDecoder(sites, upsampling, width=config.decoder_width, depth=config.decoder_depth)
