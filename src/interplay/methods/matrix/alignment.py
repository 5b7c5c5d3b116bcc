"""The alignment loss between an attention map and a mask track, as pure, unreduced functions.

    l(X, Y) = b_bce * BCE(X, Y) + b_dice * (1 - softDice(X, Y)) + b_2 * ||X - Y||^2          (paper, section 5)

All of them take the map as *logits* (what a :class:`~interplay.methods.matrix.score_head.ScoreHead` or a
:class:`~interplay.methods.matrix.decoder.MaskDecoder` makes of a standardised map), the target as soft membership in
0..1, and ``valid``: the positions in frames where the track is known. Positions that are not valid (gaps of the track)
count neither in a numerator nor in a denominator, and no gradient reaches them. A row without a single valid position
gets 0 from every term; whether a clip contributes at all is the caller's business
(:mod:`interplay.methods.matrix.terms`), so "absent" and "perfect" are never confused.

Shape legend: ``b`` rows (clips, or maps of clips), ``n`` positions: video tokens, or pixel frames and latents.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from interplay.methods.matrix.config import MatrixConfig

# Variance below which a map counts as constant. Scores are of order 1, so this is far below any real contrast.
_VARIANCE_FLOOR = 1e-6
# Keeps Dice finite when prediction and target are both empty; far below one token.
DICE_FLOOR = 1e-6


def standardise(scores: Float[Tensor, "b n"], valid: Bool[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """A map with mean 0 and variance 1 over its valid tokens: only the pattern is left.

    Formula: z = (x - mean(x)) / sqrt(var(x) + 1e-6), biased variance, per clip. A constant map gives zeros (and a
    finite gradient). Source: ours (of the paper's decoder nothing is known but what it does). Raw scores have an offset
    and a scale that differ by word, layer and clip and that the softmax partly ignores; see docs/decisions/0002.
    """
    mean = valid_mean(scores, valid)[:, None]
    variance = valid_mean((scores - mean).square(), valid)[:, None]
    return (scores - mean) / (variance + _VARIANCE_FLOOR).sqrt()


def bce_term(
    logits: Float[Tensor, "b n"],
    target: Float[Tensor, "b n"],
    valid: Bool[Tensor, "b n"],
    positive_weight: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """Binary cross-entropy of the map with the mask, mean over the valid tokens.

    Formula: mean_n -[w y log s(x) + (1 - y) log(1 - s(x))], s = sigmoid, w = ``positive_weight`` of the clip (1 if
    none). Edges: an empty mask is a legal target (the map should be low everywhere). Source: BCE of the paper's l;
    w from the released code. Deviation: raw logits, where the released decoder clamps to [-1, 1] and cannot fall below
    0.313.
    """
    weight = None if positive_weight is None else positive_weight[:, None]
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=weight)
    return valid_mean(loss, valid)


def soft_dice_term(
    logits: Float[Tensor, "b n"], target: Float[Tensor, "b n"], valid: Bool[Tensor, "b n"]
) -> Float[Tensor, " b"]:
    """One minus the soft Dice overlap of map and mask.

    Formula: 1 - (2 sum p y + e) / (sum p + sum y + e), p = sigmoid(x), e = 1e-6, sums over the valid tokens of all
    frames together. Edges: an empty mask gives about 1 whatever the map (no overlap is possible). Source: 1 - softDice
    of the paper's l; the paper does not say which denominator, ours is the plain sum. A soft target with 0 < y < 1
    cannot reach 0.
    """
    probability = torch.sigmoid(logits) * valid
    known = target * valid
    overlap = 2 * (probability * known).sum(dim=1) + DICE_FLOOR
    dice = 1 - overlap / (probability.sum(dim=1) + known.sum(dim=1) + DICE_FLOOR)
    return torch.where(valid.any(dim=1), dice, torch.zeros_like(dice))


def l2_term(
    logits: Float[Tensor, "b n"], target: Float[Tensor, "b n"], valid: Bool[Tensor, "b n"]
) -> Float[Tensor, " b"]:
    """Squared difference of map and mask, mean over the valid tokens.

    Formula: mean_n (sigmoid(x) - y)^2. Source: ||X - Y||^2 of the paper's l. Deviation: the mean in place of the sum,
    so that the weight means the same at every resolution and length.
    """
    return valid_mean((torch.sigmoid(logits) - target).square(), valid)


def positive_weight(target: Float[Tensor, "b n"], valid: Bool[Tensor, "b n"], cap: float) -> Float[Tensor, " b"]:
    """Weight of mask positions against background: min(negatives / positives, cap).

    Edges: an empty mask gives the cap, a full one 0. Source: the released code. The released code counts all ids of a
    clip together (``positive_weight_over: clip``: give their targets as one row); per instance, a small one is not
    diluted by a large one.
    """
    positives = (target * valid).sum(dim=1)
    negatives = ((1 - target) * valid).sum(dim=1)
    return (negatives / positives.clamp(min=DICE_FLOOR)).clamp(max=cap)


def alignment_loss(
    logits: Float[Tensor, "b n"],
    target: Float[Tensor, "b n"],
    valid: Bool[Tensor, "b n"],
    config: MatrixConfig,
    positive_weight: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """l(X, Y) of the module's head with the config's weights; a term of weight 0 is not computed.

    Training computes the same by :func:`.alignment_losses`.
    """
    loss = torch.zeros_like(target[:, 0])
    if config.bce:
        loss = loss + config.bce * bce_term(logits, target, valid, positive_weight)
    if config.dice:
        loss = loss + config.dice * soft_dice_term(logits, target, valid)
    if config.l2:
        loss = loss + config.l2 * l2_term(logits, target, valid)
    return loss


def valid_mean(values: Float[Tensor, "b n"], valid: Bool[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Mean over the valid tokens; 0 where there are none."""
    return (values * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
