"""Where everybody stands: events as blocks along the stage, bystanders and distractors around them, nothing overlaps.

A block is laid out as if its subject went to the right, and mirrored when it goes to the left. Lengths in stage units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.world.motion.take import hold_offset
from interplay.world.verbs.base import Verb
from interplay.world.vocabulary import Noun

MARGIN = 0.05
# Width of the stage relative to the picture's shape: a person is then a good half of the picture's height.
_CLOSE = 0.9
# Neighbours of two lanes may overlap a little.
_FIGURE_SHARE, _THING_GAP = 0.9, 0.03
# The elbow of a robot arm at rest lies behind its base.
_ROBOT_SHARE = 2.1
_STAND_LEAST, _STAND_MARGIN = 0.07, 0.02
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
    verb: Verb, cast: Mapping[str, Noun], heights: Mapping[str, float], direction: int, pace: float
) -> Block:
    """The block of an event. ``cast`` and ``heights`` (of stools) are by role: subject, object, recipient.

    ``pace`` makes the approach longer or shorter, so that a distance does not tell what is going to be done.
    """
    room, subject = verb.room, cast["subject"]
    walks = subject.family != "robot"
    start = (room.behind if walks else 0.0) + subject.half_width
    ahead = room.approach * pace if walks else 0.0
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


def slot_width(noun: Noun, height: float = 0.0) -> float:
    """Room that a bystander or a distractor, on a stool of this height, takes along the stage."""
    if noun.family == "thing":
        return 2 * (stand_half_width(noun) if height else noun.half_width) + _THING_GAP
    return 2 * noun.half_width * (_ROBOT_SHARE if noun.family == "robot" else _FIGURE_SHARE)


def stand_half_width(noun: Noun) -> float:
    """Half the width of the stool under a thing."""
    return max(noun.half_width, _STAND_LEAST) + _STAND_MARGIN


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
