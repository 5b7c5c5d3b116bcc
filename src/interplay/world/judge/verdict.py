"""The judge's one entry: frames and a scene in, answers, presence and mask tracks out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack
from interplay.world.captions import describe
from interplay.world.judge.evidence import Evidence
from interplay.world.judge.first_world import FirstScene
from interplay.world.judge.presence import Presence, presence
from interplay.world.judge.tracks import Recovery, full_size_mask, recover
from interplay.world.judge.verbs import QUESTIONS
from interplay.world.scene import Scene

# Raise it with every change that can change an answer: it is part of the key under which answers are remembered.
VERSION = 1
# How far a clip's aspect ratio may be from its scene's (a pixel or two of rounding).
_ASPECT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Sentence:
    """One question as text: ``name`` is Q1 to Q10."""

    name: str
    topic: str
    text: str


@dataclass(frozen=True)
class Finding:
    """The answer to one question, and the frame that shows it (for a no: the last one, until which it was awaited)."""

    name: str
    yes: bool
    frame: int


@dataclass(frozen=True)
class Verdict:
    """Everything the judge has to say about a clip."""

    findings: tuple[Finding, ...]
    presence: Presence
    recovery: Recovery

    def tracks(self) -> Mapping[str, MaskTrack]:
        """The recovered mask tracks by member id. A member that is hidden or missing has an empty mask."""
        size_hw = self.recovery.size_hw
        return {
            key: MaskTrack.from_array(full_size_mask(track, size_hw)) for key, track in self.recovery.tracks.items()
        }


def ask(scene: Scene) -> tuple[Sentence, ...]:
    """The ten questions about the scene's interaction; none about a scene that this judge does not know."""
    if not FirstScene.knows(scene):
        return ()
    known = FirstScene.of(scene)
    names = {"s": describe(known.member(known.subject)), "o": describe(known.member(known.object))}
    names["r"] = describe(known.member(known.recipient)) if known.recipient is not None else ""
    return tuple(
        Sentence(f"Q{number}", asked.topic, asked.text.format(**names))
        for number, asked in enumerate(QUESTIONS[known.verb], start=1)
    )


def judge(frames: UInt8[ndarray, "p y x 3"], scene: Scene) -> Verdict:
    """Judge a clip whose first frame shows ``scene``; nothing else of the scene's truth is used."""
    _check(frames, scene)
    known = FirstScene.of(scene)
    recovery = recover(frames, known)
    seen = Evidence(recovery, known)
    shown = [asked.shown_in(seen) for asked in QUESTIONS[known.verb]]
    findings = tuple(
        Finding(f"Q{number}", frame is not None, seen.last if frame is None else frame)
        for number, frame in enumerate(shown, start=1)
    )
    return Verdict(findings, presence(recovery), recovery)


def _check(frames: UInt8[ndarray, "p y x 3"], scene: Scene) -> None:
    aspect = frames.shape[2] / frames.shape[1]
    if abs(aspect / scene.aspect - 1.0) > _ASPECT_TOLERANCE:
        problem = f"the frames are {aspect:.2f} times as wide as high, the scene {scene.aspect:.2f} times"
        raise InputError(
            problem, where="world judge", cure="judge videos of the aspect ratio of the clips they continue"
        )
