"""Events in either lane, with bystanders of the other one before or behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interplay.world.judge import Verdict, judge
from interplay.world.judge.brief import Brief
from interplay.world.judge.evidence import Evidence
from interplay.world.judge.faults.wear import LEVELS, worn
from interplay.world.judge.sight import State
from interplay.world.judge.tracks import recover
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.render import render
from interplay.world.scene import BACK_LANE_Y, Event, Member, Scene
from interplay.world.twins import twin
from world_scenes import SIZE, WIDE, scene_of

NUM_FRAMES = 17


def in_lane(scene: Scene, lane: int) -> Scene:
    """The scene with everybody in one lane."""
    ground = BACK_LANE_Y if lane else 0.0
    members = tuple(replace(m, y=round(m.y - m.ground + ground, 4), lane=lane) for m in scene.members)
    return replace(scene, members=members)


def with_bystander(scene: Scene, noun: str, x: float, lane: int) -> Scene:
    """The scene with one more, in a colour of its own."""
    colour = next(c for c in INSTANCE_COLOURS if c not in {m.colour for m in scene.members})
    new = Member("extra", noun, colour, x, BACK_LANE_Y if lane else 0.0, 1, lane)
    return replace(scene, members=(*scene.members, new))


def verdict_on(scene: Scene, level: str = "clean") -> Verdict:
    frames = render(scene, NUM_FRAMES, SIZE).frames
    return judge(worn(frames, LEVELS[level], np.random.default_rng(0)), scene)


def denied(verdict: Verdict) -> list[str]:
    return [finding.name for finding in verdict.findings if not finding.yes]


@pytest.mark.parametrize("verb", ["push", "kick", "lift", "carry", "hug", "open", "turn on", "hand over"])
def test_a_bystander_before_an_event_at_the_back_does_not_disturb(verb):
    scene = in_lane(scene_of(verb, 2, alone=True), 1)
    subject, way = scene.member(scene.events[0].subject), scene.events[0].direction
    before = with_bystander(scene, "boy", subject.x - 0.12 * way, 0)
    free, partly = (render(one, NUM_FRAMES, SIZE).masks[subject.id][0].sum() for one in (scene, before))
    assert partly < free - 10  # it does stand before who is going to act
    verdict = verdict_on(before, "middle")
    assert denied(verdict) == []
    assert verdict.presence.emergent_frames == verdict.presence.vanished_frames == ()


def test_what_is_pushed_along_the_back_lane_is_in_nobody_s_hands():
    """The ground of the back lane is as high as a boy's knees in the front one."""
    boy, box = Member("id1", "boy", "red", 0.35, 0.06, 1, 1), Member("id2", "box", "blue", 0.75, 0.06, 1, 1)
    scene = Scene((boy, box), (Event("push", "id1", "id2", None, 1),), 1.5, WIDE, 0, 0)
    frames = render(scene, NUM_FRAMES, SIZE).frames
    asked = replace(scene, events=(Event("hold", "id1", "id2", None, 1),))
    assert {"Q5", "Q6", "Q10"} <= set(denied(judge(frames, asked)))


def test_what_disappears_little_by_little_behind_somebody_before_it_is_not_gone():
    man, jug = Member("id1", "man", "red", 0.5, 0.0, 1), Member("id2", "jug", "blue", 0.9, 0.06, 1, 1)
    places = [0.5, 0.6, 0.7, 0.78, 0.83, 0.85, 0.86, 0.86, 0.86]
    walk = [Scene((replace(man, x=x), jug), (), 1.5, WIDE, 0, 0) for x in places]
    frames = np.concatenate([render(scene, 1, SIZE).frames for scene in walk])
    found = recover(frames, Brief.of(walk[0])).tracks["id2"]
    assert 0 < found.mask[4:].sum(axis=(1, 2)).max() < 0.6 * found.look.area
    assert found.states[-1] is State.OCCLUDED
    assert State.MISSING not in found.states


