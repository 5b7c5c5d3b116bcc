"""What one ``observe`` holds in memory: the statistics, and what the backward pass will need of them."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from interplay.attention.budget import NO_LIMIT, Budget, too_small


@runtime_checkable
class Held(Protocol):
    """Something that takes memory."""

    @property
    def nbytes(self) -> int:
        """How much."""


class Ledger:
    """Counts what is held, and says how much of the budget is left."""

    def __init__(self, budget_bytes: int | None) -> None:
        self._budget_bytes = budget_bytes
        self._saved: dict[int, int] = {}  # storage -> how many saved tensors lie in it
        self.saved_bytes = 0

    def left(self, held: Held) -> Budget:
        """What is left beside what is held; ``InputError`` when that is less than nothing."""
        if self._budget_bytes is None:
            return NO_LIMIT
        held_bytes = held.nbytes
        if held_bytes > self._budget_bytes:
            raise too_small(self._budget_bytes, held_bytes)
        return Budget(self._budget_bytes - held_bytes)

    def saving(self) -> AbstractContextManager[Any]:
        """Within it, what autograd saves is saved as usual, out of the hands of gradient checkpointing.

        Checkpointing would have its recomputation repeat the statistics. Outside of it the model keeps queries and
        keys as we do; under it only we do, so there they are counted.
        """
        if not torch.is_grad_enabled():
            return nullcontext()
        ours = _under_saved_tensors_hooks()

        def pack(tensor: Tensor) -> Tensor:
            saved = tensor.detach()
            if ours:
                self._count(saved)
            return saved

        return torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved)

    def _count(self, saved: Tensor) -> None:
        storage = saved.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        self._saved[key] = self._saved.get(key, 0) + 1
        if self._saved[key] == 1:
            self.saved_bytes += size
        weakref.finalize(saved, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._saved[key] -= 1
        if not self._saved[key]:
            del self._saved[key]
            self.saved_bytes -= size


def _under_saved_tensors_hooks() -> bool:
    """Whether somebody else (checkpointing) decides what is saved."""
    hooks: Any = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None
