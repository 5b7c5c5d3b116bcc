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

from interplay.attention.kernels import attend_with_log_sum_exp
from interplay.attention.requests import AttentionCall
from interplay.core.errors import InterplayError


class Interception(TorchFunctionMode):
    """While active, lists the scaled-dot-product attention calls of this thread in ``calls`` and lets them through.

    With ``log_sum_exp`` the kernel is asked for it, where it can tell.
    """

    def __init__(self, *, log_sum_exp: bool) -> None:
        super().__init__()
        self.log_sum_exp = log_sum_exp
        self.calls: list[AttentionCall] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            output, call = _attend(func, self.log_sum_exp, *args, **(kwargs or {}))
            self.calls.append(call)
            return output
        return func(*args, **(kwargs or {}))


def _attend(
    kernel: Callable[..., Any],
    log_sum_exp: bool,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, AttentionCall]:
    """The kernel's output, and the call as it sees it (the arguments are those of torch; dropout is not observed)."""
    if is_causal or enable_gqa:
        raise InterplayError("causal and grouped-query attention cannot be observed; no video backbone here uses them")
    if attn_mask is not None and attn_mask.requires_grad:
        raise InterplayError("attention with a learnt mask cannot be observed: its gradient would be lost")
    mask = attn_mask if attn_mask is None else attn_mask[(None,) * (4 - attn_mask.ndim)]
    used_scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    kernel_dtype = _kernel_dtype(query)
    if log_sum_exp and dropout_p == 0 and kernel_dtype is None:
        found = attend_with_log_sum_exp(query, key, value, mask, used_scale)
        if found is not None:
            return found[0], AttentionCall(query, key, mask, used_scale, found[1])
    output = kernel(query, key, value, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale)
    return output, AttentionCall(query, key, mask, used_scale, None, kernel_dtype)


def _kernel_dtype(query: Tensor) -> torch.dtype | None:
    """What autocast, which acts inside the kernel's dispatch and after this point, will turn queries and keys into."""
    # Rehearsals run on the meta device, which knows no autocast and refuses the question.
    if query.is_meta or not torch.is_autocast_enabled(query.device.type):
        return None
    dtype = torch.get_autocast_dtype(query.device.type)
    return None if dtype == query.dtype else dtype
