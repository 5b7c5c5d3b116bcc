"""Role-swapped twins: the same members at the same places, and the one to whom it was done now does it.

A model that reads "a man hugs a woman" as a bag of words cannot tell a scene from its twin.
"""

from __future__ import annotations

from dataclasses import replace

from interplay.world.motion.take import hold_offset
from interplay.world.scene import Event, Member, Scene
from interplay.world.verbs import verb_named


def twin(scene: Scene) -> Scene | None:
    """The scene with subject and object (or recipient) exchanged; ``None`` when not both could be either.

    Only scenes of one event have a twin. What the subject held, the other one holds, and whoever holds faces the other.
    Nor has a scene one in which the other looks at the subject from the start: it would not be seen to turn.
    """
    if len(scene.events) != 1:
        return None
    event = scene.events[0]
    other = _counterpart(scene, event)
    if other is None:
        return None
    swapped = replace(event, subject=other, direction=-event.direction)
    if event.recipient is None:
        swapped = replace(swapped, object=event.subject)
    else:
        swapped = replace(swapped, recipient=event.subject)
    if event.verb == "look" and scene.member(other).facing == swapped.direction:
        return None
    if not verb_named(event.verb).room.held:
        return replace(scene, events=(swapped,))
    members = tuple(_handed(scene, m, swapped) for m in scene.members)
    return replace(scene, events=(swapped,), members=members)


def _counterpart(scene: Scene, event: Event) -> str | None:
    """Id of the member that could trade roles with the subject."""
    other = event.recipient or event.object
    if other is None:
        return None
    verb = verb_named(event.verb)
    receivers = verb.recipients or verb.objects
    possible = scene.member(other).noun in verb.subjects and scene.member(event.subject).noun in receivers
    return other if possible else None


def _handed(scene: Scene, member: Member, event: Event) -> Member:
    """A member of the twin: the object lies in the new subject's hands, which faces the new recipient."""
    subject = scene.member(event.subject)
    if member.id == event.subject:
        return replace(member, facing=event.direction)
    if member.id == event.object:
        ahead, up = hold_offset(subject.kind, member.kind)
        return replace(member, x=round(subject.x + event.direction * ahead, 4), y=round(subject.ground + up, 4))
    return member
