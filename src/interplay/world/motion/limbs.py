"""Two-bone inverse kinematics: where the elbow or knee goes when hand or foot is somewhere. Shapes: p frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from interplay.world.motion.curves import Curve, Path, length

# A limb never stretches quite straight, where the joint's side would flip from frame to frame.
_STRAIGHTEST = 0.998


class Limb(NamedTuple):
    """Shoulder, elbow and hand, or hip, knee and foot."""

    root: Path
    joint: Path
    tip: Path


def bend(root: Path, goal: Path, upper: float, lower: float, side: Curve | float) -> Limb:
    """The limb from ``root`` whose tip is at ``goal``, or as far that way as it reaches.

    ``side`` 1 bends the joint to the left of the way from root to tip, -1 to the right (law of cosines).
    """
    dx, dy = goal.x - root.x, goal.y - root.y
    distance = np.maximum(length(dx, dy), np.float32(1e-4))
    reach = np.clip(distance, abs(upper - lower) + 1e-3, _STRAIGHTEST * (upper + lower))
    ux, uy = dx / distance, dy / distance
    along = (upper * upper - lower * lower + reach * reach) / (2.0 * reach)
    away = np.sqrt(np.maximum(upper * upper - along * along, np.float32(0.0))) * side
    joint = Path(root.x + ux * along - uy * away, root.y + uy * along + ux * away)
    # A goal that is too near is met all the same: a folded arm looks right, a missed contact does not.
    tip = np.minimum(distance, reach)
    return Limb(root, joint, Path(root.x + ux * tip, root.y + uy * tip))
