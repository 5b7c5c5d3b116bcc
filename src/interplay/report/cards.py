"""Clips side by side: the dataset's own, the base model's, the aligned model's, with scores and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact
from interplay.core.files import read_json
from interplay.records.clip import Clip, Interaction
from interplay.records.media.video import Video, read_video
from interplay.records.store.reader import ClipStore
from interplay.report import reading
from interplay.report.absent import Absent, or_absent
from interplay.report.captions import Piece, pieces
from interplay.report.config import ReportConfig
from interplay.report.questions import Answers, Question, join
from interplay.report.scores import METRICS, SCORED, ClipScores, ModelScores
from interplay.report.videos import Media, embed


@dataclass(frozen=True)
class Generation:
    """A generation artifact and its index: the clips by id, in order, and what they share."""

    artifact: Artifact
    clips: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, Any]


@dataclass(frozen=True)
class Models:
    """Everything about clips: the dataset, and each model's videos, scores and answers."""

    store: ClipStore | Absent
    generations: Mapping[str, Generation | Absent]
    scores: Mapping[str, ModelScores | Absent]
    answers: Mapping[str, Mapping[str, Answers] | Absent]

    def order(self) -> tuple[str, ...]:
        """Every generated clip once, in the order of generation."""
        given = [generation for generation in self.generations.values() if isinstance(generation, Generation)]
        return tuple(dict.fromkeys(clip_id for generation in given for clip_id in generation.clips))


@dataclass(frozen=True)
class Player:
    """One video of a card; ``scores`` are (metric, value), ``state`` says why there are none."""

    model: str
    title: str
    media: Media | Absent
    scores: tuple[tuple[str, float | None], ...] = ()
    state: str = ""


@dataclass(frozen=True)
class Card:
    """One clip as the page shows it."""

    clip_id: str
    split: str
    caption: tuple[Piece, ...]
    gain: float | None
    players: tuple[Player, ...]
    questions: tuple[Question, ...] = field(default=())


TITLES: Mapping[str, str] = {"base": "Base", "aligned": "Aligned"}


def read_generation(artifact: Artifact) -> Generation:
    """The index of a generation artifact."""
    path = reading.member(artifact, "index.json")
    content = read_json(path)
    clips = {str(reading.field(entry, "clip_id", path)): entry for entry in reading.field(content, "clips", path)}
    return Generation(artifact, clips, {key: value for key, value in content.items() if key != "clips"})


def make_card(clip_id: str, models: Models, gain: float | None, config: ReportConfig, folder: Path) -> Card:
    """Everything about one clip; its videos are encoded here."""
    clip = or_absent("the dataset's clip", lambda: _clip(clip_id, models.store))
    players = [Player("reference", "Reference", _reference(clip, models.store, config, folder))]
    players += [_player(model, clip_id, models, config, folder) for model in TITLES]
    return Card(
        clip_id=clip_id,
        split="" if isinstance(clip, Absent) else clip.split,
        caption=pieces(*_caption(clip_id, clip, models)),
        gain=gain,
        players=tuple(players),
        questions=join(clip_id, models.answers["base"], models.answers["aligned"]),
    )


def _clip(clip_id: str, store: ClipStore | Absent) -> Clip | Absent:
    return store if isinstance(store, Absent) else store.get(clip_id)


def _caption(clip_id: str, clip: Clip | Absent, models: Models) -> tuple[str, tuple[Interaction, ...]]:
    """What the models were given, else what the dataset says."""
    interactions = () if isinstance(clip, Absent) else clip.interactions
    for generation in models.generations.values():
        if isinstance(generation, Generation) and clip_id in generation.clips:
            prompt = generation.clips[clip_id].get("prompt")
            if isinstance(prompt, str):
                return prompt, interactions
    return ("" if isinstance(clip, Absent) else clip.caption), interactions


def _reference(clip: Clip | Absent, store: ClipStore | Absent, config: ReportConfig, folder: Path) -> Media | Absent:
    if isinstance(clip, Absent) or isinstance(store, Absent):
        return clip if isinstance(clip, Absent) else Absent("reference", "the dataset is missing")
    what = f"the dataset's video of {clip.clip_id}"
    return or_absent(what, lambda: embed(Video(store.frames(clip), clip.fps), config, folder))


def _player(model: str, clip_id: str, models: Models, config: ReportConfig, folder: Path) -> Player:
    scores, state = _scores(clip_id, models.scores[model])
    media = _generated(clip_id, models.generations[model], config, folder)
    return Player(model, TITLES[model], media, scores, state)


def _generated(clip_id: str, generation: Generation | Absent, config: ReportConfig, folder: Path) -> Media | Absent:
    if isinstance(generation, Absent):
        return generation
    if clip_id not in generation.clips:
        return Absent("video", f"{clip_id} was not generated by this model.")
    path = reading.member(generation.artifact, "index.json")
    return or_absent(
        f"the generated video of {clip_id}",
        lambda: embed(
            read_video(
                reading.member(generation.artifact, str(reading.field(generation.clips[clip_id], "video", path)))
            ),
            config,
            folder,
        ),
    )


def _scores(clip_id: str, model: ModelScores | Absent) -> tuple[tuple[tuple[str, float | None], ...], str]:
    if isinstance(model, Absent):
        return (), "not evaluated"
    entry = model.clips.get(clip_id, ClipScores(dict.fromkeys(METRICS), "not evaluated"))
    if entry.state != SCORED:
        return (), entry.state
    return tuple((metric.upper(), entry.values[metric]) for metric in METRICS), ""
