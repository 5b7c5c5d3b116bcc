"""What the tracks say about who moves, touches, holds and changes what: the vocabulary of the answers.

Everything is per pixel frame (``p``) and in stage units (a grown-up is 0.58 high). A comparison with the place of a
member that was not seen is false, so nobody gets the benefit of a doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from interplay.world.judge.brief import Brief
from interplay.world.judge.sight import State
from interplay.world.judge.tracks import Recovery, Track

Flags = Bool[ndarray, " p"]
Floats = Float[ndarray, " p"]
Value = TypeVar("Value")

# Two members touch when less than this lies between them: two pixels of the smallest frames, where hands are as small.
TOUCH = 0.05
# Two that are to meet are free of each other when a pixel lies between them, two that were in touch when two do; who
# has let go for good is farther off.
FREE, APART = 0.025, 0.065
# So far from things a robot arm is in between.
_SWUNG = 0.06
# Room between two bodies, beyond half their widths, that is seen whatever runs into what.
_ROOM = 0.045
# Something has moved from the first distance on (a thing), or the second (an actor): well above what a blurred
# outline's middle wavers, and about half of the shortest way that anything goes in the world.
NUDGE, STEP = 0.05, 0.07
# The outcome is seen in this last share of a clip.
_END = 3 / 16
# What is no farther from its place than this is at rest.
_AT_REST = 0.025
# An actor has done something when this share of it is elsewhere: a raised arm is twice as much, wavering half. Of its
# own colour, which nobody else has, less is enough: of who stands by half as much wavers. A robot arm is thin, wavers
# more and moves much.
_CHANGED, _COLOUR_CHANGED, _ROBOT_CHANGED, _MUCH = 0.08, 0.035, 0.12, 3.0
# A contact explains a change that starts while it lasts or at most this share of the clip later (a kick is short).
_CONTACT_MEMORY = 2 / 16
# A face seen from the front faces nobody.
_TURNED = 0.05


class Evidence:
    """What is seen in one clip, each thing computed once."""

    def __init__(self, found: Recovery, brief: Brief) -> None:
        self.brief = brief
        self.found = found
        self.num_frames = found.num_frames
        self.last = found.num_frames - 1
        self._known: dict[tuple[str, ...], Floats] = {}

    def track(self, key: str) -> Track:
        """The track of a member."""
        return self.found.tracks[key]

    @cached_property
    def actors(self) -> tuple[str, ...]:
        """Ids of all who can act."""
        return tuple(m.id for m in self.brief.members if m.family != "thing")

    @cached_property
    def things(self) -> tuple[str, ...]:
        """Ids of the things."""
        return tuple(m.id for m in self.brief.members if m.family == "thing")

    def ends(self, flags: Flags) -> bool:
        """Whether something is so at the end: in at least half of the last frames, so that one may be worn."""
        return bool(self.tail(flags).mean() >= 0.5)

    def tail(self, values: Flags | Floats) -> ndarray:
        """The values in the last few frames, in which the outcome is seen."""
        return values[-max(1, round(_END * self.last)) :]

    # --- near and touching ---

    def gap(self, one: str, other: str) -> Floats:
        """The shortest way between two members' pixels; while one is hidden, what it was when it last was seen."""
        pair = sorted((one, other))
        return self._once(("gap", *pair), lambda: self._kept(self.found.gap(*pair), *pair))

    def touch(self, one: str, other: str) -> Flags:
        """In which frames two members touch.

        The elbow of a robot arm rests near things: unless it holds something from the start, it touches only what it
        has swung away from, or has come to from afar.
        """
        gap = self.gap(one, other)
        near: Flags = gap <= TOUCH
        if "robot" in (self.brief.member(one).family, self.brief.member(other).family) and not self.held(one, other):
            near &= np.maximum.accumulate(lasting(np.nan_to_num(gap) > _SWUNG))
        return near

    def held(self, one: str, other: str) -> bool:
        """Whether one of two has the other in its hands in the first frame."""
        held = [plot for plot in self.brief.plots if plot.kind.room.held]
        return any({one, other} == {plot.subject, plot.object} for plot in held)

    def contact(self, one: str, other: str, apart: float = APART) -> int | None:
        """The first touch of two members that had been so far apart."""
        return first(lasting(self.touch(one, other)), first(lasting(self.gap(one, other) > apart)))

    def elsewhere(self, actor: str) -> float:
        """How much of an actor is ever somewhere else than at first, single frames left out."""
        self.acts(actor)
        return largest(steady(self._known["acts", actor]))

    def between(self, one: str, other: str) -> Floats:
        """How far apart the middles of two members are along the stage; while one is hidden, what it was before."""
        return self._kept(np.abs(self.track(one).x - self.track(other).x), one, other)

    def hidden(self, key: str) -> Flags:
        """In which frames a member is hidden behind others."""
        return np.array([state is State.OCCLUDED for state in self.track(key).states])

    def free(self, one: str, other: str) -> Flags:
        """In which frames two members are free of each other: something is between them, or would be but for shadows.

        Dark feet and what stands near them run into each other when worn; then the room between their bodies counts.
        """
        bodies = sum(self.brief.member(key).kind.half_width for key in (one, other))
        free: Flags = (self.gap(one, other) > FREE) | (self.between(one, other) - bodies > _ROOM)
        return free

    def recently(self, flags: Flags) -> Flags:
        """True where ``flags`` is, and for the short time after in which a contact still explains a change."""
        result = flags.copy()
        for delay in range(1, max(1, round(_CONTACT_MEMORY * self.last)) + 1):
            result[delay:] |= flags[:-delay]
        return result

    # --- moving ---

    def shifted(self, key: str) -> Floats:
        """How far a member has come along the stage since the first frame; positive to the right."""
        x = self.track(key).x
        return x - _first_value(x, self.brief.member(key).x)

    def walked(self, key: str) -> Floats:
        """How far a member has come along the stage; while it is hidden, what it was when it last was seen."""
        return self._kept(self.shifted(key), key)

    def moved(self, key: str) -> Floats:
        """How far a member is from where it was in the first frame, in any direction."""

        def way() -> Floats:
            y = self.track(key).y
            far: Floats = np.hypot(self.shifted(key), y - _first_value(y, np.nan))
            return far

        return self._once(("moved", key), way)

    def onset(self, thing: str) -> int | None:
        """The frame in which a thing begins to leave its place, for good: it has gone farther than it ever wavers.

        Motion begins slowly: from the frame in which it is beyond doubt one goes back to the last one at rest.
        """
        moved = self.moved(thing)
        beyond = first(lasting(moved >= NUDGE))
        if beyond is None:
            return None
        resting = np.flatnonzero(moved[:beyond] <= _AT_REST)
        return int(resting[-1]) + 1 if resting.size else beyond

    def farthest(self, thing: str) -> float:
        """The farthest that a thing ever was from its first place, single frames left out."""
        return largest(steady(self.moved(thing)))

    def acts(self, actor: str) -> Flags:
        """In which frames an actor is not as at first: its outline has changed, or it has turned around."""
        facing = self.facing(actor)
        turned = facing * facing[0] < 0
        robot = self.brief.member(actor).family == "robot"
        least = _ROBOT_CHANGED if robot else _CHANGED
        elsewhere = self._once(("acts", actor), lambda: self._elsewhere(actor))
        changed = (elsewhere >= least) | turned
        if not robot:
            changed |= self._once(("colour", actor), lambda: self._elsewhere(actor, colour=True)) >= _COLOUR_CHANGED
        # What is much is no noise, if for one frame only.
        return lasting(changed) | (elsewhere >= _MUCH * least)

    def _elsewhere(self, actor: str, *, colour: bool = False) -> Floats:
        """How much of an actor is where it was not at first, or no longer is where it was, as a share of its area.

        Its rim does not count, which wavers, nor what somebody else covers, now or in the first frame. With ``colour``
        only what shows its own colour counts.
        """
        track = self.track(actor)
        mask = track.mask
        others = np.any([t.mask for key, t in self.found.tracks.items() if key != actor], axis=0)
        known = ~(others | others[0])
        come, gone = mask & ~grown(mask[:1]), ~grown(~mask[:1]) & ~grown(mask)
        if colour:
            own = self.found.classes == track.look.colour_class
            come, gone = come & own, gone & own[:1]
        share: Floats = ((come | gone) & known).sum((1, 2)) / max(int(mask[0].sum()), 1)
        return share

    def facing(self, actor: str) -> Floats:
        """-1 where an actor faces left, 1 where right, 0 where it cannot be said or is just turning."""
        return self._once(("facing", actor), lambda: _sides(self.track(actor).facing))

    def head(self, actor: str) -> Floats:
        """The middle of a person's head along the stage, NaN where none is seen."""
        head = self.track(actor).head
        columns = np.arange(head.shape[2]) + 0.5
        area = head.sum((1, 2))
        middle: Floats = (head.sum(1) * columns).sum(1) / np.where(area > 0, area, np.nan) / self.found.unit
        return middle

    def faces(self, actor: str, other: str) -> Flags:
        """In which frames an actor is turned to another member."""
        way = np.sign(self.track(other).x - self.track(actor).x)
        turned: Flags = self.facing(actor) * way > 0
        return turned

    # --- states ---

    def opened(self, thing: str) -> Floats:
        """How far a thing is open, lit or full; where that is unknown, what it was when it last was known."""
        return self._once(("opened", thing), lambda: steady(_filled(self.track(thing).opened)))

    def mover(self, thing: str, onset: int | None) -> str | None:
        """Who set off a change of a thing: who touched it as the change began, and had come or reached out to do so.

        Of several it is the one who is nearest to it from the first touch on, but who turns the back to it has no hand
        there. Whoever has not moved at all stands by.
        """
        if onset is None:
            return None
        touching = [a for a in self.actors if self.recently(self.touch(a, thing))[onset]]
        active = [a for a in touching if self.acts(a)[: onset + 1].any()]
        around = slice(max(onset - 1, 0), onset + 3)
        handy = [a for a in active if not mostly(self._turned_away(a, thing)[around])]
        return min(handy or active, key=lambda a: mean(self.gap(a, thing)[around]), default=None)

    def _turned_away(self, actor: str, thing: str) -> Flags:
        """In which frames a thing is clearly behind an actor's back."""
        beyond = self.track(thing).x - self.track(actor).x
        away: Flags = (self.facing(actor) * beyond < 0) & (np.abs(beyond) >= NUDGE)
        return away

    def _kept(self, values: Floats, *keys: str) -> Floats:
        """Values of the last frame in which all of these members were seen, where one is hidden behind others."""
        hidden = np.any([self.hidden(key) for key in keys], axis=0)
        return np.where(hidden, _filled(values), values)

    def _once(self, key: tuple[str, ...], make: Callable[[], Floats]) -> Floats:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


