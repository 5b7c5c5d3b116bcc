"""How a scene moves: a pre-state, an approach, a contact and an outcome that is visible in the last frame.

Contact comes before effect: nothing moves before the subject's hand (or foot) is on it. Shape legend: ``p`` pixel
frames; lengths in stage heights as in :mod:`interplay.world.scene`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.world.scene import PERSON_WIDTH, THING_SIZE, TRAVEL, Member, Scene

Floats = NDArray[np.floating[Any]]

# Fractions of the clip: still, walk up, act, hold the outcome.
APPROACH_START, CONTACT, EFFECT_END = 1 / 16, 6 / 16, 14 / 16

SHOULDER_Y, SHOULDER_X, REST_HAND_Y = 0.33, 0.085, 0.15
HEAD_TOP = 0.58
HOLD_OFFSET, HOLD_Y = 0.19, 0.16
REACH = PERSON_WIDTH / 2 + THING_SIZE / 2 + 0.02
HANDING_DISTANCE = 2 * HOLD_OFFSET + 0.03
STEP_BACK = 0.16
KICK_HEIGHT = 0.12
STRIDE = 0.10


@dataclass(frozen=True)
class PersonPose:
    """A person over the clip, in stage coordinates.

    Feet centre ``x``, ``facing``, both ``hands (p, 2, xy)``, leg ``swing`` (half a stride, signed), and how far the
    front foot is lifted in a ``kick`` (0 to 1).
    """

    x: Floats
    facing: Floats
    hands: Floats
    swing: Floats
    kick: Floats


@dataclass(frozen=True)
class ThingPose:
    """A thing over the clip: centre ``x`` and bottom ``y``."""

    x: Floats
    y: Floats


@dataclass(frozen=True)
class Contact:
    """A touch between two members from frame ``first`` to frame ``last``, both included."""

    who: str
    what: str
    first: int
    last: int


@dataclass(frozen=True)
class Motion:
    """Everything that moves in a scene, by member id, and who touches what when."""

    persons: Mapping[str, PersonPose]
    things: Mapping[str, ThingPose]
    contacts: tuple[Contact, ...]


def stage(scene: Scene, num_frames: int) -> Motion:
    """The motion of a scene over ``num_frames`` frames."""
    time = np.linspace(0.0, 1.0, num_frames, dtype=np.float32)
    approach = _ease(time, APPROACH_START, CONTACT)
    effect = _ease(time, CONTACT, EFFECT_END)
    subject_x = _subject_path(scene, approach, effect)
    thing = _object_path(scene, subject_x, approach, effect)
    persons = {m.id: _person(scene, m, subject_x, thing, approach, effect) for m in scene.members if m.kind == "person"}
    things = {m.id: _still(m, num_frames) for m in scene.members if m.kind != "person" and m.id != scene.object}
    return Motion(persons, {scene.object: thing, **things}, _contacts(scene, num_frames))


def _ease(time: Floats, start: float, end: float) -> Floats:
    """0 before ``start``, 1 after ``end``, smooth (3u^2 - 2u^3) in between."""
    u = np.clip((time - start) / (end - start), 0.0, 1.0)
    return np.asarray(u * u * (3.0 - 2.0 * u), np.float32)


def _subject_path(scene: Scene, approach: Floats, effect: Floats) -> Floats:
    """Walk to the object (or to the recipient), then follow a push or step back after giving."""
    start, direction = scene.member(scene.subject).x, scene.direction
    if scene.recipient is not None:
        at_contact = scene.member(scene.recipient).x - direction * HANDING_DISTANCE
        after = -direction * STEP_BACK * effect
    else:
        at_contact = scene.member(scene.object).x - direction * REACH
        after = direction * TRAVEL["push"] * effect if scene.verb == "push" else np.zeros_like(effect)
    return (start + (at_contact - start) * approach + after).astype(np.float32)


def _object_path(scene: Scene, subject_x: Floats, approach: Floats, effect: Floats) -> ThingPose:
    x0, direction = scene.member(scene.object).x, scene.direction
    if scene.verb == "push":
        return ThingPose(x0 + direction * TRAVEL["push"] * effect, np.zeros_like(effect))
    if scene.verb == "kick":
        hop = KICK_HEIGHT * 4.0 * effect * (1.0 - effect)
        return ThingPose(x0 + direction * TRAVEL["kick"] * effect, hop)
    if scene.verb == "lift":
        return ThingPose(x0 + (subject_x - x0) * effect**2, HEAD_TOP * effect)
    held = subject_x + direction * HOLD_OFFSET
    at_handing = scene.member(scene.recipient or scene.subject).x - direction * (HANDING_DISTANCE - HOLD_OFFSET)
    taken = scene.member(scene.recipient or scene.subject).x - direction * HOLD_OFFSET
    x = np.where(effect > 0, at_handing + (taken - at_handing) * effect, held)
    return ThingPose(x.astype(np.float32), np.full_like(effect, HOLD_Y))


def _person(
    scene: Scene, member: Member, subject_x: Floats, thing: ThingPose, approach: Floats, effect: Floats
) -> PersonPose:
    still = np.zeros_like(approach)
    if member.id == scene.subject:
        x, facing = subject_x, np.where(approach > 0, scene.direction, member.facing)
        if scene.recipient is not None:
            facing = np.full_like(approach, scene.direction)
        kick = 4.0 * effect * (1.0 - effect) if scene.verb == "kick" else still
        reach = _subject_reach(scene, approach, effect)
    elif member.id == scene.recipient:
        x, kick, reach = still + member.x, still, approach
        facing = np.where(approach > 0, -scene.direction, member.facing)
    else:
        x, kick, reach = still + member.x, still, still
        facing = still + member.facing
    hands = _hands(x, thing, reach)
    swing = STRIDE / 2 * np.sin(np.pi * (x - x[0]) / STRIDE)
    return PersonPose(x.astype(np.float32), facing.astype(np.float32), hands, swing.astype(np.float32), kick)


def _subject_reach(scene: Scene, approach: Floats, effect: Floats) -> Floats:
    """How far the subject's hands are from rest (0) to the object (1)."""
    if scene.verb == "kick":
        return np.zeros_like(approach)
    if scene.verb == "give":
        return np.asarray(1.0 - np.clip(2.0 * effect, 0.0, 1.0), np.float32)
    return np.asarray(approach**3, np.float32)