def test_who_goes_behind_somebody_and_stays_there_is_not_gone():
    boy, woman = Member("id1", "boy", "teal", 1.3, 0.06, 1, 1), Member("id2", "woman", "red", 0.9, 0.0, -1)
    places = [1.3, 1.2, 1.1, 1.04, 1.0, 0.98, 0.96, 0.94, 0.9, 0.9, 0.9]
    walk = [Scene((replace(boy, x=x), woman), (), 1.5, WIDE, 0, 0) for x in places]
    frames = np.concatenate([render(scene, 1, SIZE).frames for scene in walk])
    found = recover(frames, Brief.of(walk[0]))
    assert found.tracks["id1"].states[-1] is State.OCCLUDED
    assert State.MISSING not in found.tracks["id1"].states
    alone = replace(walk[-1], members=(woman,))
    frames[4:] = render(alone, 1, SIZE).frames  # while most of him is still in sight
    gone = recover(frames, Brief.of(walk[0])).tracks["id1"].states
    assert set(gone[4:]) == {State.MISSING}


def test_where_a_face_looks_behind_a_hand_nobody_knows():
    """Who stands by while somebody before it waves has not turned around."""
    boy, man = Member("id1", "boy", "blue", 0.75, 0.0, 1), Member("id2", "man", "yellow", 0.22, 0.0, -1)
    woman = Member("id3", "woman", "teal", 1.03, 0.0, -1)
    scene = Scene((boy, man, woman), (Event("wave", "id3", "id2", None, -1),), 1.5, WIDE, 0, 0)
    frames = worn(render(scene, NUM_FRAMES, SIZE).frames, LEVELS["middle"], np.random.default_rng(0))
    brief = Brief.of(replace(scene, events=(Event("wave", "id1", "id2", None, -1),)))
    seen = Evidence(recover(frames, brief), brief)
    assert (seen.facing("id1") != 0).any()
    assert not seen.acts("id1").any()


def test_the_edge_of_a_thing_is_no_part_of_who_stands_beside_it():
    """Blurred, the edge of a purple box on grass is as dark as trousers."""
    woman, box = Member("id1", "woman", "yellow", 0.685, 0.06, 1, 1), Member("id2", "box", "purple", 0.94, 0.06, -1, 1)
    scene = Scene((woman, box), (), 1.778, WIDE, 1, 0)
    true = render(scene, NUM_FRAMES, SIZE)
    frames = worn(true.frames, LEVELS["middle"], np.random.default_rng(3))
    found = recover(frames, Brief.of(scene))
    beyond = found.tracks["id1"].mask.any(axis=(0, 1)).nonzero()[0].max()
    assert beyond < true.masks["id2"].any(axis=(0, 1)).nonzero()[0].min()


def test_a_gap_of_one_pixel_is_a_gap():
    """What a robot arm holds out from the start, near who is going to take it."""
    robot, box = (
        Member("id1", "robot arm", "yellow", 0.6116, 0.06, 1, 1),
        Member("id2", "box", "green", 0.8966, 0.285, 1, 1),
    )
    girl = Member("id3", "girl", "teal", 1.1716, 0.06, 1, 1)
    scene = Scene((robot, box, girl), (Event("hand over", "id1", "id2", "id3", 1),), 1.5, WIDE, 0, 0)
    assert denied(verdict_on(scene)) == []


def test_what_is_held_out_near_somebody_is_not_handed_over():
    robot, box = (
        Member("id1", "robot arm", "yellow", 0.61, 0.06, 1, 1),
        Member("id2", "box", "green", 0.895, 0.285, 1, 1),
    )
    girl = Member("id3", "girl", "teal", 1.18, 0.06, 1, 1)
    scene = Scene((robot, box, girl), (Event("hand over", "id1", "id2", "id3", 1),), 1.5, WIDE, 0, 0)
    frames = render(scene, NUM_FRAMES, SIZE).frames[:1].repeat(NUM_FRAMES, axis=0)
    for level in ("light", "middle"):
        assert "Q10" in denied(judge(worn(frames, LEVELS[level], np.random.default_rng(1)), scene))


def test_who_stands_still_and_is_hugged_is_in_arms_too():
    """The other one came: not whether they hug is in question, but who of them did something."""
    one, other = Member("id1", "woman", "blue", 0.723, 0.0, 1), Member("id2", "woman", "yellow", 1.2462, 0.0, -1)
    scene = Scene((one, other), (Event("hug", "id1", "id2", None, 1),), 1.5, WIDE, 5, 0)
    swapped = twin(scene)
    assert swapped is not None
    answers = denied(judge(render(swapped, NUM_FRAMES, SIZE).frames, scene))
    assert "Q8" in answers
    assert not {"Q3", "Q4", "Q5", "Q6", "Q10"} & set(answers)
