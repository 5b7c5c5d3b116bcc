"""The nouns of the world: what there is, how large it is, and what can be done to it.

Lengths are in *stage units*: a grown-up is about 0.58 high. A *family* says how a noun moves and is drawn; what a noun
*affords* says which verbs may have it as their object (a ball can be kicked, a door cannot).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Family = Literal["person", "animal", "robot", "thing"]
Affordance = Literal[
    "touch", "hold", "push", "pull", "kick", "hit", "lift", "carry", "pass", "throw", "open", "pour", "fill", "switch"
]


@dataclass(frozen=True)
class Noun:
    """One kind of member. ``half_width`` and ``height`` bound its body at rest; ``scale`` is relative to a grown-up.

    ``arm`` is how far before its own centre it likes to have what it handles (0 for things). ``on_stand`` says whether
    it may start on a stool; ``rolls`` whether it turns as it travels.
    """

    name: str
    family: Family
    half_width: float
    height: float
    affords: frozenset[Affordance] = frozenset()
    scale: float = 1.0
    arm: float = 0.0
    on_stand: bool = False
    rolls: bool = False


def _thing(
    name: str,
    half_width: float,
    height: float,
    *affords: Affordance,
    on_stand: bool = False,
    rolls: bool = False,
) -> Noun:
    return Noun(name, "thing", half_width, height, frozenset(affords), on_stand=on_stand, rolls=rolls)


_ALL = (
    Noun("man", "person", 0.11, 0.58, frozenset({"touch"}), arm=0.15),
    Noun("woman", "person", 0.11, 0.56, frozenset({"touch"}), scale=0.97, arm=0.145),
    Noun("boy", "person", 0.10, 0.47, frozenset({"touch"}), scale=0.8, arm=0.12),
    Noun("girl", "person", 0.10, 0.47, frozenset({"touch"}), scale=0.8, arm=0.12),
    Noun("dog", "animal", 0.16, 0.27, frozenset({"touch"}), arm=0.22),
    Noun("cat", "animal", 0.14, 0.24, frozenset({"touch"}), scale=0.9, arm=0.20),
    Noun("robot arm", "robot", 0.09, 0.50, frozenset({"touch"}), arm=0.24),
    _thing(
        "ball", 0.08, 0.16, "touch", "hold", "push", "kick", "hit", "lift", "carry", "pass", "throw",
        on_stand=True, rolls=True,
    ),
    _thing("box", 0.09, 0.15, "touch", "hold", "push", "pull", "kick", "hit", "lift", "carry", "pass", "open"),
    _thing("cup", 0.06, 0.13, "touch", "hold", "hit", "lift", "carry", "pass", "fill", on_stand=True),
    _thing("book", 0.065, 0.16, "touch", "hold", "lift", "carry", "pass", "open", on_stand=True),
    _thing("jug", 0.075, 0.18, "touch", "hold", "lift", "carry", "pass", "pour", on_stand=True),
    _thing("door", 0.13, 0.54, "touch", "open"),
    _thing("lamp", 0.09, 0.44, "touch", "switch"),
    _thing("cart", 0.13, 0.24, "touch", "push", "pull"),
)  # fmt: skip

NOUNS: Mapping[str, Noun] = {noun.name: noun for noun in _ALL}
PERSONS: tuple[str, ...] = tuple(n.name for n in _ALL if n.family == "person")
ANIMALS: tuple[str, ...] = tuple(n.name for n in _ALL if n.family == "animal")
ROBOTS: tuple[str, ...] = tuple(n.name for n in _ALL if n.family == "robot")
THINGS: tuple[str, ...] = tuple(n.name for n in _ALL if n.family == "thing")

# How high the stool is that small things may stand on.
STAND_HEIGHT = 0.14


def things_that(afford: Affordance) -> tuple[str, ...]:
    """Names of the things that afford an action, in the vocabulary's order."""
    return tuple(noun.name for noun in _ALL if noun.family == "thing" and afford in noun.affords)
