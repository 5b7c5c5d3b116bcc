"""Faults of who is there: somebody vanishes or appears, or two exchange who they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.judge.faults.plant import Answer, Plant, Planted, Unplanted, answers_of, base_of
from interplay.world.layout import MARGIN
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.render import draw_members, own_looks
from interplay.world.scene import BACK_LANE_Y, Event, Member, Scene
from interplay.world.staging import Motion, stage
from interplay.world.vocabulary import ANIMALS, NOUNS, PERSONS, THINGS, Family, Noun

# A member that vanishes is in sight to this share from then on; otherwise nobody could tell.
_IN_SIGHT = 0.5
# Those who exchange identities are so far apart that it is no wavering.
_APART = 0.22
# Who changes places with somebody who faces the other way has turned around, as whoever looks does.
_OF_EVERYBODY = {"look": ("Q8", "Q9")}
# Room around what appears, and the heights (of its bottom) at which it may.
_SPARE, _BOTTOMS = 0.05, (0.0, 0.35, 0.6)
_STEP = 0.02


def thing_vanishes(plant: Plant) -> Planted | Unplanted:
    """One of the things is gone from some frame on."""
    return _vanishes(plant, "thing")


def person_vanishes(plant: Plant) -> Planted | Unplanted:
    """One of the persons is gone from some frame on."""
    return _vanishes(plant, "person")


def animal_vanishes(plant: Plant) -> Planted | Unplanted:
    """An animal or a robot arm is gone from some frame on."""
    return _vanishes(plant, "animal", "robot")


def _vanishes(plant: Plant, *families: Family) -> Planted | Unplanted:
    since = plant.middle_frame()
    able = [m.id for m in plant.scene.members if m.family in families]
    gone = [key for key in able if _in_sight(plant, key, since)]
    if not gone:
        return Unplanted.UNSEEN if able else Unplanted.NO_ROOM
    key = gone[int(plant.rng.integers(len(gone)))]
    without = replace(plant.scene, members=tuple(m for m in plant.scene.members if m.id != key))
    frames = plant.true.frames.copy()
    frames[since:] = plant.painted(plant.motion, without).pixels()[since:]
    denied, kept = _without(plant.scene, key)
    return Planted(frames, denied, kept, vanished_since=since)


def _in_sight(plant: Plant, key: str, since: int) -> bool:
    """Whether a member is seen in every frame from ``since`` on, alone as large as it is then."""
    alone = _alone(plant, key).sum(axis=(1, 2))
    seen = plant.true.masks[key].sum(axis=(1, 2))
    return bool((seen[since:] >= _IN_SIGHT * alone[since:]).all())


def _alone(plant: Plant, key: str) -> Bool[ndarray, "p y x"]:
    """The pixels of a member that nobody hides."""
    alone = replace(plant.scene, members=(plant.scene.member(key),))
    canvas = Canvas(plant.num_frames, Camera(plant.size_hw, plant.scene.width), (0, 0, 0))
    draw_members(canvas, alone, plant.motion.poses, own_looks(alone))
    shown: Bool[ndarray, "p y x"] = canvas.owner >= 0
    return shown


def _without(scene: Scene, key: str) -> tuple[frozenset[Answer], frozenset[Answer]]:
    """Answers that are no without a member, and answers that do not hang on it."""
    denied, kept = set[Answer](), set[Answer](answers_of(scene))
    for number, event in enumerate(scene.events):
        if key not in event.roles:
            continue
        kept -= {(number, f"Q{q}") for q in range(2, 11)}
        if key == event.object or key == event.recipient:
            denied |= {(number, question) for question in _shown_by(event, key)}
    return frozenset(denied), frozenset(kept)


def _shown_by(event: Event, key: str) -> tuple[str, ...]:
    """The answers that are seen at this member in the end.

    A jug that is gone leaves a full cup, and one who points goes on pointing to where something was.
    """
    elsewhere = event.verb in ("wave", "point", "look") or (event.verb == "pour" and key == event.object)
    return () if elsewhere else ("Q6", "Q10")


# --- somebody new ---------------------------------------------------------------------------------------------------


def second_thing(plant: Plant) -> Planted | Unplanted:
    """A thing nobody mentioned appears, in a free colour or in that of a thing of the scene."""
    return _appears(plant, THINGS, "thing")


def second_person(plant: Plant) -> Planted | Unplanted:
    """A person nobody mentioned appears, in a free colour or in that of a person of the scene."""
    return _appears(plant, PERSONS, "person")


def second_animal(plant: Plant) -> Planted | Unplanted:
    """An animal nobody mentioned appears, in a free colour or in that of an animal of the scene."""
    return _appears(plant, ANIMALS, "animal")


def _appears(plant: Plant, nouns: Sequence[str], family: Family) -> Planted | Unplanted:
    """Where nobody ever is: on the ground, or of things also in the air."""
    noun = NOUNS[nouns[int(plant.rng.integers(len(nouns)))]]
    bottoms = _BOTTOMS if family == "thing" and noun.on_stand else (BACK_LANE_Y if family != "thing" else 0.0,)
    if len(bottoms) == 1 and not _might_stand(plant.scene, _reach(noun)):
        return Unplanted.NO_ROOM
    taken = np.logical_or.reduce([mask.any(axis=0) for mask in plant.true.masks.values()])
    camera = Camera(plant.size_hw, plant.scene.width)
    for bottom in bottoms:
        places = _free_places(taken, camera, noun, bottom)
        if places:
            x = places[int(plant.rng.integers(len(places)))]
            newcomer = Member("extra", noun.name, _its_colour(plant, family), x, bottom, 1, int(family != "thing"))
            return _with(plant, newcomer)
    return Unplanted.NO_ROOM


def _might_stand(scene: Scene, reach: float) -> bool:
    """Whether there is room before anybody moves; told without drawing anything."""
    taken = sorted((m.x - m.kind.half_width, m.x + m.kind.half_width) for m in scene.members)
    edges = [(0.0, MARGIN), *taken, (scene.width - MARGIN, scene.width)]
    return any(right[0] - left[1] >= 2 * reach for left, right in pairwise(edges))


def _reach(noun: Noun) -> float:
    """How far from its middle nobody else may be; a head is put forward."""
    return noun.half_width + (0.06 if noun.family == "animal" else 0.0) + _SPARE


def _its_colour(plant: Plant, family: Family) -> str:
    used = [m.colour for m in plant.scene.members]
    same = [m.colour for m in plant.scene.members if m.family == family]
    options = [*(c for c in INSTANCE_COLOURS if c not in used), *same] or used
    return options[int(plant.rng.integers(len(options)))]


def _with(plant: Plant, newcomer: Member) -> Planted:
    since = plant.middle_frame()
    scene = replace(plant.scene, members=(*plant.scene.members, newcomer))
    alone = stage(replace(scene, members=(newcomer,), events=(), speaker=None), 1)
    grounds = {**plant.motion.grounds, "extra": newcomer.y}
    poses = {**plant.motion.poses, "extra": alone.poses["extra"]}
    motion: Motion = replace(plant.motion, poses=poses, grounds=grounds)
    frames = plant.true.frames.copy()
    frames[since:] = plant.painted(motion, scene).pixels()[since:]
    return Planted(frames, kept=answers_of(plant.scene), emergent_since=since)


def _free_places(taken: Bool[ndarray, "y x"], camera: Camera, noun: Noun, bottom: float) -> list[float]:
    """Every x at which a noun stands in nobody's way."""
    floor = camera.height - camera.ground
    rows = slice(*(max(0, round((floor - y) * camera.scale)) for y in (bottom + noun.height + _SPARE, bottom - _SPARE)))
    columns: Bool[ndarray, " x"] = np.any(taken[rows], axis=0)
    reach = _reach(noun)
    centres = np.arange(MARGIN + reach, camera.width - MARGIN - reach, _STEP).tolist()
    return [
        x for x in centres if not columns[int((x - reach) * camera.scale) : int((x + reach) * camera.scale) + 1].any()
    ]


