"""Persons: bodies that follow their hands. Lengths are those of a grown-up and scale with the person.

Persons are seen from the side and a little from the front: the *near* arm and leg are on the viewer's side. A hand
whose goal is out of reach takes the body along: the chest leans toward it and the knees bend, as far as a body can;
what is then still out of reach is not reached.
Shapes: p pixel frames, or 1 for a person who stands still throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interplay.world.motion.actor import Actor
from interplay.world.motion.curves import Curve, Path, constant, length, smooth
from interplay.world.motion.gait import Steps
from interplay.world.motion.limbs import Limb, bend
from interplay.world.scene import Member

HIP_Y, SHOULDER_Y, HEAD_Y = 0.175, 0.345, 0.475
UPPER_ARM, FOREARM = 0.145, 0.145
THIGH, SHIN, ANKLE_Y = 0.079, 0.079, 0.024
ARM_LENGTH = UPPER_ARM + FOREARM
HEAD_RADIUS = 0.096
# A child's head is larger in proportion.
CHILD_HEAD = 1.1
STEP = 0.13
_NEAR_SHOULDER, _FAR_SHOULDER = -0.052, 0.056
_NEAR_HIP, _FAR_HIP = -0.03, 0.034
# The body gives way when a goal is farther than this share of the arm, and no farther than this.
_COMFORT, _MAX_LEAN, _MAX_CROUCH = 0.93, 0.10, 0.085


@dataclass(frozen=True)
class PersonPose:
    """A person over the clip: joints in stage units, ``facing`` -1 to 1, ``gaze`` a unit vector, ``mouth`` 0 to 1.

    ``pointing`` (0 to 1) stretches the near hand's finger.
    """

    scale: float
    facing: Curve
    hips: Path
    chest: Path
    head: Path
    near_arm: Limb
    far_arm: Limb
    near_leg: Limb
    far_leg: Limb
    gaze: Path
    mouth: Curve
    pointing: Curve

    @property
    def head_radius(self) -> float:
        """Radius of the head."""
        return head_radius(self.scale)


def head_radius(scale: float) -> float:
    """Radius of the head of a person of this scale."""
    return HEAD_RADIUS * scale * (CHILD_HEAD if scale < 0.9 else 1.0)


class Person(Actor):
    """A person being directed."""

    def __init__(self, member: Member, num_frames: int) -> None:
        super().__init__(member, num_frames)
        zero: Curve = np.zeros(num_frames, np.float32)
        self._steps = Steps(num_frames, STEP * self.scale)
        self._crouch: Curve = zero
        self._lean: Curve = zero
        self._rise: Curve = zero
        self.pointing: Curve = zero
        self._kicks: list[tuple[Path, Curve]] = []

    def walk(self, distance: float, progress: Curve) -> None:
        """Walk a signed ``distance``, step by step."""
        super().walk(distance, progress)
        self._steps.walk(distance, progress)

    def crouch(self, depth: Curve) -> None:
        """Bend the knees by so much."""
        self._crouch = self._crouch + depth

    def lean(self, ahead: Curve) -> None:
        """Shift the chest by so much (positive to the right)."""
        self._lean = self._lean + ahead

    def rise(self, height: Curve) -> None:
        """Leave the ground by so much."""
        self._rise = self._rise + height

    def kick(self, goal: Path, weight: Curve) -> None:
        """Bring the near foot from where it would be (weight 0) to a goal (weight 1)."""
        self._kicks.append((goal, weight))

    def pose(self) -> PersonPose:
        """All joints; call it when all directions are given."""
        return self._pose

    @cached_property
    def _pose(self) -> PersonPose:
        lean, crouch = self._give_way()
        f, scale = self.facing, self.scale
        base = self.member.y + self._rise
        hips = Path(self.x - 0.25 * lean, base + HIP_Y * scale - crouch)
        chest = Path(self.x + lean, base + SHOULDER_Y * scale - crouch)
        head = Path(self.x + 1.3 * lean + 0.008 * f, base + HEAD_Y * scale - crouch - 0.35 * np.abs(lean))
        return PersonPose(
            scale, f, hips, chest, head, *self._arms(chest), *self._legs(hips, base), self._look(head),
            np.zeros_like(self.x), self.pointing,
        )  # fmt: skip

    def _shoulders(self, chest: Path) -> tuple[Path, Path]:
        return chest.moved(_NEAR_SHOULDER * self.scale * self.facing, 0.0), chest.moved(
            _FAR_SHOULDER * self.scale * self.facing, 0.0
        )

    def _wanted_hands(self, shoulders: tuple[Path, Path]) -> tuple[Path, Path]:
        gait, down = self._steps.gait(), -0.268 * self.scale
        near = shoulders[0].moved(0.01 * self.facing + 0.7 * gait.far, down)
        far = shoulders[1].moved(0.025 * self.facing + 0.7 * gait.near, down)
        return self._hand("near", near), self._hand("far", far)

    def _give_way(self) -> tuple[Curve, Curve]:
        """Lean and crouch, with what the hands' goals need on top of what was directed."""
        chest = Path(self.x + self._lean, self.member.y + self._rise + SHOULDER_Y * self.scale - self._crouch)
        shoulders = self._shoulders(chest)
        lean, crouch = self._lean, self._crouch
        for shoulder, hand in zip(shoulders, self._wanted_hands(shoulders), strict=True):
            dx, dy = hand.x - shoulder.x, hand.y - shoulder.y
            distance = np.maximum(length(dx, dy), np.float32(1e-4))
            excess = np.maximum(np.float32(1.0) - _COMFORT * ARM_LENGTH * self.scale / distance, np.float32(0.0))
            lean = np.where(np.abs(dx * excess + self._lean) > np.abs(lean), dx * excess + self._lean, lean)
            crouch = np.maximum(crouch, self._crouch - dy * excess)
        most_lean, most_crouch = _MAX_LEAN * self.scale, _MAX_CROUCH * self.scale
        return np.clip(lean, -most_lean, most_lean), np.clip(crouch, 0.0, most_crouch)

    def _arms(self, chest: Path) -> tuple[Limb, Limb]:
        shoulders = self._shoulders(chest)
        upper, fore = UPPER_ARM * self.scale, FOREARM * self.scale
        near, far = self._wanted_hands(shoulders)
        side = -self.facing
        return bend(shoulders[0], near, upper, fore, side), bend(shoulders[1], far, upper, fore, side)

    def _legs(self, hips: Path, base: Curve) -> tuple[Limb, Limb]:
        gait, f, scale = self._steps.gait(), self.facing, self.scale
        ground = base + ANKLE_Y * scale
        near_foot = Path(self.x + 1.25 * _NEAR_HIP * scale * f + gait.near, ground + gait.near_lift)
        far_foot = Path(self.x + 1.25 * _FAR_HIP * scale * f + gait.far, ground + gait.far_lift)
        for goal, weight in self._kicks:
            near_foot = near_foot.toward(goal, weight)
        thigh, shin = THIGH * scale, SHIN * scale
        near = bend(hips.moved(_NEAR_HIP * scale * f, 0.0), near_foot, thigh, shin, f)
        far = bend(hips.moved(_FAR_HIP * scale * f, 0.0), far_foot, thigh, shin, f)
        return near, far

    def _look(self, head: Path) -> Path:
        """The direction of the eyes; straight ahead when nothing is looked at."""
        target = Path(head.x + self.facing, head.y)
        for goal, weight in self._gaze:
            target = target.toward(goal, weight)
        dx, dy = target.x - head.x, target.y - head.y
        distance = np.maximum(length(dx, dy), np.float32(1e-4))
        return Path(dx / distance, dy / distance)


def standing(member: Member, gaze: Path | None = None) -> PersonPose:
    """A person who does nothing, as one frame that stands for all."""
    person = Person(member, 1)
    if gaze is not None:
        person.look_at(gaze, smooth(constant(1.0)))
    return person.pose()
