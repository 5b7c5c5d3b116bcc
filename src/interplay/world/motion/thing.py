"""Things: where they are, how they are turned, and what state they are in. Shapes: p pixel frames, or 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplay.world.motion.curves import Curve, Path, cosine, sine
from interplay.world.scene import Member


@dataclass(frozen=True)
class ThingPose:
    """A thing over the clip: bottom centre, ``turn`` about its middle (turns), ``state`` and ``flow`` (0 to 1).

    ``state`` is how far a door, a box or a book is open, a lamp lit, a cup full; ``flow`` how much a jug pours.
    ``flow_y`` is where the stream ends, and ``side`` where a door opens to or a jug pours (-1, 1).
    """

    base: Path
    turn: Curve
    state: Curve
    flow: Curve
    flow_y: Curve
    side: int


def door_width(half: float, opened: Curve) -> Curve:
    """Half the width in which a door's panel is seen: it turns away as the door opens."""
    return 0.82 * half * (1.0 - 0.68 * opened)


def lid_end(opened: Curve, half: float, height: float, side: int) -> tuple[Curve, Curve]:
    """The free edge of a box's lid, across and up from the box's bottom centre; its hinge is at ``-side``."""
    angle = 0.21 * opened
    long = 2.1 * half
    return side * (long * cosine(angle) - 1.05 * half), 0.9 * height + long * sine(angle)


class Thing:
    """A thing being directed: verbs write its curves."""

    def __init__(self, member: Member, num_frames: int) -> None:
        self.member = member
        zero: Curve = np.zeros(num_frames, np.float32)
        self.base = Path(zero + member.x, zero + member.y)
        self.turn: Curve = zero
        self.state: Curve = zero
        self.flow: Curve = zero
        self.flow_y: Curve = zero
        self.side = member.facing

    @property
    def half(self) -> float:
        """Half its width."""
        return self.member.kind.half_width

    @property
    def height(self) -> float:
        """Its height."""
        return self.member.kind.height

    @property
    def chest(self) -> Path:
        """Its middle, where one looks or points at."""
        return self.base.moved(0.0, self.height / 2)

    @property
    def moves(self) -> bool:
        """Whether anything about it changes."""
        curves = (self.base.x, self.base.y, self.turn, self.state, self.flow)
        return any(bool(np.ptp(curve)) for curve in curves)

    def roll(self) -> None:
        """Let it roll as far as it travels along the ground; only what is round does."""
        if self.member.kind.rolls:
            around = 2.0 * 3.1415927 * self.half
            self.turn = self.turn - (self.base.x - self.base.x[0]) / np.float32(around)

    def pose(self) -> ThingPose:
        """Everything a picture needs; one frame that stands for all where nothing changes."""
        if self.moves:
            return ThingPose(self.base, self.turn, self.state, self.flow, self.flow_y, self.side)
        base = Path(self.base.x[:1], self.base.y[:1])
        return ThingPose(base, self.turn[:1], self.state[:1], self.flow[:1], self.flow_y[:1], self.side)
