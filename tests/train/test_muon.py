"""The batched Muon against torch's, which is its readable twin."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from interplay.train.muon import Muon, orthogonalised

SHAPES = [(24, 24), (24, 24), (48, 16), (16, 48), (24, 24), (16, 48)]
OPTIONS: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9}


def weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def stepped(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], steps: int, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@torch.no_grad()
def difference(one: Tensor, other: Tensor, before: Tensor) -> float:
    """Of two ends, as a share of the way to one of them."""
    return float((one - other).norm() / (other - before).norm())


@pytest.mark.parametrize("rule", ["match_rms_adamw", "original", None])
@pytest.mark.parametrize("nesterov", [True, False])
def test_its_steps_are_torchs(rule: str | None, nesterov: bool) -> None:
    options = {**OPTIONS, "adjust_lr_fn": rule, "nesterov": nesterov}
    ours, theirs, before = weights(), weights(), weights()
    stepped(Muon(ours, dtype=torch.bfloat16, **options), ours, steps=3)
    stepped(torch.optim.Muon(theirs, **options), theirs, steps=3)
    for start, mine, other in zip(before, ours, theirs, strict=True):
        # Products of many matrices at a time round otherwise than those of one.
        assert difference(mine, other, start) < 0.02


def test_in_float32_it_differs_from_torchs_by_the_rounding_of_bfloat16_alone() -> None:
    ours, theirs, before = weights(), weights(), weights()
    stepped(Muon(ours, dtype=torch.float32, **OPTIONS), ours, steps=3)
    stepped(torch.optim.Muon(theirs, **OPTIONS), theirs, steps=3)
    for start, mine, other in zip(before, ours, theirs, strict=True):
        assert 0 < difference(mine, other, start) < 0.03


def test_singular_values_end_near_one_and_directions_stay() -> None:
    matrices = torch.randn(5, 12, 40, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    for given in (matrices, matrices.mT):
        found = orthogonalised(given, (3.4445, -4.7750, 2.0315), 5, 1e-7)
        along = u.mT @ (found if given is matrices else found.mT) @ v.mT
        values = along.diagonal(dim1=1, dim2=2)
        assert float(values.min()) > 0.6
        assert float(values.max()) < 1.3
        assert float((along - torch.diag_embed(values)).abs().max()) < 1e-4


def test_a_matrix_without_a_gradient_stays_and_one_of_zeros_is_no_error() -> None:
    parameters = weights()[:3]
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer = Muon(parameters, lr=0.02, weight_decay=0.0)
    parameters[0].grad, parameters[1].grad = torch.randn(24, 24), torch.zeros(24, 24)
    optimizer.step()
    assert not torch.equal(parameters[0], before[0])
    assert torch.equal(parameters[1], before[1])
    assert torch.equal(parameters[2], before[2])


def test_it_goes_on_from_its_saved_state_and_from_torchs() -> None:
    for made in (Muon, torch.optim.Muon):
        unbroken, resumed = weights(), weights()
        first: torch.optim.Optimizer = made(unbroken, **OPTIONS)
        stepped(first, unbroken, steps=2)
        saved = first.state_dict()
        for mine, other in zip(resumed, unbroken, strict=True):
            mine.data.copy_(other)
        second = Muon(resumed, **OPTIONS)
        second.load_state_dict(copy.deepcopy(saved))
        goes_on = Muon(unbroken, **OPTIONS)
        goes_on.load_state_dict(copy.deepcopy(saved))
        stepped(goes_on, unbroken, steps=2, seed=2)
        stepped(second, resumed, steps=2, seed=2)
        assert all(torch.equal(mine, other) for mine, other in zip(resumed, unbroken, strict=True))


def test_a_closure_is_computed_with_gradients() -> None:
    (parameter,) = parameters = [nn.Parameter(torch.randn(4, 6))]
    optimizer = Muon(parameters, lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert float(parameter.detach().square().sum()) < float(first.detach())
