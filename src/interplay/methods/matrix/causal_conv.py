"""The decoder's convolution, causal in time, as one over pictures: :func:`conv3d` has the same numbers and the formula.

A convolution over three frames is one over a frame whose channels are those of the three, and convolutions over
pictures with channels last are what processors are good at: on a CPU the gradients take half the time. What is kept
for the backward pass is the input alone.

Shape legend: ``m`` maps, ``p`` frames of all maps, ``f h w`` token frames, height, width, ``c`` and ``e`` channels in
and out.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Maps = Float[Tensor, "m f h w c"]
Kernel = Float[Tensor, "e c 3 3 3"]
Bias = Float[Tensor, " e"]


def causal_conv(maps: Maps, kernel: Kernel, bias: Bias) -> Float[Tensor, "m f h w e"]:
    """:func:`conv3d`, made cheap."""
    result = _CausalConv.apply(maps, kernel, bias)  # type: ignore[no-untyped-call]
    assert isinstance(result, Tensor)
    return result


def conv3d(maps: Maps, kernel: Kernel, bias: Bias) -> Float[Tensor, "m f h w e"]:
    """y[t, i, j] = bias + sum over a, b, c in 0..2 of k[a, b, c] x[t + a - 2, i + b - 1, j + c - 1], x = 0 outside."""
    before = functional.pad(maps.movedim(-1, 1), (0, 0, 0, 0, 2, 0))
    return functional.conv3d(before, kernel, bias, padding=(0, 1, 1)).movedim(1, -1)


class _CausalConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Maps, kernel: Kernel, bias: Bias) -> Float[Tensor, "m f h w e"]:
        ctx.save_for_backward(maps, kernel)
        result = functional.conv2d(_three_frames(maps), _as_pictures(kernel), padding=1)
        return _as_maps(result, maps) + bias  # a tensor of its own, which may be written to

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Float[Tensor, "m f h w e"]) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        maps, kernel = ctx.saved_tensors
        of_maps, of_kernel, _ = torch.ops.aten.convolution_backward(
            upstream.flatten(0, 1).permute(0, 3, 1, 2),
            _three_frames(maps),
            _as_pictures(kernel),
            None,  # the bias apart: on a CPU its gradient would take as long as that of the kernel
            [1, 1],  # stride
            [1, 1],  # padding
            [1, 1],  # dilation
            False,  # not transposed
            [0, 0],
            1,  # groups
            [*ctx.needs_input_grad[:2], False],
        )
        return (
            None if of_maps is None else _one_frame(_as_maps(of_maps, maps)),
            None if of_kernel is None else of_kernel.unflatten(1, (3, -1)).transpose(1, 2),
            upstream.flatten(0, 3).sum(dim=0) if ctx.needs_input_grad[2] else None,
        )


def _three_frames(maps: Maps) -> Float[Tensor, "p _ h w"]:
    """Each frame with the two before it as further channels, oldest first; channels last in memory."""
    frames = maps.shape[1]
    together = maps.new_zeros(*maps.shape[:-1], 3 * maps.shape[-1])
    for age, of_age in zip((2, 1, 0), together.chunk(3, dim=-1), strict=True):
        of_age[:, age:] = maps[:, : max(0, frames - age)]
    return together.flatten(0, 1).permute(0, 3, 1, 2)


def _one_frame(together: Float[Tensor, "m f h w _"]) -> Maps:
    """The transpose of :func:`_three_frames`: what each frame was to itself and to the two after it."""
    frames = together.shape[1]
    oldest, older, own = together.chunk(3, dim=-1)
    total = own.clone(memory_format=torch.contiguous_format)
    for age, of_age in ((1, older), (2, oldest)):
        total[:, : max(0, frames - age)] += of_age[:, age:]
    return total


def _as_pictures(kernel: Kernel) -> Float[Tensor, "e _ 3 3"]:
    return kernel.transpose(1, 2).flatten(1, 2).contiguous(memory_format=torch.channels_last)


def _as_maps(pictures: Float[Tensor, "p e h w"], like: Maps) -> Float[Tensor, "m f h w e"]:
    maps: Tensor = pictures.permute(0, 2, 3, 1).unflatten(0, like.shape[:2])
    return maps
