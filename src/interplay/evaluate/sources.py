"""Which videos are judged: those of a generation, or the dataset's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.evaluate.config import EvaluateConfig
from interplay.evaluate.judges.base import Media
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore

INDEX = "index.json"


@dataclass(frozen=True)
class Case:
    """A clip of the dataset, and the video that is judged in its place."""

    clip: Clip
    media: Media


def cases(config: EvaluateConfig, clips: Artifact, generation: Artifact | None) -> list[Case]:
    """Everything to judge, in the order of the generation's index or of the dataset."""
    store = ClipStore(clips.path)
    if generation is None:
        return [_case(clip, store.folder / clip.video) for clip in _chosen(config, store)]
    listed = _listed(generation)
    known = set(store.ids)
    for clip_id, _ in listed:
        if clip_id not in known:
            problem = f"shows {clip_id}, and {clips.path} has no such clip to ask questions about"
            cure = "give the clips that it was made from, or make prompts whose clip_id is that of a clip"
            raise InputError(problem, where=generation.path, cure=cure)
    return [_case(store.get(clip_id), generation.path / video) for clip_id, video in listed]


def _case(clip: Clip, path: Path) -> Case:
    return Case(clip, Media.of(clip, path))


def _chosen(config: EvaluateConfig, store: ClipStore) -> Sequence[Clip]:
    if not config.splits:
        return store.select(limit=config.limit)
    return [clip for split in config.splits for clip in store.select(split, config.limit)]


def _listed(generation: Artifact) -> list[tuple[str, str]]:
    path = generation.path / INDEX
    index = read_json(path)
    cure = "make the generation again"
    try:
        listed = [(str(entry["clip_id"]), str(entry["video"])) for entry in index["clips"]]
    except (KeyError, TypeError) as error:
        raise InputError("is no index of generated videos", where=path, cure=cure) from error
    if len({clip_id for clip_id, _ in listed}) != len(listed):
        raise InputError("lists a clip twice", where=path, cure=cure)
    return listed
