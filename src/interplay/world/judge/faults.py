"""Clips with one planted fault, and clips as a small autoencoder leaves them: what a judge is measured with.

Every fault keeps the true first frame and then breaks one thing. Each names what a judge must notice (``denied``
answers, ``presence`` flags) and what must stay as it is (``kept`` answers).
Shape legend: ``p`` pixel frames, ``y x`` rows and columns. Lengths in stage heights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray

from interplay.world.canvas import GROUND_Y, Canvas
from interplay.world.figures import TORSO_HALF, draw_person, draw_thing
from interplay.world.palette import BACKGROUNDS, INSTANCE_COLOURS
from interplay.world.render import render
from interplay.world.scene import MARGIN, PERSON_WIDTH, THING_KINDS, THING_SIZE, Kind, Member, Scene
from interplay.world.staging import (
    HEAD_TOP,
    HOLD_OFFSET,
    HOLD_Y,
    REST_HAND_Y,
    SHOULDER_Y,
    Motion,
    PersonPose,
    ThingPose,
    stage,
)

Frames = UInt8[ndarray, "p y x 3"]


@dataclass(frozen=True)
class Planted:
    """A clip with a fault. ``since`` is the first frame with a flag, if the fault is one of presence."""

    frames: Frames
    denied: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    emergent_since: int | None = None
    vanished_since: int | None = None
    lasting: bool = True


@dataclass(frozen=True)
class Plant:
    """What a fault is planted into."""

    scene: Scene
    num_frames: int
    size_hw: tuple[int, int]
    rng: np.random.Generator

    def middle_frame(self) -> int:
        """A random frame of the middle half, from which on something goes wrong."""
        quarter = self.num_frames // 4
        return int(self.rng.integers(quarter, 3 * quarter + 1))

    def true_frames(self) -> Frames:
        """The clip without a fault."""
        return render(self.scene, self.num_frames, self.size_hw).frames

    def paint(self, scene: Scene, motion: Motion, extra: Member | None = None) -> Frames:
        """A scene in any motion, persons behind things; ``extra`` is one who stands there and belongs to no scene."""
        canvas = Canvas(self.num_frames, self.size_hw, *BACKGROUNDS[scene.background])
        members = [*scene.members, *([extra] if extra is not None else [])]
        depth = {
            **{m.id: (m.kind != "person", m.id in (scene.subject, scene.object)) for m in members},
            "extra": (False, False),
        }
        for index, member in enumerate(sorted(members, key=lambda m: depth[m.id])):
            if member.kind == "person":
                draw_person(canvas, member, motion.persons.get(member.id) or _standing(member, self.num_frames), index)
            else:
                draw_thing(canvas, member, motion.things.get(member.id) or _lying(member, self.num_frames), index)
        return canvas.pixels()


ALL = frozenset(f"Q{number}" for number in range(1, 11))


def _standing(member: Member, count: int) -> PersonPose:
    x = np.full(count, member.x, np.float32)
    rest = np.array([[-PERSON_WIDTH / 2, REST_HAND_Y], [PERSON_WIDTH / 2, REST_HAND_Y]], np.float32)
    hands = rest + np.array([member.x, 0.0], np.float32)
    facing = np.full(count, member.facing, np.float32)
    return PersonPose(x, facing, np.repeat(hands[None], count, axis=0).astype(np.float32), 0 * x, 0 * x)


def _lying(member: Member, count: int) -> ThingPose:
    return ThingPose(np.full(count, member.x, np.float32), np.zeros(count, np.float32))


# --- faults of the interaction --------------------------------------------------------------------------------------


def frozen(plant: Plant) -> Planted | None:
    """Nothing ever moves."""
    frames = np.repeat(plant.true_frames()[:1], plant.num_frames, axis=0)
    return Planted(frames, denied=ALL - {"Q1"}, kept=frozenset({"Q1"}))


def wrong_actor(plant: Plant) -> Planted | None:
    """The other person does it; with ``give`` it is the recipient who comes and takes the object."""
    scene = plant.scene
    if scene.recipient is not None:
        kept = frozenset({"Q1", "Q9", "Q10"})
        return Planted(plant.paint(scene, _taken_by_recipient(plant)), frozenset({"Q2", "Q7", "Q8"}), kept)
    other = next(m for m in scene.members if m.kind == "person" and m.id != scene.subject)
    swapped = _redirected(replace(scene, subject=other.id))
    if not _stays_on_stage(swapped):
        return None
    frames = render(swapped, plant.num_frames, plant.size_hw).frames
    return Planted(frames, frozenset({"Q2", "Q7", "Q8"}), frozenset({"Q1", "Q9", "Q10"}))


def _redirected(scene: Scene) -> Scene:
    ahead = scene.member(scene.object).x >= scene.member(scene.subject).x
    return replace(scene, direction=1 if ahead else -1)


def _stays_on_stage(scene: Scene) -> bool:
    x = stage(scene, 2).things[scene.object].x[-1]
    return bool(THING_SIZE / 2 <= x <= scene.aspect - THING_SIZE / 2)


def _taken_by_recipient(plant: Plant) -> Motion:
    """The true motion seen from the subject: the subject stands, the recipient walks the subject's way backwards."""
    true = stage(plant.scene, plant.num_frames)
    subject = plant.scene.member(plant.scene.subject)
    walk = (true.persons[subject.id].x - subject.x).astype(np.float32)
    persons = {
        key: replace(pose, x=pose.x - walk, hands=_shifted(pose.hands, walk)) for key, pose in true.persons.items()
    }
    thing = true.things[plant.scene.object]
    things = {**true.things, plant.scene.object: replace(thing, x=thing.x - walk)}
    return replace(true, persons=persons, things=things)


