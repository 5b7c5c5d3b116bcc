"""Whose is what where members stand before each other: heads over other bodies, what is half hidden, who is in arms."""

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
from interplay.world.render import render
from interplay.world.scene import Event, Member, Scene
from interplay.world.twins import twin
from world_scenes import SIZE, WIDE

NUM_FRAMES = 17


def shown(scene: Scene, level: str = "clean", noise: int = 0) -> np.ndarray:
    return worn(render(scene, NUM_FRAMES, SIZE).frames, LEVELS[level], np.random.default_rng(noise))


def yes(verdict: Verdict, event: int = 0) -> set[str]:
    return {finding.name for finding in verdict.findings if finding.yes and finding.interaction == event}


def staged(members: tuple[Member, ...], *events: Event, width: float = 1.5, background: int = 0) -> Scene:
    return Scene(members, events, width, WIDE, background, 0)


# A boy turns to a box and bends before a girl, who should have looked at it.
LOOKS = staged(
    (
        Member("id1", "girl", "purple", 0.828, 0.06, 1, 1),
        Member("id2", "box", "yellow", 0.478, 0.06, -1, 1),
        Member("id3", "boy", "teal", 1.0714, 0.0, 1),
    ),
    Event("look", "id3", "id2", None, -1),
)


@pytest.mark.parametrize("level", ["clean", "middle"])
def test_who_bends_before_somebody_keeps_the_head(level):
    """The face is beside the girl's body, and hair and skin are everybody's."""
    asked = replace(LOOKS, events=(replace(LOOKS.events[0], subject="id1"),))
    said = yes(judge(shown(LOOKS, level), asked))
    assert {"Q7", "Q8"}.isdisjoint(said)
    assert {"Q9", "Q10"} <= said


def test_a_head_is_somebody_s_also_beyond_an_arm_before_the_neck():
    """A woman who brings a box behind a robot arm: nothing leads from her dress to her hair but the arm."""
    woman, box = (
        Member("id1", "woman", "green", 1.3174, 0.06, -1, 1),
        Member("id2", "box", "yellow", 0.6335, 0.06, -1, 1),
    )
    robot = Member("id3", "robot arm", "teal", 0.9792, 0.0, 1)
    scene = staged((woman, box, robot), Event("hold", "id1", "id2", None, -1))
    assert judge(shown(scene), scene).presence.emergent_frames == ()


@pytest.mark.parametrize("level", ["clean", "middle"])
def test_a_cart_that_peeps_out_on_both_sides_of_somebody_is_there(level):
    members = (
        Member("id1", "cart", "green", 0.6993, 0.0, 1),
        Member("id2", "man", "teal", 1.4463, 0.0, -1),
        Member("id3", "cart", "red", 1.2023, 0.06, -1, 1),
    )
    scene = staged(members, Event("pull", "id2", "id1", None, -1), width=1.5953)
    assert judge(shown(scene, level), scene).presence.vanished_frames == ()


def test_what_is_pulled_half_behind_a_box_is_still_there():
    members = (
        Member("id1", "box", "red", 0.8587, 0.06, 1, 1),
        Member("id2", "man", "green", 0.1676, 0.06, -1, 1),
        Member("id3", "box", "blue", 0.6219, 0.0, -1),
    )
    scene = staged(members, Event("pull", "id2", "id1", None, 1))
    verdict = judge(shown(scene), scene)
    assert verdict.presence.vanished_frames == ()
    assert {"Q6", "Q10"} <= yes(verdict)
    # What is gone from one frame to the next has not gone behind anything.
    gone = render(replace(scene, members=members[1:], events=()), 1, SIZE).frames
    frames = np.concatenate([shown(scene)[:11], gone.repeat(4, axis=0)])
    assert State.MISSING in recover(frames, Brief.of(scene)).tracks["id1"].states


def test_whoever_is_hidden_in_arms_did_not_come():
    boy, woman = Member("id1", "boy", "yellow", 0.4928, 0.0, 1), Member("id2", "woman", "blue", 0.9578, 0.0, 1)
    scene = staged((boy, woman), Event("hug", "id1", "id2", None, 1), background=2)
    swapped = twin(scene)
    assert swapped is not None
    frames = shown(swapped, "strong", noise=1)
    assert recover(frames, Brief.of(scene)).tracks["id1"].states[-1] is State.OCCLUDED
    assert "Q8" not in yes(judge(frames, scene))


