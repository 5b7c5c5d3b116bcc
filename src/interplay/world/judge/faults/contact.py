"""Faults of contact and cause: nothing moves, no contact, an effect without or before contact, nothing handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from interplay.world.judge.faults.answers import ALL, Facts, consequences
from interplay.world.judge.faults.plant import (
    Answer,
    Plant,
    Planted,
    Unplanted,
    at_frames,
    base_of,
    moved_by,
    posed,
    seen_apart,
)
from interplay.world.motion.clock import START, TOUCH
from interplay.world.motion.curves import Curve
from interplay.world.scene import Member, Scene
from interplay.world.staging import Motion, Pose

# How far short of what they would touch hands stop: enough to see it in the smallest pictures. Hands that would lie on
# a door's knob, go on in a blow or be laid around somebody stop farther off; an animal puts its head forward, a lamp's
# shade is wide, and a thing that would be held has a hand at its far side.
_SHORT = 0.16
_SHORT_OF: Mapping[str, float] = {"door": 0.28, "lamp": 0.22, "dog": 0.30, "cat": 0.30}
_SHORT_IN: Mapping[str, float] = {"hug": 0.26, "hit": 0.20}
_HELD, _AROUND = ("hold", "lift", "carry"), 1.5
# What nobody touches has so much room around it in all pixels; a subject that is held back still moves so far.
_FREE, _SEEN_TO_MOVE = 0.07, 0.08
# What happens too early happens so much of the event before it should.
_TOO_EARLY = 3 / 8
# A way long enough to be away when it happens.
_LONG_WAY = 0.15
# An effect is well under way after this share of the event; what opens is then half open.
_UNDER_WAY, _HALF_OPEN = 0.16, 0.25
# Who hands nothing over turns back here, before the other could take it.
_TURNS_BACK = 0.27
# Verbs whose effect is seen on a thing, and verbs whose effect is nothing but the contact.
_EFFECTS = (
    "hold", "push", "pull", "kick", "hit", "lift", "carry", "open", "close", "turn on", "turn off",
)  # fmt: skip
# What may be so from the start: that two are turned to each other, or that a thing is where it is touched.
_SO_FROM_THE_START: Mapping[str, Facts] = {
    "wave": frozenset({"comes", "along", "result"}),
    "point": frozenset({"comes"}),
    "throw": frozenset({"comes"}),
}
_CONTACTS = (*_EFFECTS, "touch", "hug", "shake hands", "pour")


def frozen(plant: Plant) -> Planted | Unplanted:
    """Nothing ever moves, of no event."""
    frames = np.repeat(plant.true.frames[:1], plant.num_frames, axis=0)
    denied, kept = set[Answer](), set[Answer]()
    for number, event in enumerate(plant.scene.events):
        event_denied, _ = consequences(
            plant.scene, number, ALL - {"start"}, _SO_FROM_THE_START.get(event.verb, ALL - ALL)
        )
        denied |= event_denied
        kept.add((number, "Q1"))
    return Planted(frames, frozenset(denied), frozenset(kept))


def no_contact(plant: Plant) -> Planted | Unplanted:
    """The subject comes, reaches out, stops short and stays so; nothing happens."""
    if plant.event.verb not in _CONTACTS or not _has_room(plant):
        return Unplanted.NO_ROOM
    order = np.minimum(np.arange(plant.num_frames), plant.clock.frame(TOUCH))
    poses: dict[str, Pose] = {plant.event.subject: at_frames(_short_of(plant), order)}
    for key in plant.event.roles[1:]:
        poses[key] = plant.resting(key)
    if plant.event.verb == "pour":  # the jug stays in the hands of who stops short
        jug = moved_by(plant.motion.poses[str(plant.event.object)], _back(plant))
        poses[str(plant.event.object)] = at_frames(jug, order)
    broken: Facts = ALL - {"start", "comes", "acts"}
    doubtful: Facts = frozenset({"comes"})
    denied, kept = consequences(plant.scene, plant.number, broken, doubtful | _hardly(plant))
    return _if_free(plant, posed(plant.motion, poses), Planted(plant.true.frames, denied, kept), plant.num_frames)


def effect_without_contact(plant: Plant) -> Planted | Unplanted:
    """The subject does its part a little short of the thing, and the thing does as if it were touched."""
    verb = plant.event.verb
    if verb == "pour":
        return _fills_by_itself(plant)
    if verb not in _EFFECTS or not _has_room(plant):
        return Unplanted.NO_ROOM
    motion = posed(plant.motion, {plant.event.subject: _short_of(plant)})
    broken: Facts = frozenset({"touch", "cause", "agent"})
    doubtful: Facts = frozenset({"comes", "along", "with"})
    if verb in ("push", "pull", "hold", "lift", "carry"):
        broken, doubtful = broken | {"along", "with"}, frozenset({"comes"})
    if verb in ("open", "close"):  # who follows a door that opens by itself comes to touch its frame
        doubtful = doubtful | {"touch"}
    denied, kept = consequences(plant.scene, plant.number, broken, doubtful | _hardly(plant))
    # The hand follows what opens, later also over the rest of the thing.
    opens = verb in ("open", "close")
    watched = plant.clock.frame(TOUCH + _under_way(plant)) + 1 if opens else plant.num_frames
    return _if_free(plant, motion, Planted(plant.true.frames, denied, kept), watched)


def _under_way(plant: Plant) -> float:
    return _HALF_OPEN if plant.event.verb in ("open", "close") else _UNDER_WAY


def _if_free(
    plant: Plant, motion: Motion, planted: Planted, watched: int, pair: tuple[str, str] | None = None
) -> Planted | Unplanted:
    """The fault in this motion, if the pixels show that two do not touch in so many first frames: subject and target.

    Where something hides the gap, or outlines run into each other, nobody could tell.
    """
    canvas = plant.painted(motion, plant.scene)
    if plant.hides_the_other_event(canvas) or plant.hides(canvas, plant.event.subject, plant.num_frames - 1):
        return Unplanted.UNSEEN
    numbers = plant.numbers(*(pair or (plant.event.subject, plant.target().id)))
    apart = seen_apart(canvas.owner[:watched], numbers, plant.scale)
    return replace(planted, frames=plant.developed(canvas)) if apart >= _FREE else Unplanted.UNSEEN


def _hardly(plant: Plant) -> Facts:
    """Whether an answer about the subject's acting is left open: who is held back may hardly move."""
    x = base_of(_short_of(plant)).x
    moves = plant.subject().family == "person" and np.abs(x - x[0]).max() >= _SEEN_TO_MOVE
    return ALL - ALL if moves else frozenset({"acts"})


