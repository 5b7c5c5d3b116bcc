from __future__ import annotations

import pytest
import torch
from torch import nn

from interplay.backbones.widen import widened

LAYERS = {
    "convolution over frames": (nn.Conv3d(4, 6, kernel_size=(1, 2, 2), stride=(1, 2, 2)), (2, 4, 3, 4, 4), 1),
    "convolution": (nn.Conv2d(4, 6, kernel_size=2, stride=2, bias=False), (2, 4, 4, 4), 1),
    "linear over patches": (nn.Linear(4 * 8, 6), (2, 5, 4 * 8), -1),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_old_columns_stay_and_new_ones_are_zero(kind: str) -> None:
    layer, shape, axis = LAYERS[kind]
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    wide = widened(layer, 16)
    more = torch.cat([inputs, torch.randn_like(inputs.narrow(axis, 0, 1)).repeat_interleave(16, dim=axis)], dim=axis)
    assert torch.allclose(wide(more), layer(inputs), atol=1e-6)
    assert torch.equal(wide.weight[:, : layer.weight.shape[1]], layer.weight)
    assert not wide.weight[:, layer.weight.shape[1] :].any()


def test_type_device_and_training_stay() -> None:
    layer = nn.Linear(4, 6).to("meta", torch.bfloat16).requires_grad_(False).eval()
    wide = widened(layer, 2)
    assert (wide.weight.dtype, wide.weight.is_meta, wide.weight.requires_grad) == (torch.bfloat16, True, False)
    assert not wide.training
    assert wide.bias is layer.bias


def test_gradients_reach_the_new_columns() -> None:
    wide = widened(nn.Linear(3, 2), 2)
    wide(torch.ones(1, 5)).sum().backward()
    assert torch.equal(wide.weight.grad[:, 3:], torch.ones(2, 2))


def test_other_layers_have_no_input_channels() -> None:
    with pytest.raises(TypeError, match="LayerNorm has no input channels"):
        widened(nn.LayerNorm(4), 1)
