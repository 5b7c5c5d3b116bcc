"""Rehearsing a computation on the ``meta`` device: every tensor has a shape and none has memory.

The rehearsal runs the very code of the real run, on modules whose weights were never loaded, and counts the storages
that live at the same time. It therefore knows every temporary, every activation that is kept for the backward pass and
every observation of a method, for a model of any size, on a laptop.

What it cannot see, because it happens below PyTorch's operators: workspaces of convolution and matrix libraries, the
allocator's rounding and fragmentation, and the CUDA context. ``benchmarks/doctor.md`` compares it with measured runs.

Shape legend: ``b h q d`` batch, heads, queries, width, ``k`` keys.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Rehearsed:
    """Bytes that were allocated by a computation: ``peak`` at the worst moment, ``kept`` when it was over."""

    peak: int
    kept: int


def rehearse(compute: Callable[[], Any]) -> Rehearsed:
    """Run ``compute`` and count what it allocates; what existed before (weights, inputs) is not counted."""
    with ExitStack() as modes:
        modes.enter_context(_fused_attention())
        counter = modes.enter_context(_StorageCounter())
        # Held until the count is read: what the computation returns is what it keeps.
        result = compute()
        rehearsed = Rehearsed(counter.peak, counter.live)
        del result
    return rehearsed


class _StorageCounter(TorchDispatchMode):
    """Adds up the storages that operators return, and takes each away when its last tensor is gone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch declares no types here, nor for `apply` below
        self.live = self.peak = 0
        self._known: dict[int, weakref.finalize[Any, Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        # A view of a weight shares the weight's storage, which was there before and is nobody's new memory.
        given = {storage._cdata for storage in _storages((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage._cdata not in given:
                self._add(storage)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()
        self._known[key] = weakref.finalize(storage, self._remove, key, size)
        self.live += size
        self.peak = max(self.peak, self.live)

    def _remove(self, key: int, size: int) -> None:
        del self._known[key]
        self.live -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


_KERNEL = functional.scaled_dot_product_attention


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Within it, fused attention kernels count as such: on ``meta`` they would be spelled out with the q x k matrix.

    The public function is replaced, and not a mode put above it: modes do not reach into the recomputation of
    gradient checkpointing, which must see the same.
    """
    functional.scaled_dot_product_attention = _attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = _KERNEL


def _attend(query: Tensor, key: Tensor, value: Tensor, *options: Any, **named_options: Any) -> Any:
    """The fused kernel where there are numbers; families call it with positions and with names."""
    if query.is_meta:
        return _FusedShapes.apply(query, key, value)  # type: ignore[no-untyped-call]
    return _KERNEL(query, key, value, *options, **named_options)


class _FusedShapes(torch.autograd.Function):
    """Allocates what a fused kernel allocates: the output and the log-sum-exp, then the three gradients."""

    @staticmethod
    def forward(
        ctx: Any, query: Float[Tensor, "b h q d"], key: Float[Tensor, "b h k d"], value: Float[Tensor, "b h k e"]
    ) -> Float[Tensor, "b h q e"]:
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        log_sum_exp = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, output, log_sum_exp)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "b h q e"]) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _, _ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
