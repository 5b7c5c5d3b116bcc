"""``interplay evaluate``: judge videos, write every answer down, and make scores of the answers.

Files of the artifact: ``ledger.jsonl`` (one row per question and one per video for presence), ``scores.json``,
``tracks.json`` (the mask tracks that the judge recovered, for the analysis of generated videos), ``contacts.json`` (who
touches whom in which frames, and bears it, in the terms of the world's ``truth["contacts"]``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact, build, scratch
from interplay.core.files import write_json
from interplay.core.progress import Progress
from interplay.evaluate.config import EvaluateConfig
from interplay.evaluate.judges import JUDGES, Judge
from interplay.evaluate.judges.base import Media
from interplay.evaluate.ledger import Ledger, Row
from interplay.evaluate.protocol import Answer, Presence, Question
from interplay.evaluate.rows import answer_of, answer_row, key_of, presence_of, presence_row, recovered_row
from interplay.evaluate.scores import ClipScore, count_answers, score_clip, summarize, summarize_groups
from interplay.evaluate.sources import Case, cases

LEDGER, SCORES, TRACKS, CONTACTS = "ledger.jsonl", "scores.json", "tracks.json", "contacts.json"
_NO_INTERACTION = "none"


def run(
    config: EvaluateConfig, clips: Artifact, generation: Artifact | None, out: Path, *, overwrite: bool = False
) -> Artifact:
    """Judge the videos of ``generation``, or without one the dataset's own, into the artifact ``out``."""
    inputs = {"clips": clips} | ({"generation": generation} if generation is not None else {})
    judge = JUDGES.get(config.judge)()
    return build(
        out,
        kind="evaluation",
        config=config,
        inputs=inputs,
        make=lambda folder: _evaluate(config, judge, cases(config, clips, generation), folder),
        overwrite=overwrite,
    )


@dataclass(frozen=True)
class Judged:
    """What a judge said about one video."""

    answered: tuple[tuple[Question, Answer], ...]
    presence: Presence
    tracks: Mapping[str, Any] | None = None
    contacts: Sequence[Any] | None = None


class Hearing:
    """A judge with its memory: what the ledgers know is not asked again."""

    def __init__(self, judge: Judge, folder: Path) -> None:
        self.judge = judge
        self.ledger = Ledger(folder / LEDGER)
        # Tracks are large and only wanted as a whole, so they wait here and become one file at the end.
        self._recovered = Ledger(scratch(folder) / "recovered.jsonl")

    def hear(self, media: Media) -> Judged:
        """The judge's word on a video, from the ledgers as far as they have it."""
        questions = self.judge.questions(media)
        answered, presence = self._answers(media, questions), self._presence(media)
        if not questions:
            return Judged(answered, presence)
        row = self._recovery(media)
        return Judged(answered, presence, row["tracks"], row["contacts"])

    def _answers(self, media: Media, questions: Sequence[Question]) -> tuple[tuple[Question, Answer], ...]:
        keys = {question: key_of(self.judge, media, question) for question in questions}
        known = {question: row for question, key in keys.items() if (row := self.ledger.find(key)) is not None}
        asked = [question for question in questions if question not in known]
        fresh = dict(zip(asked, self.judge.answer(media, asked) if asked else [], strict=True))
        answers = {q: fresh[q] if q in fresh else answer_of(known[q]) for q in questions}
        self.ledger.append([answer_row(keys[q], media, self.judge, q, answers[q]) for q in questions])
        return tuple(answers.items())

    def _presence(self, media: Media) -> Presence:
        key = key_of(self.judge, media, "presence")
        row = self.ledger.find(key)
        presence = self.judge.presence(media) if row is None else presence_of(row)
        self.ledger.append([presence_row(key, media, self.judge, presence)])
        return presence

    def _recovery(self, media: Media) -> Row:
        key = key_of(self.judge, media, "recovered")
        row = self._recovered.find(key)
        if row is None:
            row = recovered_row(key, media, self.judge.tracks(media), self.judge.contacts(media))
            self._recovered.append([row])
        return row


def _evaluate(config: EvaluateConfig, judge: Judge, wanted: Sequence[Case], folder: Path) -> Mapping[str, Any]:
    hearing = Hearing(judge, folder)
    judged: dict[str, Judged] = {}
    with Progress(f"evaluate (judge: {judge.name})", len(wanted)) as progress:
        for case in wanted:
            judged[case.clip.clip_id] = hearing.hear(case.media)
            progress.advance()
    scores = {clip_id: score_clip(said.answered, said.presence) for clip_id, said in judged.items()}
    content = _scores_file(config, judge, wanted, judged, scores)
    write_json(folder / SCORES, content)
    write_json(folder / TRACKS, {clip_id: said.tracks for clip_id, said in judged.items() if said.tracks is not None})
    touches = {clip_id: said.contacts for clip_id, said in judged.items() if said.contacts is not None}
    write_json(folder / CONTACTS, touches)
    return {"judge": judge.name, **content["summary"]}


def _scores_file(
    config: EvaluateConfig,
    judge: Judge,
    wanted: Sequence[Case],
    judged: Mapping[str, Judged],
    scores: Mapping[str, ClipScore],
) -> dict[str, Any]:
    by_split = {case.clip.clip_id: case.clip.split for case in wanted}
    by_verb = {case.clip.clip_id: _verb(case) for case in wanted}
    settings = {"seed": config.seed, "resamples": config.resamples}
    return {
        "judge": judge.name,
        "clips": {clip_id: score.to_json() for clip_id, score in scores.items()},
        "summary": summarize(list(scores.values()), **settings),
        "splits": summarize_groups(scores, by_split, **settings),
        "verbs": summarize_groups(scores, by_verb, **settings),
        "questions": count_answers([said.answered for said in judged.values()]),
    }


def _verb(case: Case) -> str:
    return case.clip.interactions[0].verb if case.clip.interactions else _NO_INTERACTION
