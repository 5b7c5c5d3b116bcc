"""The decoder's convolution over pictures against the plain one in three dimensions."""

from __future__ import annotations

import pytest
import torch

from interplay.methods.matrix.causal_conv import causal_conv, conv3d


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 4), (4, 1), (3, 8)])
def test_it_is_the_plain_convolution(frames: int, inputs: int, outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, frames, 4, 6, inputs, generator=generator)
    kernel = torch.randn(outputs, inputs, 3, 3, 3, generator=generator)
    bias = torch.randn(outputs, generator=generator)
    upstream = torch.randn(2, frames, 4, 6, outputs, generator=generator)
    found = []
    for compute in (causal_conv, conv3d):
        case = [tensor.clone().requires_grad_() for tensor in (maps, kernel, bias)]
        result = compute(*case)
        result.backward(upstream)
        found.append((result.detach(), *(tensor.grad for tensor in case)))
    torch.testing.assert_close(found[0], found[1], atol=2e-5, rtol=1e-5)


def test_gradient_numerical() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 3, 2, 3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 2, 3, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(causal_conv, (maps, kernel, bias))


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_what_is_frozen_gets_no_gradient(frozen: int) -> None:
    shapes = (1, 2, 3, 3, 2), (4, 2, 3, 3, 3), (4,)
    case = [torch.ones(shape, requires_grad=number != frozen) for number, shape in enumerate(shapes)]
    causal_conv(*case).sum().backward()
    assert [tensor.grad is None for tensor in case] == [number == frozen for number in range(3)]
