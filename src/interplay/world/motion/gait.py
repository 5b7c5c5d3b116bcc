"""Walking: feet that stay where they are put. Shapes: p frames.

One cycle is two steps. A foot stands for half of it and travels for the other half; a walk is a whole number of steps,
so it begins and ends with both feet under the body, and a standing foot never slides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplay.world.motion.curves import Curve

_LIFT = 0.035


@dataclass(frozen=True)
class Gait:
    """Feet relative to the body: ``near`` and ``far`` (along x) and how high each is lifted."""

    near: Curve
    far: Curve
    near_lift: Curve
    far_lift: Curve


class Steps:
    """Grows with every walk of one actor; ``step`` is its usual step in stage units."""

    def __init__(self, num_frames: int, step: float) -> None:
        self._step = step
        self._phase: Curve = np.zeros(num_frames, np.float32)
        self._half_step: Curve = np.zeros(num_frames, np.float32)
        self._moving: Curve = np.zeros(num_frames, np.float32)

    def walk(self, distance: float, progress: Curve) -> None:
        """Add a walk of a signed ``distance`` whose share done is ``progress``."""
        count = max(1, int(abs(distance) / self._step + 0.5))
        self._phase = self._phase + progress * (0.5 * count)
        under_way = (progress > 0.0) & (progress < 1.0)
        self._half_step = np.where(under_way, np.float32(distance / count / 2), self._half_step)
        self._moving = np.maximum(self._moving, np.clip(4.0 * count * np.minimum(progress, 1.0 - progress), 0.0, 1.0))

    def gait(self) -> Gait:
        """Where the feet are."""
        near, near_up = _foot(self._phase)
        far, far_up = _foot(self._phase + 0.5)
        lift = _LIFT * self._moving
        return Gait(near * self._half_step, far * self._half_step, near_up * lift, far_up * lift)


def _foot(phase: Curve) -> tuple[Curve, Curve]:
    """Position in half steps and lift (0 to 1) of a foot that is in the middle of its stance at phase 0."""
    cycle = phase - np.floor(phase)
    swing = np.clip(2.0 * (cycle - 0.25), 0.0, 1.0)
    back = np.where(cycle < 0.5, np.float32(-4.0) * cycle, np.float32(4.0) * (1.0 - cycle))
    ahead = 2.0 * swing - 1.0
    swinging = (cycle > 0.25) & (cycle < 0.75)
    return np.where(swinging, ahead, back), np.where(swinging, 4.0 * swing * (1.0 - swing), np.float32(0.0))
