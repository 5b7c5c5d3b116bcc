"""Animals: four legs, a head that reaches, a tail that wags. Shapes: p pixel frames, or 1 for one that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interplay.world.motion.actor import Actor
from interplay.world.motion.curves import Curve, Path, length
from interplay.world.motion.gait import Gait, Steps
from interplay.world.scene import Member

STEP = 0.10
# The mouth before the body's centre, and its height; how far the neck stretches from there.
MOUTH_X, MOUTH_Y, NECK = 0.205, 0.165, 0.10


@dataclass(frozen=True)
class AnimalPose:
    """An animal over the clip: its centre on the ground, its mouth, its steps, and its wagging tail (turns)."""

    scale: float
    facing: Curve
    base: Path
    mouth: Path
    gait: Gait
    tail: Curve


class Animal(Actor):
    """An animal being directed; its mouth is its hand."""

    def __init__(self, member: Member, num_frames: int) -> None:
        super().__init__(member, num_frames)
        self._steps = Steps(num_frames, STEP * self.scale)
        # Who takes part wags its tail, twice a clip; who stands by keeps still.
        self._tail: Curve = np.linspace(0.0, 2.0 if num_frames > 1 else 0.0, num_frames, dtype=np.float32)

    def walk(self, distance: float, progress: Curve) -> None:
        """Trot a signed ``distance``."""
        super().walk(distance, progress)
        self._steps.walk(distance, progress)

    def pose(self) -> AnimalPose:
        """Everything a picture needs."""
        return AnimalPose(
            self.scale, self.facing, self.at(0.0, 0.0), self._mouth, self._steps.gait(), self._tail
        )  # fmt: skip

    @cached_property
    def _mouth(self) -> Path:
        rest = self.at(MOUTH_X * self.scale * self.facing, MOUTH_Y * self.scale)
        wanted = self._hand("near", rest)
        dx, dy = wanted.x - rest.x, wanted.y - rest.y
        share = np.minimum(np.float32(1.0), NECK * self.scale / np.maximum(length(dx, dy), np.float32(1e-4)))
        return rest.toward(wanted, share)
