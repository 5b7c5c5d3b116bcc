"""The kernels' own log-sum-exp: right, free of influence on the output, and not believed when it is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend

from interplay.attention import kernels

SCALE = 0.3


def _sides(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 20, 16), (2, 3, 9, 16), (2, 3, 9, 16))
    query, key, value = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return query, key, value


def _masks() -> dict[str, Tensor | None]:
    generator = torch.Generator().manual_seed(1)
    return {
        "none": None,
        "keys": torch.rand(2, 1, 1, 9, generator=generator) > 0.3,
        "additive": torch.randn(2, 3, 1, 9, generator=generator),
        "rows": torch.rand(2, 1, 20, 9, generator=generator) > 0.3,
    }


MASKS = _masks()


@pytest.fixture(autouse=True)
def nothing_trusted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_TRUSTED", {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", MASKS)
def test_output_bit_for_bit_and_the_sum(mask: str, dtype: torch.dtype) -> None:
    given = MASKS[mask] if mask != "additive" else torch.randn(2, 3, 1, 9).to(dtype)
    query, key, value = _sides(dtype)
    found = kernels.attend_with_log_sum_exp(query, key, value, given, SCALE)
    assert found is not None
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=given, scale=SCALE)
    assert torch.equal(found[0], expected)
    scores = query.float() @ key.float().mT * SCALE
    if given is not None:
        scores = scores.masked_fill(~given, float("-inf")) if given.dtype == torch.bool else scores + given
    torch.testing.assert_close(found[1], scores.logsumexp(-1), atol=1e-5 if dtype == torch.float32 else 1e-3, rtol=0)


def test_gradients_of_the_output_are_the_models() -> None:
    grads = []
    for ours in (True, False):
        sides = [side.requires_grad_() for side in _sides()]
        found = kernels.attend_with_log_sum_exp(*sides, None, SCALE) if ours else None
        output = functional.scaled_dot_product_attention(*sides, scale=SCALE) if found is None else found[0]
        grads.append(torch.autograd.grad(output.square().sum(), sides))
    for one, other in zip(*grads, strict=True):
        assert torch.equal(one, other)


def test_another_quantity_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = _sides()

    def base_two(*arguments: Tensor | float | None) -> tuple[Tensor, Tensor]:
        output, log_sum_exp = kernels._flash_cpu(*arguments)
        return output, log_sum_exp / 0.6931

    monkeypatch.setattr(kernels, "_ON_CPU", {SDPBackend.FLASH_ATTENTION: base_two})
    assert kernels.attend_with_log_sum_exp(query, key, value, None, SCALE) is None
    monkeypatch.setattr(kernels, "_ON_CPU", {SDPBackend.FLASH_ATTENTION: kernels._flash_cpu})
    assert kernels.attend_with_log_sum_exp(query, key, value, None, SCALE) is None  # once is enough


def test_rows_that_see_nothing_prove_nothing() -> None:
    query, key, value = _sides()
    blind = torch.zeros(2, 1, 1, 9, dtype=torch.bool)
    assert kernels.attend_with_log_sum_exp(query, key, value, blind, SCALE) is None
    assert kernels.attend_with_log_sum_exp(query, key, value, None, SCALE) is not None


@pytest.mark.parametrize("operator", [kernels._flash_cuda, kernels._efficient_cuda, kernels._cudnn_cuda])
def test_the_operators_of_gpus_give_the_shapes_we_read(operator) -> None:
    # No GPU is needed to know what an operator returns.
    query, key, value = (side.to("meta") for side in _sides(torch.bfloat16))
    output, log_sum_exp = operator(query, key, value, None, SCALE)
    assert output.shape == query.shape
    assert log_sum_exp.shape == query.shape[:3]
