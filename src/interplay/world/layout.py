"""Where everybody stands: events as blocks along the stage, bystanders and distractors around them, nothing overlaps.

A block is laid out as if its subject went to the right, and mirrored when it goes to the left. Lengths in stage units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.world.motion.take import hold_offset
from interplay.world.scene import BACK_LANE_Y
from interplay.world.verbs.base import Verb
from interplay.world.vocabulary import Noun

MARGIN = 0.05
# Width of the stage relative to the picture's shape: a person is then a good half of the picture's height.
_CLOSE = 0.9
# Those at the back may be overlapped a little by who passes before them.
_BACK_SHARE, _THING_GAP = 0.8, 0.03
# In a crowded picture approaches are shorter.
CROWDED = 0.6


@dataclass(frozen=True)
class Place:
    """Centre and bottom of a member at the start."""

    x: float
    y: float


@dataclass(frozen=True)
class Block:
    """The room of an event: its width, and the members' places in it from its left edge."""

    width: float
    places: Mapping[str, Place]


def event_block(
    verb: Verb, cast: Mapping[str, Noun], heights: Mapping[str, float], direction: int, crowded: bool
) -> Block:
    """The block of an event. ``cast`` and ``heights`` (of stools) are by role: subject, object, recipient."""
    room, subject = verb.room, cast["subject"]
    walks = subject.family != "robot"
    start = (room.behind if walks else 0.0) + subject.half_width
    ahead = (room.approach * (CROWDED if crowded else 1.0)) if walks else 0.0
    places = {"subject": Place(start, 0.0)}
    if "object" not in cast:
        return _mirrored(start + room.approach + subject.half_width + room.beyond, places, direction)
    role = "recipient" if "recipient" in cast else "object"
    target = cast[role]
    centre = start + ahead + verb.distance(subject, target)
    places[role] = Place(centre, heights[role])
    if room.held:
        forward, up = hold_offset(subject, cast["object"])
        places["object"] = Place(start + forward, up)
    return _mirrored(centre + target.half_width + room.beyond, places, direction)


def _mirrored(width: float, places: Mapping[str, Place], direction: int) -> Block:
    if direction == 1:
        return Block(width, places)
    return Block(width, {role: Place(width - place.x, place.y) for role, place in places.items()})


def stage_width(slots: Sequence[float], aspect: float) -> float:
    """Width of a stage that holds slots of these widths in a picture of this aspect ratio (width / height)."""
    return round(max(_CLOSE * aspect, sum(slots) + 2 * MARGIN), 4)


def slot_width(noun: Noun) -> float:
    """Room that a bystander or a distractor takes along the stage."""
    return 2 * noun.half_width + _THING_GAP if noun.family == "thing" else 2 * _BACK_SHARE * noun.half_width


def bystander_place(noun: Noun, left: float) -> Place:
    """The place of a bystander (at the back) or a distractor in a slot that begins at ``left``."""
    return Place(left + slot_width(noun) / 2, 0.0 if noun.family == "thing" else BACK_LANE_Y)


def spread(slots: Sequence[float], width: float, rng: np.random.Generator) -> list[float]:
    """Left edges of slots in this order, with the room that is left over in random gaps between them."""
    weights = (0.15 + rng.random(len(slots) + 1)).tolist()
    slack = max(0.0, width - 2 * MARGIN - sum(slots)) / sum(weights)
    edges, left = [], MARGIN
    for slot, weight in zip(slots, weights, strict=False):
        left += slack * weight
        edges.append(left)
        left += slot
    return edges
