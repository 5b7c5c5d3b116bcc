"""Five tests for each loss term: identity, shape, a value by hand, a plain twin, the gradient; then the edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from interplay.methods.matrix.alignment import (
    alignment_loss,
    bce_term,
    l2_term,
    positive_weight,
    soft_dice_term,
    standardise,
)
from interplay.methods.matrix.config import MatrixConfig

Term = Callable[[Tensor, Tensor, Tensor], Tensor]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _bce_twin(x: list[float], y: list[float]) -> float:
    terms = [-(t * math.log(_sigmoid(v)) + (1 - t) * math.log(1 - _sigmoid(v))) for v, t in zip(x, y, strict=True)]
    return sum(terms) / len(terms)


def _dice_twin(x: list[float], y: list[float]) -> float:
    p = [_sigmoid(v) for v in x]
    return 1 - 2 * sum(a * b for a, b in zip(p, y, strict=True)) / (sum(p) + sum(y))


def _l2_twin(x: list[float], y: list[float]) -> float:
    return sum((_sigmoid(v) - t) ** 2 for v, t in zip(x, y, strict=True)) / len(x)


TERMS: dict[str, tuple[Term, Callable[[list[float], list[float]], float]]] = {
    "bce": (bce_term, _bce_twin),
    "dice": (soft_dice_term, _dice_twin),
    "l2": (l2_term, _l2_twin),
}
each_term = pytest.mark.parametrize("name", TERMS)


def _case(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, generator=generator, dtype=dtype)
    target = torch.rand(3, 7, generator=generator, dtype=dtype)
    valid = torch.ones(3, 7, dtype=torch.bool)
    valid[1, 4:] = False
    return logits, target, valid


@each_term
def test_identity_a_perfect_map_costs_nothing(name: str) -> None:
    target = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    loss = TERMS[name][0](60 * (target - 0.5), target, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.zeros(1))


@each_term
def test_shape_one_value_per_clip(name: str) -> None:
    assert TERMS[name][0](*_case()).shape == (3,)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce", (math.log(2) + math.log(4)) / 2),  # p = 1/2 inside the mask, p = 3/4 outside
        ("dice", 1 - 2 * 0.5 / (0.5 + 0.75 + 1)),
        ("l2", (0.5**2 + 0.75**2) / 2),
    ],
)
def test_value_by_hand(name: str, expected: float) -> None:
    logits = torch.tensor([[0.0, math.log(3)]])  # sigmoid: 1/2, 3/4
    loss = TERMS[name][0](logits, torch.tensor([[1.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.tensor([expected]))


@each_term
def test_twin_plain_python_over_the_valid_tokens(name: str) -> None:
    term, twin = TERMS[name]
    logits, target, valid = _case()
    expected = [twin(x[v].tolist(), y[v].tolist()) for x, y, v in zip(logits, target, valid, strict=True)]
    torch.testing.assert_close(
        term(logits, target, valid), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0
    )


@each_term
def test_gradient_numerical_and_none_for_gaps(name: str) -> None:
    term = TERMS[name][0]
    logits, target, valid = _case()
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: term(x, target, valid), (logits,))
    term(logits, target, valid).sum().backward()
    assert (logits.grad[~valid] == 0).all()
    assert (logits.grad[valid] != 0).all()


@each_term
def test_no_valid_token_gives_zero_and_a_finite_gradient(name: str) -> None:
    logits = torch.randn(1, 4, requires_grad=True)
    loss = TERMS[name][0](logits, torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool))
    loss.sum().backward()
    assert loss.item() == 0
    assert logits.grad.isfinite().all()


def test_an_empty_mask() -> None:
    empty, valid = torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    low = torch.full((1, 4), -30.0)
    assert bce_term(low, empty, valid).item() == pytest.approx(0, abs=1e-6)
    assert l2_term(low, empty, valid).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice_term(torch.zeros(1, 4), empty, valid).item() == pytest.approx(1, abs=1e-5)


def test_what_stands_in_a_gap_is_never_read() -> None:
    logits, target, valid = _case()
    other = torch.where(valid, logits, logits + 5)
    other_target = torch.where(valid, target, 1 - target)
    for term, _ in TERMS.values():
        torch.testing.assert_close(term(logits, target, valid), term(other, other_target, valid))


def test_positive_weight_by_hand() -> None:
    target = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 1.0, 0.0], [0.0] * 4, [1.0] * 4])
    valid = torch.ones(4, 4, dtype=torch.bool)
    valid[1, 3] = False
    weight = positive_weight(target, valid, cap=10.0)
    torch.testing.assert_close(weight, torch.tensor([3.0, 0.5, 10.0, 0.0]))


def test_positive_weight_counts_mask_tokens_that_often() -> None:
    logits, target = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 0.0]])
    loss = bce_term(logits, target, torch.ones(1, 2, dtype=torch.bool), torch.tensor([3.0]))
    torch.testing.assert_close(loss, torch.tensor([(3 * math.log(2) + math.log(4)) / 2]))


class TestStandardise:
    def test_identity_of_a_standard_map(self) -> None:
        z = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
        torch.testing.assert_close(standardise(z, torch.ones(1, 4, dtype=torch.bool)), z, atol=1e-5, rtol=0)

    def test_value_by_hand(self) -> None:
        valid = torch.tensor([[True, True, True, True, False]])
        z = standardise(torch.tensor([[4.0, 0.0, 0.0, 0.0, 99.0]]), valid)
        expected = torch.tensor([3.0, -1.0, -1.0, -1.0]) / math.sqrt(3)
        torch.testing.assert_close(z[0, :4], expected, atol=1e-5, rtol=0)

    def test_offset_and_scale_do_not_matter(self) -> None:
        scores, _, valid = _case()
        torch.testing.assert_close(standardise(7 * scores - 3, valid), standardise(scores, valid), atol=1e-4, rtol=0)

    def test_gradient_numerical_and_without_a_common_shift(self) -> None:
        scores, target, valid = _case()
        scores.requires_grad_()
        assert torch.autograd.gradcheck(lambda x: standardise(x, valid), (scores,))
        (standardise(scores, valid) * target * valid).sum().backward()
        torch.testing.assert_close(scores.grad.sum(1), torch.zeros(3, dtype=torch.float64))

    def test_a_constant_map_gives_zeros_and_a_finite_gradient(self) -> None:
        scores = torch.full((1, 4), 2.0, requires_grad=True)
        z = standardise(scores, torch.ones(1, 4, dtype=torch.bool))
        z[0, 0].backward()
        assert (z == 0).all()
        assert scores.grad.isfinite().all()


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    case = _case()
    config = MatrixConfig(bce=0.5, dice=2.0, l2=3.0)
    expected = 0.5 * bce_term(*case) + 2 * soft_dice_term(*case) + 3 * l2_term(*case)
    torch.testing.assert_close(alignment_loss(*case, config), expected)


def test_the_released_loss_is_weighted_cross_entropy_alone() -> None:
    logits, target, valid = _case()
    weight = positive_weight(target, valid, 10.0)
    expected = bce_term(logits, target, valid, weight)
    config = MatrixConfig(variant="released")
    torch.testing.assert_close(alignment_loss(logits, target, valid, config, weight), expected)
