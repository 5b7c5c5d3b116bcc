"""The exact judge of the embedded world, as a judge like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interplay.core.errors import InputError
from interplay.evaluate.judges.base import Judge, Media
from interplay.evaluate.protocol import Answer, Contact, Presence, Question, State
from interplay.records.masks import MaskTrack
from interplay.world.judge import Finding, Verdict, ask, judge
from interplay.world.judge.verdict import VERSION
from interplay.world.scene import Scene


class WorldJudge(Judge):
    """Recovers the tracks from all frames and reads the answers off them; knows the first frame's scene alone."""

    name = "world"

    def __init__(self) -> None:
        self._last: tuple[Media, Verdict | str] | None = None

    def identity(self, media: Media) -> Mapping[str, Any]:
        """Its version, the scene it is told, and the frames it looks at."""
        return {"judge": self.name, "version": VERSION, "scene": media.scene, "frames": "all"}

    def questions(self, media: Media) -> tuple[Question, ...]:
        """The ten questions about each interaction of the scene; none about a video that is not of the world."""
        if media.scene is None:
            return ()
        asked = enumerate(ask(Scene.from_json(media.scene)))
        return tuple(Question(number, s.name, s.topic, s.text) for number, ten in asked for s in ten)

    def answer(self, media: Media, questions: Sequence[Question]) -> list[Answer]:
        """Yes or no, with the frame that shows it."""
        verdict = self._verdict(media)
        if isinstance(verdict, str):
            return [Answer(State.REFUSED, reply=verdict) for _ in questions]
        found = {(finding.interaction, finding.name): finding for finding in verdict.findings}
        return [_answer(found[question.interaction, question.name]) for question in questions]

    def presence(self, media: Media) -> Presence:
        """Frames with strays and frames without a member."""
        verdict = self._verdict(media)
        if isinstance(verdict, str):
            return Presence(State.REFUSED, reply=verdict)
        seen = verdict.presence
        return Presence(State.ANSWERED, seen.emergent_frames, seen.vanished_frames, seen.compared_frames)

    def tracks(self, media: Media) -> Mapping[str, MaskTrack] | None:
        """The tracks its answers were read from."""
        verdict = self._verdict(media)
        return None if isinstance(verdict, str) else verdict.tracks()

    def contacts(self, media: Media) -> Sequence[Contact] | None:
        """The touches that its tracks show."""
        verdict = self._verdict(media)
        if isinstance(verdict, str):
            return None
        return tuple(Contact(c.who, c.what, c.first, c.last, c.holding) for c in verdict.contacts)

    def _verdict(self, media: Media) -> Verdict | str:
        """The verdict, or why there is none; remembered for the video it was asked about last."""
        if self._last is None or self._last[0] is not media:
            self._last = (media, self._judge(media))
        return self._last[1]

    def _judge(self, media: Media) -> Verdict | str:
        if media.scene is None:
            return "the video is not of the embedded world"
        frames, scene = media.frames, Scene.from_json(media.scene)
        try:
            return judge(frames, scene)
        except InputError as error:
            return str(error)


def _answer(finding: Finding) -> Answer:
    return Answer(State.ANSWERED, "yes" if finding.yes else "no", finding.frame)