# --- identities -----------------------------------------------------------------------------------------------------


def identities_swapped(plant: Plant) -> Planted | Unplanted:
    """Two of a kind exchange their colours."""
    since = plant.middle_frame()
    alike = list(_alike(plant.scene))
    pairs = [pair for pair in alike if _told_apart(plant, pair, since)]
    if not pairs:
        return Unplanted.UNSEEN if alike else Unplanted.NO_ROOM
    one, other = pairs[int(plant.rng.integers(len(pairs)))]
    exchanged = {one.id: other.colour, other.id: one.colour}
    members = tuple(replace(m, colour=exchanged.get(m.id, m.colour)) for m in plant.scene.members)
    frames = plant.true.frames.copy()
    frames[since:] = plant.painted(plant.motion, replace(plant.scene, members=members)).pixels()[since:]
    kept = {
        (number, question)
        for number, question in answers_of(plant.scene)
        if not exchanged.keys() & {*plant.scene.events[number].roles}
        and (question not in _OF_EVERYBODY.get(plant.scene.events[number].verb, ()))
    }
    return Planted(frames, kept=frozenset(kept), emergent_since=since, vanished_since=since, lasting=False)


def _alike(scene: Scene) -> Iterable[tuple[Member, Member]]:
    """Pairs of persons, of animals, and of things of one noun."""
    for one, other in combinations(scene.members, 2):
        if one.family == other.family and (one.family != "thing" or one.noun == other.noun):
            yield one, other


def _told_apart(plant: Plant, pair: tuple[Member, Member], since: int) -> bool:
    """Whether both are in sight and apart when they change."""
    seen = all(_in_sight(plant, member.id, since) for member in pair)
    one, other = (base_of(plant.motion.poses[member.id]).x for member in pair)
    apart = np.broadcast_to(np.abs(one - other), (plant.num_frames,))
    return seen and bool((apart[since - 1 : since + 1] >= _APART).all())
