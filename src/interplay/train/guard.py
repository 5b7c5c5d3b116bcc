"""Watching a run for what cannot be mended later: a loss that is no number, and a gradient far above its usual size.

The guard looks before the optimiser acts, so the weights are still those of a healthy run, and it names the clips: as
often as not the fault is in one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from interplay.core.errors import InterplayError

# A median of fewer steps says little, and the first steps of a run are unlike all others.
_FEWEST = 20


@dataclass(frozen=True)
class Micro:
    """One forward of a step: whose (``process``), which of its parts, its loss, and the clips in words."""

    process: int
    part: int
    loss: float
    clips: str


class Guard:
    """Raises :class:`InterplayError` about a step that must not be taken.

    A spike is a gradient norm (before clipping) above ``spike_factor`` times the median of the last ``window`` steps.
    The norm and not the loss, because the loss depends on the noise level that was drawn and varies tenfold by itself.
    ``spike_factor`` ``None`` looks for numbers that are none only.
    """

    def __init__(self, name: str, spike_factor: float | None, window: int) -> None:
        self._name, self._factor, self._window = name, spike_factor, window

    def check_losses(self, step: int, micros: Sequence[Micro]) -> None:
        """All forwards of a step, of all processes."""
        bad = [micro for micro in micros if not math.isfinite(micro.loss)]
        if bad:
            told = "; ".join(f"{micro.loss} of {_who(micro, micros)}" for micro in bad)
            raise InterplayError(f"{self._name}: the loss is no number at step {step} ({told}); {_CURE}")

    def check_gradient(self, step: int, norm: float, before: Sequence[float], micros: Sequence[Micro]) -> None:
        """The gradient norm of a step, and those of the steps ``before`` it."""
        everyone = ", ".join(_who(micro, micros) for micro in micros)
        if not math.isfinite(norm):
            raise InterplayError(f"{self._name}: the gradient is no number at step {step} ({everyone}); {_CURE}")
        recent = before[-self._window :]
        if self._factor is None or len(recent) < min(_FEWEST, self._window):
            return
        usual = median(recent)
        if norm > self._factor * usual:
            told = f"{norm:.3g}, {norm / usual:.0f} times the usual {usual:.3g}"
            problem = f"the gradient norm jumps at step {step} to {told} ({everyone})"
            raise InterplayError(f"{self._name}: {problem}; {_CURE}, or go on all the same with --ignore-spikes")


# What changes the recipe makes another run of it, and the checkpoints belong to this one.
_CURE = "look at these clips, or lower the learning rate and begin anew (another --out, or --overwrite)"


def _who(micro: Micro, micros: Sequence[Micro]) -> str:
    """The clips of a forward, and where it ran as far as that is not clear."""
    processes, parts = {one.process for one in micros}, {one.part for one in micros}
    where = [
        *([f"process {micro.process}"] if len(processes) > 1 else []),
        *([f"part {micro.part}"] if len(parts) > 1 else []),
    ]
    place = f" in {', '.join(where)}" if where else ""
    return f"{micro.clips}{place}"
