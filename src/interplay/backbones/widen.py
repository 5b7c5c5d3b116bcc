"""Further channels at a model's input: the layer that latents enter by gets new columns, all zero.

So a method can show a model something of the clip's own geometry (a map of instances, a pose). With the new columns at
zero the widened model computes what it computed before, bit for bit and whatever is in the new channels; training moves
them from there (Zhang et al. 2023, ControlNet, has the reasoning). The new channels stand behind all others.

Shape legend: ``b`` batch, ``k e`` channels before, further channels, ``f h w`` latent frames, height, width.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch

_BESIDE = "beside"


def widen_input(backbone: Backbone, extra: int) -> Callable[[], None]:
    """Let every transformer of ``backbone`` read ``extra`` more channels, which :func:`beside` hands to ``denoise``.

    Without them the model computes as if they were zero. Returns what undoes it: the layers as they were before.
    """
    before = [(one, one.get_submodule(backbone.input_projection)) for one in backbone.transformers]
    for transformer, layer in before:
        config = cast(Any, transformer).config
        # A convolution has one input per channel, a linear layer as many as a patch has latents.
        per_channel = cast(Tensor, layer.weight).shape[1] // config.in_channels
        _put(backbone, transformer, widened(layer, extra * per_channel), extra)

    def undo() -> None:
        for transformer, layer in before:
            _put(backbone, transformer, layer, -extra)

    return undo


def widened(layer: nn.Module, inputs: int) -> nn.Module:
    """A convolution or linear layer with so many more inputs: old columns as they were, new ones zero.

    Type, device and whether it is trained stay; the given layer is left as it is.
    """
    wide: nn.Module
    old = layer.parts if isinstance(layer, WideConv2d | WideConv3d | WideLinear) else ()
    with torch.device("meta"):  # the weights are set below, so none are drawn
        if isinstance(layer, nn.Linear):
            parts = (*(old or (layer.in_features,)), inputs)
            wide = WideLinear(sum(parts), layer.out_features, bias=layer.bias is not None)
        elif isinstance(layer, nn.Conv2d | nn.Conv3d):
            parts = (*(old or (layer.in_channels,)), inputs)
            wide = (WideConv2d if isinstance(layer, nn.Conv2d) else WideConv3d)(
                sum(parts),
                layer.out_channels,
                kernel_size=cast(Any, layer.kernel_size),
                stride=cast(Any, layer.stride),
                bias=layer.bias is not None,
            )
        else:
            raise TypeError(f"a {type(layer).__name__} has no input channels to add to")
    wide.parts = parts
    zeros = layer.weight.new_zeros(layer.weight.shape[0], inputs, *layer.weight.shape[2:])
    wide.weight = nn.Parameter(torch.cat([layer.weight.data, zeros], dim=1), layer.weight.requires_grad)
    if layer.bias is not None:
        wide.bias = nn.Parameter(layer.bias.data.clone(), layer.bias.requires_grad)
    return wide.train(layer.training)


def own_channels(backbone: Backbone) -> int:
    """The channels that a model reads of itself, without those that it was widened by."""
    transformer = backbone.transformer
    layer, channels = (
        transformer.get_submodule(backbone.input_projection),
        int(cast(Any, transformer).config.in_channels),
    )
    if not isinstance(layer, WideConv2d | WideConv3d | WideLinear):
        return channels
    return channels * layer.parts[0] // sum(layer.parts)


class WideConv2d(nn.Conv2d):
    """A convolution that adds up its old and its new input channels one after the other (:func:`_in_parts`)."""

    parts: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """Output for all channels, or for the old ones alone."""
        return _in_parts(self._conv_forward, input, self.weight, self.bias, self.parts, axis=1)


class WideConv3d(nn.Conv3d):
    """As :class:`WideConv2d`."""

    parts: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """Output for all channels, or for the old ones alone."""
        return _in_parts(self._conv_forward, input, self.weight, self.bias, self.parts, axis=1)


class WideLinear(nn.Linear):
    """As :class:`WideConv2d`, for a linear layer."""

    parts: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """Output for all inputs, or for the old ones alone."""
        return _in_parts(functional.linear, input, self.weight, self.bias, self.parts, axis=-1)


def _in_parts(
    layer: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    parts: tuple[int, ...],
    *,
    axis: int,
) -> Tensor:
    """The layer of each part of the inputs, added up.

    One sum over all inputs would group its terms otherwise than the narrow layer did, and so round otherwise; x + 0 is
    x. Inputs may end where a part ends: what is missing counts as zero. Weights that are trained in float32 compute in
    the type of the inputs, as the rest of the model does.
    """
    found = inputs.shape[axis]
    edges = [edge for edge in (0, *accumulate(parts)) if edge <= found]
    if edges[-1] != found or found < parts[0]:
        raise ValueError(f"{found} input channels, where the widened layer reads {list(accumulate(parts))}")
    total: Tensor | None = None
    for start, stop in pairwise(edges):
        given = inputs.narrow(axis, start, stop - start).contiguous()
        own_bias = None if total is not None or bias is None else bias.to(given.dtype)
        part = layer(given, weight[:, start:stop].to(given.dtype).contiguous(), own_bias)
        total = part if total is None else total + part
    assert total is not None
    return total


def beside(first_frame: Batch, channels: Float[Tensor, "b e f h w"]) -> Batch:
    """The condition of the first frame, and these channels for a model that was widened by as many."""
    return Batch({**first_frame.tensors, _BESIDE: channels})


def with_beside(model_input: Float[Tensor, "b k f h w"], first_frame: Batch) -> Float[Tensor, "b ke f h w"]:
    """What a transformer reads: its own channels and, where the model was widened, the further ones behind them."""
    further = first_frame.tensors.get(_BESIDE)
    return model_input if further is None else torch.cat([model_input, further.to(model_input)], dim=1)


def with_zeros_behind(first: Float[Tensor, "b e 1 h w"], frames: int) -> Float[Tensor, "b e f h w"]:
    """Channels of latent frame 0 as channels of a whole clip: zeros in the other frames."""
    return functional.pad(first, (0, 0, 0, 0, 0, frames - first.shape[2]))


def _put(backbone: Backbone, transformer: nn.Module, layer: nn.Module, more: int) -> None:
    transformer.set_submodule(backbone.input_projection, layer)
    config = cast(Any, transformer).config
    cast(Any, transformer).register_to_config(in_channels=config.in_channels + more)
