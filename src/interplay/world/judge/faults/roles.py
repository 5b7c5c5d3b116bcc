"""Faults of who does it to whom: the wrong actor, the wrong object or recipient, and traded roles.

The scene is staged anew with somebody else in a role, who is already there; what cannot be (physics, the picture's
edge, a way through those who take part) is not planted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int, Int16
from numpy import ndarray

from interplay.world.canvas import Canvas
from interplay.world.figures.owners import PARTS, owner
from interplay.world.judge.faults.answers import Facts, consequences
from interplay.world.judge.faults.plant import Plant, Planted, Unplanted, base_of, posed, seen_apart
from interplay.world.motion.animal import AnimalPose
from interplay.world.motion.person import PersonPose
from interplay.world.motion.robot import RobotPose
from interplay.world.motion.thing import ThingPose
from interplay.world.physics import faults as impossible
from interplay.world.scene import Event, Member, Scene
from interplay.world.staging import Motion, Pose
from interplay.world.twins import twin

# Verbs that are done from where the subject stands.
_FROM_AFAR = ("wave", "point", "look")
# What may be so although it is done to somebody else: a hand is raised and the true object faces who waves; who looks
# at what it faces from the start does not turn, and turning is what is seen of looking.
_ELSEWHERE_TOO: Mapping[str, Facts] = {
    "wave": frozenset({"comes", "touch", "cause", "along", "result"}),
    "point": frozenset({"comes", "touch", "along"}),
    "look": frozenset({"comes", "acts", "agent"}),
}
# Who only stands by keeps this far from what others do, beyond both bodies; a robot's arm reaches out of its base.
_CLEAR, _ARM = 0.09, 0.2
# Who comes to touch something starts so far from it, and what is thrown flies so far; who waves or points is at this
# share of the verb's own distance.
_COMES, _THROWN, _FAR = 0.08, 0.5, 0.85
# Who touches the wrong one ends so far, in all pixels, from everything else: of two it lies upon, which is touched? So
# does a hand that waves or points: before somebody else, whose hand is it?
_FREE = 0.05
# Of all who take part this share is in sight at the end, whoever else stands before them; so is the head that turns.
_IN_SIGHT = 0.5
# So far around its tip lie a robot's gripper, and around its mouth the front of an animal's head.
_GRIPPER, _MUZZLE = 0.05, 0.08
# Nobody is faster, in stage units per sixteenth of a clip: a little more than what is thrown.
_FASTEST = 0.16
_TURNED = 0.32


def wrong_actor(plant: Plant) -> Planted | Unplanted:
    """Somebody else does it, while the subject stands by. What the subject holds nobody else can hand over."""
    if plant.verb.room.held:
        return Unplanted.NO_ROOM
    event = plant.event
    swaps = (
        replace(event, subject=other.id, direction=_toward(other, plant.target()))
        for other in _bystanders(plant, plant.verb.subjects)
    )
    if event.verb == "look":  # who faces it from the start does not turn to it
        swaps = (swap for swap in swaps if plant.scene.member(swap.subject).facing != swap.direction)
    found = _staged(plant, swaps, idle=event.subject)
    if found is None:
        return Unplanted.NO_ROOM
    broken: Facts = frozenset({"comes", "touch", "cause", "along", "with", "acts", "agent"})
    # Subject and object may be turned to each other all along.
    doubtful: Facts = frozenset({"comes"}) if event.verb in _FROM_AFAR else frozenset()
    if event.verb == "wave":
        doubtful = frozenset({"comes", "along"})
    return _planted(plant, found, broken, doubtful)


def wrong_object(plant: Plant) -> Planted | Unplanted:
    """The subject does it to somebody or something else."""
    if plant.verb.recipients:
        return Unplanted.NO_ROOM
    event, subject = plant.event, plant.subject()
    swaps = (
        replace(event, object=other.id, direction=_toward(subject, other))
        for other in _bystanders(plant, plant.verb.objects)
    )
    if event.verb in _FROM_AFAR:  # who waves at one of two on the same side waves at both
        swaps = (swap for swap in swaps if swap.direction != event.direction)
    found = _staged(plant, swaps, idle=str(event.object))
    if found is None:
        return Unplanted.NO_ROOM
    broken: Facts = frozenset({"touch", "cause", "along", "with", "patient", "result"})
    doubtful: Facts = _ELSEWHERE_TOO.get(event.verb, frozenset({"comes"}))
    if plant.verb.mutual and _stays(found[0], subject.id):  # who need not come is not seen to
        doubtful = frozenset({*doubtful, "acts", "agent"})
    if subject.family == "robot":  # an arm that swings around passes by what is near it
        doubtful = frozenset({*doubtful, "touch"})
    return _planted(plant, found, broken, doubtful)


def wrong_recipient(plant: Plant) -> Planted | Unplanted:
    """The subject hands, throws or pours to somebody or something else."""
    if not plant.verb.recipients:
        return Unplanted.NO_ROOM
    event, subject = plant.event, plant.subject()
    swaps = (
        replace(event, recipient=other.id, direction=_toward(subject, other))
        for other in _bystanders(plant, plant.verb.recipients)
    )
    found = _staged(plant, swaps, idle=str(event.recipient))
    if found is None:
        return Unplanted.NO_ROOM
    motion, swap = found
    if swap.direction != event.direction:
        motion = _turned_around(plant, motion)
    broken: Facts = frozenset({"touch", "cause", "along", "with", "patient", "result"})
    doubtful: Facts = frozenset({"comes"})
    if event.verb == "throw":  # it is swung and leaves the subject's hands, whoever catches it
        broken, doubtful = broken - {"touch", "cause"}, doubtful | {"touch", "cause"}
    if event.verb == "pour":
        doubtful = doubtful | {"cause"}
    return _planted(plant, (motion, swap), broken - doubtful, doubtful)


def roles_swapped(plant: Plant) -> Planted | Unplanted:
    """Subject and object trade roles: the twin of a scene in which both can do either."""
    if plant.verb.room.held or len(plant.scene.events) != 1:
        return Unplanted.NO_ROOM
    swapped = twin(plant.scene)
    if swapped is None:
        return Unplanted.NO_ROOM
    if plant.event.verb == "look" and plant.target().facing == swapped.events[0].direction:
        return Unplanted.NO_ROOM
    motion = plant.restaged(swapped)
    if impossible(swapped, motion):
        return Unplanted.NO_ROOM
    broken: Facts = frozenset({"agent"})
    doubtful: Facts = frozenset({"comes", "acts"})
    if not plant.verb.mutual:
        shown: Facts = frozenset({"touch", "cause", "along", "with", "result"})
        broken = broken | {"patient"}
        if plant.event.verb == "wave":  # the other faces whom it waves at
            doubtful = doubtful | {"along"}
        # Of two who touch it is hard to say whose hand it is.
        broken, doubtful = (broken, doubtful | shown) if plant.event.verb == "touch" else (broken | shown, doubtful)
    else:  # both hug; to whom it is done is whom the other came to
        doubtful = doubtful | {"patient"}
    return _planted(plant, (motion, swapped.events[0]), broken, doubtful)


# --- staging --------------------------------------------------------------------------------------------------------


def _bystanders(plant: Plant, nouns: tuple[str, ...]) -> Iterator[Member]:
    """Members who take part in nothing and could play the part, in random order."""
    busy = plant.scene.participants
    able = [m for m in plant.scene.members if m.id not in busy and m.noun in nouns]
    for index in plant.rng.permutation(len(able)).tolist():
        yield able[index]


def _toward(subject: Member, target: Member) -> int:
    return 1 if target.x >= subject.x else -1


def _staged(plant: Plant, swaps: Iterator[Event], idle: str) -> tuple[Motion, Event] | None:
    """The motion of the first of these events that can be, with who is left out of it standing idle."""
    for swap in swaps:
        scene = up_front(plant.with_event(swap), swap)
        motion = plant.restaged(scene)
        if (
            _starts_alike(plant, motion)
            and _starts_apart(plant, swap)
            and not _hurries(motion, swap)
            and not impossible(scene, motion)
            and _undisturbed(scene, motion, swap, idle)
        ):
            return motion, swap
    return None


def _starts_alike(plant: Plant, motion: Motion) -> bool:
    """Whether all things are as in the true first frame: what is closed is open before, and nothing else is."""
    pairs = [(plant.motion.poses[key], pose) for key, pose in motion.poses.items()]
    things = [(one, other) for one, other in pairs if isinstance(one, ThingPose) and isinstance(other, ThingPose)]
    return all(one.state[0] == other.state[0] and (one.side == other.side or not one.state[0]) for one, other in things)


def _starts_apart(plant: Plant, event: Event) -> bool:
    """Whether there is a way to go: who stands at it from the start cannot be seen to come, or a throw to fly."""
    subject, target = plant.scene.member(event.subject), plant.scene.member(str(event.recipient or event.object))
    way = abs(target.x - subject.x)
    if event.verb == "throw":
        return way >= _THROWN
    if event.verb in _FROM_AFAR:
        return way >= _FAR * plant.verb.distance(subject.kind, target.kind)
    return seen_apart(plant.true.owners[:1], plant.numbers(subject.id, target.id), plant.scale) >= _COMES


def _stays(motion: Motion, key: str) -> bool:
    """Whether somebody acts from where it stands, or nearly."""
    x = base_of(motion.poses[key]).x
    return float(np.abs(x - x[0]).max()) < _COMES


def _hurries(motion: Motion, event: Event) -> bool:
    """Whether somebody or something is faster than anything in the world."""
    fastest = max(float(np.abs(np.diff(base_of(motion.poses[key]).x)).max(initial=0.0)) for key in event.roles)
    return fastest * (motion.num_frames - 1) / 16 > _FASTEST


def up_front(scene: Scene, event: Event) -> Scene:
    """The scene with who acts, and what it holds, in the nearest of the lanes: hands are before what they touch."""
    lane = min(scene.member(key).lane for key in event.roles)
    brought = (event.subject, event.object if event.recipient else None)
    members = tuple(replace(m, lane=lane) if m.id in brought else m for m in scene.members)
    return replace(scene, members=members)


def _undisturbed(scene: Scene, motion: Motion, event: Event, idle: str) -> bool:
    """Whether the event keeps clear of who is left out, so that there is no doubt whom and what it touches."""
    if event.verb in _FROM_AFAR:
        return True
    left, right = _swept(scene, motion, idle)
    ways = [_swept(scene, motion, key) for key in event.roles if key != idle]
    if event.verb == "throw":  # it flies over whoever stands in between
        ways = [_swept(scene, motion, str(event.recipient))]
    return all(low >= right + _CLEAR or high <= left - _CLEAR for low, high in ways)


def _swept(scene: Scene, motion: Motion, key: str) -> tuple[float, float]:
    """The stretch of the stage that a member covers during the clip."""
    x, kind = base_of(motion.poses[key]).x, scene.member(key).kind
    half = kind.half_width + (_ARM if kind.family == "robot" else 0.0)
    return float(x.min()) - half, float(x.max()) + half


def _turned_around(plant: Plant, motion: Motion) -> Motion:
    """What is held starts where it truly is, before a subject that turns around with it."""
    key = str(plant.event.object)
    staged, true = motion.poses[key], plant.motion.poses[key]
    assert isinstance(staged, ThingPose)
    assert isinstance(true, ThingPose)
    share = plant.clock.ease(0.0, _TURNED)
    start = replace(true.base, x=0.0 * share + true.base.x[0], y=0.0 * share + true.base.y[0])
    return posed(motion, {key: replace(staged, base=start.toward(staged.base, share))})


def _planted(
    plant: Plant, found: tuple[Motion, Event], broken: Facts, doubtful: Facts = frozenset()
) -> Planted | Unplanted:
    motion, swap = found
    canvas = plant.painted(motion, up_front(plant.scene, swap))
    shown = SHOWN.get(swap.verb)
    if shown is not None and not shown(plant, canvas, motion, swap):
        return Unplanted.UNSEEN
    if not (in_the_open(plant, canvas, motion, swap) and _left_alone(plant, canvas, swap)):
        return Unplanted.UNSEEN
    if plant.hides_the_other_event(canvas):
        return Unplanted.UNSEEN
    denied, kept = consequences(plant.scene, plant.number, broken, doubtful)
    return Planted(plant.developed(canvas), denied, kept)


def in_the_open(plant: Plant, canvas: Canvas, motion: Motion, event: Event) -> bool:
    """Whether at the end nobody else hides more than half of any who take part: of an outcome that is seen."""
    scene = up_front(plant.scene, event)
    cast = replace(scene, members=tuple(m for m in scene.members if m.id in event.roles))
    alone = plant.painted(motion, cast).owner[-1] // len(PARTS)
    seen = canvas.owner[-1] // len(PARTS)
    areas = [((alone == place).sum(), (seen == scene.ids.index(key)).sum()) for place, key in enumerate(cast.ids)]
    return all(in_sight >= _IN_SIGHT * whole for whole, in_sight in areas)


def _left_alone(plant: Plant, canvas: Canvas, event: Event) -> bool:
    """Whether what somebody else gets ends with room between it and who should have got it."""
    true, given = plant.event.recipient, str(event.object)
    if true in (None, event.recipient):
        return True
    return seen_apart(canvas.owner[-1:], plant.numbers(given, str(true)), plant.scale) >= _FREE


def _touches_alone(plant: Plant, canvas: Canvas, motion: Motion, event: Event) -> bool:
    """Whether in the last frame there is room between who touches and all but what it touches."""
    others = [m.id for m in plant.scene.members if m.id not in event.roles]
    pairs = [plant.numbers(event.subject, other) for other in others]
    return all(seen_apart(canvas.owner[-1:], pair, plant.scale) >= _FREE for pair in pairs)


def _hand_is_seen(plant: Plant, canvas: Canvas, motion: Motion, event: Event) -> bool:
    """Whether in the last frame the hand that waves or points is in sight, with room between it and everybody else.

    Before somebody's head or hand it would be anybody's: skin is skin, and a gripper is as dark as trousers.
    """
    last, number = canvas.owner[-1], plant.scene.ids.index(event.subject)
    hand = _hand(plant, last, motion.poses[event.subject], event)
    others = np.argwhere((last >= 0) & (last // len(PARTS) != number))
    if not hand.size:
        return False
    ways = np.hypot(*(hand[:, None, axis] - others[None, :, axis] for axis in (0, 1)))
    return (float(ways.min(initial=np.inf)) - 1.0) / plant.scale >= _FREE


def _hand(plant: Plant, last: Int16[ndarray, "y x"], pose: Pose, event: Event) -> Int[ndarray, "k 2"]:
    """The pixels of the hand that is farther ahead, or of the gripper, in the last frame."""
    number = plant.scene.ids.index(event.subject)
    if isinstance(pose, RobotPose):
        return np.argwhere((last // len(PARTS) == number) & plant.around(pose.arm.tip, _GRIPPER))
    hands = [np.argwhere(last == owner(number, part)) for part in ("near_hand", "far_hand")]
    return max(hands, key=lambda h: float(event.direction * h[:, 1].mean()) if len(h) else -np.inf)


def _head_is_seen(plant: Plant, canvas: Canvas, motion: Motion, event: Event) -> bool:
    """Whether in the last frame nobody hides more than half of the head that has turned."""
    pose = motion.poses[event.subject]
    place = plant.around(pose.mouth, _MUZZLE) if isinstance(pose, AnimalPose) else _of_head(plant, pose)
    member = plant.scene.member(event.subject)
    alone = plant.painted(motion, replace(plant.scene, members=(member,))).owner[-1]
    seen = canvas.owner[-1] // len(PARTS) == plant.scene.ids.index(event.subject)
    return bool((seen & place).sum() >= _IN_SIGHT * ((alone >= 0) & place).sum())


def _of_head(plant: Plant, pose: Pose) -> Bool[ndarray, "y x"]:
    assert isinstance(pose, PersonPose)
    return plant.around(pose.head, pose.head_radius)


# Of verbs that are seen at a hand or a head: whether they are.
SHOWN: Mapping[str, Callable[[Plant, Canvas, Motion, Event], bool]] = {
    "touch": _touches_alone,
    "wave": _hand_is_seen,
    "point": _hand_is_seen,
    "look": _head_is_seen,
}
