"""Catching the attention calls of a stock processor, whatever its family, without touching what it computes.

A processor ends in ``torch.nn.functional.scaled_dot_product_attention``; a ``TorchFunctionMode`` that is active only
while the processor runs sees the very queries, keys, mask and scale that the model uses. No family-specific code, no
recomputation, and the model's own output is the same bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from interplay.attention.requests import AttentionCall
from interplay.core.errors import InterplayError


class Interception(TorchFunctionMode):
    """While active, lists the scaled-dot-product attention calls of this thread in ``calls`` and lets them through."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[AttentionCall] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            self.calls.append(_attention_call(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def _attention_call(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> AttentionCall:
    """The call as the kernel sees it (the arguments are those of torch; dropout falls on weights we do not use)."""
    if is_causal or enable_gqa:
        raise InterplayError("causal and grouped-query attention cannot be observed; no video backbone here uses them")
    # Rehearsals run on the meta device, which knows no autocast and refuses the question.
    if not query.is_meta and torch.is_autocast_enabled(query.device.type):
        # Autocast casts inside the kernel's dispatch, after this point.
        kernel_dtype = torch.get_autocast_dtype(query.device.type)
        query, key = query.to(kernel_dtype), key.to(kernel_dtype)
    mask = attn_mask if attn_mask is None else attn_mask[(None,) * (4 - attn_mask.ndim)]
    return AttentionCall(query, key, mask, 1 / math.sqrt(query.shape[-1]) if scale is None else scale)
