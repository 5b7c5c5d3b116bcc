"""How well recovered tracks and contacts agree with the truth of the clip: no part of the judge, but its measure.

Shape legend: ``p`` pixel frames, ``y x`` pixel rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.world.judge.contacts import Contact
from interplay.world.judge.tracks import full_size_mask
from interplay.world.judge.verdict import Verdict
from interplay.world.motion.take import Contact as TrueContact
from interplay.world.render import Rendering

Pair = tuple[str, str]
Flags = Bool[ndarray, " p"]


@dataclass(frozen=True)
class Agreement:
    """What was recovered of a true clip.

    ``ious``: by member, intersection over union of its true and its recovered pixels, all frames together. Contacts are
    compared by pairs (who, what): ``found`` and ``missed`` are among the true ones, ``extra`` are not; in frames,
    ``both`` say that a pair touches, or the truth alone (``unseen``), or the judge alone (``unreal``). ``onsets``: of
    found pairs that do not touch from the start, the judge's first frame minus the true one; ``held``: of how many
    found pairs the judge is right about who bears what.
    """

    ious: Mapping[str, float]
    found: int
    missed: int
    extra: int
    both: int
    unseen: int
    unreal: int
    onsets: tuple[int, ...]
    held: int


def agreement(verdict: Verdict, rendering: Rendering) -> Agreement:
    """Compare a verdict about a true clip with the clip's truth."""
    frames = rendering.motion.num_frames
    true, seen = (_by_pair(contacts, frames) for contacts in (rendering.motion.contacts, verdict.contacts))
    both = [pair for pair in true if pair in seen]
    none = np.zeros(frames, bool)
    counts = [(true.get(pair, none), seen.get(pair, none)) for pair in true | seen]
    bears, borne = (
        {(contact.who, contact.what) for contact in contacts if contact.holding}
        for contacts in (rendering.motion.contacts, verdict.contacts)
    )
    return Agreement(
        ious=track_ious(verdict, rendering),
        found=len(both),
        missed=len(true) - len(both),
        extra=len(seen) - len(both),
        both=sum(int((t & s).sum()) for t, s in counts),
        unseen=sum(int((t & ~s).sum()) for t, s in counts),
        unreal=sum(int((s & ~t).sum()) for t, s in counts),
        onsets=tuple(int(seen[pair].argmax() - true[pair].argmax()) for pair in both if not true[pair][0]),
        held=sum((pair in bears) == (pair in borne) for pair in both),
    )


def track_ious(verdict: Verdict, rendering: Rendering) -> Mapping[str, float]:
    """Of every member that is seen in a true clip, how well the recovered track lies on its pixels."""
    size_hw = verdict.recovery.size_hw
    ious: dict[str, float] = {}
    for key, true in rendering.masks.items():
        found = full_size_mask(verdict.recovery.tracks[key], size_hw)
        union = int((found | true).sum())
        if union:
            ious[key] = int((found & true).sum()) / union
    return ious


def _by_pair(contacts: Iterable[Contact | TrueContact], frames: int) -> dict[Pair, Flags]:
    """The frames in which each pair touches."""
    flags: dict[Pair, Flags] = {}
    for contact in contacts:
        its = flags.setdefault((contact.who, contact.what), np.zeros(frames, bool))
        its[contact.first : contact.last + 1] = True
    return flags
