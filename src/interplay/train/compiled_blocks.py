"""Training with compiled blocks: the layers of a transformer as fused code, on a CPU with attention written out.

What a small transformer on a CPU waits for is not its matrix products but everything between them, which the compiler
fuses, and the backward pass of torch's fused attention, which there is several times slower than the plain products
(``benchmarks/pretraining.md``). So on a CPU attention is written out inside compiled blocks: it costs memory for
the scores, which a tiny model can spare.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from interplay.core.errors import InputError

_fused_attention = functional.scaled_dot_product_attention
# Every size and length of clips gets code of its own; torch would give up compiling after eight.
_SHAPES = 256


@contextmanager
def compiled_blocks(transformers: Iterable[nn.Module]) -> Iterator[None]:
    """Inside, the blocks of diffusers transformers run compiled where gradients are taken; afterwards as before.

    The first step of each shape of clips compiles, which takes about a minute. Code is made for each shape alone, so
    that a resumed run computes what an unbroken one does. A block in which attention is observed runs uncompiled.
    :class:`InputError` where a CPU has no C++ compiler.
    """
    blocks = [block for transformer in transformers for block in blocks_of(transformer)]
    on_cpu = all(value.device.type == "cpu" for block in blocks for value in block.parameters())
    if on_cpu:
        _check_compiler()
    for block in blocks:
        block._compiled_call_impl = _where_gradients_are_taken(block, on_cpu)
    try:
        with torch._dynamo.config.patch(recompile_limit=_SHAPES, accumulated_recompile_limit=_SHAPES * len(blocks)):
            yield
    finally:
        for block in blocks:
            block._compiled_call_impl = None


def blocks_of(transformer: nn.Module) -> list[nn.Module]:
    """The layers of a diffusers transformer: what stands in its lists of modules called ``...blocks``."""
    return [
        block
        for name, modules in transformer.named_children()
        if isinstance(modules, nn.ModuleList) and name.endswith("blocks")
        for block in modules
    ]


@contextmanager
def attention_written_out() -> Iterator[None]:
    """Inside, scaled-dot-product attention is :func:`plain_attention`, but for what that does not know.

    A patch, not one of torch's modes for one thread: compiled code would stop at those.
    """
    with mock.patch.object(functional, "scaled_dot_product_attention", _attention):
        yield


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """``softmax(Q K^T scale + mask) V`` with the softmax in float32: the readable twin of torch's fused kernel.

    ``query`` is ``(*b, q, d)``, ``key`` ``(*b, k, d)``, ``value`` ``(*b, k, v)`` and what is returned ``(*b, q, v)``;
    no annotation says so, since code that is compiled cannot stop to have its shapes checked.
    ``scale`` is ``1 / sqrt(d)`` by default; ``mask`` says which keys count (bool), or what is added to the scores;
    it has their shape ``(*b, q, k)`` or one that is spread over it.
    """
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if mask is None:
        scores = (query * factor) @ key.transpose(-1, -2)
    else:
        # The product itself adds the mask; added to scores in float32 it would take as long as the softmax.
        added = torch.where(mask, 0.0, -torch.inf) if mask.dtype == torch.bool else mask
        shape = (*query.shape[:-1], key.shape[-2])
        base = added.to(query.dtype).expand(shape).flatten(0, -3)
        keys = key.transpose(-1, -2).flatten(0, -3)
        scores = torch.baddbmm(base, query.flatten(0, -3), keys, alpha=factor).view(shape)
    return scores.float().softmax(-1).to(value.dtype) @ value


def _where_gradients_are_taken(block: nn.Module, on_cpu: bool) -> Callable[..., Any]:
    """The compiled block in training; the block itself where something is only measured, in ever other shapes."""
    compiled: Callable[..., Any] = torch.compile(block._call_impl, dynamic=False)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return block._call_impl(*args, **kwargs)
        with attention_written_out() if on_cpu else nullcontext():
            return compiled(*args, **kwargs)

    return call


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Arguments as torch's."""
    if dropout_p or is_causal or enable_gqa:
        others: dict[str, Any] = {"is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
        return _fused_attention(query, key, value, attn_mask, dropout_p, **others)
    return plain_attention(query, key, value, attn_mask, scale)


def _check_compiler() -> None:
    name = os.environ.get("CXX") or "g++"
    if shutil.which(name) is None:
        cure = "install g++, name another compiler in CXX, or train without compile"
        raise InputError(f"compiled blocks need a C++ compiler, and there is no {name}", where="compile", cure=cure)
