"""The clock of one event: its moments fall on frames, so that a contact has a first frame and not a fraction of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplay.world.motion.curves import Curve, smooth

# Moments of every verb, in shares of its event: it waits, approaches, is in contact, acts, and shows the outcome.
START, TOUCH, DONE = 0.06, 0.40, 0.86


@dataclass(frozen=True)
class Clock:
    """The part ``start`` to ``end`` (0 to 1) of a clip of ``num_frames`` frames."""

    num_frames: int
    start: float = 0.0
    end: float = 1.0

    def frame(self, moment: float) -> int:
        """The frame at a moment of the event (0 to 1)."""
        # Half up, where Python rounds to even: a moment must not jump when the clip is one frame longer.
        return int((self.start + moment * (self.end - self.start)) * (self.num_frames - 1) + 0.5)

    def ease(self, since: float, until: float) -> Curve:
        """0 up to the frame of ``since``, 1 from that of ``until`` on, smooth in between."""
        return smooth(self.linear(since, until))

    def linear(self, since: float, until: float) -> Curve:
        """As :meth:`ease`, at constant speed."""
        first, last = self.frame(since), self.frame(until)
        frames = np.arange(self.num_frames, dtype=np.float32)
        if last <= first:
            return (frames >= last).astype(np.float32)
        share: Curve = np.clip((frames - first) / np.float32(last - first), 0.0, 1.0)
        return share

    @property
    def last(self) -> int:
        """The clip's last frame."""
        return self.num_frames - 1
