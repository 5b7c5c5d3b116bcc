from __future__ import annotations

import numpy as np
import pytest

from interplay.world.motion.curves import Path, still
from interplay.world.motion.gait import Steps
from interplay.world.motion.limbs import bend


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_bones_keep_their_lengths_and_the_hand_gets_there(side):
    angle = np.linspace(0, 2 * np.pi, 40, dtype=np.float32)
    radius = np.linspace(0.06, 0.28, 40, dtype=np.float32)
    root, goal = still(0.2, 0.3), Path(0.2 + radius * np.cos(angle), 0.3 + radius * np.sin(angle))
    limb = bend(root, goal, 0.15, 0.14, side)
    assert limb.tip.distance(goal).max() < 1e-5
    assert limb.root.distance(limb.joint) == pytest.approx(np.full(40, 0.15), abs=1e-4)
    assert limb.joint.distance(limb.tip) == pytest.approx(np.full(40, 0.14), abs=1e-4)
    cross = (goal.x - root.x) * (limb.joint.y - root.y) - (goal.y - root.y) * (limb.joint.x - root.x)
    assert (cross * side > 0).all()


def test_a_goal_out_of_reach_stretches_the_limb_toward_it():
    limb = bend(still(0.0, 0.0), still(2.0, 0.0), 0.15, 0.15, 1.0)
    assert limb.tip.x.item() == pytest.approx(0.3, abs=1e-3)
    assert limb.tip.y.item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("distance", [0.05, 0.2, -0.42])
def test_a_standing_foot_does_not_slide(distance):
    progress = np.linspace(0, 1, 61, dtype=np.float32)
    steps = Steps(61, 0.13)
    steps.walk(distance, progress)
    gait = steps.gait()
    for along, lift in ((gait.near, gait.near_lift), (gait.far, gait.far_lift)):
        foot = distance * progress + along
        stands = (lift[1:] == 0) & (lift[:-1] == 0)
        assert stands.sum() > 10
        assert np.abs(np.diff(foot))[stands].max() < 2e-3
        assert along[0] == pytest.approx(0, abs=1e-5)
        assert along[-1] == pytest.approx(0, abs=1e-3)
    assert max(gait.near_lift.max(), gait.far_lift.max()) > 0.02
