from __future__ import annotations

import numpy as np
import pytest

from interplay.analyze.stability import Stability, bootstrap

NONE = np.zeros(12, dtype=bool)


def _bootstrap(scores: np.ndarray, seed: int = 0, success: np.ndarray = NONE, failure: np.ndarray = NONE) -> Stability:
    return bootstrap(scores, success, failure, top_k=2, picks=1, resamples=100, seed=seed)


def test_a_clear_layer_is_picked_in_every_resample():
    scores = np.random.default_rng(0).normal(size=(12, 4)) * 0.01 + np.array([0.0, 1.0, 0.0, 0.0])
    stability = _bootstrap(scores)
    assert stability.picked_share.tolist() == [0, 1, 0, 0]
    low, high = stability.magnitude_interval
    assert np.all(low < scores.mean(axis=0))
    assert np.all(scores.mean(axis=0) < high)
    assert stability.separation_interval is None


def test_layers_that_are_alike_share_the_picks():
    shares = _bootstrap(np.random.default_rng(1).normal(size=(12, 4))).picked_share
    assert shares.sum() == pytest.approx(1.0)
    assert shares.max() < 1.0


def test_the_seed_decides():
    scores = np.random.default_rng(1).normal(size=(12, 4))
    assert np.array_equal(_bootstrap(scores, 5).picked_share, _bootstrap(scores, 5).picked_share)
    assert not np.array_equal(_bootstrap(scores, 5).picked_share, _bootstrap(scores, 6).picked_share)


def test_success_and_failure_keep_their_clips():
    success, failure = np.arange(12) < 4, np.arange(12) >= 8
    scores = np.where(success, 2.0, np.where(failure, 0.0, 1.0))[:, None] * np.array([1.0, 0.5])
    stability = _bootstrap(scores, success=success, failure=failure)
    assert stability.separation_interval is not None
    # Inside each set all clips are equal, so no resample can change the separation.
    np.testing.assert_allclose(stability.separation_interval, [[2.0, 1.0], [2.0, 1.0]])
