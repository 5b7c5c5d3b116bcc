"""Robot arms: a base that stays where it is, two long bones and a gripper. Shapes: p pixel frames, or 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from interplay.world.motion.actor import Actor
from interplay.world.motion.curves import Curve, Path
from interplay.world.motion.limbs import Limb, bend

SHOULDER_Y, UPPER, FORE = 0.19, 0.25, 0.24
_REST_X, _REST_Y = 0.07, 0.40


@dataclass(frozen=True)
class RobotPose:
    """A robot arm over the clip: its base on the ground, and the arm up to the gripper."""

    facing: Curve
    base: Path
    arm: Limb


class Robot(Actor):
    """A robot arm being directed; its gripper is its hand."""

    walks = False

    def walk(self, distance: float, progress: Curve) -> None:
        """Robot arms are bolted down; a verb that needs walking has no robot as subject."""
        raise ValueError(f"{self.member.id} is a robot arm and cannot walk")

    def pose(self) -> RobotPose:
        """Everything a picture needs."""
        return RobotPose(self.facing, self.at(0.0, 0.0), self._arm)

    @cached_property
    def _arm(self) -> Limb:
        rest = self.at(_REST_X * self.facing, _REST_Y)
        return bend(self.at(0.0, SHOULDER_Y), self._hand("near", rest), UPPER, FORE, self.facing)
