"""From answers to scores: the formulas of InterGenEval, and what has no score.

    KISA_raw = (# yes in Q1..Q6) / 6,  SGI_raw = (# yes in Q7..Q10) / 4     only "yes" counts
    r_em, r_dis = flagged frames / compared frames                          frame 0 is not compared
    SPI  = 1/2 [(1 - lambda r_em) + (1 - lambda r_dis)]                     lambda = 5, not clipped: in [-4, 1]
    KISA = KISA_raw SPI,  SGI = SGI_raw SPI,  IF = (KISA + SGI) / 2

Source: MATRIX, appendix F. Several interactions of a clip: the raw scores are computed per interaction and averaged, as
in the paper (the released code pools the answers). Where the released code scores a failure as 1 or as 0 (an SPI reply
that cannot be parsed, a missing question), a clip here is not scored, and its state says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interplay.core.estimates import estimate
from interplay.core.seeds import derive_seed
from interplay.evaluate.protocol import KISA_QUESTIONS, SGI_QUESTIONS, YES, Answer, Presence, Question, State

SPI_LAMBDA = 5.0
METRICS = ("kisa", "sgi", "spi", "if")
SCORED = "scored"
NO_JUDGE = "not scored: no judge"
# A judge watched the video and had nothing to ask: its scene is one in which everybody only stands there.
NO_INTERACTION = "not scored: no interaction"

Answered = Sequence[tuple[Question, Answer]]


@dataclass(frozen=True)
class ClipScore:
    """The scores of one clip: all of them when its ``state`` is "scored", else none, and the state says why."""

    state: str
    kisa_raw: float | None = None
    sgi_raw: float | None = None
    spi: float | None = None

    @property
    def kisa(self) -> float | None:
        """KISA: the interaction, damped by what emerged or vanished."""
        return None if self.kisa_raw is None or self.spi is None else self.kisa_raw * self.spi

    @property
    def sgi(self) -> float | None:
        """SGI: the roles, damped by what emerged or vanished."""
        return None if self.sgi_raw is None or self.spi is None else self.sgi_raw * self.spi

    @property
    def fidelity(self) -> float | None:
        """IF: interaction fidelity, the mean of KISA and SGI."""
        return None if self.kisa is None or self.sgi is None else (self.kisa + self.sgi) / 2

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; IF is called ``if``."""
        return {
            "kisa": self.kisa,
            "sgi": self.sgi,
            "spi": self.spi,
            "if": self.fidelity,
            "kisa_raw": self.kisa_raw,
            "sgi_raw": self.sgi_raw,
            "state": self.state,
        }


def score_clip(answered: Answered, presence: Presence) -> ClipScore:
    """The scores of a clip from the answers to all of its questions and from what emerged or vanished."""
    reason = _why_not(answered, presence)
    if reason is not None:
        return ClipScore(reason)
    interactions = sorted({question.interaction for question, _ in answered})
    kisa = [_share_of_yes(answered, number, KISA_QUESTIONS) for number in interactions]
    sgi = [_share_of_yes(answered, number, SGI_QUESTIONS) for number in interactions]
    return ClipScore(SCORED, sum(kisa) / len(kisa), sum(sgi) / len(sgi), spi(presence))


def spi(presence: Presence) -> float:
    """SPI: 1 when nothing emerged or vanished, -4 when both happen in every frame."""
    emergent = len(presence.emergent_frames) / presence.compared_frames
    vanished = len(presence.vanished_frames) / presence.compared_frames
    return 0.5 * ((1 - SPI_LAMBDA * emergent) + (1 - SPI_LAMBDA * vanished))


def _share_of_yes(answered: Answered, interaction: int, names: Sequence[str]) -> float:
    answers = [
        answer.answer
        for question, answer in answered
        if (question.interaction, question.name) in {(interaction, name) for name in names}
    ]
    return answers.count(YES) / len(names)


def _why_not(answered: Answered, presence: Presence) -> str | None:
    """Why a clip has no scores; ``None`` when it has."""
    if not answered:
        return NO_INTERACTION if presence.state is State.ANSWERED else NO_JUDGE
    open_questions = [f"{q.name} {a.state.value}" for q, a in answered if a.state is not State.ANSWERED]
    if open_questions:
        listed = ", ".join(open_questions)
        return f"not scored: {len(open_questions)} of {len(answered)} questions have no answer ({listed})"
    missing = _missing_questions(answered)
    if missing:
        return f"not scored: {missing[0]} was not asked"
    if presence.state is not State.ANSWERED:
        return f"not scored: emergence and disappearance are {presence.state.value}"
    return None if presence.compared_frames > 0 else "not scored: the video has no frame but the first"


def _missing_questions(answered: Answered) -> list[str]:
    asked = {(question.interaction, question.name) for question, _ in answered}
    wanted = [(number, name) for number in {n for n, _ in asked} for name in (*KISA_QUESTIONS, *SGI_QUESTIONS)]
    return [name for number, name in wanted if (number, name) not in asked]


# --- many clips -----------------------------------------------------------------------------------------------------


def summarize(scores: Sequence[ClipScore], *, seed: int, resamples: int) -> dict[str, Any]:
    """Mean and 95% interval of every metric, over the clips that are scored, with their number."""
    rows = [score.to_json() for score in scores]
    return {
        metric: estimate(
            [row[metric] for row in rows], seed=derive_seed(seed, "evaluate", metric), resamples=resamples
        ).to_json()
        for metric in METRICS
    }


def summarize_groups(
    scores: Mapping[str, ClipScore], groups: Mapping[str, str], *, seed: int, resamples: int
) -> dict[str, Any]:
    """:func:`summarize` of each group; ``groups`` says which one a clip is in."""
    members: dict[str, list[ClipScore]] = {}
    for clip_id, score in scores.items():
        members.setdefault(groups[clip_id], []).append(score)
    return {name: summarize(members[name], seed=seed, resamples=resamples) for name in sorted(members)}


def count_answers(answered: Sequence[Answered]) -> dict[str, Any]:
    """Per question: how many clips say yes, out of how many that answered."""
    tally = {name: {"yes": 0, "answered": 0, "asked": 0} for name in (*KISA_QUESTIONS, *SGI_QUESTIONS)}
    for question, answer in (pair for clip in answered for pair in clip):
        row = tally[question.name]
        row["asked"] += 1
        row["answered"] += answer.state is State.ANSWERED
        row["yes"] += answer.answer == YES
    return tally
