"""What a training step draws: clips of one bucket, ready for the model.

Clips of different geometry cannot share a tensor, so a step first draws a bucket, in proportion to its clips, and then
clips of it. With one bucket there is nothing to choose, and nothing is drawn.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.backbones.batch import Batch
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.targets import ClipTargets


@dataclass(frozen=True)
class ClipBatch:
    """Clips of one geometry and their conditions; ``targets`` is empty when nothing is aligned."""

    grid: TokenGrid
    latents: Float[Tensor, "b c f h w"]
    first_frame: Batch
    text: Batch
    targets: tuple[ClipTargets, ...] = ()


class TrainingClips(ABC):
    """The clips of a run. ``groups`` lists the rows of each bucket; together they are all rows, each once."""

    groups: Sequence[Sequence[int]]

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    @abstractmethod
    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        """These clips, which must be of one group; where ``dropped``, with the empty caption (targets keep theirs)."""

    def draw(self, size: int, generator: torch.Generator) -> Int[Tensor, " b"]:
        """Random rows of one group, with repeats; ``generator`` decides."""
        group = self.groups[0] if len(self.groups) == 1 else self._group_of(_random(len(self), 1, generator))
        chosen = _random(len(group), size, generator)
        return torch.tensor(group)[chosen]

    def _group_of(self, place: Int[Tensor, " 1"]) -> Sequence[int]:
        """The group that holds the ``place``-th of all clips, counted group by group."""
        sizes = torch.tensor([len(group) for group in self.groups])
        return self.groups[int(torch.searchsorted(sizes.cumsum(0), place, right=True))]


def _random(below: int, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    return torch.randint(below, (count,), generator=generator)
