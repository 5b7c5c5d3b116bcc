from __future__ import annotations

import numpy as np
import pytest

from interplay.world.canvas import Camera
from interplay.world.figures.scenery import BACKDROPS, paint_backdrop
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.render import painting_order, render
from interplay.world.sampling import render_at, scene_at
from interplay.world.verbs import VERBS
from world_scenes import SIZE, SQUARE, WIDE, scene_of


@pytest.mark.parametrize("verb", VERBS)
def test_masks_are_disjoint_and_everybody_is_seen_at_first_and_at_last(verb):
    for seed in range(3):
        scene = scene_of(verb, seed)
        masks = render(scene, 17, SIZE).masks
        assert np.sum(list(masks.values()), axis=0).max() == 1
        for member in scene.members:
            assert masks[member.id][0].sum() >= 8
            assert masks[member.id][-1].sum() >= 8


@pytest.mark.parametrize("verb", VERBS)
def test_the_last_frame_differs_from_the_first(verb):
    for seed in range(3):
        rendering = render(scene_of(verb, seed), 17, SIZE)
        change = np.abs(rendering.frames[-1].astype(int) - rendering.frames[0]).max(axis=-1)
        assert (change > 40).sum() >= 12


def test_masks_lie_on_the_member_s_colour_and_on_nobody_else_s():
    for index in range(12):
        scene, rendering = render_at(0, "test", index, 5, (96, 160))
        for member in scene.members:
            inside = rendering.frames[rendering.masks[member.id]].astype(int)
            for other in scene.members:
                exact = (inside == INSTANCE_COLOURS[other.colour]).all(axis=1).mean()
                assert exact > 0.05 if other is member else exact == 0


@pytest.mark.parametrize("size", [(64, 64), (24, 40), (96, 160), (240, 360)])
def test_drawing_does_not_depend_on_the_resolution(size):
    scene = scene_of("lift", 2, aspect=size[1] / size[0])
    small, other = render(scene, 3, size), render(scene, 3, (2 * size[0], 2 * size[1]))
    for member in scene.ids:
        assert other.masks[member].mean() == pytest.approx(small.masks[member].mean(), rel=0.16)


def test_parts_are_within_their_member():
    scene, rendering = render_at(0, "test", 1, 9, SIZE)
    for member in (m for m in scene.members if m.family == "person"):
        whole = rendering.masks[member.id]
        parts = [rendering.part(member.id, part) for part in ("body", "head", "near_hand", "far_hand")]
        assert np.array_equal(np.sum(parts, axis=0), whole)
        assert parts[1].any()


def test_who_stands_at_the_back_is_painted_first():
    for index in range(30):
        scene = scene_at(0, "train", index, WIDE)
        order = painting_order(scene)
        assert sorted(order) == sorted(scene.ids)
        lanes = [scene.member(member_id).lane for member_id in order]
        assert lanes == sorted(lanes, reverse=True)


def test_backdrops_are_muted_and_far_from_every_instance_colour():
    colours = np.array(list(INSTANCE_COLOURS.values()))
    for index in range(len(BACKDROPS)):
        picture = paint_backdrop(index, Camera((96, 160), 1.6)).reshape(-1, 3)
        assert (picture.max(axis=1) - picture.min(axis=1)).max() < 60
        assert np.linalg.norm(picture[:, None] - colours, axis=-1).min() > 70
    assert len(BACKDROPS) >= 4


def test_lit_lamps_shine_on_the_scenery_but_own_none_of_it():
    scene = scene_of("turn on", 4, alone=True)
    rendering = render(scene, 17, (96, 160))
    free = np.logical_not(np.any(list(rendering.masks.values()), axis=(0, 1)))
    brighter = rendering.frames[-1].astype(int)[free] - rendering.frames[0][free]
    assert brighter[:, 0].max() > 3


def test_shapes_and_types():
    rendering = render(scene_of("push", aspect=SQUARE), 7, (64, 64))
    assert rendering.frames.shape == (7, 64, 64, 3)
    assert rendering.frames.dtype == np.uint8
    assert all(mask.shape == (7, 64, 64) and mask.dtype == bool for mask in rendering.masks.values())
