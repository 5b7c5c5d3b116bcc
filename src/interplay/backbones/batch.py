"""Named tensors with one row per clip: what a model is conditioned on, whatever its family makes of it.

One family's text is one tensor, another's is embeddings, a mask and a pooled vector; a first frame is a latent here and
image tokens there. Stages choose, repeat, join and move rows, and never look inside; the names are the family's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_NOTHING = "nothing"


@dataclass(frozen=True)
class Batch:
    """Tensors that share their first axis. ``batch["name"]`` is a tensor, ``len(batch)`` the number of rows."""

    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        lengths = {name: len(tensor) for name, tensor in self.tensors.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"a batch needs one number of rows, not {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    @classmethod
    def empty(cls, rows: int, device: torch.device | str = "cpu") -> Batch:
        """A condition of nothing, for models that are shown none: one column of no width, and as many rows as wanted.

        So it goes where every other batch goes, into caches too, and nobody has to ask whether there is one.
        """
        return cls({_NOTHING: torch.zeros(rows, 0, device=device)})

    @classmethod
    def join(cls, parts: Sequence[Batch]) -> Batch:
        """The rows of all parts, one part after the other; every part has the same names."""
        names = list(parts[0].tensors)
        if any(part.tensors.keys() != parts[0].tensors.keys() for part in parts):
            raise ValueError(f"batches of other names than {names} cannot be joined to these")
        return cls({name: torch.cat([part[name] for part in parts]) for name in names})

    def take(self, rows: Int[Tensor, " n"] | Sequence[int] | slice) -> Batch:
        """These rows, in this order."""
        return self._each(lambda tensor: tensor[rows])

    def repeated(self, times: int) -> Batch:
        """All rows, and all of them again, for instance for the two halves of classifier-free guidance."""
        return self._each(lambda tensor: tensor.repeat(times, *[1] * (tensor.ndim - 1)))

    def to(self, device: torch.device | str) -> Batch:
        """The same rows on this device."""
        return self._each(lambda tensor: tensor.to(device))

    def replaced(self, where: Bool[Tensor, " n"], other: Batch) -> Batch:
        """The rows of ``other`` where ``where`` is true; ``other`` has as many rows, or one that serves all of them."""
        return Batch(
            {
                name: torch.where(where.to(tensor.device).view(-1, *[1] * (tensor.ndim - 1)), other[name], tensor)
                for name, tensor in self.tensors.items()
            }
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch({name: change(tensor) for name, tensor in self.tensors.items()})
