"""Syllables: when the one who speaks opens the mouth, and by how much. The audio companion sounds the same ones.

Times are shares of the clip, because a scene is decided before its frame rate is. Shapes: p pixel frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplay.core.seeds import derive_seed
from interplay.world.motion.curves import Curve, arc

_SYLLABLES = 8
# Share of a syllable's slot in which it sounds; the rest is the pause before the next one.
_SHORTEST, _LONGEST = 0.55, 0.95


@dataclass(frozen=True)
class Syllable:
    """From ``start`` to ``end`` (shares of the clip) at ``loudness`` (0 to 1); ``vowel`` 0 to 4 colours its sound."""

    start: float
    end: float
    loudness: float
    vowel: int


def syllables(seed: int) -> tuple[Syllable, ...]:
    """What is said in a clip."""
    rng = np.random.default_rng(derive_seed(seed, "speech"))
    drawn = rng.random((_SYLLABLES, 2))
    vowels = rng.integers(5, size=_SYLLABLES)
    spoken = []
    for number, (long, loud) in enumerate(drawn.tolist()):
        start = number / _SYLLABLES
        end = start + (_SHORTEST + (_LONGEST - _SHORTEST) * long) / _SYLLABLES
        spoken.append(Syllable(start, end, 0.45 + 0.55 * loud, int(vowels[number])))
    return tuple(spoken)


def loudness(spoken: tuple[Syllable, ...], time: Curve) -> Curve:
    """How loud it is at shares ``time`` of the clip: each syllable swells and fades."""
    total = np.zeros_like(time)
    for syllable in spoken:
        share = np.clip((time - syllable.start) / np.float32(syllable.end - syllable.start), 0.0, 1.0)
        total = total + np.float32(syllable.loudness) * arc(share)
    return total


def mouth(seed: int, num_frames: int) -> Curve:
    """How far the mouth is open in every frame, 0 to 1: the loudest moment within the frame's time."""
    spoken = syllables(seed)
    moments = (np.arange(4 * num_frames, dtype=np.float32) + 0.5) / np.float32(4 * num_frames)
    loudest: Curve = loudness(spoken, moments).reshape(num_frames, 4).max(axis=1)
    return loudest
