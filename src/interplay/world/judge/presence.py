"""Emergence and disappearance: objects nobody expects, and members that are gone.

- *Disappearance*: a member of frame 0 is missing in a frame. Hidden behind others is not missing; out of the stage is.
- *Emergence*: a part as thick as a thing or a head, of any instance colour or of skin, that belongs to no member, in at
  least two frames in a row (one frame of it is noise). A second thing in a colour that is taken counts as well: of the
  two readings of the protocol this is the stricter one.
- A member that jumps farther between two frames than anything walks or flies, or two that trade places, count as both
  in the frame where it happens: what was there is gone, and what is there came from nowhere.

Frame 0 is never counted: it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from interplay.world.judge.sight import State
from interplay.world.judge.tracks import Recovery

# The longest way anything goes in the world is about one stage height within 5 of 16 sixteenths of a clip; eased, the
# fastest step is 0.28 heights per sixteenth. A share above that is a jump.
_FASTEST = 0.36 * 16
# Two members traded places if each is this near to where the other one was, those places are this far apart, and each
# went this share of the way between them.
_SAME_PLACE, _OTHER_PLACE, _WAY = 0.10, 0.15, 0.8


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
    for one, other in combinations(found.tracks.values(), 2):
        apart = np.abs(one.x[:-1] - other.x[:-1])
        traded = (np.abs(one.x[1:] - other.x[:-1]) < _SAME_PLACE) & (np.abs(other.x[1:] - one.x[:-1]) < _SAME_PLACE)
        # Both went the whole way; who passes before another only lets a different part of it be seen.
        for track in (one, other):
            traded &= np.abs(np.diff(track.x)) > _WAY * apart
        yield from (int(frame) + 1 for frame in np.flatnonzero(traded & (apart > _OTHER_PLACE)))
