"""Whether a member is seen, hidden behind others, or gone.

Shape legend: ``p`` pixel frames, ``y x`` rows and columns of the working size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.world.judge.appearance import Appearance
from interplay.world.judge.states import Home

# Below this share of its first area a member is not seen; from this share on somebody peeps out behind others.
_SEEN, _PEEPS = 0.2, 0.06
# Pixels of a blurred edge between two members.
_EDGE = 3
# A person of whose head less than this share is seen, or can be behind something, is none.
_HEAD = 0.25
# A member that is not seen is behind others if they fill this share of where it was seen last or is seen next, in every
# frame between; one that never comes back is gone unless most of its place is filled: a thing's by more
# than the hands that held it.
_BEHIND_FOR_A_WHILE, _BEHIND_FOR_GOOD, _THING_FOR_GOOD = 0.35, 0.55, 0.7
# Whose last sight lies in its first place to this share stands there still, hidden if it could not be seen there.
_AT_HOME = 0.8
# What moves fast is smeared by an autoencoder over as many frames as it packs into one, into any colour: what is back
# after so few is not gone if this share of its area is somewhere on its way (wider than it by this share of its size).
_BLUR_FRAMES, _TRACE, _ASIDE = 4, 0.15, 1.0


class State(Enum):
    """What can be said about a member in a frame."""

    SEEN = "seen"
    OCCLUDED = "occluded"
    MISSING = "missing"


def states_of(
    look: Appearance,
    mask: Bool[ndarray, "p y x"],
    own: Bool[ndarray, "p y x"],
    head: Bool[ndarray, "p y x"],
    others: Bool[ndarray, "p y x"],
    shown: Bool[ndarray, "p y x"],
    filled: Bool[ndarray, "p y x"],
    home: Home | None,
) -> tuple[State, ...]:
    """The states of a member.

    ``own`` are its pixels of its own colour, ``others`` the pixels of all others, ``shown`` those that show its colour
    whether they are its or not, ``filled`` those that show anything but the stage. Who was last seen to peep out
    beside somebody is hidden behind that one as long as somebody is there. Where two overlap a worn picture mixes
    their colours into what is neither's: a place is free when it shows the stage.
    """
    left = own.sum(axis=(1, 2))
    visible = left >= max(_SEEN * look.area, 1.0)
    if home is not None:
        visible |= home.there
    if look.is_person:
        visible &= _has_head(look, mask, head, others)
    states = [State.SEEN if v else State.MISSING for v in visible]
    peeps = (left >= _PEEPS * look.area) & beside(mask, others)
    for_good = _THING_FOR_GOOD if look.is_thing else _BEHIND_FOR_GOOD
    for start, stop in _unseen_runs(visible.tolist()):
        needed = _BEHIND_FOR_A_WHILE if stop < len(states) else for_good
        before = mask[start - 1] if start > 0 else look.mask
        after = mask[stop] if stop < len(states) else before
        places = (before, after) if stop < len(states) else (before,)
        stays = start > 0 and _covered(before, look.mask) >= _AT_HOME
        goes_behind = start > 0 and peeps[start] and not look.is_thing
        hidden = (
            peeps[f]
            or max(_covered(place, others[f] | mask[f] | filled[f]) for place in places) >= needed
            or (stays and _covered(look.mask, others[f] | shown[f]) >= 1.0 - _SEEN)
            or (goes_behind and beside(mask[start : start + 1], others[f : f + 1])[0])
            for f in range(start, stop)
        )
        smeared = start > 0 and stop < len(states) and stop - start <= _BLUR_FRAMES
        if all(hidden) or (smeared and _smeared(look, before, after, filled[start:stop])):
            states[start:stop] = [State.OCCLUDED] * (stop - start)
    return tuple(states)


def beside(own: Bool[ndarray, "p y x"], others: Bool[ndarray, "p y x"]) -> Bool[ndarray, " p"]:
    """In which frames others are to the left or right of what is seen of a member, but for a blurred edge between."""
    touching = np.zeros(len(own), bool)
    for away in range(1, _EDGE + 1):
        touching |= (own[:, :, away:] & others[:, :, :-away]).any(axis=(1, 2))
        touching |= (own[:, :, :-away] & others[:, :, away:]).any(axis=(1, 2))
    return touching


def _smeared(
    look: Appearance, before: Bool[ndarray, "y x"], after: Bool[ndarray, "y x"], filled: Bool[ndarray, "p y x"]
) -> bool:
    """Whether on the way from where it was to where it is again there is something in every frame, in any colour."""
    rows, columns = np.nonzero(before | after)
    margin = max(round(_ASIDE * np.sqrt(look.area)), 1)
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    way = filled[:, top : rows.max() + margin + 1, left : columns.max() + margin + 1]
    return bool((way.sum(axis=(1, 2)) >= max(_TRACE * look.area, 2.0)).all())


def _covered(place: Bool[ndarray, "y x"], filled: Bool[ndarray, "y x"]) -> float:
    """Which share of a place is filled; all of an empty one."""
    size = int(place.sum())
    return float((place & filled).sum()) / size if size else 1.0


def _unseen_runs(visible: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First frame, and frame after the last, of every stretch without a sight."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], np.asarray(visible), [True]]).astype(np.int8)))
    yield from ((int(start), int(stop)) for start, stop in edges.reshape(-1, 2))


def _has_head(
    look: Appearance, mask: Bool[ndarray, "p y x"], head: Bool[ndarray, "p y x"], others: Bool[ndarray, "p y x"]
) -> Bool[ndarray, " p"]:
    """Whether there is a head, or something stands where it has to be: over the body."""
    seen = head.sum(axis=(1, 2))
    least = _HEAD * look.head_area
    result: Bool[ndarray, " p"] = seen >= least
    rows, columns = np.nonzero(look.mask)
    height = int(np.ptp(rows)) + 1 if rows.size else 0
    for frame in np.flatnonzero(~result):
        rows, columns = np.nonzero(mask[frame])
        if not rows.size:
            continue
        bottom, middle, half = int(rows.max()) + 1, int(np.median(columns)), max(height // 5, 1)
        window = (
            slice(max(bottom - height, 0), max(bottom - height // 2, 0)),
            slice(max(middle - half, 0), middle + half),
        )
        result[frame] = seen[frame] + others[frame][window].sum() >= least
    return result
