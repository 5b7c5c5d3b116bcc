"""The loss of many maps at once against the loss written term by term."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from interplay.methods.matrix.alignment import alignment_loss, positive_weight
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.fused import alignment_losses

CONFIGS = {
    "paper": MatrixConfig(),
    "released": MatrixConfig(variant="released"),
    "weighted": MatrixConfig(bce=0.5, dice=2.0, l2=3.0, positive_weight_cap=10.0),
    "without cross-entropy": MatrixConfig(bce=0.0),
}
each_config = pytest.mark.parametrize("name", CONFIGS)


def _case(name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Three maps of five rows: a soft mask, a hard one, an empty one, a full one with a gap, and one never known."""
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(3, 5, 40, generator=generator, dtype=dtype)
    target = torch.rand(5, 40, generator=generator, dtype=dtype)
    target[1:] = (target[1:] > 0.8).to(dtype)
    target[2], target[3] = 0.0, 1.0
    valid = torch.ones(5, 40, dtype=torch.bool)
    valid[0, 30:], valid[3, :7], valid[4] = False, False, False
    cap = CONFIGS[name].positive_weight_cap
    return logits, target, valid, None if cap is None else positive_weight(target, valid, cap)


def _spelled_out(logits: Tensor, target: Tensor, valid: Tensor, config: MatrixConfig, weight: Tensor | None) -> Tensor:
    return torch.stack([alignment_loss(maps, target, valid, config, weight) for maps in logits])


@each_config
def test_it_is_the_loss_written_term_by_term(name: str) -> None:
    logits, target, valid, weight = _case(name, torch.float32)
    found = []
    for compute in (alignment_losses, _spelled_out):
        maps = logits.clone().requires_grad_()
        losses = compute(maps, target, valid, CONFIGS[name], weight)
        upstream = torch.linspace(-1, 1, losses.numel()).reshape(losses.shape)
        losses.backward(upstream)
        found.append((losses.detach(), maps.grad))
    torch.testing.assert_close(found[0], found[1], atol=2e-6, rtol=1e-5)
    assert (found[0][0][:, 4] == 0).all()
    assert (found[0][1][:, ~valid] == 0).all()
    assert found[0][1][:, valid].any()


@each_config
def test_gradient_numerical(name: str) -> None:
    logits, target, valid, weight = _case(name, torch.float64)
    few = slice(0, 40, 8)
    logits = logits[..., few].clone().requires_grad_()
    case = target[:, few], valid[:, few], CONFIGS[name], weight
    assert torch.autograd.gradcheck(lambda maps: alignment_losses(maps, *case), (logits,))


def test_far_logits_cost_what_they_cost_term_by_term() -> None:
    logits = torch.tensor([[[-90.0, 90.0, -90.0, 90.0]]])
    target, valid = torch.tensor([[0.0, 1.0, 1.0, 0.0]]), torch.ones(1, 4, dtype=torch.bool)
    found = alignment_losses(logits.requires_grad_(), target, valid, MatrixConfig())
    torch.testing.assert_close(found, _spelled_out(logits, target, valid, MatrixConfig(), None))
    found.sum().backward()
    assert logits.grad.isfinite().all()


def test_without_gradients_nothing_is_kept() -> None:
    logits, target, valid, _ = _case("paper", torch.float32)
    assert not alignment_losses(logits, target, valid, MatrixConfig()).requires_grad
