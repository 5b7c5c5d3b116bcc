"""What a judge is: something that looks at a video and answers questions about it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.evaluate.protocol import Answer, Contact, Presence, Question
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video
from interplay.world.judge.brief import known
from interplay.world.scene import Scene


@dataclass(frozen=True)
class Media:
    """A video to judge: its file, and what was known before it was made.

    ``scene`` is the truth of the first frame of a clip of the embedded world, and what its prompt asks for. The rest of
    a clip's truth (directions, timing, who speaks, contacts, mask tracks) stays out, so that no judge can look it up;
    :meth:`of` sees to that.
    """

    clip_id: str
    path: Path
    scene: Mapping[str, Any] | None = None

    @staticmethod
    def of(clip: Clip, path: Path) -> Media:
        """The video at ``path``, to be judged as ``clip``: of its truth only what a judge may know."""
        truth = None if clip.truth is None else clip.truth.get("scene")
        return Media(clip.clip_id, path, None if truth is None else _known(truth, clip.clip_id))

    @cached_property
    def frames(self) -> UInt8[ndarray, "f h w 3"]:
        """The decoded video."""
        return read_video(self.path).frames

    @cached_property
    def digest(self) -> str:
        """The content of the file, as sha256."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def _known(truth: Mapping[str, Any], clip_id: str) -> Mapping[str, Any]:
    try:
        return known(Scene.from_json(truth)).to_json()
    except (KeyError, TypeError) as error:
        cure = "make the clips again with this version, or drop the scene from their truth"
        raise InputError("truth.scene is no scene of the embedded world", where=clip_id, cure=cure) from error


class Judge(ABC):
    """Answers questions about videos. Its answers are remembered under what it was shown and who it was."""

    name: str

    @abstractmethod
    def identity(self, media: Media) -> Mapping[str, Any]:
        """Everything besides video and question that an answer depends on: version, parameters, given truth (JSON)."""

    @abstractmethod
    def questions(self, media: Media) -> tuple[Question, ...]:
        """What this judge would ask about a video; empty when it cannot judge it."""

    @abstractmethod
    def answer(self, media: Media, questions: Sequence[Question]) -> list[Answer]:
        """One answer per question, in their order."""

    @abstractmethod
    def presence(self, media: Media) -> Presence:
        """What emerged or vanished."""

    @abstractmethod
    def tracks(self, media: Media) -> Mapping[str, MaskTrack] | None:
        """Recovered mask tracks by instance id; ``None`` from a judge that does not track."""

    @abstractmethod
    def contacts(self, media: Media) -> Sequence[Contact] | None:
        """Who touches whom when; ``None`` from a judge that does not say."""
