"""Every verb, several scenes: what must hold of bodies and contacts, and that the outcome is there at the end."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.world.motion.person import PersonPose
from interplay.world.motion.thing import ThingPose
from interplay.world.physics import faults
from interplay.world.sampling import scene_at
from interplay.world.staging import stage
from interplay.world.twins import twin
from interplay.world.verbs import INTERACTIONS, VERBS
from world_scenes import SQUARE, WIDE, scene_of

SEEDS = range(4)


@pytest.mark.parametrize("verb", VERBS)
def test_motion_is_physically_sensible(verb):
    for seed in SEEDS:
        for aspect, frames in ((WIDE, 17), (SQUARE, 49), (WIDE, 9)):
            scene = scene_of(verb, seed, aspect=aspect)
            assert faults(scene, stage(scene, frames)) == []


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_verbs_of_touch_have_contacts_and_others_none(verb):
    motion = stage(scene_of(verb, 1), 17)
    assert bool(motion.contacts) == VERBS[verb].touches
    for contact in motion.contacts:
        assert 0 <= contact.first <= contact.last <= 16


def test_a_mouth_moves_while_there_is_speech_also_where_nothing_happens():
    scenes = (scene_at(0, "train", index, WIDE) for index in range(600))
    speaking = [scene for scene in scenes if scene.speaker and not scene.events]
    assert speaking
    for scene in speaking:
        pose = stage(scene, 17).poses[scene.speaker]
        assert isinstance(pose, PersonPose)
        assert pose.mouth.shape == (17,)
        assert np.ptp(pose.mouth) > 0.2


# Who ends somewhere else, by so much at least; and what ends in another state.
MOVED = {"push": 0.28, "pull": 0.24, "kick": 0.4, "hit": 0.3, "carry": 0.25, "hand over": 0.1, "throw": 0.3}
RAISED = {"lift": 0.2}
CHANGED = {"open": 1.0, "close": -1.0, "turn on": 1.0, "turn off": -1.0}


@pytest.mark.parametrize("verb", [*MOVED, *RAISED, *CHANGED, "hold"])
def test_the_outcome_shows_on_the_thing(verb):
    for seed in SEEDS:
        scene = scene_of(verb, seed)
        pose = stage(scene, 17).poses[scene.events[0].object]
        assert isinstance(pose, ThingPose)
        dx, dy = float(pose.base.x[-1] - pose.base.x[0]), float(pose.base.y[-1] - pose.base.y[0])
        if verb in MOVED:
            assert abs(dx) >= MOVED[verb]
        elif verb in RAISED:
            assert dy >= RAISED[verb]
        elif verb == "hold":
            assert abs(dx) + abs(dy) >= 0.1
        else:
            assert pose.state[-1] - pose.state[0] == pytest.approx(CHANGED[verb])


def test_pouring_fills_the_vessel_while_a_stream_runs():
    scene = scene_of("pour", 2)
    motion = stage(scene, 17)
    jug, cup = motion.poses[scene.events[0].object], motion.poses[scene.events[0].recipient]
    assert cup.state[0] == 0
    assert cup.state[-1] == 1
    filling = np.diff(cup.state) > 1e-3
    assert (jug.flow[1:][filling] > 0).all()
    assert jug.flow[-1] == 0


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_who_takes_no_part_does_not_move(verb):
    for seed in SEEDS:
        scene = scene_of(verb, seed)
        motion = stage(scene, 17)
        for member in scene.members:
            if member.id not in scene.participants:
                pose = motion.poses[member.id]
                base = pose.hips if isinstance(pose, PersonPose) else pose.base
                assert np.ptp(base.x) == 0


def test_the_holder_s_hand_goes_with_the_thing():
    scene = scene_of("carry", 3)
    motion = stage(scene, 33)
    event = scene.events[0]
    hand, thing = motion.poses[event.subject].near_arm.tip, motion.poses[event.object].base
    first = motion.contacts[0].first
    assert np.ptp((hand.x - thing.x)[first:]) < 2e-3
    assert np.ptp((hand.y - thing.y)[first:]) < 2e-3


@pytest.mark.parametrize("verb", ["hand over", "throw", "hug", "shake hands", "wave", "touch", "point", "look"])
def test_twins_move_sensibly_too(verb):
    twins = [t for t in (twin(scene_of(verb, seed)) for seed in range(30)) if t is not None][:6]
    assert twins
    for scene in twins:
        assert faults(scene, stage(scene, 17)) == []


def test_two_events_one_after_the_other_keep_their_order():
    from interplay.world.sampling import scene_at

    scenes = [scene_at(0, "train", i, WIDE) for i in range(300)]
    in_turn = [s for s in scenes if len(s.events) == 2 and s.events[1].start > 0][:10]
    assert in_turn
    for scene in in_turn:
        motion = stage(scene, 33)
        assert motion.clocks[0].frame(0.4) < motion.clocks[1].frame(0.4)
        assert faults(scene, motion) == []
