"""What must hold of every scene's motion: a list of what does not. For tests, and for whoever adds a verb.

Shapes: p pixel frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from interplay.world.motion.animal import AnimalPose
from interplay.world.motion.curves import Curve, Path, length
from interplay.world.motion.limbs import Limb
from interplay.world.motion.person import FOREARM, UPPER_ARM, PersonPose
from interplay.world.motion.robot import RobotPose
from interplay.world.motion.take import Contact
from interplay.world.motion.thing import ThingPose, door_width, lid_end
from interplay.world.scene import Member, Scene
from interplay.world.staging import Motion, Pose

# A hand is this thick, so that its middle may be so far from what it touches.
_TOUCHING = 0.036
_ROUNDING = 2e-3
# Half the width of a torso; two who hug may press so much, things may be as near as this.
_TORSO, _SQUEEZE = 0.07, 0.03
# Hair and elbows may be cut by the picture's edge.
_OFF_STAGE = 0.05
# Contact is seen in whole frames, and what moves may have begun to within one.
_UNMOVED = 1e-4


def faults(scene: Scene, motion: Motion) -> list[str]:
    """Everything in a motion that cannot be, as sentences; empty when all is well."""
    found = [*_off_stage(scene, motion), *_stretched(scene, motion), *_untouched(scene, motion)]
    return [*found, *_early(scene, motion), *_through_each_other(scene, motion)]


def _off_stage(scene: Scene, motion: Motion) -> Iterator[str]:
    for member in scene.members:
        x, half = _trunk(motion.poses[member.id]).x, member.kind.half_width - _OFF_STAGE
        if x.min() < half or x.max() > scene.width - half:
            yield f"{member.noun} {member.id} leaves the stage: x {x.min():.3f} to {x.max():.3f} of {scene.width}"


def _stretched(scene: Scene, motion: Motion) -> Iterator[str]:
    """Upper arm and forearm keep their lengths; a folded arm may overlap itself."""
    for member in scene.members:
        pose = motion.poses[member.id]
        if not isinstance(pose, PersonPose):
            continue
        for name, arm in (("near", pose.near_arm), ("far", pose.far_arm)):
            longest = (arm.root.distance(arm.joint).max(), arm.joint.distance(arm.tip).max())
            if longest[0] > UPPER_ARM * pose.scale + _ROUNDING or longest[1] > FOREARM * pose.scale + _ROUNDING:
                yield f"the {name} arm of {member.noun} {member.id} is stretched to {longest}"


def _untouched(scene: Scene, motion: Motion) -> Iterator[str]:
    for contact in motion.contacts:
        gap = _gap(scene, motion, contact)[contact.first : contact.last + 1].max()
        if gap > _TOUCHING:
            yield f"the {contact.part} of {contact.who} is {gap:.3f} away from {contact.what}"


def _early(scene: Scene, motion: Motion) -> Iterator[str]:
    """Nothing changes before it is touched."""
    for contact in motion.contacts:
        pose = motion.poses[contact.what]
        if not isinstance(pose, ThingPose):
            continue
        since = min(c.first for c in motion.contacts if c.what == contact.what) + 1
        curves = (pose.base.x, pose.base.y, pose.turn, pose.state)
        if any(np.ptp(curve[:since]) > _UNMOVED for curve in curves):
            yield f"{contact.what} changes before {contact.who} touches it"


def _through_each_other(scene: Scene, motion: Motion) -> Iterator[str]:
    """Torsos of one lane keep apart; so do torsos and what stands before them."""
    for lane in (0, 1):
        yield from _in_each_other([m for m in scene.members if m.lane == lane], motion)


def _in_each_other(members: Sequence[Member], motion: Motion) -> Iterator[str]:
    people = [m for m in members if isinstance(motion.poses[m.id], PersonPose)]
    for one, other in combinations(people, 2):
        gap = np.abs(_chest(motion, one).x - _chest(motion, other).x).min()
        if gap < _TORSO * (one.kind.scale + other.kind.scale) - _SQUEEZE:
            yield f"{one.id} and {other.id} stand in each other ({gap:.3f} apart)"
    things = [m for m in members if m.family == "thing" and m.noun != "door"]
    for person in people:
        for thing in things:
            if _inside(motion, person, thing):
                yield f"{person.noun} {person.id} and {thing.noun} {thing.id} are in each other"


def _inside(motion: Motion, person: Member, thing: Member) -> bool:
    """Whether a thing is ever in a torso: side by side too near, and neither over nor under it."""
    pose, body = motion.poses[thing.id], motion.poses[person.id]
    assert isinstance(pose, ThingPose)
    assert isinstance(body, PersonPose)
    near = np.abs(pose.base.x - body.hips.x) < thing.kind.half_width + _TORSO * body.scale - _SQUEEZE
    head = body.head.y + body.head_radius - _SQUEEZE
    return bool((near & (pose.base.y < head) & (pose.base.y + thing.kind.height > body.hips.y)).any())


def _gap(scene: Scene, motion: Motion, contact: Contact) -> Curve:
    """Distance of the nearest of the actor's hands (or feet) to what it touches."""
    tips = _tips(motion.poses[contact.who], contact.part)
    target, kind = motion.poses[contact.what], scene.member(contact.what).kind
    gaps = [_distance_to(target, tip, kind.half_width, kind.height) for tip in tips]
    return np.broadcast_to(np.min(np.broadcast_arrays(*gaps), axis=0), (motion.num_frames,))


def _tips(pose: Pose, part: str) -> tuple[Path, ...]:
    if isinstance(pose, PersonPose):
        return (pose.near_leg.tip,) if part == "foot" else (pose.near_arm.tip, pose.far_arm.tip)
    return (pose.mouth,) if isinstance(pose, AnimalPose) else (_arm(pose).tip,)


def _arm(pose: Pose) -> Limb:
    assert isinstance(pose, RobotPose)
    return pose.arm


def _distance_to(target: Pose, tip: Path, half_width: float, height: float) -> Curve:
    """Distance of a point to the body of a member: its rectangle, its lid or panel, a person's trunk or hands."""
    if isinstance(target, PersonPose):
        hands = [tip.distance(arm.tip) for arm in (target.near_arm, target.far_arm)]
        trunk = _to_rectangle(tip, target.hips, 0.08 * target.scale, 0.24 * target.scale)
        nearest: Curve = np.minimum(np.minimum(hands[0], hands[1]), trunk)
        return nearest
    if not isinstance(target, ThingPose):
        return _to_rectangle(tip, target.base, half_width, height)
    gap = _to_rectangle(tip, target.base, half_width, height)
    if np.any(target.state):
        across, up = lid_end(target.state, half_width, height, target.side)
        panel = 0.82 * half_width * target.side - 1.78 * target.side * door_width(half_width, target.state)
        for corner in (target.base.moved(across, up), target.base.moved(panel, 0.44 * height)):
            gap = np.minimum(gap, tip.distance(corner))
    return gap


def _to_rectangle(tip: Path, base: Path, half_width: float, height: float) -> Curve:
    zero = np.float32(0.0)
    dx = np.maximum(np.abs(tip.x - base.x) - half_width, zero)
    return length(dx, np.maximum(np.maximum(base.y - tip.y, tip.y - base.y - height), zero))


def _trunk(pose: Pose) -> Path:
    return pose.hips if isinstance(pose, PersonPose) else pose.base


def _chest(motion: Motion, member: Member) -> Path:
    pose = motion.poses[member.id]
    assert isinstance(pose, PersonPose)
    return pose.hips
