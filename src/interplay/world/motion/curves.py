"""Curves over a clip: easing, waves, points that move. Float32 and elementwise only, so that every machine agrees.

numpy's sine, cosine and hypotenuse come from the machine's own maths library and differ in the last bit between
processors; sums, products, quotients and square roots do not. Angles are in *turns* (1 is a full circle).
Shapes: p pixel frames; "#p" also takes 1, for what does not change during the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

Curve = Float32[ndarray, "#p"]


@dataclass(frozen=True)
class Path:
    """A point over the clip, in stage units."""

    x: Curve
    y: Curve

    def moved(self, dx: Curve | float, dy: Curve | float) -> Path:
        """The path shifted by ``dx, dy``."""
        return Path(self.x + dx, self.y + dy)

    def toward(self, other: Path, share: Curve | float) -> Path:
        """The point at ``share`` (0 to 1) of the way to another path."""
        return Path(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)

    def distance(self, other: Path) -> Curve:
        """Distance to another path, frame by frame."""
        return length(other.x - self.x, other.y - self.y)


def still(x: float, y: float) -> Path:
    """A point that never moves."""
    return Path(constant(x), constant(y))


def constant(value: float) -> Float32[ndarray, 1]:
    """A value that never changes, ready to broadcast over frames."""
    return np.full(1, value, np.float32)


def length(dx: Curve, dy: Curve) -> Curve:
    """Length of the vector ``dx, dy``."""
    distance: Curve = np.sqrt(dx * dx + dy * dy)
    return distance


def smooth(share: Curve) -> Curve:
    """Eased progress 3u^2 - 2u^3 of a share that is clipped to 0 to 1."""
    u = np.minimum(np.maximum(share, np.float32(0.0)), np.float32(1.0))
    eased: Curve = u * u * (3.0 - 2.0 * u)
    return eased


def arc(progress: Curve) -> Curve:
    """0 at progress 0 and 1, 1 in between at one half: the height of a throw, the swing of a leg."""
    height: Curve = 4.0 * progress * (1.0 - progress)
    return height


def sine(turns: Curve) -> Curve:
    """Sine of an angle in turns, within 0.0011: a parabola per half turn, corrected once."""
    x = turns - np.floor(turns + 0.5)
    y = 8.0 * x - 16.0 * x * np.abs(x)
    corrected: Curve = 0.225 * (y * np.abs(y) - y) + y
    return corrected


def cosine(turns: Curve) -> Curve:
    """Cosine of an angle in turns; see :func:`sine`."""
    return sine(turns + 0.25)
