"""The judge for data that nobody here can judge: it asks nothing, so every score says "no judge"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interplay.evaluate.judges.base import Judge, Media
from interplay.evaluate.protocol import Answer, Contact, Presence, Question, State
from interplay.records.masks import MaskTrack

_REASON = "there is no judge"


class NoJudge(Judge):
    """Asks nothing and answers nothing."""

    name = "none"

    def identity(self, media: Media) -> Mapping[str, Any]:
        """Its name."""
        return {"judge": self.name}

    def questions(self, media: Media) -> tuple[Question, ...]:
        """None."""
        return ()

    def answer(self, media: Media, questions: Sequence[Question]) -> list[Answer]:
        """Every question stays unanswered."""
        return [Answer(State.UNANSWERED, reply=_REASON) for _ in questions]

    def presence(self, media: Media) -> Presence:
        """Unanswered."""
        return Presence(State.UNANSWERED, reply=_REASON)

    def tracks(self, media: Media) -> Mapping[str, MaskTrack] | None:
        """None."""
        return None

    def contacts(self, media: Media) -> Sequence[Contact] | None:
        """None."""
        return None
