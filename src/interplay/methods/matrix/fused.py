"""The alignment loss of many maps at once, and its gradient in the same pass: :func:`.alignment_loss`, made cheap.

Written term by term, the loss keeps about ten tensors of the size of the decoded maps for its backward pass and reads
each of them several times. Here every site's maps are read once: sums over positions are dot products with the masks,
and since a row's loss is one number, all that must be kept is its gradient.

    BCE   = (sum softplus(x) c - w sum x b) / v          c = a + (w - 1) b
    Dice  = 1 - N / M                                    N = 2 sum p b + e,  M = sum p a + sum b + e
    L2    = (sum p^2 a - 2 sum p b + sum y b) / v

with p = sigmoid(x), y the target, a = 1 where it is known (0 elsewhere), b = a y, v = sum a.

Shape legend: ``k`` maps of a row (sites, heads), ``r`` rows (instances of clips), ``o`` positions of a target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from interplay.methods.matrix.alignment import DICE_FLOOR
from interplay.methods.matrix.config import MatrixConfig


def alignment_losses(
    logits: Float[Tensor, "k r o"],
    target: Float[Tensor, "r o"],
    valid: Bool[Tensor, "r o"],
    config: MatrixConfig,
    positive_weight: Float[Tensor, " r"] | None = None,
) -> Float[Tensor, "k r"]:
    """:func:`.alignment_loss` of every map with its row's target."""
    losses = _Fused.apply(logits, target, valid, config, positive_weight)  # type: ignore[no-untyped-call]
    assert isinstance(losses, Tensor)
    return losses


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Float[Tensor, "k r o"],
        target: Float[Tensor, "r o"],
        valid: Bool[Tensor, "r o"],
        config: MatrixConfig,
        positive_weight: Float[Tensor, " r"] | None,
    ) -> Float[Tensor, "k r"]:
        masks = _Masks.of(target.to(logits.dtype), valid.to(logits.dtype), config, positive_weight)
        losses = logits.new_empty(logits.shape[:2])
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        for number, maps in enumerate(logits):
            masks.compare(maps, losses[number], None if gradient is None else gradient[number])
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Float[Tensor, "k r"]) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None], None, None, None, None


@dataclass(frozen=True)
class _Masks:
    """The targets of all rows: ``a`` and ``b`` of the module's formulas, and what follows from them alone."""

    config: MatrixConfig
    known: Float[Tensor, "r o"]
    inside: Float[Tensor, "r o"]
    weight: Float[Tensor, "r 1"] | None
    count: Float[Tensor, "r 1"]
    inside_sum: Float[Tensor, "r 1"]
    square_sum: Float[Tensor, "r 1"]

    @classmethod
    def of(
        cls, target: Tensor, known: Tensor, config: MatrixConfig, positive_weight: Float[Tensor, " r"] | None
    ) -> _Masks:
        """Of targets and the positions in which they are known."""
        inside = target * known
        return cls(
            config=config,
            known=known,
            inside=inside,
            weight=None if positive_weight is None else positive_weight.to(known.dtype)[:, None],
            count=known.sum(dim=1, keepdim=True).clamp(min=1),
            inside_sum=inside.sum(dim=1, keepdim=True),
            square_sum=(inside * target).sum(dim=1, keepdim=True),
        )

    def compare(
        self, maps: Float[Tensor, "r o"], losses: Float[Tensor, " r"], gradient: Float[Tensor, "r o"] | None
    ) -> None:
        """Write the loss of each row and, where it is wanted, the loss's gradient with respect to the maps."""
        bce, dice, l2 = self.config.bce, self.config.dice, self.config.l2
        scratch = torch.empty_like(maps) if gradient is None else gradient
        # Zero where nothing is known: no later pass needs the mask.
        probability = maps.sigmoid().mul_(self.known)
        square = probability.square()
        overlap = _dot(probability, self.inside, scratch)
        top = 2 * overlap + DICE_FLOOR
        bottom = _sum(probability) + self.inside_sum + DICE_FLOOR
        total = dice * (1 - top / bottom)
        total += l2 / self.count * (_sum(square) - 2 * overlap + self.square_sum)
        if bce:
            total += bce / self.count * self._cross_entropy(maps, scratch)
        losses.copy_(total[:, 0])
        if gradient is None:
            return
        # dl/dp of Dice and L2, times dp/dx = p - p^2.
        torch.addcmul((dice * top / bottom.square()).expand_as(maps), probability, 2 * l2 / self.count, out=gradient)
        gradient.addcmul_(self.inside, -2 * (dice / bottom + l2 / self.count))
        gradient.mul_(torch.sub(probability, square, out=square))
        if bce:
            per_position, positives = bce / self.count, self.inside
            gradient.addcmul_(probability, per_position)
            if self.weight is not None:
                # c = a + (w - 1) b: what p adds where the mask is.
                gradient.addcmul_(probability.mul_(positives), (self.weight - 1) * per_position)
                per_position = self.weight * per_position
            gradient.addcmul_(positives, -per_position)

    def _cross_entropy(self, maps: Float[Tensor, "r o"], scratch: Float[Tensor, "r o"]) -> Float[Tensor, "r 1"]:
        """Summed over the known positions."""
        costs, gains = functional.softplus(maps), _dot(maps, self.inside, scratch)
        if self.weight is None:
            return _dot(costs, self.known, scratch) - gains
        at_mask = (self.weight - 1) * _dot(costs, self.inside, scratch)
        return _dot(costs, self.known, scratch) + at_mask - self.weight * gains


def _dot(one: Float[Tensor, "r o"], other: Float[Tensor, "r o"], scratch: Float[Tensor, "r o"]) -> Tensor:
    """Row by row, ``r 1``. On a CPU several times faster than a batch of matrix products with one row each."""
    return _sum(torch.mul(one, other, out=scratch))


def _sum(values: Float[Tensor, "r o"]) -> Float[Tensor, "r 1"]:
    return values.sum(dim=1, keepdim=True)
