"""The model's own fused attention kernel, called so that it also gives its log-sum-exp.

``scaled_dot_product_attention`` keeps the log-sum-exp of each row to itself. The operator it hands over to returns it,
so calling that operator directly, with the same arguments, gives the same output bit for bit and the log-sum-exp for
free; attention to a few keys is then exp(score - log-sum-exp) and needs no pass over all of them. These operators are
no public interface of torch: each is checked once, on real numbers, before it is believed.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens, ``d`` head width, ``e`` value width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend

# Operator -> whether its log-sum-exp was right when it was first used in this process.
_TRUSTED: dict[tuple[str, SDPBackend, torch.dtype, int], bool] = {}
# Kernels differ from a plain sum by rounding (4e-5 in bfloat16 on a CPU); another quantity differs by far more.
_TOLERANCE = 1e-2
_CHECKED_ROWS = 4

Attention = tuple[Float[Tensor, "b h q e"], Float[Tensor, "b h q"]]
Operator = Callable[[Tensor, Tensor, Tensor, Tensor | None, float | None], Attention]


def attend_with_log_sum_exp(
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b h k d"],
    value: Float[Tensor, "b h k e"],
    mask: Tensor | None,
    scale: float,
) -> Attention | None:
    """Output and log-sum-exp of the kernel that torch would choose; ``None`` where it cannot tell the second."""
    operator, backend = _operator_for(query, key, value, mask, scale)
    if operator is None:
        return None
    source = (query.device.type, backend, query.dtype, query.shape[-1])
    if _TRUSTED.get(source) is False:
        return None
    output, log_sum_exp = operator(query, key, value, mask, scale)
    if source not in _TRUSTED:
        right = _is_right(query, key, mask, scale, log_sum_exp)
        if right is None:
            return None
        _TRUSTED[source] = right
    return (output, log_sum_exp) if _TRUSTED[source] else None


def _operator_for(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> tuple[Operator | None, SDPBackend]:
    tensors = [tensor for tensor in (query, key, value, mask) if tensor is not None]
    if any(type(tensor) is not Tensor or tensor.is_meta for tensor in tensors) or query.shape[2] == 0:
        return None, SDPBackend.MATH
    # The public function asks the same question.
    choice = torch._fused_sdp_choice(query, key, value, attn_mask=mask, scale=scale)
    backend = SDPBackend(choice)
    operators = _ON_CPU if query.device.type == "cpu" else _ON_CUDA if query.is_cuda and mask is None else {}
    # CUDA kernels want heads as wide as a multiple of 8; the public function pads others.
    fits = query.device.type == "cpu" or query.shape[-1] % 8 == 0
    return (operators.get(backend) if fits else None), backend


def _is_right(query: Tensor, key: Tensor, mask: Tensor | None, scale: float, found: Tensor) -> bool | None:
    """Compare a few rows of the first batch element and head with a plain computation; ``None`` if all are masked."""
    if found.ndim != 3 or found.shape != query.shape[:3]:
        return False
    with torch.no_grad():
        scores = query[0, 0, :_CHECKED_ROWS].float() @ key[0, 0].float().T * scale
        if mask is not None:
            shown = mask[0, 0, :_CHECKED_ROWS]
            scores = scores.masked_fill(~shown, float("-inf")) if shown.dtype == torch.bool else scores + shown
        expected = scores.logsumexp(dim=-1)
        seen = expected.isfinite()
        if not seen.any():
            return None
        difference = expected[seen] - found[0, 0, :_CHECKED_ROWS][seen]
        return bool(difference.abs().max() < _TOLERANCE)


def _flash_cpu(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Attention:
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(~mask, float("-inf"))
    operator = cast(Any, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu)
    output, log_sum_exp = operator(query, key, value, 0.0, False, attn_mask=mask, scale=scale)
    return output, log_sum_exp


def _flash_cuda(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Attention:
    output, log_sum_exp, *_ = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, scale=scale)
    return output, log_sum_exp


def _efficient_cuda(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Attention:
    operator = torch.ops.aten._scaled_dot_product_efficient_attention
    output, log_sum_exp, *_ = operator(query, key, value, None, True, scale=scale)
    return output, log_sum_exp[:, :, : query.shape[2]]  # its rows are padded


def _cudnn_cuda(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Attention:
    operator = torch.ops.aten._scaled_dot_product_cudnn_attention
    output, log_sum_exp, *_ = operator(query, key, value, None, True, scale=scale)
    return output, log_sum_exp.squeeze(-1)


_ON_CPU: dict[SDPBackend, Operator] = {SDPBackend.FLASH_ATTENTION: _flash_cpu}
_ON_CUDA: dict[SDPBackend, Operator] = {
    SDPBackend.FLASH_ATTENTION: _flash_cuda,
    SDPBackend.EFFICIENT_ATTENTION: _efficient_cuda,
    SDPBackend.CUDNN_ATTENTION: _cudnn_cuda,
}
