"""What the tracks say about who moves, touches and holds whom: the vocabulary of the questions.

Everything is per pixel frame (``p``) and in stage heights; ``ahead`` is counted away from where the subject came from.
A comparison with the place of a member that was not seen is false, so nobody gets the benefit of a doubt.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from interplay.world.judge.first_world import FirstScene
from interplay.world.judge.tracks import Recovery, Track, gaps

Flags = Bool[ndarray, " p"]
Floats = Float[ndarray, " p"]

# Two members touch when less than this lies between them: two pixels of the smallest frames, where hands are as small.
TOUCH = 0.05
# A person has moved from the first, a thing from the second distance on (half a subject's shortest walk; one and a
# half pixels of the smallest frames more than a blurred thing's middle wavers).
STEP, NUDGE = 0.08, 0.05
# A contact explains a motion that starts while it lasts or at most this share of the clip later (a kick is short).
_CONTACT_MEMORY = 2 / 16


class Evidence:
    """Answers about one clip's tracks, each computed once."""

    def __init__(self, found: Recovery, scene: FirstScene) -> None:
        self.scene = scene
        self.found = found
        self.num_frames = found.num_frames
        self.last = found.num_frames - 1
        self._gaps: dict[tuple[str, str], Floats] = {}

    def track(self, key: str) -> Track:
        """The track of a member."""
        return self.found.tracks[key]

    @cached_property
    def persons(self) -> tuple[str, ...]:
        """Ids of the persons."""
        return tuple(m.id for m in self.scene.members if m.family == "person")

    @cached_property
    def things(self) -> tuple[str, ...]:
        """Ids of the things."""
        return tuple(m.id for m in self.scene.members if m.family == "thing")

    @cached_property
    def heading(self) -> float:
        """1 when the subject has to go right to reach its goal (recipient or object), -1 when left."""
        goal = self.scene.recipient or self.scene.object
        return 1.0 if self._start_x(goal) >= self._start_x(self.scene.subject) else -1.0

    def _start_x(self, key: str) -> float:
        seen = self.track(key).x[np.isfinite(self.track(key).x)]
        return float(seen[0]) if seen.size else self.scene.member(key).x

    def ahead(self, key: str) -> Floats:
        """How far a member has come in the subject's direction since it was first seen."""
        return self.heading * (self.track(key).x - self._start_x(key))

    def walked(self, key: str) -> Flags:
        """In which frames a person stands elsewhere than at first, and not for that one frame alone."""
        away = np.abs(self.ahead(key)) >= STEP
        lasts: Flags = away.copy()
        lasts[1:-1] &= away[:-2] | away[2:]
        return lasts

    def travelled(self, key: str) -> Floats:
        """How far a thing is from where it was first seen, in any direction."""
        y = self.track(key).y
        seen = y[np.isfinite(y)]
        way: Floats = np.hypot(self.ahead(key), y - (seen[0] if seen.size else np.nan))
        return way

    def gap(self, person: str, thing: str) -> Floats:
        """The shortest way between two members' pixels."""
        if (person, thing) not in self._gaps:
            self._gaps[person, thing] = gaps(self.track(person), self.track(thing), self.found.unit)
        return self._gaps[person, thing]

    def touch(self, person: str, thing: str) -> Flags:
        """In which frames a person touches a thing."""
        near: Flags = self.gap(person, thing) <= TOUCH
        return near

    def recently(self, flags: Flags) -> Flags:
        """True where ``flags`` is, and for the short time after in which a contact still explains a motion."""
        memory = max(1, round(_CONTACT_MEMORY * self.last))
        result = flags.copy()
        for delay in range(1, memory + 1):
            result[delay:] |= flags[:-delay]
        return result

    def onset(self, thing: str) -> int | None:
        """The first frame in which a thing is elsewhere than at first."""
        return first(self.travelled(thing) >= NUDGE)

    @cached_property
    def moved_most(self) -> str | None:
        """The thing that was moved the farthest; ``None`` when none was moved."""
        reach = {key: _largest(self.travelled(key)) for key in self.things}
        key = max(reach, key=lambda k: reach[k])
        return key if reach[key] >= STEP else None

    def mover(self, thing: str) -> str | None:
        """Who set a thing in motion: the person who touched it as it started to move, and who had come to do so.

        Of several who touch it the nearest to it from then on is meant; a person who has not moved at all is a
        bystander, unless nobody else touches it and it stays with them.
        """
        onset = self.onset(thing)
        if onset is None:
            return None
        touching = [p for p in self.persons if self.recently(self.touch(p, thing))[onset]]
        active = [p for p in touching if bool(self.walked(p)[: onset + 1].any())]
        if active:
            return min(active, key=lambda p: _mean(self.gap(p, thing)[onset:]))
        holding = [p for p in touching if bool(self.touch(p, thing)[onset:].mean() > 0.5)]
        return holding[0] if len(holding) == 1 else None

    def holders(self, frame: int) -> frozenset[str]:
        """The persons who touch the object in a frame."""
        return frozenset(p for p in self.persons if self.touch(p, self.scene.object)[frame])


def first(flags: Flags) -> int | None:
    """The first frame in which something is so; ``None`` when it never is."""
    frames = np.flatnonzero(flags)
    return int(frames[0]) if frames.size else None


def _largest(values: Floats) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("inf")
