"""What other stages measure while this one trains: attention alignment, and what a judge says of generated clips.

Stages do not know each other, so training states here what it wants measured, and the command that starts it brings the
measuring along (:mod:`interplay.cli.probes`). See docs/decisions/0019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.grid.assignment import Assignment
from interplay.records.clip import Clip
from interplay.train.config import TrainConfig


@runtime_checkable
class ForwardProbe(Protocol):
    """Looks into one forward of the model on one held-out clip, noised; the means over clips are logged."""

    def __call__(
        self, backbone: Backbone, clip: Clip, assignment: Assignment, timestep: int, forward: Callable[[], Tensor]
    ) -> Mapping[str, float]:
        """Call ``forward``, which is at ``timestep``, once and return what was seen.

        A number that the clip does not have is left out.
        """


@runtime_checkable
class SampleProbe(Protocol):
    """Looks at one generated clip; the means over clips are logged."""

    def __call__(self, clip: Clip, video: Path) -> Mapping[str, float]:
        """``clip`` is that of the dataset, ``video`` what the model made of its first frame and caption."""


@dataclass(frozen=True)
class Probes:
    """The probes of a run; ``alignment`` and ``judge`` are there when the recipe asks for them."""

    alignment: ForwardProbe | None = None
    judge: SampleProbe | None = None

    def check(self, config: TrainConfig) -> None:
        """:class:`InputError` where the recipe asks for what nobody brought along."""
        wanted = config.validation
        if wanted is None:
            return
        cure = "train with the command `interplay train`, or give `probes` (interplay.cli.probes makes them)"
        for field, asked, there in (
            ("aas", wanted.aas, self.alignment),
            ("judge", wanted.judge is not None, self.judge),
        ):
            if asked and there is None:
                raise InputError("needs a probe, and none was given", where=f"recipe, validation.{field}", cure=cure)
        if wanted.judge is not None and not wanted.samples:
            cure = "set validation.samples, so that there is something to judge"
            raise InputError("there are no samples to judge", where="recipe, validation.judge", cure=cure)
