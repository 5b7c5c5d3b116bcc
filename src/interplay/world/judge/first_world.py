"""What this judge takes for granted: measures and colours of the first world, for which it was written.

It knows scenes of one event with one of four verbs; of any other scene it says so. It is replaced as a whole by the
judge of the full world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from interplay.core.errors import InputError
from interplay.world.palette import RGB
from interplay.world.scene import Event, Member, Scene

Verb = Literal["push", "lift", "kick", "give"]
GROUND_Y = 0.12
PERSON_WIDTH, THING_SIZE = 0.24, 0.19
HEAD_TOP, SHOULDER_Y, HOLD_Y = 0.58, 0.33, 0.16
TRAVEL: Mapping[Verb, float] = {"push": 0.30, "lift": 0.06, "kick": 0.42, "give": 0.06}
BACKGROUNDS: tuple[tuple[RGB, RGB], ...] = (
    ((236, 234, 228), (176, 166, 150)),
    ((222, 230, 236), (160, 168, 152)),
    ((240, 230, 220), (184, 172, 164)),
)
_VERBS: Mapping[str, Verb] = {"push": "push", "lift": "lift", "kick": "kick", "hand over": "give"}


@dataclass(frozen=True)
class FirstScene:
    """A scene of one event, in the words of the first world."""

    whole: Scene
    event: Event
    verb: Verb
    object: str

    @staticmethod
    def knows(scene: Scene) -> bool:
        """Whether this judge can judge clips of a scene."""
        return len(scene.events) == 1 and scene.events[0].object is not None and scene.events[0].verb in _VERBS

    @staticmethod
    def of(scene: Scene) -> FirstScene:
        """The scene as this judge knows it; :class:`InputError` for one that it does not know."""
        event = scene.events[0] if FirstScene.knows(scene) else None
        if event is None or event.object is None:
            verbs = " + ".join(event.verb for event in scene.events) or "nothing"
            cure = f"judge clips of one event with one of: {', '.join(_VERBS)}"
            raise InputError(f"it does not know scenes of {verbs}", where="world judge", cure=cure)
        return FirstScene(scene, event, _VERBS[event.verb], event.object)

    @property
    def members(self) -> tuple[Member, ...]:
        """All members."""
        return self.whole.members

    @property
    def subject(self) -> str:
        """Id of who acts."""
        return self.event.subject

    @property
    def recipient(self) -> str | None:
        """Id of who receives."""
        return self.event.recipient

    @property
    def direction(self) -> int:
        """Where the subject is headed."""
        return self.event.direction

    @property
    def aspect(self) -> float:
        """Width / height of the picture."""
        return self.whole.aspect

    @property
    def background(self) -> int:
        """One of this judge's own backgrounds."""
        return self.whole.background % len(BACKGROUNDS)

    def member(self, instance_id: str) -> Member:
        """The member with this id; ``KeyError`` when there is none."""
        return self.whole.member(instance_id)
