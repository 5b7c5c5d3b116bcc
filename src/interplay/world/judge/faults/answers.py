"""Which answers a fault makes false and which it leaves true, verb by verb.

A question asks for one or more *facts*. A fault breaks some facts and leaves others in doubt (a subject that stops
short has come nearer, but hardly); a question is denied when a fact it asks for is broken, and kept when all of them
still hold for sure.

Facts: ``start`` all is as in the first frame; ``comes`` the subject comes or turns; ``touch`` the subject touches
what it should; ``cause`` the effect starts in contact; ``along`` the effect under way, with the subject; ``with`` the
outcome as seen from the subject; ``acts`` the subject does something; ``agent`` nobody else does it; ``patient`` it is
done to nothing else; ``result`` the outcome as seen from the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from interplay.world.judge.faults.plant import Answer, answers_of
from interplay.world.scene import Scene

Fact = Literal["start", "comes", "touch", "cause", "along", "with", "acts", "agent", "patient", "result"]
Facts = frozenset[Fact]

_ASKS: Mapping[str, Fact] = {
    "Q1": "start",
    "Q2": "comes",
    "Q3": "touch",
    "Q4": "cause",
    "Q5": "along",
    "Q6": "with",
    "Q7": "acts",
    "Q8": "agent",
    "Q9": "patient",
    "Q10": "result",
}
ALL: Facts = frozenset(_ASKS.values())


def consequences(
    scene: Scene, number: int, broken: Facts, doubtful: Facts = frozenset()
) -> tuple[frozenset[Answer], frozenset[Answer]]:
    """Denied and kept answers when facts about event ``number`` are broken; the other event stays as it is."""
    denied = {(number, question) for question, fact in _ASKS.items() if fact in broken}
    open_too = {(number, question) for question, fact in _ASKS.items() if fact in doubtful}
    return frozenset(denied - open_too), frozenset(answers_of(scene) - denied - open_too)
