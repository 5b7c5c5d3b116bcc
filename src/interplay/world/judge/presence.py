"""Emergence and disappearance: objects nobody expects, and members that are gone.

- *Disappearance*: a member of frame 0 is missing in a frame. Hidden behind others is not missing; out of the stage is.
- *Emergence*: a part as thick as a thing or a head, of any instance colour or of skin, that belongs to no member, in at
  least two frames in a row (one frame of it is noise). A second thing in a colour that is taken counts as well: of the
  two readings of the protocol this is the stricter one.
- A member that jumps farther between two frames than anything walks or flies, or two that trade places, count as both
  in the frame where it happens: what was there is gone, and what is there came from nowhere. Two have traded places if
  their order along the stage turns around without their having met, or if each one's pixels show the other's colour.
  An autoencoder mixes the colours of such a change over the frames that it packs into one: it may take that long.

Frame 0 is never counted: it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.world.judge.ownership import ball_core
from interplay.world.judge.sight import State
from interplay.world.judge.tracks import Recovery, Track

# The longest way anything goes in the world is about one stage height within 5 of 16 sixteenths of a clip; eased, the
# fastest step is 0.28 heights per sixteenth. A share above that is a jump.
_FASTEST = 0.36 * 16
# Two members traded places if they are this far apart before and after, and each went this share of the way between.
_OTHER_PLACE, _WAY = 0.15, 0.8
# Who is this near to somebody partly hidden may be who hides it.
_BESIDE = 0.3
# They also did if so much of the pixels of each shows the colour of the other, of at least so many (of a ball's).
_EXCHANGED, _ENOUGH = 0.45, 0.5
# So many frames one after the other may show neither what was before nor what is after.
_SMEARED = 4


@dataclass(frozen=True)
class Presence:
    """Frames in which something emerged or vanished, out of ``compared_frames`` (every frame but the first)."""

    emergent_frames: tuple[int, ...]
    vanished_frames: tuple[int, ...]
    compared_frames: int


def presence(found: Recovery) -> Presence:
    """What emerged and vanished in a clip."""
    broken = set(_jumps(found)) | set(_trades(found))
    vanished = {
        frame
        for track in found.tracks.values()
        for frame, state in enumerate(track.states)
        if state is State.MISSING and frame > 0
    }
    emergent = set(_lasting_strays(found))
    return Presence(tuple(sorted(emergent | broken)), tuple(sorted(vanished | broken)), max(found.num_frames - 1, 0))


def _lasting_strays(found: Recovery) -> Iterator[int]:
    seen_at = {(stray.kind, stray.frame) for stray in found.strays}
    for kind, frame in seen_at:
        neighbours = ((kind, frame - 1), (kind, frame + 1))
        if frame > 0 and (found.num_frames <= 2 or any(n in seen_at for n in neighbours)):
            yield frame


def _jumps(found: Recovery) -> Iterator[int]:
    limit = _FASTEST / max(found.num_frames - 1, 1)
    for track in found.tracks.values():
        # What is seen of who is partly covered may be on either side of who stands before it.
        steps = np.hypot(np.diff(np.where(track.partial, np.nan, track.x)), np.diff(track.y))
        yield from (int(frame) + 1 for frame in np.flatnonzero(steps > limit))


def _trades(found: Recovery) -> Iterator[int]:
    for pair in combinations(found.tracks.values(), 2):
        traded: list[int] = []
        for step in range(1, min(_SMEARED + 1, found.num_frames - 1) + 1):
            changed = (_turned_around(*pair, step) | _exchanged(found, *pair, step)) & _never_met(*pair, step)
            for start in np.flatnonzero(changed).tolist():
                # A longer step over a change that has been found says nothing new.
                if not any(start < frame <= start + step for frame in traded):
                    traded.append(start + step)
        yield from traded


def _turned_around(one: Track, other: Track, step: int) -> Bool[ndarray, " n"]:
    """From which frames on two change their order along the stage within ``step`` frames."""
    away = one.x - other.x
    before, after = away[:-step], away[step:]
    least = np.minimum(np.abs(before), np.abs(after))
    turned: Bool[ndarray, " n"] = (before * after < 0) & (least > _OTHER_PLACE)
    # Both went the whole way; who passes before another only lets a different part of it be seen.
    for track in (one, other):
        turned &= np.abs(track.x[step:] - track.x[:-step]) > _WAY * least
    return turned


def _exchanged(found: Recovery, one: Track, other: Track, step: int) -> Bool[ndarray, " n"]:
    """From which frames on two have exchanged their colours ``step`` frames later."""
    exchanged: Bool[ndarray, " n"] = np.abs(one.x - other.x)[:-step] > _OTHER_PLACE
    for track, its in ((one, other), (other, one)):
        place = (track.mask & (found.classes == track.look.colour_class))[:-step]
        shown = (place & (found.classes[step:] == its.look.colour_class)).sum(axis=(1, 2))
        size = place.sum(axis=(1, 2))
        exchanged &= (size >= _ENOUGH * ball_core(found.unit)) & (shown >= _EXCHANGED * size)
    return exchanged


def _never_met(one: Track, other: Track, step: int) -> Bool[ndarray, " n"]:
    """From which frames on it is not seen that two meet on the way, as they do when one passes before the other.

    Where they seem to be together and could not have come in time, colours are mixed.
    """
    away = np.abs(one.x - other.x)
    count, fastest = len(away) - step, _FASTEST / (len(away) - 1)
    never = np.ones(count, bool)
    if step > 1:
        beside = (one.partial | other.partial) & (away <= _BESIDE)
        never &= ~(beside[:-step] | beside[step:])
    for frame in range(1, step):
        now = away[frame : frame + count]
        never &= ~((now <= _OTHER_PLACE) & (away[:count] - now <= frame * fastest))
    return never