def _hands(x: Floats, thing: ThingPose, reach: Floats) -> Floats:
    """Both hands ``(p, 2, xy)``: blended from hanging down to holding the thing at its two sides' near edge."""
    side = np.array([-1.0, 1.0], dtype=np.float32)
    rest_x = x[:, None] + side * (PERSON_WIDTH / 2)
    rest_y = np.full_like(rest_x, REST_HAND_Y)
    grip_x = thing.x[:, None] + np.clip(x[:, None] - thing.x[:, None] + side * 0.08, -THING_SIZE / 2, THING_SIZE / 2)
    above = thing.y[:, None] + THING_SIZE * 0.25 + 0.0 * side
    blend = reach[:, None]
    hands = np.stack([rest_x + (grip_x - rest_x) * blend, rest_y + (above - rest_y) * blend], axis=-1)
    return hands.astype(np.float32)


def _still(member: Member, num_frames: int) -> ThingPose:
    return ThingPose(np.full(num_frames, member.x, np.float32), np.zeros(num_frames, np.float32))


def _contacts(scene: Scene, num_frames: int) -> tuple[Contact, ...]:
    """Frames in which hand or foot and object touch; for ``give`` both hold the object while it changes hands."""
    last = num_frames - 1
    touch = int(np.ceil(CONTACT * last))
    released = int(np.floor((CONTACT + (EFFECT_END - CONTACT) / 4) * last))
    if scene.verb == "give" and scene.recipient is not None:
        return (
            Contact(scene.subject, scene.object, 0, released),
            Contact(scene.recipient, scene.object, touch, last),
        )
    return (Contact(scene.subject, scene.object, touch, touch + 1 if scene.verb == "kick" else last),)
