"""The protocol of InterGenEval: what is asked, what counts as an answer, and which frames are looked at.

Per interaction ten questions: Q1 the state before, Q2 to Q5 the progression, Q6 the outcome, Q7 the subject acts, Q8
the correct agent, Q9 the correct recipient, Q10 the recipient confirmed. Per video two more: emergence, disappearance.
An answer that is missing is missing: it is never counted as yes or as no.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Every fifth frame (MATRIX, InterGenEval: 49 frames give 11 of them, 81 give 17).
FRAME_STRIDE = 5
KISA_QUESTIONS = tuple(f"Q{n}" for n in range(1, 7))
SGI_QUESTIONS = tuple(f"Q{n}" for n in range(7, 11))
YES = "yes"
ANSWERS = (YES, "no", "no (visually implausible)")


class State(StrEnum):
    """What became of a question."""

    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True)
class Question:
    """A question about interaction number ``interaction`` of a clip. ``name`` is Q1 to Q10."""

    interaction: int
    name: str
    topic: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What a judge said: one of ``ANSWERS`` and the frame that decided it, or nothing and the ``state`` that says why.

    ``reply`` is the judge's raw reply, or the reason why there is no answer.
    """

    state: State
    answer: str | None = None
    frame_index: int | None = None
    reply: str = ""

    def __post_init__(self) -> None:
        if (self.state is State.ANSWERED) != (self.answer is not None) or self.answer not in (None, *ANSWERS):
            raise ValueError(f'"{self.answer}" is no answer of the state {self.state.value}')


@dataclass(frozen=True)
class Contact:
    """A touch of instance ``what`` by ``who``, from frame ``first`` to ``last``, both included.

    ``holding`` says whether ``who`` bears it. These are the terms of the world's ``truth["contacts"]``.
    """

    who: str
    what: str
    first: int
    last: int
    holding: bool


@dataclass(frozen=True)
class Presence:
    """Frames with something that emerged or vanished, out of ``compared_frames``: frame 0 is given and not compared.

    A state other than answered means that nobody knows.
    """

    state: State
    emergent_frames: tuple[int, ...] = ()
    vanished_frames: tuple[int, ...] = ()
    compared_frames: int = 0
    reply: str = ""


def judged_frames(num_frames: int) -> tuple[int, ...]:
    """The frames that a model judge looks at: {0}, {5, 10, ... < N - 1} and {N - 1}.

    The exact judge looks at every frame: it costs nothing, and a stride of five would miss what lasts for four.
    """
    last = num_frames - 1
    return tuple(sorted({0, last, *range(FRAME_STRIDE, last, FRAME_STRIDE)}))
