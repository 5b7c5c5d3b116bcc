"""What all who can act have in common: they stand, turn, perhaps walk, look, and bring a hand (or a mouth) somewhere.

Verbs speak to this interface alone, so that a person, a dog and a robot arm can all push a box. Directions given to an
actor accumulate: each changes the curve from its own moment on and keeps what was before.
Shapes: p pixel frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np

from interplay.world.motion.curves import Curve, Path
from interplay.world.scene import Member

# "near" is on the viewer's side; who has one hand (a gripper, a mouth) uses it for both.
Hand = Literal["near", "far"]
HANDS: tuple[Hand, Hand] = ("near", "far")
# How high a shoulder, a chest and a mouth are relative to the height of a grown-up's parts.
_CHEST = 0.30


class Actor(ABC):
    """One member that can act, being directed."""

    walks: bool = True

    def __init__(self, member: Member, num_frames: int) -> None:
        self.member = member
        self.num_frames = num_frames
        self.x: Curve = np.full(num_frames, member.x, np.float32)
        self.facing: Curve = np.full(num_frames, member.facing, np.float32)
        self._goals: dict[Hand, list[tuple[Path, Curve]]] = {"near": [], "far": []}
        self._gaze: list[tuple[Path, Curve]] = []

    @property
    def scale(self) -> float:
        """Size relative to a grown-up."""
        return self.member.kind.scale

    def at(self, dx: Curve | float, y: Curve | float) -> Path:
        """A point that goes with the body: ``dx`` before its centre's x, ``y`` above its feet (unscaled units)."""
        zero = np.zeros(self.num_frames, np.float32)
        return Path(self.x + dx, zero + self.member.y + y)

    @property
    def chest(self) -> Path:
        """The middle of the body, where one looks or points at."""
        return self.at(0.0, _CHEST * self.scale)

    def turn(self, direction: int, progress: Curve) -> None:
        """Turn to face ``direction`` as ``progress`` goes from 0 to 1."""
        self.facing = self.facing + (direction - self.facing) * progress

    def walk(self, distance: float, progress: Curve) -> None:
        """Walk a signed ``distance``."""
        self.x = self.x + distance * progress

    def reach(self, goal: Path, weight: Curve, hand: Hand = "near") -> None:
        """Bring a hand from where it would be (weight 0) to a goal (weight 1)."""
        self._goals[hand].append((goal, weight))

    def look_at(self, target: Path, weight: Curve) -> None:
        """Turn the eyes to a target."""
        self._gaze.append((target, weight))

    def _hand(self, hand: Hand, rest: Path) -> Path:
        """Where a hand wants to be."""
        for goal, weight in self._goals[hand]:
            rest = rest.toward(goal, weight)
        return rest

    @abstractmethod
    def pose(self) -> Any:
        """Everything a picture needs; call it when all directions are given."""
