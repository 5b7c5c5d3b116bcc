"""What can be done to a thing, measured the same way whoever does it: it leaves its place, or its state changes.

From an effect follow the questions about roles: who set it off, and to what it was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from interplay.world.judge.evidence import Evidence, first, lasting
from interplay.world.judge.verbs.base import Case, Predicate, meets

# What is affected at least half as much as the most affected thing is affected too.
_AS_MUCH = 0.5
# The least way that a thing is moved: more than it wavers, less than where it is taken up from a stool.
_AWAY = 0.06
# A state has begun to change, and has changed, by these shares of the way from closed to open.
CHANGING, CHANGED = 0.3, 0.5


@dataclass(frozen=True)
class Effect:
    """A kind of change: when it begins on a thing, how large it is in the end, and from when on it counts at all."""

    onset: Callable[[Evidence, str], int | None]
    amount: Callable[[Evidence, str], float]
    least: float

    def affected(self, case: Case) -> Mapping[str, str | None]:
        """The things that were affected, as far as they concern the case, and who did it."""
        seen = case.seen
        amounts = {thing: self.amount(seen, thing) for thing in seen.things}
        movers = {t: seen.mover(t, self.onset(seen, t)) for t, amount in amounts.items() if amount >= self.least}
        ours = {thing: who for thing, who in movers.items() if _concerns(case, thing, who)}
        floor = _AS_MUCH * max((amounts[thing] for thing in ours), default=0.0)
        return {thing: who for thing, who in ours.items() if amounts[thing] >= floor}


def _concerns(case: Case, thing: str, who: str | None) -> bool:
    """Whether an affected thing is about this plot: it takes part, or nobody of another plot explains it."""
    rest = [plot for plot in case.seen.brief.plots if plot is not case.plot]
    return thing in case.plot.roles or not any(thing in plot.roles and who in (None, *plot.roles) for plot in rest)


# The thing goes somewhere else.
MOVED = Effect(Evidence.onset, Evidence.farthest, _AWAY)


def changed(sign: int, begun: float = CHANGING) -> Effect:
    """The thing opens, lights up or fills (1), or the other way round (-1); ``begun`` is how far when it begins."""

    def onset(seen: Evidence, thing: str) -> int | None:
        opened = seen.opened(thing)
        return first(lasting(sign * (opened - opened[0]) >= begun))

    def amount(seen: Evidence, thing: str) -> float:
        opened = seen.opened(thing)
        change = sign * float(np.median(seen.tail(opened)) - opened[0])
        return change if change > 0.0 else 0.0

    return Effect(onset, amount, CHANGED)


def begins(effect: Effect) -> Predicate:
    """The effect begins while the subject touches the object or has just touched it; contact before effect."""

    def shown_in(case: Case) -> int | None:
        onset, met = effect.onset(case.seen, case.o), meets(case)
        if onset is None or met is None or met > onset:
            return None
        return onset if case.seen.recently(case.seen.touch(case.s, case.o))[onset] else None

    return shown_in


def agent(effect: Effect) -> Predicate:
    """Whoever sets it off, on whatever it is, is the subject."""

    def shown_in(case: Case) -> int | None:
        affected = effect.affected(case)
        if set(affected.values()) != {case.s}:
            return None
        return effect.onset(case.seen, next(iter(affected)))

    return shown_in


def recipient(effect: Effect) -> Predicate:
    """It is done to the object and to nothing else, by whomever."""

    def shown_in(case: Case) -> int | None:
        return effect.onset(case.seen, case.o) if set(effect.affected(case)) == {case.o} else None

    return shown_in
