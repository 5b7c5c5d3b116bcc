"""The judge's questions and both models' answers, clip by clip, out of the ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interplay.core.artifacts import Artifact
from interplay.report.absent import Absent
from interplay.report.numbers import NOTHING
from interplay.report.reading import field, member, read_jsonl

_ANSWERED = "answered"


@dataclass(frozen=True)
class Answer:
    """What the judge said: ``text`` is the answer, or the state of a question that has none."""

    text: str
    mark: str
    frame_index: int | None


@dataclass(frozen=True)
class Question:
    """One question about a clip; ``None`` for a model that was not asked."""

    question_id: str
    text: str
    base: Answer | None
    aligned: Answer | None

    @property
    def differs(self) -> bool:
        """Whether both were answered, and not alike."""
        return self.base is not None and self.aligned is not None and self.base.text != self.aligned.text


# (question id, question) -> answer. Several interactions of a clip have questions of the same id.
Answers = Mapping[tuple[str, str], Answer]


def read_answers(evaluation: Artifact) -> Mapping[str, Answers]:
    """Every clip's answers. Rows without a question id are about presence and stand in SPI alone."""
    path = member(evaluation, "ledger.jsonl")
    found: dict[str, dict[tuple[str, str], Answer]] = {}
    for row in read_jsonl(path):
        if not row.get("question_id"):
            continue
        key = str(row["question_id"]), str(row.get("question") or NOTHING)
        index = row.get("frame_index")
        answer = Answer(*_answer(row.get("answer"), str(field(row, "state", path))), index)
        found.setdefault(str(field(row, "clip_id", path)), {})[key] = answer
    return found


def join(
    clip_id: str, base: Mapping[str, Answers] | Absent, aligned: Mapping[str, Answers] | Absent
) -> tuple[Question, ...]:
    """The clip's questions with the answers of both models, in the order of the ledgers."""
    before = {} if isinstance(base, Absent) else base.get(clip_id, {})
    after = {} if isinstance(aligned, Absent) else aligned.get(clip_id, {})
    keys = dict.fromkeys((*before, *after))
    return tuple(Question(*key, before.get(key), after.get(key)) for key in keys)


def _answer(answer: object, state: str) -> tuple[str, str]:
    if state != _ANSWERED or not isinstance(answer, str):
        return (state if state != _ANSWERED else "unanswered"), "?"
    return answer, "✓" if answer == "yes" else "✗"
