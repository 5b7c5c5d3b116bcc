"""Running the stock transformer on the ``meta`` device, where it would ask tensors for values they do not have.

The transformer sorts the tokens behind the video by their masks: what counts first, padding last. The order depends on
values, the number of tokens does not, so a rehearsal takes every token for a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class EveryTokenCounts(TorchFunctionMode):
    """For masks on ``meta``: ``x[mask]`` is all of ``x``, ``x[~mask]`` none of it; no question is true."""

    def __init__(self) -> None:
        super().__init__()
        self._inverted: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.__bool__ and args[0].is_meta:
            return False
        if func is Tensor.__getitem__ and _is_mask(args[1]):
            inverted = any(args[1] is one for one in self._inverted)
            return args[0][:0] if inverted else args[0]
        result = func(*args, **(kwargs or {}))
        if func in (Tensor.__invert__, torch.bitwise_not) and _is_mask(result):
            self._inverted.append(result)
        return result


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.is_meta and index.dtype == torch.bool
