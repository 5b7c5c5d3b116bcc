"""Further channels at a model's input: the layer that latents enter by gets new columns, all zero.

So a method can show a model something of the clip's own geometry (a map of instances, a pose). With the new columns at
zero the widened model computes what it computed before, whatever is in the new channels; training moves them from there
(Zhang et al. 2023, ControlNet, has the reasoning). The new channels stand behind all others.

Shape legend: ``b`` batch, ``k e`` channels before, further channels, ``f h w`` latent frames, height, width.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch

_BESIDE = "beside"


def widen_input(backbone: Backbone, extra: int) -> None:
    """Let every transformer of ``backbone`` read ``extra`` more channels, which :func:`beside` hands to ``denoise``."""
    for transformer in backbone.transformers:
        config = cast(Any, transformer).config
        layer = transformer.get_submodule(backbone.input_projection)
        # A convolution has one input per channel, a linear layer as many as a patch has latents.
        per_channel = cast(Tensor, layer.weight).shape[1] // config.in_channels
        transformer.set_submodule(backbone.input_projection, widened(layer, extra * per_channel))
        cast(Any, transformer).register_to_config(in_channels=config.in_channels + extra)


def widened(layer: nn.Module, inputs: int) -> nn.Module:
    """A convolution or linear layer with so many more inputs: old columns as they were, new ones zero.

    Type, device and whether it is trained stay.
    """
    wide: nn.Module
    with torch.device("meta"):  # the weights are set below, so none are drawn
        if isinstance(layer, nn.Linear):
            wide = nn.Linear(layer.in_features + inputs, layer.out_features, bias=layer.bias is not None)
        elif isinstance(layer, nn.Conv2d | nn.Conv3d):
            wide = type(layer)(
                layer.in_channels + inputs,
                layer.out_channels,
                kernel_size=cast(Any, layer.kernel_size),
                stride=cast(Any, layer.stride),
                bias=layer.bias is not None,
            )
        else:
            raise TypeError(f"a {type(layer).__name__} has no input channels to add to")
    zeros = layer.weight.new_zeros(layer.weight.shape[0], inputs, *layer.weight.shape[2:])
    wide.weight = nn.Parameter(torch.cat([layer.weight.data, zeros], dim=1), layer.weight.requires_grad)
    wide.bias = layer.bias
    return wide.train(layer.training)


def beside(first_frame: Batch, channels: Float[Tensor, "b e f h w"]) -> Batch:
    """The condition of the first frame, and these channels for a model that was widened by as many."""
    return Batch({**first_frame.tensors, _BESIDE: channels})


def with_beside(model_input: Float[Tensor, "b k f h w"], first_frame: Batch) -> Float[Tensor, "b ke f h w"]:
    """What a transformer reads: its own channels and, where the model was widened, the further ones behind them."""
    further = first_frame.tensors.get(_BESIDE)
    return model_input if further is None else torch.cat([model_input, further.to(model_input)], dim=1)
