"""Which compositions are held out of training, and which composition a clip of a split shows.

Held out is a fixed Latin pattern over (verb, subject colour, object kind): every verb, colour and kind is trained, in
other company. A model that knows the words but not their binding fails on the held-out split alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import THING_KINDS, VERBS, Composition, all_compositions

Split = Literal["train", "test", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "test", "heldout")

_COLOUR_INDEX: Mapping[str, int] = {name: i for i, name in enumerate(INSTANCE_COLOURS)}
_HELD_OUT_PERIOD = 6


def is_held_out(composition: Composition) -> bool:
    """Whether this composition is never shown in training: one of each verb and kind, each time another colour."""
    verb = VERBS.index(composition.verb)
    kind = THING_KINDS.index(composition.object_kind)
    return (_COLOUR_INDEX[composition.subject_colour] + verb + 2 * kind) % _HELD_OUT_PERIOD == 0


def draw_composition(split: Split, rng: np.random.Generator) -> Composition:
    """A random composition of the split; ``train`` and ``test`` share compositions but never a seed."""
    wanted = [c for c in all_compositions() if is_held_out(c) == (split == "heldout")]
    return wanted[rng.integers(len(wanted))]
