"""What a verb is: who may do it to what, how it is said and asked about, the room it needs, and how it is directed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from interplay.world.motion.clock import TOUCH
from interplay.world.motion.take import Take
from interplay.world.vocabulary import Noun

# InterGenEval's five; "solo" is motion of one actor alone, "regard" looking without touching.
CATEGORIES = ("contact", "force", "transport", "manipulation", "social")
Category = Literal["contact", "force", "transport", "manipulation", "social", "regard", "solo"]
# Room between two who hand something over, beyond what their arms like.
_BETWEEN_HANDS = 0.11
# A robot arm cannot come nearer, and what it hands over shall be seen to go from one to the other.
_ROBOT_STRETCH = 0.09


@dataclass(frozen=True)
class Room:
    """The room an event needs along the stage, in stage units.

    The subject starts ``approach`` farther from its target than where it acts, with ``behind`` free at its back; behind
    the target ``beyond`` is free. ``gap`` is added to the distance at which it acts. If ``held``, the object starts in
    the subject's hands and the recipient is the target. ``stand`` is the share of clips in which the object starts on a
    stool, if it is of the kind that may.
    """

    approach: float = 0.18
    behind: float = 0.03
    beyond: float = 0.03
    gap: float = 0.0
    held: bool = False
    stand: float = 0.0


@dataclass(frozen=True)
class Verb:
    """A verb of the world.

    ``active`` and ``passive`` are clauses in which ``{s}``, ``{o}`` and ``{r}`` stand for the participants and square
    brackets for the verb's own words. ``asks`` are seven questions: the state before, four of the progression (subject
    comes, contact, onset, effect), the outcome, and the outcome for the one acted on alone; ``act`` completes "Is it
    the X, and nobody else, who ...". ``contact`` and ``dynamism`` are the scores 1 to 5 of MATRIX. ``mutual`` verbs are
    done by both. ``moments`` are the shares of the event at which the first six questions are answered by what is seen.
    """

    name: str
    category: Category
    act: str
    active: tuple[str, ...]
    passive: tuple[str, ...]
    asks: tuple[str, str, str, str, str, str, str]
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    direct: Callable[[Take], None]
    recipients: tuple[str, ...] = ()
    room: Room = Room()
    contact: int = 5
    dynamism: int = 4
    mutual: bool = False
    moments: tuple[float, float, float, float, float, float] = (0.0, 0.3, TOUCH, 0.5, 0.65, 1.0)

    @property
    def touches(self) -> bool:
        """Whether somebody touches something in it."""
        return self.contact > 1

    def distance(self, subject: Noun, target: Noun) -> float:
        """How far apart the centres of subject and target are when the subject acts."""
        if self.room.held and target.family == "person":
            stretch = _ROBOT_STRETCH if subject.family == "robot" else 0.0
            return subject.arm + target.arm + _BETWEEN_HANDS + stretch + self.room.gap
        return subject.arm + target.half_width + self.room.gap