@pytest.mark.parametrize(("level", "x"), [("clean", 0.5), ("strong", 0.466)])
def test_an_animal_whose_head_is_hidden_has_not_turned(level, x):
    cat, cart = Member("id1", "cat", "red", 0.762, 0.0, -1), Member("id2", "cart", "green", 1.232, 0.0, -1)
    before = Member("id3", "cat", "yellow", x, 0.0, -1)
    scene = staged((cat, cart, before), Event("look", "id3", "id2", None, 1), width=1.73)
    brief = Brief.of(replace(scene, events=(Event("look", "id1", "id2", None, 1),)))
    seen = Evidence(recover(shown(scene, level), brief), brief)
    assert seen.facing("id1")[-1] <= 0
    assert not seen.acts("id1").any()


def test_a_hand_beside_a_girl_s_face_is_raised_though_her_pigtail_is_as_far_out():
    members = (
        Member("id1", "girl", "purple", 0.538, 0.06, 1, 1),
        Member("id2", "book", "yellow", 0.245, 0.2, -1, 1),
        Member("id3", "girl", "teal", 1.338, 0.0, -1),
        Member("id4", "woman", "green", 0.808, 0.0, -1),
    )
    events = Event("open", "id1", "id2", None, -1, 0.0, 0.62), Event("wave", "id3", "id4", None, -1, 0.38, 1.0)
    scene = staged(members, *events, width=1.518, background=2)
    assert len(yes(judge(shown(scene), scene), event=1)) == 10


def test_what_flies_past_somebody_is_not_caught():
    members = (
        Member("id1", "boy", "green", 0.1938, 0.06, 1, 1),
        Member("id2", "ball", "yellow", 0.3538, 0.168, 1, 1),
        Member("id3", "boy", "blue", 0.8838, 0.06, -1, 1),
        Member("id4", "woman", "purple", 1.3418, 0.0, -1),
    )
    scene = staged(members, Event("throw", "id1", "id2", "id4", 1), background=1)
    asked = replace(scene, events=(replace(scene.events[0], recipient="id3"),))
    assert "Q5" not in yes(judge(shown(scene), asked))
    assert len(yes(judge(shown(scene), scene))) == 10


def test_who_only_reaches_out_a_short_way_acts():
    man, ball = Member("id1", "man", "teal", 0.2257, 0.0, 1), Member("id2", "ball", "purple", 0.4781, 0.14, -1)
    scene = staged((man, ball), Event("touch", "id1", "id2", None, 1), background=5)
    assert len(yes(judge(shown(scene), scene))) == 10


def test_a_robot_arm_stands_where_it_is_bolted_down_while_somebody_hides_its_column():
    members = (
        Member("id1", "robot arm", "purple", 0.71, 0.06, 1, 1),
        Member("id2", "jug", "yellow", 1.28, 0.06, 1, 1),
        Member("id3", "girl", "red", 0.3, 0.0, 1),
        Member("id4", "cup", "green", 0.92, 0.14, 1),
    )
    events = Event("point", "id1", "id2", None, 1), Event("touch", "id3", "id4", None, 1)
    scene = staged(members, *events, width=1.67)
    verdict = judge(shown(scene), scene)
    assert len(yes(verdict, 0)) == len(yes(verdict, 1)) == 10


@pytest.mark.parametrize("noise", [1, 3])
def test_hands_that_meet_at_a_cup_meet(noise):
    """A cup stands before the hands, and of worn hands even less is seen."""
    members = (
        Member("id1", "boy", "red", 0.66, 0.06, -1, 1),
        Member("id2", "man", "green", 0.17, 0.06, 1, 1),
        Member("id3", "cup", "blue", 0.40, 0.14, -1),
    )
    scene = staged(members, Event("shake hands", "id1", "id2", None, -1), width=1.67)
    assert len(yes(judge(shown(scene, "strong", noise), scene))) == 10


@pytest.mark.parametrize("noise", [0, 5])
def test_a_ball_that_ends_behind_a_box_and_legs_is_hidden(noise):
    """Where a worn box and ball overlap the picture is neither purple nor teal, but it is no stage."""
    members = (
        Member("id1", "man", "yellow", 0.9234, 0.0, 1),
        Member("id2", "girl", "green", 1.1534, 0.06, 1, 1),
        Member("id3", "ball", "teal", 1.5484, 0.06, 1, 1),
        Member("id4", "box", "purple", 1.3484, 0.06, -1, 1),
    )
    scene = staged(members, Event("push", "id1", "id4", None, 1), width=1.6934)
    assert judge(shown(scene, "strong", noise), scene).presence.vanished_frames == ()
