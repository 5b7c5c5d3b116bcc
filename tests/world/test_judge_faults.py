from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from interplay.world.judge import judge
from interplay.world.judge.faults import FAULTS, OF_EVENTS, OF_PRESENCE, Planted, Unplanted, answers_of, plant
from interplay.world.judge.faults.plant import Plant
from interplay.world.judge.faults.roles import SHOWN, in_the_open, up_front
from interplay.world.judge.faults.wear import LEVELS, worn
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.scene import Event, Member, Scene
from interplay.world.staging import Motion
from world_scenes import SIZE, scene_of

NUM_FRAMES = 17
SCENES = 1000


@cache
def planted(fault: str) -> tuple[Scene, Planted]:
    """The first clip that has room for a fault."""
    for index in range(SCENES):
        scene = scene_at(5, "test", index, SIZE[1] / SIZE[0])
        clip = plant(fault, scene, NUM_FRAMES, SIZE, np.random.default_rng(index))
        if isinstance(clip, Planted):
            return scene, clip
    raise AssertionError(f"no scene has room for {fault}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_keeps_the_true_first_frame_and_changes_later_ones(fault):
    scene, clip = planted(fault)
    truth = render(scene, NUM_FRAMES, SIZE).frames
    assert np.array_equal(clip.frames[0], truth[0])
    assert not np.array_equal(clip.frames, truth)


@pytest.mark.parametrize("fault", OF_EVENTS)
def test_a_fault_of_the_interaction_denies_something_and_raises_no_flag(fault):
    scene, clip = planted(fault)
    assert clip.denied
    assert clip.denied | clip.kept <= answers_of(scene)
    assert not clip.denied & clip.kept
    assert clip.emergent_since is clip.vanished_since is None


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_finds_it_and_nothing_else(fault):
    scene, clip = planted(fault)
    verdict = judge(clip.frames, scene)
    yes = {(finding.interaction, finding.name) for finding in verdict.findings if finding.yes}
    assert not clip.denied & yes
    assert clip.kept <= yes
    for since, flags in (
        (clip.emergent_since, verdict.presence.emergent_frames),
        (clip.vanished_since, verdict.presence.vanished_frames),
    ):
        assert min(flags, default=None) == since
        if since is not None and clip.lasting:
            assert flags == tuple(range(since, NUM_FRAMES))


@pytest.mark.parametrize("fault", OF_PRESENCE)
def test_a_fault_of_presence_starts_in_the_middle_of_the_clip(fault):
    _, clip = planted(fault)
    starts = {clip.emergent_since, clip.vanished_since} - {None}
    assert len(starts) == 1
    since = starts.pop()
    assert NUM_FRAMES // 4 <= since <= 3 * NUM_FRAMES // 4


def test_before_it_vanishes_a_clip_is_true():
    scene, clip = planted("thing vanishes")
    truth = render(scene, NUM_FRAMES, SIZE).frames
    assert np.array_equal(clip.frames[: clip.vanished_since], truth[: clip.vanished_since])


def test_the_wrong_actor_leaves_the_subject_where_it_stands():
    scene, clip = planted("wrong actor")
    event = next(iter({number for number, _ in clip.denied}))
    assert {(event, q) for q in ("Q7", "Q8")} <= clip.denied
    assert (event, "Q9") in clip.kept
    assert len({number for number, _ in clip.denied}) == 1
    assert {a for a in answers_of(scene) if a[0] != event} <= clip.kept


def test_the_other_event_stays_as_it_is():
    scenes = (scene_at(5, "test", i, SIZE[1] / SIZE[0]) for i in range(SCENES))
    clips = (plant("no contact", s, NUM_FRAMES, SIZE, np.random.default_rng(0)) for s in scenes if len(s.events) == 2)
    clip = next(clip for clip in clips if isinstance(clip, Planted))
    (event,) = {number for number, _ in clip.denied}
    assert {(1 - event, f"Q{q}") for q in range(1, 11)} <= clip.kept


def test_without_contact_the_thing_moves_all_the_same():
    scene = scene_of("push", 3, alone=True)
    by_itself = plant("effect without contact", scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
    untouched = plant("no contact", scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
    assert isinstance(by_itself, Planted)
    assert isinstance(untouched, Planted)
    thing = render(scene, NUM_FRAMES, SIZE).masks[str(scene.events[0].object)]
    left = thing[0] & ~thing[-1]
    change = [np.abs(c.frames[-1].astype(int) - c.frames[0])[left].mean() for c in (by_itself, untouched)]
    assert change[0] > 40
    assert change[1] < 5


def test_a_scene_in_which_nothing_happens_has_room_for_faults_of_presence_alone():
    scene = next(s for s in (scene_at(5, "test", i, 80 / 48) for i in range(200)) if not s.events)
    found = {f for f in FAULTS if plant(f, scene, NUM_FRAMES, SIZE, np.random.default_rng(0)) is not Unplanted.NO_ROOM}
    assert found
    assert found <= set(OF_PRESENCE)


def test_whose_hand_waves_before_a_face_nobody_could_tell():
    woman, man = Member("id1", "woman", "teal", 0.745, 0.0, 1), Member("id2", "man", "yellow", 0.19, 0.0, 1)
    girl = Member("id3", "girl", "purple", 0.975, 0.06, -1, 1)
    scene = Scene((woman, man, girl), (Event("wave", "id1", "id2", None, -1),), 1.625, 80 / 48, 4, 0)
    near = plant("wrong actor", scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
    assert near is Unplanted.UNSEEN
    apart = replace(scene, members=(woman, man, replace(girl, x=1.3)))
    assert isinstance(plant("wrong actor", apart, NUM_FRAMES, SIZE, np.random.default_rng(0)), Planted)


def test_of_a_thing_that_ends_behind_somebody_no_outcome_is_asked():
    man, box = Member("id1", "man", "yellow", 0.3, 0.06, 1, 1), Member("id2", "box", "red", 0.7, 0.06, 1, 1)
    actor = Member("id4", "woman", "teal", 1.25, 0.06, -1, 1)
    event = Event("pull", "id1", "id2", None, 1)
    free = Scene((man, box, actor), (event,), 1.8, 80 / 48, 0, 0)
    assert isinstance(plant("wrong actor", free, NUM_FRAMES, SIZE, np.random.default_rng(0)), Planted)
    before = Member("id3", "woman", "purple", 0.97, 0.0, 1)
    hidden = replace(free, members=(man, box, before, actor))
    event = replace(event, subject="id4", direction=-1)
    clip = Plant(hidden, 0, NUM_FRAMES, SIZE, np.random.default_rng(0))
    motion = clip.restaged(clip.with_event(event))
    assert not in_the_open(clip, clip.painted(motion, hidden), motion, event)


def test_what_is_handed_from_the_back_to_the_front_comes_along():
    giver, thing = Member("id1", "man", "red", 0.3, 0.06, 1, 1), Member("id2", "ball", "blue", 0.5, 0.2, 1, 1)
    taker = Member("id3", "man", "green", 0.9, 0.0, -1)
    event = Event("hand over", "id1", "id2", "id3", 1)
    front = up_front(Scene((giver, thing, taker), (event,), 1.5, 80 / 48, 0, 0), event)
    assert [member.lane for member in front.members] == [0, 0, 0]


def test_wear_blurs_and_adds_noise():
    frames = render(scene_of("push", 3), 3, SIZE).frames
    rng = np.random.default_rng(0)
    assert worn(frames, LEVELS["clean"], rng) is frames
    errors = [np.abs(worn(frames, LEVELS[name], rng).astype(int) - frames).mean() for name in ("light", "strong")]
    assert 0 < errors[0] < errors[1]


def shown_in(clip: Plant, motion: Motion, event: Event) -> bool:
    """Whether the true masks show what is done from afar in this motion."""
    return SHOWN[event.verb](clip, clip.painted(motion, up_front(clip.scene, event)), motion, event)


def planted_into(fault: str, scene: Scene) -> Planted | Unplanted:
    return plant(fault, scene, NUM_FRAMES, SIZE, np.random.default_rng(0))


@pytest.mark.parametrize(("x", "is_shown"), [(1.0, False), (0.4, True)])
def test_what_a_gripper_behind_somebody_points_at_nobody_could_tell(x, is_shown):
    """As with a hand, it takes room around it: a gripper is as dark as trousers."""
    boy, ball = Member("id1", "boy", "yellow", 0.6573, 0.0, -1), Member("id2", "ball", "purple", 0.1973, 0.14, -1)
    woman, robot = Member("id3", "woman", "green", x, 0.0, -1), Member("id4", "robot arm", "red", 1.35, 0.0, -1)
    event = Event("point", "id4", "id2", None, -1)
    scene = Scene((boy, ball, woman, robot), (event,), 1.5, 80 / 48, 1, 0)
    clip = Plant(scene, 0, NUM_FRAMES, SIZE, np.random.default_rng(0))
    assert shown_in(clip, clip.motion, event) is is_shown


@pytest.mark.parametrize("noun", ["cat", "man"])
def test_where_a_hidden_head_looks_nobody_could_tell(noun):
    subject, lamp = Member("id1", "dog", "teal", 0.9, 0.0, -1), Member("id2", "lamp", "blue", 1.33, 0.0, -1)
    looker, before = Member("id3", noun, "red", 0.4, 0.06, -1, 1), Member("id4", "man", "purple", 0.6, 0.0, -1)
    if noun == "man":
        before = replace(before, x=looker.x + 0.04)
    event = Event("look", "id3", "id2", None, 1)
    seen = []
    for x in (before.x, 0.15):
        members = (subject, lamp, looker, replace(before, x=x))
        clip = Plant(Scene(members, (event,), 1.5, 80 / 48, 0, 0), 0, NUM_FRAMES, SIZE, np.random.default_rng(0))
        seen.append(shown_in(clip, clip.motion, event))
    assert seen == [False, True]


def test_what_nearly_reaches_somebody_might_have_been_handed_over():
    man, girl = Member("id1", "man", "red", 1.1425, 0.0, -1), Member("id3", "girl", "teal", 0.6095, 0.0, -1)
    box = Member("id2", "box", "blue", 0.9475, 0.16, 1)
    scene = Scene((man, box, girl), (Event("hand over", "id1", "id2", "id3", -1),), 1.5, 80 / 48, 5, 0)
    assert planted_into("not handed over", scene) is Unplanted.UNSEEN
    apart = replace(scene, members=(man, box, replace(girl, x=0.35)))
    assert isinstance(planted_into("not handed over", apart), Planted)


# A girl who holds a cup steps back for it to come to her by itself, to where a robot arm turns off a lamp behind her.
STEPS_BACK = Scene(
    (
        Member("id1", "girl", "red", 0.49, 0.0, -1),
        Member("id2", "cup", "yellow", 0.20, 0.14, -1),
        Member("id3", "robot arm", "green", 1.11, 0.06, -1, 1),
        Member("id4", "lamp", "blue", 0.80, 0.06, 1, 1),
    ),
    (Event("hold", "id1", "id2", None, -1, 0.0, 0.62), Event("turn off", "id3", "id4", None, -1, 0.38, 1.0)),
    1.67,
    80 / 48,
    0,
    0,
)


def test_who_is_held_back_before_what_the_other_event_is_about_hides_it():
    girl, cup, robot, lamp = STEPS_BACK.members
    away = replace(STEPS_BACK, members=(girl, cup, replace(robot, x=1.4), replace(lamp, x=1.09)))
    made = {
        scene: OF_EVENTS["effect without contact"](Plant(scene, 0, NUM_FRAMES, SIZE, np.random.default_rng(0)))
        for scene in (STEPS_BACK, away)
    }
    assert made[STEPS_BACK] is Unplanted.UNSEEN
    assert isinstance(made[away], Planted)


def test_of_two_beside_a_lamp_the_one_who_faces_it_turns_it_off():
    """A man who pulls a cart stops short of it with his back to the lamp, nearer in the picture than who works it."""
    members = (
        Member("id1", "man", "blue", 0.8935, 0.06, 1, 1),
        Member("id2", "cart", "yellow", 1.2815, 0.06, -1, 1),
        Member("id3", "man", "purple", 0.2013, 0.0, -1),
        Member("id4", "lamp", "teal", 0.5293, 0.0, 1),
    )
    events = Event("pull", "id1", "id2", None, 1, 0.0, 0.62), Event("turn off", "id3", "id4", None, 1, 0.38, 1.0)
    scene = Scene(members, events, 1.5, 80 / 48, 0, 0)
    clip = OF_EVENTS["effect without contact"](Plant(scene, 0, NUM_FRAMES, SIZE, np.random.default_rng(0)))
    assert isinstance(clip, Planted)
    yes = {(finding.interaction, finding.name) for finding in judge(clip.frames, scene).findings if finding.yes}
    assert clip.kept <= yes
    assert not clip.denied & yes
