from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from interplay.world.companions.landmarks import body, face, fingers
from interplay.world.companions.pose import pose_frames
from interplay.world.figures.person import HAND
from interplay.world.motion.person import PersonPose, standing
from interplay.world.render import render
from interplay.world.scene import Member, Scene
from interplay.world.staging import Motion
from world_scenes import scene_of

SIZE = (480, 480)


def person(facing: int) -> Member:
    return Member("id1", "man", "red", 0.5, 0.0, facing)


def drawn(pose: PersonPose) -> np.ndarray:
    """The pose video of one person in the middle of a stage that is one unit wide, as one frame."""
    scene = Scene((person(1),), (), 1.0, 1.0, 0, 0)
    return pose_frames(scene, Motion(1, {"id1": pose}, (), (), {"id1": 0.0}, ()), SIZE)[0]


def at(frame: np.ndarray, x: float, y: float) -> tuple[int, ...]:
    """The colour at a place of that stage, of which 0.12 lie below the ground."""
    return tuple(frame[int((1.0 - 0.12 - y) * SIZE[0]), int(x * SIZE[1])].tolist())


def middle(pose: PersonPose, start: str, end: str, share: float = 0.5) -> tuple[float, float]:
    points = body(pose)
    place = points[start].toward(points[end], share)
    return float(place.x[0]), float(place.y[0])


@pytest.mark.parametrize("facing", [1, -1])
def test_skeletons_lie_within_their_persons_and_nowhere_else(facing):
    scene = scene_of("wave", 3, alone=True, noun="woman")
    scene = replace(scene, members=tuple(replace(m, facing=facing) for m in scene.members))
    rendering = render(scene, 9, (240, 400))
    lines = pose_frames(scene, rendering.motion, (240, 400)).max(axis=-1) > 60
    people = np.any(list(rendering.masks.values()), axis=0)
    assert lines.any(axis=(1, 2)).all()
    assert (lines & people).sum() / lines.sum() > 0.97


@pytest.mark.parametrize(("facing", "near", "far"), [(1, (0, 153, 0), (0, 153, 153)), (-1, (0, 153, 153), (0, 153, 0))])
def test_the_neck_leads_to_either_hip_and_colours_tell_right_from_left(facing, near, far):
    pose = standing(person(facing))
    frame = drawn(pose)
    assert at(frame, *middle(pose, "neck", "near_hip", 0.6)) == near
    assert at(frame, *middle(pose, "neck", "far_hip", 0.6)) == far
    # There is no spine: between the two lines it is black.
    hips = [body(pose)[f"{side}_hip"] for side in ("near", "far")]
    assert at(frame, float(hips[0].toward(hips[1], 0.5).x[0]), float(hips[0].y[0]) + 0.01) == (0, 0, 0)


def test_who_turns_around_changes_colours_with_the_turn():
    pose = standing(person(1))
    turned = replace(pose, facing=np.array([1.0, -1.0], np.float32))
    scene = Scene((person(1),), (), 1.0, 1.0, 0, 0)
    frames = pose_frames(scene, Motion(2, {"id1": turned}, (), (), {"id1": 0.0}, ()), SIZE)
    place = middle(pose, "neck", "near_hip", 0.6)
    assert [at(frame, *place) for frame in frames] == [(0, 153, 0), (0, 153, 153)]


def test_a_face_is_68_white_dots_on_the_head():
    pose = standing(person(1))
    points, frame = list(face(pose)), drawn(pose)
    assert len(points) == 68
    away = [float(pose.head.distance(point)[0]) / pose.head_radius for point in points]
    assert max(away) < 1.02
    chin = points[8]
    assert at(frame, float(chin.x[0]), float(chin.y[0])) == (255, 255, 255)


def test_lips_part_when_somebody_speaks():
    pose = standing(person(1))
    shut, wide = (list(face(replace(pose, mouth=np.full(1, mouth, np.float32)))) for mouth in (0.0, 1.0))
    spread = [float(np.ptp([point.y[0] for point in points[48:]])) for points in (shut, wide)]
    assert spread[1] - spread[0] == pytest.approx(0.4 * pose.head_radius, rel=0.01)
    assert all(one.y[0] == other.y[0] for one, other in zip(shut[:48], wide[:48], strict=True))


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_hand_is_21_points_in_five_fingers_within_the_round_hand(side):
    pose = standing(person(-1))
    hand, tip = list(fingers(pose, side)), pose.near_arm.tip if side == "near" else pose.far_arm.tip
    assert [len(finger) for finger in hand] == [5] * 5
    assert all(finger[0] == hand[0][0] or finger[0].distance(hand[0][0]).max() == 0.0 for finger in hand)
    assert max(float(tip.distance(point).max()) for finger in hand for point in finger) < 1.01 * HAND
    # Fingers lead away from the wrist, which is where the forearm ends.
    for finger in hand:
        away = [float(finger[0].distance(point)[0]) for point in finger]
        assert all(one < other for one, other in pairwise(away))


def test_who_points_stretches_the_index_finger_of_the_near_hand_alone():
    pose = standing(person(1))
    pointing = replace(pose, pointing=np.ones(1, np.float32))
    for side, changed in (("near", [1]), ("far", [])):
        before, after = list(fingers(pose, side)), list(fingers(pointing, side))
        moved = [n for n in range(5) if float(before[n][-1].distance(after[n][-1])[0]) > 1e-6]
        assert moved == changed
    end = list(fingers(pointing, "near"))[1][-1]
    assert float(end.distance(pose.near_arm.tip)[0]) == pytest.approx(1.76 * HAND, rel=1e-3)


def test_fingers_are_seen_in_their_colours():
    frame = drawn(standing(person(1)))
    assert (frame.reshape(-1, 3) == (0, 0, 255)).all(axis=1).any()
    hue_of_a_middle_finger = (frame[..., 1] > 200) & (frame[..., 0] < 60) & (frame[..., 2] < 200)
    assert hue_of_a_middle_finger.any()


def test_a_scene_without_persons_has_a_black_pose_video():
    scene = scene_of("walk", 0, noun="dog", alone=True)
    assert not pose_frames(scene, render(scene, 3, (48, 80)).motion, (48, 80)).any()
