from __future__ import annotations

import hashlib

import numpy as np
import pytest

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.render import Rendering, render
from interplay.world.sampling import render_at
from interplay.world.scene import VERBS, Composition, Scene, Verb, sample_scene
from interplay.world.staging import HEAD_TOP, stage

SIZE = (48, 80)


def scene_of(verb: Verb, seed: int = 0) -> Scene:
    return sample_scene(Composition(verb, "red", "box"), SIZE[1] / SIZE[0], np.random.default_rng(seed))


def rendered(verb: Verb, seed: int = 0) -> Rendering:
    return render(scene_of(verb, seed), 17, SIZE)


def test_same_seed_same_bytes() -> None:
    digests = {hashlib.sha256(render_at(5, "train", 11, 17, SIZE)[1].frames.tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_masks_lie_on_their_colour_and_do_not_overlap(verb: Verb) -> None:
    scene, picture = scene_of(verb), rendered(verb)
    covered = np.sum(list(picture.masks.values()), axis=0)
    assert covered.max() == 1
    for member in scene.members:
        inside = picture.frames[picture.masks[member.id]].astype(int)
        distance = np.abs(inside - np.array(INSTANCE_COLOURS[member.colour])).sum(axis=1)
        others = [INSTANCE_COLOURS[m.colour] for m in scene.members if m.id != member.id]
        for colour in others:
            assert (np.abs(inside - np.array(colour)).sum(axis=1) == 0).mean() < 0.01
        if member.kind == "box":
            assert (distance < 40).mean() > 0.5


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_moves_before_it_is_touched(verb: Verb) -> None:
    for seed in range(5):
        scene = scene_of(verb, seed)
        motion = stage(scene, 17)
        thing = motion.things[scene.object]
        touched = min(c.first for c in motion.contacts if c.what == scene.object)
        assert np.allclose(thing.x[: touched + 1], thing.x[0], atol=1e-6) or verb == "give"
        assert np.allclose(thing.y[: touched + 1], thing.y[0], atol=1e-6)


@pytest.mark.parametrize(
    ("verb", "moves_x", "moves_y"), [("push", 0.3, 0.0), ("kick", 0.42, 0.0), ("lift", None, HEAD_TOP)]
)
def test_the_outcome_is_visible_in_the_last_frame(verb: Verb, moves_x: float | None, moves_y: float) -> None:
    scene = scene_of(verb)
    thing = stage(scene, 17).things[scene.object]
    if moves_x is not None:
        assert thing.x[-1] - thing.x[0] == pytest.approx(scene.direction * moves_x, abs=1e-5)
    assert thing.y[-1] == pytest.approx(moves_y, abs=1e-5)


def test_a_given_thing_ends_with_the_recipient() -> None:
    scene = scene_of("give")
    motion = stage(scene, 17)
    thing, giver = motion.things["id2"], motion.persons["id1"]
    recipient = scene.member("id3").x
    assert abs(thing.x[0] - giver.x[0]) < abs(thing.x[0] - recipient)
    assert abs(thing.x[-1] - recipient) < abs(thing.x[-1] - giver.x[-1])


@pytest.mark.parametrize("verb", VERBS)
def test_only_the_participants_move(verb: Verb) -> None:
    scene = scene_of(verb)
    motion = stage(scene, 17)
    for member in scene.members:
        if member.id not in (scene.subject, scene.object):
            x = motion.persons[member.id].x if member.kind == "person" else motion.things[member.id].x
            assert np.ptp(x) == 0


@pytest.mark.parametrize("size", [(24, 40), (96, 160), (480, 800)])
def test_drawing_does_not_depend_on_the_resolution(size: tuple[int, int]) -> None:
    scene = scene_of("lift")
    small, other = render(scene, 3, SIZE), render(scene, 3, size)
    for member in scene.ids:
        assert other.masks[member].mean() == pytest.approx(small.masks[member].mean(), rel=0.12)


def test_shapes_and_types() -> None:
    picture = rendered("push")
    assert picture.frames.shape == (17, 48, 80, 3)
    assert picture.frames.dtype == np.uint8
    assert all(mask.shape == (17, 48, 80) and mask.dtype == bool for mask in picture.masks.values())
