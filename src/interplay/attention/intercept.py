"""Catching the attention calls of a stock processor, whatever its family, without touching what it computes.

A processor ends in ``torch.nn.functional.scaled_dot_product_attention``. While :func:`catching` is active, and it is
only while a processor runs, that name is bound to a function that hands this thread's calls to a handler: it sees the
very queries, keys, mask and scale that the model uses. No family-specific code, no recomputation, and the model's own
output is the same bit for bit. A ``TorchFunctionMode`` would see the same, and some sixty other functions of each
processor beside it, which a tiny model feels.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from interplay.attention.kernels import attend_with_log_sum_exp
from interplay.attention.requests import AttentionCall
from interplay.core.errors import InterplayError

# Called with what the call would have gone to otherwise, and the call's own arguments; returns the attention's output.
Handler = Callable[..., Tensor]


class _OfThread(threading.local):
    """The handlers of a thread; the innermost is the last."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []


_ACTIVE = _OfThread()
_LOCK = threading.Lock()
_users = 0
_kernel: Callable[..., Tensor] = functional.scaled_dot_product_attention


def _attend_as_handled(*args: Any, **kwargs: Any) -> Tensor:
    """Stands in for torch's function. What a handler calls in its turn goes to the next one, at last to torch."""
    if not _ACTIVE.handlers:
        return _kernel(*args, **kwargs)
    handler = _ACTIVE.handlers.pop()
    try:
        return handler(_attend_as_handled, *args, **kwargs)
    finally:
        _ACTIVE.handlers.append(handler)


@contextmanager
def catching(handler: Handler) -> Iterator[None]:
    """Within this context, calls of this thread go to ``handler``; contexts nest, the innermost sees a call first."""
    _bind()
    _ACTIVE.handlers.append(handler)
    try:
        yield
    finally:
        _ACTIVE.handlers.pop()
        _release()


@contextmanager
def uncaught() -> Iterator[None]:
    """Within this context, no handler sees this thread's calls."""
    handlers, _ACTIVE.handlers = _ACTIVE.handlers, []
    try:
        yield
    finally:
        _ACTIVE.handlers = handlers


def _bind() -> None:
    global _users, _kernel
    with _LOCK:
        if not _users:
            _kernel = functional.scaled_dot_product_attention
            functional.scaled_dot_product_attention = _attend_as_handled
        _users += 1


def _release() -> None:
    global _users
    with _LOCK:
        _users -= 1
        if not _users:
            functional.scaled_dot_product_attention = _kernel


class Listing:
    """A handler that lists the calls in ``calls`` and lets them through.

    With ``log_sum_exp`` the kernel is asked for it, where it can tell.
    """

    def __init__(self, *, log_sum_exp: bool) -> None:
        self.log_sum_exp = log_sum_exp
        self.calls: list[AttentionCall] = []

    def __call__(self, kernel: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """The kernel's output."""
        given = Arguments(*args, **kwargs)
        call = given.call()
        if self.log_sum_exp and given.dropout_p == 0 and call.kernel_dtype is None:
            found = attend_with_log_sum_exp(given.query, given.key, given.value, call.mask, call.scale)
            if found is not None:
                self.calls.append(replace(call, log_sum_exp=found[1]))
                return found[0]
        self.calls.append(call)
        return kernel(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What torch's function is called with, by position or by name."""

    query: Tensor
    key: Tensor
    value: Tensor
    attn_mask: Tensor | None = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    def call(self) -> AttentionCall:
        """The call as the kernel sees it, but for dropout, which is not observed."""
        mask = self.attn_mask
        if self.is_causal or self.enable_gqa:
            raise InterplayError(
                "causal and grouped-query attention cannot be observed; no video backbone here uses them"
            )
        if mask is not None and mask.requires_grad:
            raise InterplayError("attention with a learnt mask cannot be observed: its gradient would be lost")
        if mask is not None:
            mask = mask[(None,) * (4 - mask.ndim)]
        scale = 1 / math.sqrt(self.query.shape[-1]) if self.scale is None else self.scale
        return AttentionCall(self.query, self.key, mask, scale, None, _kernel_dtype(self.query))


def _kernel_dtype(query: Tensor) -> torch.dtype | None:
    """What autocast, which acts inside the kernel's dispatch and after this point, will turn queries and keys into."""
    # Rehearsals run on the meta device, which knows no autocast and refuses the question.
    if query.is_meta or not torch.is_autocast_enabled(query.device.type):
        return None
    dtype = torch.get_autocast_dtype(query.device.type)
    return None if dtype == query.dtype else dtype
