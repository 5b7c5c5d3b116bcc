"""One interaction being examined, and the form in which every verb says what must be seen for a yes.

A predicate returns the frame that shows it, or ``None`` for no. Q1 to Q6 are about the interaction between this subject
and this object or recipient; Q7 to Q10 are about the roles one by one, so that they tell *which* role is wrong: Q8 asks
who acts, whatever is acted on, Q9 what is acted on, whoever acts, Q10 for the outcome of the one acted on alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from interplay.world.judge.brief import Plot
from interplay.world.judge.evidence import NUDGE, STEP, Evidence, Flags, Floats, first, lasting
from interplay.world.scene import Member


class Case:
    """One plot of a clip, with short names for its roles: ``s`` subject, ``o`` object, ``r`` recipient.

    ``d`` is 1 when the subject's goal is to its right in the first frame, -1 when to its left.
    """

    def __init__(self, seen: Evidence, plot: Plot) -> None:
        self.seen, self.plot = seen, plot
        self.d = seen.brief.heading(plot)
        self.last = seen.last

    def free(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Those who take part in no other plot: whoever else does it, or to whom it is done, is one of them."""
        busy = {role for plot in self.seen.brief.plots if plot is not self.plot for role in plot.roles}
        return tuple(key for key in keys if key not in busy)

    @property
    def s(self) -> str:
        """Who acts."""
        return self.plot.subject

    @property
    def o(self) -> str:
        """What or who is acted on."""
        if self.plot.object is None:
            raise ValueError(f"{self.plot.verb} has no object")
        return self.plot.object

    @property
    def r(self) -> str:
        """Who receives it."""
        if self.plot.recipient is None:
            raise ValueError(f"{self.plot.verb} has no recipient")
        return self.plot.recipient

    @property
    def target(self) -> str:
        """Where the subject is headed: the recipient, or else the object."""
        return self.plot.recipient or self.o

    def who(self, key: str) -> Member:
        """A member as it is in the first frame."""
        return self.seen.brief.member(key)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """All pairs of an actor and somebody or something else who take part in no other plot."""
        for actor in self.free(self.seen.actors):
            for other in self.free(self.seen.found.tracks):
                if other != actor:
                    yield actor, other


Predicate = Callable[[Case], int | None]


@dataclass(frozen=True)
class Shown:
    """What must be seen for a yes to each of the ten questions about a verb."""

    before: Predicate
    comes: Predicate
    contact: Predicate
    onset: Predicate
    progress: Predicate
    outcome: Predicate
    acts: Predicate
    agent: Predicate
    recipient: Predicate
    confirmed: Predicate

    @property
    def all(self) -> tuple[Predicate, ...]:
        """Q1 to Q10."""
        return (
            self.before, self.comes, self.contact, self.onset, self.progress, self.outcome,
            self.acts, self.agent, self.recipient, self.confirmed,
        )  # fmt: skip


_STRIKES = ("kick", "hit")


# --- shared predicates ----------------------------------------------------------------------------------------------


def at_end(case: Case, holds: bool | np.bool_) -> int | None:
    """The last frame if the outcome holds."""
    return case.last if holds else None


def ends(case: Case, flags: Flags) -> int | None:
    """The last frame if something is so at the end."""
    return at_end(case, case.seen.ends(flags))


def at_start(holds: bool | np.bool_) -> int | None:
    """The first frame if the state before holds there."""
    return 0 if holds else None


def is_apart(case: Case) -> int | None:
    """Subject and object do not touch in the first frame."""
    return at_start(free_at_start(case))


def unmoved(case: Case) -> Flags:
    """In which frames the object still is where it was."""
    still: Flags = case.seen.moved(case.o) < NUDGE
    return still


def nearer(case: Case) -> int | None:
    """The subject has come or reached nearer to the object, which still is where it was."""
    return first(lasting(approached(case)) & unmoved(case), first(case.seen.acts(case.s)))


def approached(case: Case) -> Flags:
    """In which frames the subject is nearer to the object than at first; than ever before, if it cannot walk.

    A robot arm that swings around comes from behind, where its elbow was nearer than its gripper is now.
    """
    gap, between = case.seen.gap(case.s, case.o), case.seen.between(case.s, case.o)
    if case.who(case.s).family == "robot":
        return gap <= np.fmax.accumulate(gap) - NUDGE
    near: Flags = (gap <= gap[0] - NUDGE) | (between <= between[0] - STEP)
    return near


def free_at_start(case: Case) -> bool:
    """Subject and object do not touch in the first frame. Of a robot arm, that is bolted down, that says nothing."""
    return case.who(case.s).family == "robot" or bool(case.seen.free(case.s, case.o)[0])


def meets(case: Case) -> int | None:
    """The first touch of subject and object after they were free of each other and the subject has done something.

    A kick or a blow is over in a frame; any other touch that lasts no longer is noise.
    """
    touch = case.seen.touch(case.s, case.o)
    flags = touch if case.plot.verb in _STRIKES else lasting(touch)
    free, came = first(case.seen.free(case.s, case.o)), first(case.seen.acts(case.s))
    return first(flags, max(free, came)) if free is not None and came is not None else None


def acts(case: Case) -> int | None:
    """The subject is not as at first."""
    return first(case.seen.acts(case.s))


def reach(case: Case, actor: str, way: float, low: float, high: float) -> Floats:
    """How far an actor's outline reaches to one side of its middle, between heights in parts of its own size."""
    member = case.who(actor)
    ground = member.y
    scale = member.kind.scale
    return case.seen.track(actor).reach(way, ground + low * scale, ground + high * scale)
