from __future__ import annotations

import numpy as np
import pytest

from interplay.world.motion.clock import Clock
from interplay.world.motion.curves import cosine, sine, smooth, still


def test_sine_and_cosine_are_near_the_true_ones():
    turns = np.linspace(-2, 2, 999, dtype=np.float32)
    assert np.abs(sine(turns) - np.sin(2 * np.pi * turns)).max() < 0.0012
    assert np.abs(cosine(turns) - np.cos(2 * np.pi * turns)).max() < 0.0012
    assert sine(turns).dtype == np.float32


def test_smooth_goes_from_0_to_1_and_stays():
    assert smooth(np.array([-1, 0, 0.5, 1, 2], np.float32)).tolist() == [0, 0, 0.5, 1, 1]


def test_paths_shift_and_blend():
    path = still(1.0, 2.0).moved(1.0, 0.0).toward(still(4.0, 2.0), 0.5)
    assert (path.x.item(), path.y.item()) == (3.0, 2.0)
    assert path.distance(still(3.0, 5.0)).item() == pytest.approx(3.0)


def test_a_clock_s_moments_fall_on_frames():
    clock = Clock(17, 0.5, 1.0)
    assert [clock.frame(m) for m in (0.0, 0.5, 1.0)] == [8, 12, 16]
    eased = clock.ease(0.0, 0.5)
    assert eased[:9].max() == 0
    assert eased[12:].min() == 1
    assert (np.diff(eased) >= 0).all()


def test_a_moment_without_length_is_a_step():
    assert Clock(5).ease(0.5, 0.5).tolist() == [0, 0, 1, 1, 1]
    assert Clock(2).ease(0.1, 0.3).tolist() == [1, 1]