def _shifted(hands: Float32[ndarray, "p 2 2"], walk: Float32[ndarray, " p"]) -> Float32[ndarray, "p 2 2"]:
    shifted: Float32[ndarray, "p 2 2"] = hands - np.stack([walk, 0 * walk], axis=-1)[:, None, :]
    return shifted


def wrong_object(plant: Plant) -> Planted | None:
    """The subject does it to the other thing."""
    scene = plant.scene
    others = [m.id for m in scene.members if m.kind != "person" and m.id != scene.object]
    if scene.recipient is not None or not others:
        return None
    swapped = _redirected(replace(scene, object=others[0]))
    if not _stays_on_stage(swapped):
        return None
    frames = render(swapped, plant.num_frames, plant.size_hw).frames
    # A subject that stands next to the other thing need not move, and then does not visibly act.
    way = abs(stage(swapped, 2 * 16 + 1).persons[scene.subject].x[12] - scene.member(scene.subject).x)
    kept = frozenset({"Q1", "Q7", "Q8"}) if way >= PERSON_WIDTH / 2 else frozenset({"Q1"})
    return Planted(frames, frozenset({"Q4", "Q6", "Q9", "Q10"}), kept)


def no_contact(plant: Plant) -> Planted | None:
    """The subject stops short (with ``give``: stands) and the object moves as if by itself."""
    scene = plant.scene
    true = stage(scene, plant.num_frames)
    subject = scene.member(scene.subject)
    share = 0.0 if scene.recipient is not None else 0.4
    arrival = int(np.argmax(np.abs(true.persons[subject.id].x[: plant.num_frames * 7 // 16] - subject.x)))
    walk = share * (np.minimum(np.arange(plant.num_frames), arrival) / arrival)
    walk = walk * (true.persons[subject.id].x[arrival] - subject.x)
    still = _standing(subject, plant.num_frames)
    pose = replace(still, x=(still.x + walk).astype(np.float32), hands=_shifted(still.hands, -walk.astype(np.float32)))
    motion = replace(true, persons={**true.persons, subject.id: pose})
    if scene.recipient is not None:
        return Planted(plant.paint(scene, _flies_over(plant, motion)), ALL - {"Q1", "Q4", "Q5", "Q6", "Q9", "Q10"})
    if scene.verb == "lift":  # a true lift brings the object to the lifter; this one must not touch the subject
        thing = replace(
            true.things[scene.object], x=np.full_like(true.things[scene.object].x, scene.member(scene.object).x)
        )
        motion = replace(motion, things={**motion.things, scene.object: thing})
    return Planted(plant.paint(scene, motion), frozenset({"Q3", "Q4", "Q5", "Q8"}), frozenset({"Q1", "Q9", "Q10"}))


def _flies_over(plant: Plant, motion: Motion) -> Motion:
    """The object glides from the standing subject's hands to the recipient's."""
    scene = plant.scene
    start = scene.member(scene.subject).x + scene.direction * HOLD_OFFSET
    end = float(motion.things[scene.object].x[-1])
    x = np.interp(np.arange(plant.num_frames), [plant.num_frames / 4, 3 * plant.num_frames / 4], [start, end])
    thing = ThingPose(x.astype(np.float32), np.full(plant.num_frames, HOLD_Y, np.float32))
    return replace(motion, things={**motion.things, scene.object: thing})


def effect_before_contact(plant: Plant) -> Planted | None:
    """The object moves three eighths of the clip too early: as the subject sets out."""
    scene = plant.scene
    if scene.recipient is not None:
        return None
    true = stage(scene, plant.num_frames)
    early = np.minimum(np.arange(plant.num_frames) + 3 * plant.num_frames // 8, plant.num_frames - 1)
    thing = true.things[scene.object]
    moved = ThingPose(thing.x[early], thing.y[early])
    motion = replace(true, things={**true.things, scene.object: moved})
    return Planted(plant.paint(scene, motion), frozenset({"Q4", "Q8"}), frozenset({"Q1", "Q7", "Q9", "Q10"}))


def not_handed_over(plant: Plant) -> Planted | None:
    """The subject brings the object (``give``) and takes it away again."""
    if plant.scene.recipient is None:
        return None
    there = 6 * (plant.num_frames - 1) // 16
    order = np.minimum(np.arange(plant.num_frames), np.maximum(2 * there - np.arange(plant.num_frames), 0))
    denied = frozenset({"Q4", "Q5", "Q6", "Q8", "Q9", "Q10"})
    return Planted(plant.true_frames()[order], denied, ALL - denied)


# --- faults of presence ---------------------------------------------------------------------------------------------


def thing_vanishes(plant: Plant) -> Planted | None:
    """One of the things is gone from some frame on."""
    things = [m.id for m in plant.scene.members if m.kind != "person"]
    return _vanishes(plant, str(plant.rng.choice(things)))


def person_vanishes(plant: Plant) -> Planted | None:
    """One of the persons is gone from some frame on."""
    persons = [m.id for m in plant.scene.members if m.kind == "person"]
    return _vanishes(plant, str(plant.rng.choice(persons)))


def _vanishes(plant: Plant, gone: str) -> Planted:
    scene, since = plant.scene, plant.middle_frame()
    motion = stage(scene, plant.num_frames)
    without = replace(scene, members=tuple(m for m in scene.members if m.id != gone))
    frames = plant.true_frames()
    frames[since:] = plant.paint(without, motion)[since:]
    involved = gone in (scene.subject, scene.object, scene.recipient)
    denied = frozenset({"Q6"}) if involved else frozenset()
    return Planted(frames, denied, frozenset() if involved else ALL, vanished_since=since)


def second_thing(plant: Plant) -> Planted | None:
    """A thing nobody mentioned appears, in a free colour or in that of a thing of the scene."""
    used = [m.colour for m in plant.scene.members]
    colours = [c for c in INSTANCE_COLOURS if c not in used] + [
        m.colour for m in plant.scene.members if m.kind != "person"
    ]
    kind = THING_KINDS[plant.rng.integers(len(THING_KINDS))]
    return _appears(plant, kind, str(plant.rng.choice(colours)), THING_SIZE, (0.0, THING_SIZE))


def second_person(plant: Plant) -> Planted | None:
    """A person nobody mentioned appears, in a free colour or in that of a person of the scene."""
    used = [m.colour for m in plant.scene.members]
    colours = [c for c in INSTANCE_COLOURS if c not in used] + [
        m.colour for m in plant.scene.members if m.kind == "person"
    ]
    return _appears(plant, "person", str(plant.rng.choice(colours)), 2 * TORSO_HALF, (SHOULDER_Y, HEAD_TOP))


def _appears(plant: Plant, kind: Kind, colour: str, width: float, visible_y: tuple[float, float]) -> Planted | None:
    """Where what lies between these heights is in nobody's way: a head has to show, legs may stand behind a thing."""
    rendering = render(plant.scene, plant.num_frames, plant.size_hw)
    taken = np.logical_or.reduce([mask.any(axis=0) for mask in rendering.masks.values()])
    x = _free_place(taken, width, visible_y, plant.rng)
    if x is None:
        return None
    since = plant.middle_frame()
    newcomer = Member("extra", kind, "man" if kind == "person" else kind, colour, x, 1)
    frames = rendering.frames.copy()
    frames[since:] = plant.paint(plant.scene, rendering.motion, newcomer)[since:]
    return Planted(frames, kept=ALL, emergent_since=since)


def _free_place(
    taken: Bool[ndarray, "y x"], width: float, visible_y: tuple[float, float], rng: np.random.Generator
) -> float | None:
    """A random x where nobody ever is, with a pixel or two to spare on both sides."""
    unit, aspect = taken.shape[0], taken.shape[1] / taken.shape[0]
    top, bottom = (round((1.0 - GROUND_Y - y) * unit) for y in reversed(visible_y))
    columns = np.logical_or.reduce(taken[top:bottom], axis=0)
    reach = width / 2 + 0.04
    centres = np.arange(MARGIN + width / 2, aspect - MARGIN - width / 2, 0.02)
    free = [x for x in centres if not columns[max(int((x - reach) * unit), 0) : int((x + reach) * unit) + 1].any()]
    return float(rng.choice(free)) if free else None


def identities_swapped(plant: Plant) -> Planted | None:
    """Two persons, or two things, exchange their colours."""
    scene, since = plant.scene, plant.middle_frame()
    persons = [m for m in scene.members if m.kind == "person"]
    things = [m for m in scene.members if m.kind != "person"]
    one, other = things if len(things) == 2 and plant.rng.random() < 0.5 else persons
    exchanged = {one.id: other.colour, other.id: one.colour}
    members = tuple(replace(m, colour=exchanged.get(m.id, m.colour)) for m in scene.members)
    frames = plant.true_frames()
    frames[since:] = render(replace(scene, members=members), plant.num_frames, plant.size_hw).frames[since:]
    return Planted(frames, emergent_since=since, vanished_since=since, lasting=False)


FAULTS: Mapping[str, Callable[[Plant], Planted | None]] = {
    "frozen": frozen,
    "wrong actor": wrong_actor,
    "wrong object": wrong_object,
    "no contact": no_contact,
    "effect before contact": effect_before_contact,
    "not handed over": not_handed_over,
    "thing vanishes": thing_vanishes,
    "person vanishes": person_vanishes,
    "second thing appears": second_thing,
    "second person appears": second_person,
    "identities swapped": identities_swapped,
}


# --- as an autoencoder leaves it ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wear:
    """Blur of ``sigma`` stage heights and noise of ``noise`` grey levels."""

    sigma: float
    noise: float


def worn(frames: Frames, wear: Wear, rng: np.random.Generator) -> Frames:
    """Blurred frames with noise that is one pixel fine and different in every frame."""
    blurred = frames.astype(np.float32)
    kernel = _gauss(wear.sigma * frames.shape[1])
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (len(kernel) // 2, len(kernel) // 2)
        padded = np.pad(blurred, padding, mode="edge")
        length = frames.shape[axis]
        blurred = np.sum([w * padded.take(range(k, k + length), axis=axis) for k, w in enumerate(kernel)], axis=0)
    noisy = blurred + rng.normal(0.0, wear.noise, frames.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _gauss(sigma_px: float) -> Float32[ndarray, " k"]:
    reach = max(1, round(3 * sigma_px))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)) ** 2)
    kernel: Float32[ndarray, " k"] = (weights / weights.sum()).astype(np.float32)
    return kernel
