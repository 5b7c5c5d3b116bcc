"""What a judge may know about a clip besides its frames: who is in the first frame, where, and what was asked for.

Nothing of the motion is in it: no direction, no timing, nobody who speaks. ``known`` is all that any judge is handed of
a scene; the exact judge reads it as a :class:`Brief`, and everything below ``verdict`` takes a brief and never a scene,
so that nothing else of a scene's truth can reach an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from interplay.world.scene import Event, Member, Scene
from interplay.world.verbs import verb_named
from interplay.world.verbs.base import Verb


def known(scene: Scene) -> Scene:
    """A scene of which only the first frame and the prompt are left.

    It is built from what is known, and not by wiping out the rest, so that a field which scenes may get one day stays
    out until somebody names it here.
    """
    events = tuple(Event(e.verb, e.subject, e.object, e.recipient, direction=0) for e in scene.events)
    return Scene(scene.members, events, scene.width, scene.aspect, scene.background, wording=0)


@dataclass(frozen=True)
class Plot:
    """One interaction of the prompt: a verb's name and the ids of who takes part."""

    verb: str
    subject: str
    object: str | None
    recipient: str | None

    @property
    def kind(self) -> Verb:
        """The verb."""
        return verb_named(self.verb)

    @property
    def roles(self) -> tuple[str, ...]:
        """Ids of all who take part: subject, object, recipient."""
        return tuple(role for role in (self.subject, self.object, self.recipient) if role is not None)


@dataclass(frozen=True)
class Brief:
    """Members as they are in the first frame, the prompt's plots, and the stage.

    ``width`` in stage units, ``aspect`` of the picture, ``background`` the number of the backdrop.
    """

    members: tuple[Member, ...]
    plots: tuple[Plot, ...]
    width: float
    aspect: float
    background: int

    @staticmethod
    def of(scene: Scene) -> Brief:
        """All of a scene that a judge may know."""
        plots = tuple(Plot(e.verb, e.subject, e.object, e.recipient) for e in scene.events)
        return Brief(scene.members, plots, scene.width, scene.aspect, scene.background)

    def member(self, instance_id: str) -> Member:
        """The member with this id; ``KeyError`` when there is none."""
        for member in self.members:
            if member.id == instance_id:
                return member
        raise KeyError(f"the brief has no member {instance_id}")

    def heading(self, plot: Plot) -> int:
        """1 when, in the first frame, the subject's goal (recipient or else object) is to its right, -1 to its left.

        Of a plot without a goal it is where the subject faces.
        """
        subject = self.member(plot.subject)
        goal = plot.recipient or plot.object
        if goal is None:
            return subject.facing
        return 1 if self.member(goal).x >= subject.x else -1
