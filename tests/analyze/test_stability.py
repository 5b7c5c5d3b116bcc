from __future__ import annotations

import numpy as np
import pytest

from interplay.analyze.resampling import Clips, draw, rank_resamples
from interplay.analyze.selection import rank_layers
from interplay.analyze.stability import Stability, bootstrap, clips_needed

NONE = np.zeros(12, dtype=bool)
CLEAR = np.random.default_rng(0).normal(size=(12, 4)) * 0.01 + np.array([0.0, 1.0, 0.0, 0.0])


def _clips(scores: np.ndarray, success: np.ndarray = NONE, failure: np.ndarray = NONE) -> Clips:
    return Clips(scores, success, failure, np.zeros(scores.shape[1], dtype=bool))


def _bootstrap(scores: np.ndarray, seed: int = 0, success: np.ndarray = NONE, failure: np.ndarray = NONE) -> Stability:
    return bootstrap(_clips(scores, success, failure), top_k=2, picks=1, resamples=100, seed=seed)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("ties", [True, False])
def test_many_resamples_are_ranked_as_one_by_one(labelled, ties):
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 4, size=(15, 7)) / 4 if ties else generator.normal(size=(15, 7))
    success, failure = (np.arange(15) < 5) & labelled, (np.arange(15) >= 11) & labelled
    dummies = np.array([False, True, False, False, False, False, True])
    clips = Clips(scores, success, failure, dummies)
    counts = draw(clips, 15, 60, generator)
    found = rank_resamples(clips, counts, top_k=3, picks=2)
    for number, count in enumerate(counts):
        rows = np.repeat(np.arange(15), count)
        twin = rank_layers(scores[rows], success[rows], failure[rows], 3, dummies)
        assert np.flatnonzero(found.influential[number]).tolist() == sorted(twin.influential)
        assert np.flatnonzero(found.dominant[number]).tolist() == sorted(twin.dominant)
        assert np.flatnonzero(found.picked[number]).tolist() == sorted(twin.picks(2))
        np.testing.assert_allclose(found.magnitude[number], twin.magnitude, rtol=1e-12)
        if twin.success_gap is not None and found.success_gap is not None:
            np.testing.assert_allclose(found.success_gap[number], twin.success_gap, atol=1e-12)


def test_resamples_keep_the_sizes_of_the_sets():
    success, failure = np.arange(12) < 4, np.arange(12) >= 9
    clips = _clips(CLEAR, success, failure)
    for size, expected in ((12, (4, 3, 5)), (48, (16, 12, 20)), (2, (1, 1, 1))):
        counts = draw(clips, size, 5, np.random.default_rng(0))
        for group, count in zip((success, failure, ~(success | failure)), expected, strict=True):
            assert (counts[:, group].sum(axis=1) == count).all()


def test_a_clear_layer_is_picked_in_every_resample():
    stability = _bootstrap(CLEAR)
    assert stability.picked_share.tolist() == [0, 1, 0, 0]
    assert stability.influential_share[1] == 1
    assert stability.influential_share.sum() == pytest.approx(2.0)
    assert stability.dominant_share.sum() == 0
    low, high = stability.magnitude_interval
    assert np.all(low < CLEAR.mean(axis=0))
    assert np.all(CLEAR.mean(axis=0) < high)
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
    # Inside each set all clips are equal, so no resample can change the gaps.
    for found, expected in (
        (stability.success_gap_interval, [1.0, 0.5]),
        (stability.failure_gap_interval, [-1.0, -0.5]),
        (stability.separation_interval, [2.0, 1.0]),
    ):
        np.testing.assert_allclose(found, [expected, expected])


def _needed(scores: np.ndarray) -> tuple[int | None, dict[int, float]]:
    clips = _clips(scores)
    chosen = rank_layers(scores, NONE, NONE, 2).picks(1)
    needed = clips_needed(clips, chosen, top_k=2, picks=1, share=0.9, resamples=400, seed=0)
    return needed.clips, dict(needed.curve)


def test_a_clear_choice_needs_few_clips_and_a_close_one_many():
    few, curve = _needed(CLEAR)
    assert few == min(curve) == 2
    # Layer 1 leads layer 2 by half a standard deviation of a clip's difference: (1.28 / 0.5)^2, some seven, for 90 %.
    noise = np.random.default_rng(2).normal(size=12)
    close = np.stack([np.full(12, -9.0), 1 + 0.5 * (noise - noise.mean()) / noise.std(), np.full(12, 0.75)], axis=1)
    many, curve = _needed(close)
    assert many is not None
    assert 4 < many <= 12
    assert 12 in curve
    assert 40 < max(curve) <= 48
    assert curve[2] < 0.9 < curve[many]
    even, _ = _needed(np.random.default_rng(1).normal(size=(12, 4)) * 0.1)
    assert even is None or even > 12


def test_clips_are_counted_by_the_rule_that_chose():
    """All clips have one dominant layer; resamples in which a second one is dominant too make another choice."""
    generator = np.random.default_rng(4)
    success, failure = np.arange(12) < 4, np.arange(12) >= 8
    quality = success.astype(float) - failure
    scores = 5.0 + np.stack([quality, -0.05 * quality + 0.4 * generator.normal(size=12)], axis=1)
    ranking = rank_layers(scores, success, failure, 2)
    assert ranking.picks(2) == (0,)
    clips = _clips(scores, success, failure)
    settings = {"top_k": 2, "share": 0.9, "resamples": 400, "seed": 0}
    curves = {count: dict(clips_needed(clips, (0,), picks=count, **settings).curve) for count in (1, 2)}
    assert curves[1][12] == 1.0
    assert curves[2][12] < 0.95
    # It is the share in which the stability table, too, has nothing but the first layer.
    shares = bootstrap(clips, top_k=2, picks=2, resamples=2000, seed=1).picked_share
    assert curves[2][12] == pytest.approx(1 - shares[1], abs=0.06)
