"""What the judge sees: colours and parts in hand-made pictures, members, states and presence in small clips."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest

from interplay.world.judge.brief import Brief
from interplay.world.judge.components import components
from interplay.world.judge.drawing import empty_stage, first_frame
from interplay.world.judge.presence import Presence, presence
from interplay.world.judge.segment import BACKGROUND, COLOURS, HAIR_CLASS, SKIN_CLASS, classify, shrink
from interplay.world.judge.sight import State
from interplay.world.judge.tracks import Recovery, full_size_mask, recover
from interplay.world.palette import HAIR, INSTANCE_COLOURS, SHADOW, SKIN, darker, lighter
from interplay.world.render import Rendering, render
from interplay.world.sampling import scene_at
from interplay.world.scene import Member, Scene

SIZE_HW, NUM_FRAMES = (48, 80), 17
ASPECT = SIZE_HW[1] / SIZE_HW[0]


def scenes_of(verb: str, count: int, seed: int = 7) -> list[Scene]:
    scenes = (scene_at(seed, "train", index, ASPECT) for index in range(400))
    return list(islice((s for s in scenes if [event.verb for event in s.events] == [verb]), count))


def seen(scene: Scene, num_frames: int = NUM_FRAMES) -> tuple[Rendering, Recovery]:
    rendering = render(scene, num_frames, SIZE_HW)
    return rendering, recover(rendering.frames, Brief.of(scene))


def standing(*members: Member) -> Scene:
    return Scene(members, (), 1.5, ASPECT, 0, 0)


MAN, DOG = Member("id1", "man", "red", 0.4, 0.0, 1), Member("id2", "dog", "blue", 0.9, 0.0, -1)
BALL = Member("id3", "ball", "green", 1.25, 0.0, 1)

# --- the brief ------------------------------------------------------------------------------------------------------


def test_a_brief_holds_nothing_of_the_motion():
    scene = scenes_of("throw", 1)[0]
    event = scene.events[0]
    other = replace(event, direction=-event.direction, start=0.1, end=0.7)
    told = replace(scene, events=(other,), wording=scene.wording + 1, speaker=scene.members[0].id, speech=5)
    assert Brief.of(told) == Brief.of(scene)
    assert {field.name for field in fields(Brief.of(scene).plots[0])} == {"verb", "subject", "object", "recipient"}


@pytest.mark.parametrize("verb", ["touch", "hand over", "pour", "open", "close", "turn off"])
def test_the_drawn_first_frame_is_that_of_the_clip(verb):
    for scene in scenes_of(verb, 2):
        true, drawn = render(scene, NUM_FRAMES, SIZE_HW), first_frame(Brief.of(scene), SIZE_HW)
        for key, mask in drawn.masks.items():
            assert (mask == true.masks[key][0]).all(), (verb, key)
        assert np.abs(drawn.frame.astype(int) - true.frames[0]).mean() < 1.0  # a gaze, a glow


def test_stools_belong_to_the_empty_stage_and_what_is_held_has_none():
    objects = ((scene, scene.member(str(scene.events[0].object))) for scene in scenes_of("hold", 20))
    scene = next(scene for scene, thing in objects if thing.y > thing.ground)
    bare = replace(scene, members=tuple(replace(m, y=m.ground) for m in scene.members))
    assert (empty_stage(Brief.of(scene), SIZE_HW) != empty_stage(Brief.of(bare), SIZE_HW)).any()
    held = scenes_of("hand over", 1)[0]
    bare = replace(held, members=tuple(replace(m, y=m.ground) for m in held.members))
    assert (empty_stage(Brief.of(held), SIZE_HW) == empty_stage(Brief.of(bare), SIZE_HW)).all()


# --- colours and parts ----------------------------------------------------------------------------------------------


def test_every_colour_is_its_own_class_in_every_shade():
    shades = [shade for colour in INSTANCE_COLOURS.values() for shade in (colour, darker(colour), lighter(colour))]
    frames = np.array([*shades, SKIN, HAIR], np.uint8)[None, None]
    stage = np.full(frames.shape[1:], 210, np.uint8)
    expected = [*np.repeat(range(len(COLOURS)), 3).tolist(), SKIN_CLASS, HAIR_CLASS]
    assert classify(frames, stage)[0, 0].tolist() == expected


def test_the_stage_is_background_even_if_it_is_coloured_or_in_a_shadow():
    stage = np.array([[INSTANCE_COLOURS["teal"], (200, 180, 150)]], np.uint8)
    dark = stage[0, 1] + 0.27 * (np.array(SHADOW) - stage[0, 1])
    frames = np.stack([stage, [[stage[0, 0], dark.astype(np.uint8)]]])
    assert (classify(frames, stage) == BACKGROUND).all()


def test_shrinking_takes_means_of_blocks():
    frames = np.zeros((1, 3, 4, 3), np.uint8)
    frames[0, :2, :2] = [[[10, 20, 30], [30, 20, 10]], [[10, 20, 30], [30, 20, 10]]]
    frames[0, 2, 2:] = 7
    assert shrink(frames, 2)[0].tolist() == [[[20, 20, 20], [0, 0, 0]], [[0, 0, 0], [7, 7, 7]]]
    assert shrink(frames, 1) is frames


def flood_fill(classes: np.ndarray) -> list[frozenset[tuple[int, ...]]]:
    """The plainest way to find components."""
    left = {tuple(int(i) for i in where) for where in np.argwhere(classes != BACKGROUND)}
    found = []
    while left:
        waiting, part = [next(iter(left))], set()
        while waiting:
            frame, row, column = where = waiting.pop()
            if where not in left:
                continue
            left.discard(where)
            part.add(where)
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                near = (frame, row + step[0], column + step[1])
                if near in left and classes[near] == classes[where]:
                    waiting.append(near)
        found.append(frozenset(part))
    return found


@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_components_are_those_of_a_flood_fill(density):
    rng = np.random.default_rng(round(10 * density))
    classes = np.where(rng.random((3, 14, 19)) < density, rng.integers(0, 3, (3, 14, 19)), BACKGROUND).astype(np.int8)
    parts = components(classes)
    found = [frozenset(tuple(int(i) for i in w) for w in np.argwhere(parts.index == n)) for n in range(len(parts.area))]
    assert set(found) == set(flood_fill(classes))
    for n, part in enumerate(found):
        frames, rows, columns = (np.array(values) for values in zip(*part, strict=True))
        assert parts.area[n] == len(part)
        assert set(frames) == {parts.frame[n]}
        assert parts.kind[n] == classes[next(iter(part))]
        assert tuple(parts.box[n]) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert parts.centre[n] == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5])


def test_a_spiral_is_one_component():
    spiral = np.array(["11111", "00001", "11101", "10001", "11111"])
    classes = np.array([[[0 if c == "1" else BACKGROUND for c in row] for row in spiral]], np.int8)
    parts = components(classes)
    assert parts.area.tolist() == [17]
    assert parts.core.tolist() == [0]


def test_an_empty_clip_has_no_components():
    parts = components(np.full((2, 3, 4), BACKGROUND, np.int8))
    assert parts.area.size == 0
    assert (parts.index == -1).all()


# --- members --------------------------------------------------------------------------------------------------------


def test_tracks_lie_on_the_true_masks_and_places():
    for index in range(6):
        scene = scene_at(3, "heldout", index, ASPECT)
        rendering, found = seen(scene)
        for key, track in found.tracks.items():
            true = rendering.masks[key]
            assert (track.mask & true).sum() / (track.mask | true).sum() > 0.7, (index, key)
            pose = rendering.motion.poses[key]
            true_x = np.broadcast_to(pose.hips.x if hasattr(pose, "hips") else pose.base.x, NUM_FRAMES)
            assert np.nanmax(np.abs(track.x - true_x)) < 0.12, (index, key)  # who leans stays


@pytest.mark.parametrize(("num_frames", "size_hw"), [(9, (64, 64)), (5, (96, 160)), (5, (100, 167))])
def test_any_length_and_size(num_frames, size_hw):
    for index in range(3):
        scene = scene_at(8, "test", index, size_hw[1] / size_hw[0])
        rendering = render(scene, num_frames, size_hw)
        found = recover(rendering.frames, Brief.of(scene))
        for key, track in found.tracks.items():
            mask, true = full_size_mask(track, size_hw), rendering.masks[key]
            assert mask.shape == true.shape
            assert (mask & true).sum() > 0.6 * true.sum(), (index, key)


def test_who_turns_is_seen_to_turn():
    for scene in scenes_of("wave", 2) + scenes_of("look", 2):
        rendering, found = seen(scene)
        for key, track in found.tracks.items():
            pose = rendering.motion.poses[key]
            if track.look.is_thing or track.look.member.family == "robot":
                continue
            facing = np.broadcast_to(pose.facing, NUM_FRAMES)
            sure = np.abs(facing) > 0.95
            assert (np.sign(track.facing[sure]) == np.sign(facing[sure])).mean() > 0.9, (scene, key)


@pytest.mark.parametrize("verb", ["open", "close", "turn on", "turn off"])
def test_states_are_those_of_the_clip(verb):
    for scene in scenes_of(verb, 2):
        rendering, found = seen(scene)
        key = str(scene.events[0].object)
        true, track = rendering.motion.poses[key].state, found.tracks[key]
        assert np.abs(track.opened - true)[[0, -1]].max() < 0.2, scene.member(key)
        assert np.nanmedian(np.abs(track.opened - true)) < 0.1


def test_a_cup_is_seen_to_fill():
    for scene in scenes_of("pour", 3):
        _, found = seen(scene)
        opened = found.tracks[str(scene.events[0].recipient)].opened
        assert opened[0] < 0.1
        assert opened[-1] > 0.7


def test_gaps_and_reach_are_in_stage_units():
    _, found = seen(standing(MAN, DOG, BALL), 1)
    ball = found.tracks["id3"]
    assert found.gap("id3", "id1")[0] == pytest.approx(BALL.x - MAN.x - 0.08 - 0.12, abs=0.05)
    assert found.gap("id1", "id3")[0] == found.gap("id3", "id1")[0]
    assert ball.reach(1.0, 0.0, 0.16)[0] == pytest.approx(0.08, abs=0.02)
    assert ball.reach(-1.0, 0.3, 0.5)[0] == 0.0
    assert (ball.bottom[0], ball.top[0]) == pytest.approx((0.0, 0.16), abs=0.025)


# --- presence -------------------------------------------------------------------------------------------------------


def frames_of(scene: Scene) -> np.ndarray:
    return render(scene, 1, SIZE_HW).frames


def judged(*shown: Scene) -> Presence:
    """What is said of a clip that shows these scenes for three frames each, the first one being true."""
    frames = np.concatenate([frames_of(scene).repeat(3, axis=0) for scene in shown])
    return presence(recover(frames, Brief.of(shown[0])))


@pytest.mark.parametrize("gone", [MAN, DOG, BALL])
def test_who_is_gone_has_vanished(gone):
    whole = standing(MAN, DOG, BALL)
    rest = standing(*(m for m in whole.members if m != gone))
    assert judged(whole, rest) == Presence((), (3, 4, 5), 5)


@pytest.mark.parametrize(
    "newcomer",
    [
        Member("x", "boy", "purple", 0.65, 0.0, 1),
        Member("x", "man", "red", 0.64, 0.0, 1),
        Member("x", "ball", "yellow", 0.65, 0.0, 1),
        Member("x", "ball", "green", 0.65, 0.4, 1),
        Member("x", "cup", "blue", 0.65, 0.4, 1),
    ],
)
def test_who_comes_from_nowhere_emerges(newcomer):
    whole = standing(MAN, DOG, BALL)
    assert judged(whole, standing(*whole.members, newcomer)) == Presence((3, 4, 5), (), 5)


def test_two_who_trade_places_vanish_and_emerge_at_once():
    woman = Member("id2", "woman", "blue", 1.1, 0.0, -1)
    traded = standing(replace(MAN, x=woman.x), replace(woman, x=MAN.x))
    assert judged(standing(MAN, woman), traded) == Presence((3,), (3,), 5)


def test_who_trades_places_on_the_way_is_noticed():
    woman = Member("id2", "woman", "blue", 1.2, 0.0, -1)
    walk = [(replace(MAN, x=0.4 + 0.05 * step), woman) for step in range(6)]
    walk[3:] = [(replace(man, x=it.x), replace(it, x=man.x)) for man, it in walk[3:]]
    frames = np.concatenate([frames_of(standing(*pair)) for pair in walk])
    assert presence(recover(frames, Brief.of(standing(*walk[0])))) == Presence((3,), (3,), 5)


def test_a_trade_that_is_smeared_over_four_frames_is_noticed():
    man, woman = Member("id1", "man", "red", 0.4, 0.0, 1), Member("id2", "man", "teal", 1.1, 0.0, -1)
    first, last = (
        frames_of(standing(*pair)).astype(float)
        for pair in ((man, woman), (replace(man, colour="teal"), replace(woman, colour="red")))
    )
    shares = np.array([0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1])[:, None, None, None]
    found = presence(recover(((1 - shares) * first + shares * last).astype(np.uint8), Brief.of(standing(man, woman))))
    assert set(found.emergent_frames) & set(found.vanished_frames) & {3, 4, 5, 6, 7}


@pytest.mark.parametrize("behind", ["woman", "dog"])
def test_who_passes_before_somebody_has_not_traded_places(behind):
    other = Member("id2", behind, "blue", 0.75, 0.06, -1, 1)
    walk = [standing(replace(MAN, x=0.4 + 0.1 * step), other) for step in range(8)]
    frames = np.concatenate([frames_of(scene) for scene in walk])
    assert presence(recover(frames, Brief.of(walk[0]))) == Presence((), (), 7)


def test_who_is_hidden_is_not_gone():
    door = Member("id2", "door", "teal", 0.8, 0.0, 1)
    boy = Member("id1", "boy", "red", 0.55, 0.0, 1)
    behind = standing(replace(boy, x=0.8), door)
    frames = np.concatenate([frames_of(scene).repeat(3, axis=0) for scene in (standing(boy, door), behind)])
    found = recover(frames, Brief.of(standing(boy, door)))
    assert State.MISSING not in found.tracks["id2"].states


def test_on_an_empty_stage_everybody_has_vanished():
    whole = standing(MAN, DOG, BALL)
    _, found = seen(whole, 1)
    frames = empty_stage(Brief.of(whole), SIZE_HW)[None].repeat(4, axis=0)
    found = recover(frames, Brief.of(whole))
    assert all(set(track.states) == {State.MISSING} for track in found.tracks.values())
    assert presence(found) == Presence((), (1, 2, 3), 3)
