"""Which compositions are held out of training, and which compositions a clip of a split shows.

Held out is a fixed Latin pattern over (verb, subject colour, object): every verb, colour and object is trained, in
other company. A model that knows the words but not their binding fails on the held-out split alone. The split ``solo``
is motion of one actor, for pretraining; it has verbs of its own and holds nothing out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.verbs import INTERACTIONS, SOLOS, VERBS

Split = Literal["train", "test", "heldout", "solo"]
SPLITS: tuple[Split, ...] = ("train", "test", "heldout", "solo")

_COLOURS = tuple(INSTANCE_COLOURS)
_HELD_OUT_PERIOD = len(_COLOURS)


@dataclass(frozen=True)
class Composition:
    """What a caption binds: who (by colour) does what to which kind of thing or being. ``noun`` is the object's.

    Of a solo verb it is the subject's. Splits hold out whole compositions.
    """

    verb: str
    subject_colour: str
    noun: str


def compositions(verb: str) -> tuple[Composition, ...]:
    """Every composition of a verb that the world can show."""
    nouns = VERBS[verb].objects or VERBS[verb].subjects
    return tuple(Composition(verb, colour, noun) for colour in _COLOURS for noun in nouns)


def is_held_out(composition: Composition) -> bool:
    """Whether this composition is never shown in training: of each verb and object one colour, in turn."""
    if composition.verb in SOLOS:
        return False
    verb = INTERACTIONS.index(composition.verb)
    noun = VERBS[composition.verb].objects.index(composition.noun)
    return (_COLOURS.index(composition.subject_colour) + verb + noun) % _HELD_OUT_PERIOD == 0


def draw_composition(split: Split, rng: np.random.Generator) -> Composition:
    """A random composition of the split, verbs evenly; ``train`` and ``test`` share compositions but never a seed."""
    verbs = SOLOS if split == "solo" else INTERACTIONS
    wanted = _wanted(verbs[int(rng.integers(len(verbs)))], split == "heldout")
    return wanted[int(rng.integers(len(wanted)))]


@cache
def _wanted(verb: str, held_out: bool) -> tuple[Composition, ...]:
    return tuple(c for c in compositions(verb) if is_held_out(c) == held_out)
