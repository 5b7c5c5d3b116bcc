"""Where a member is: its middle and its extremes.

Shape legend: ``p`` pixel frames, ``y x`` rows and columns of the working size. Positions in stage units, NaN where the
member is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from interplay.world.judge.appearance import Appearance, View
from interplay.world.judge.sight import State
from interplay.world.judge.states import Home

Pixels = Int[ndarray, " k"]

# From this share of its first area on a thing's middle is that of what is seen of it.
_WHOLE = 0.7
# Extremes leave out this share of the pixels, which may be dirt.
_DIRT = 0.02
# Of a robot arm, what is below this height does not move; its arm does.
_ROBOT_COLUMN = 0.19
# Of a column that is in sight at least this share of the robot's own colour is down there: half of what it is at rest.
_COLUMN_SEEN = 0.17


class Place(NamedTuple):
    """Middle and extremes of a member in one frame."""

    x: float
    y: float
    bottom: float
    top: float


NOWHERE = Place(*[float("nan")] * 4)


def places_of(
    look: Appearance,
    mask: Bool[ndarray, "p y x"],
    own: Bool[ndarray, "p y x"],
    states: Sequence[State],
    view: View,
    home: Home | None,
) -> Float[ndarray, "4 p"]:
    """The places of a member in all frames, one row for each value of :class:`Place`."""
    found, before = [], None
    for frame, state in enumerate(states):
        if state is not State.SEEN:
            found.append(NOWHERE)
            continue
        if not look.is_thing:
            place = _alive(look, mask[frame], own[frame], before, view)
        elif home is not None and home.there[frame]:
            place = _standing(look, mask[frame], view)
        else:
            place = _thing(look, mask[frame], own[frame], before, view)
        found.append(place)
        before = place
    values: Float[ndarray, "4 p"] = np.array(found, np.float64).T
    return values


def _alive(
    look: Appearance, mask: Bool[ndarray, "y x"], own: Bool[ndarray, "y x"], before: Place | None, view: View
) -> Place:
    rows, columns = np.nonzero(mask)
    low, high = _extremes(rows, view)
    body_rows, body = np.nonzero(own) if own.any() else (rows, columns)
    x = (float(np.median(body)) + 0.5) / view.unit
    if look.member.family == "robot":
        # It is bolted down: while its column is hidden it stands where it did, wherever a lowered arm is.
        column = body[body_rows >= view.row(look.member.y + _ROBOT_COLUMN)]
        if before is not None and column.size < _COLUMN_SEEN * look.area:
            x = before.x
        elif column.size:
            x = (float(np.median(column)) + 0.5) / view.unit
    return Place(x, view.y(float(rows.mean()) + 0.5), low, high)


def _standing(look: Appearance, mask: Bool[ndarray, "y x"], view: View) -> Place:
    """A thing where it stood at first, in whatever state; it may be told by its surroundings alone."""
    member = look.member
    high = _extremes(np.nonzero(mask)[0], view)[1] if mask.any() else member.y + member.kind.height
    return Place(member.x, member.y + member.kind.height / 2, member.y, high)


def _thing(
    look: Appearance, mask: Bool[ndarray, "y x"], own: Bool[ndarray, "y x"], before: Place | None, view: View
) -> Place:
    """A thing is rigid: of one that is seen in part, what is seen only bounds where its middle is."""
    kind = look.member.kind
    high = _extremes(np.nonzero(mask)[0], view)[1]
    rows, columns = np.nonzero(own)
    x = (float(columns.mean()) + 0.5) / view.unit - look.x
    y = view.y(float(rows.mean()) + 0.5) - look.y + kind.height / 2
    if before is not None and rows.size < _WHOLE * look.area:
        x = _bounded(before.x, float(columns.min()) / view.unit, float(columns.max() + 1) / view.unit, kind.half_width)
        if look.member.noun != "lamp":
            y = _bounded(before.y, view.y(float(rows.max()) + 1.0), view.y(float(rows.min())), kind.height / 2)
    return Place(x, y, y - kind.height / 2, high)


def _extremes(rows: Pixels, view: View) -> tuple[float, float]:
    """Lowest and highest place of a member's pixels (rows in order), without dirt."""
    dirt = int(_DIRT * rows.size)
    return view.y(float(rows[-1 - dirt]) + 1.0), view.y(float(rows[dirt]))


def _bounded(before: float, low: float, high: float, half: float) -> float:
    """The middle nearest to ``before`` of something this large that is seen from ``low`` to ``high``."""
    bounds = sorted((high - half, low + half))
    return min(max(before, bounds[0]), bounds[1])
