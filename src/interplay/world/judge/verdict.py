"""The judge's one entry: frames and a scene in, answers, presence, contacts and mask tracks out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack
from interplay.world.judge.brief import Brief
from interplay.world.judge.contacts import Contact, contacts
from interplay.world.judge.evidence import Evidence
from interplay.world.judge.presence import Presence, presence
from interplay.world.judge.tracks import Recovery, full_size_mask, recover
from interplay.world.judge.verbs import SHOWN, Case
from interplay.world.questions import Sentence, sentences
from interplay.world.scene import Scene

# Raise it with every change that can change an answer: it is part of the key under which answers are remembered.
VERSION = 5
# How far a clip's aspect ratio may be from its scene's (a pixel or two of rounding).
_ASPECT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Finding:
    """The answer to question ``name`` about interaction number ``interaction`` of the scene.

    ``frame`` shows it; for a no it is the last one, until which a yes was awaited.
    """

    interaction: int
    name: str
    yes: bool
    frame: int


@dataclass(frozen=True)
class Verdict:
    """Everything the judge has to say about a clip: ten findings per interaction, in order."""

    findings: tuple[Finding, ...]
    presence: Presence
    contacts: tuple[Contact, ...]
    recovery: Recovery

    def tracks(self) -> Mapping[str, MaskTrack]:
        """The recovered mask tracks by member id. A member that is hidden or missing has an empty mask."""
        size_hw = self.recovery.size_hw
        return {
            key: MaskTrack.from_array(full_size_mask(track, size_hw)) for key, track in self.recovery.tracks.items()
        }


def ask(scene: Scene) -> tuple[tuple[Sentence, ...], ...]:
    """The ten questions about each of the scene's interactions, in order."""
    return tuple(sentences(scene, event) for event in scene.events)


def judge(frames: UInt8[ndarray, "p y x 3"], scene: Scene) -> Verdict:
    """Judge a clip whose first frame shows ``scene``; nothing but its :class:`Brief` is used."""
    brief = Brief.of(scene)
    _check(frames, brief)
    recovery = recover(frames, brief)
    seen = Evidence(recovery, brief)
    return Verdict(tuple(findings(seen)), presence(recovery), contacts(seen), recovery)


def findings(seen: Evidence) -> Iterator[Finding]:
    """The answers to all questions, from what is seen."""
    for number, plot in enumerate(seen.brief.plots):
        case = Case(seen, plot)
        for place, shown_in in enumerate(SHOWN[plot.verb].all, start=1):
            frame = shown_in(case)
            yield Finding(number, f"Q{place}", frame is not None, seen.last if frame is None else frame)


def _check(frames: UInt8[ndarray, "p y x 3"], brief: Brief) -> None:
    if not frames.size:
        raise InputError("the video has no frames", where="world judge", cure="judge videos of at least one frame")
    aspect = frames.shape[2] / frames.shape[1]
    if abs(aspect / brief.aspect - 1.0) > _ASPECT_TOLERANCE:
        problem = f"the frames are {aspect:.2f} times as wide as high, the scene {brief.aspect:.2f} times"
        raise InputError(
            problem, where="world judge", cure="judge videos of the aspect ratio of the clips they continue"
        )