def _fills_by_itself(plant: Plant) -> Planted:
    """The subject stands with the jug in its hands, and the vessel fills."""
    roles = (plant.event.subject, str(plant.event.object))
    motion = posed(plant.motion, {key: plant.resting(key) for key in roles})
    broken: Facts = frozenset({"comes", "touch", "cause", "along", "acts", "agent"})
    denied, kept = consequences(plant.scene, plant.number, broken, frozenset({"with", "patient"}))
    return Planted(plant.paint(motion), denied, kept)


def effect_before_contact(plant: Plant) -> Planted | Unplanted:
    """The thing moves, opens or lights up while the subject is still on its way.

    What is taken or pulled would come to who is on the way, and who has a short way only is near from the start.
    """
    if plant.event.verb not in _EFFECTS or plant.event.verb in ("hold", "pull") or _way(plant) < _LONG_WAY:
        return Unplanted.NO_ROOM
    clock = plant.clock
    early = round(_TOO_EARLY * (plant.event.end - plant.event.start) * plant.num_frames)
    order = np.minimum(np.arange(plant.num_frames) + early, plant.num_frames - 1)
    order[: 1 + clock.frame(0.0)] = 0
    thing = str(plant.event.object)
    motion = posed(plant.motion, {thing: at_frames(plant.motion.poses[thing], order)})
    broken: Facts = frozenset({"cause", "agent"})
    doubtful: Facts = frozenset({"touch", "comes", "along", "with"})
    denied, kept = consequences(plant.scene, plant.number, broken, doubtful)
    under_way = clock.frame(TOUCH + _under_way(plant)) - early + 1
    return _if_free(plant, motion, Planted(plant.true.frames, denied, kept), under_way)


def not_handed_over(plant: Plant) -> Planted | Unplanted:
    """The subject sets out to bring the object, or swings it, and takes it back again; the other never gets it."""
    if plant.event.verb not in ("hand over", "throw"):
        return Unplanted.NO_ROOM
    there = plant.clock.frame(_TURNS_BACK)
    frames = np.arange(plant.num_frames)
    order = np.minimum(frames, np.maximum(2 * there - frames, 0))
    keys = (plant.event.subject, str(plant.event.object))
    poses = {key: at_frames(plant.motion.poses[key], order) for key in keys}
    poses[str(plant.event.recipient)] = plant.resting(str(plant.event.recipient))
    broken: Facts = frozenset({"touch", "cause", "along", "with", "result"})
    doubtful: Facts = frozenset({"comes", "acts", "agent", "patient"})
    denied, kept = consequences(plant.scene, plant.number, broken, doubtful)
    pair = str(plant.event.recipient), str(plant.event.object)
    return _if_free(plant, posed(plant.motion, poses), Planted(plant.true.frames, denied, kept), plant.num_frames, pair)


# --- the subject's motion -------------------------------------------------------------------------------------------


def _short_of(plant: Plant) -> Pose:
    """The subject's part done a little short of its target."""
    if plant.subject().family == "robot":  # it is bolted down: it reaches for what is not there
        target = plant.target()
        phantom = replace(target, x=target.x - plant.event.direction * _shortness(plant))
        return plant.restaged(_with_member(plant, phantom)).poses[plant.event.subject]
    return moved_by(plant.motion.poses[plant.event.subject], _back(plant))


def _with_member(plant: Plant, member: Member) -> Scene:
    members = tuple(member if m.id == member.id else m for m in plant.scene.members)
    return replace(plant.scene, members=members)


def _back(plant: Plant) -> Curve:
    """How far the subject is held back."""
    share: Curve = -plant.event.direction * np.float32(_shortness(plant)) * plant.clock.ease(START, TOUCH)
    return share


def _shortness(plant: Plant) -> float:
    target, verb = plant.target(), plant.event.verb
    around = _AROUND * target.kind.half_width if verb in _HELD else 0.0
    person = 0.06 if target.family == "person" else 0.0
    return max(_SHORT + around + person, _SHORT_OF.get(target.noun, 0.0), _SHORT_IN.get(verb, 0.0))


def _has_room(plant: Plant) -> bool:
    """Whether a subject that is held back stays in the picture."""
    x, half = base_of(_short_of(plant)).x, plant.subject().kind.half_width
    return bool(x.min() >= half and x.max() <= plant.scene.width - half)


def _way(plant: Plant) -> float:
    """How far the subject goes before it acts; of a robot arm, whose gripper goes, far enough."""
    if plant.subject().family == "robot":
        return _LONG_WAY
    x = base_of(plant.motion.poses[plant.event.subject]).x
    return abs(float(x[plant.clock.frame(TOUCH)] - x[0]))