# --- small helpers --------------------------------------------------------------------------------------------------


def first(flags: Flags, since: int | None = 0) -> int | None:
    """The first frame, not before ``since``, in which something is so; ``None`` when it never is (or since never)."""
    if since is None:
        return None
    frames = np.flatnonzero(flags[since:])
    return since + int(frames[0]) if frames.size else None


def lasting(flags: Flags) -> Flags:
    """Where something is so and was or will be so in a neighbouring frame: single frames are noise."""
    result: Flags = flags.copy()
    if len(flags) > 1:
        beside = np.zeros_like(flags)
        beside[1:] |= flags[:-1]
        beside[:-1] |= flags[1:]
        result &= beside
    return result


def mostly(flags: Flags, share: float = 0.75) -> bool:
    """Whether something is so in at least this share of frames (of which there is at least one)."""
    return bool(flags.size) and float(flags.mean()) >= share


def steady(values: Floats) -> Floats:
    """The median of every value and its two neighbours; the ends stay as they are."""
    result = values.copy()
    if len(values) > 2:
        result[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return result


def largest(values: Floats) -> float:
    """The largest known value, 0 when none is known."""
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def mean(values: Floats) -> float:
    """The mean of the known values, infinite when none is known."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("inf")


def grown(mask: Bool[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    """A mask and all pixels beside it."""
    near: Bool[ndarray, "p y x"] = mask.copy()
    near[:, 1:] |= mask[:, :-1]
    near[:, :-1] |= mask[:, 1:]
    near[:, :, 1:] |= mask[:, :, :-1]
    near[:, :, :-1] |= mask[:, :, 1:]
    return near


def _first_value(values: Floats, otherwise: float = float("nan")) -> float:
    known = values[np.isfinite(values)]
    return float(known[0]) if known.size else otherwise


def _filled(values: Floats) -> Floats:
    """Unknown values replaced by the last known one, at the beginning by the first."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return values
    at = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    result: Floats = values[known[np.maximum(at, 0)]]
    return result


def _sides(facing: Floats) -> Floats:
    """-1, 0 or 1, without single frames that say something else than both neighbours."""
    known = np.nan_to_num(facing)
    side = np.sign(known) * (np.abs(known) >= _TURNED)
    return steady(side)
