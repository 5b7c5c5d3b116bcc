from __future__ import annotations

import numpy as np

from interplay.analyze.selection import dummy_layers, rank_layers, ranks, top_layers

NONE = np.zeros(4, dtype=bool)
SUCCESS = np.array([True, True, False, False])


def test_ranks_share_ties():
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_influence_is_the_rank_sum_of_frequency_and_magnitude():
    # Layer 0 is huge in one clip only; layer 1 is in every top two; layer 2 in three.
    scores = np.array([[9.0, 2.0, 1.0, 0.0], [0.0, 2.0, 1.5, 0.1], [0.0, 2.0, 1.5, 0.1], [0.0, 2.0, 1.5, 0.1]])
    ranking = rank_layers(scores, NONE, NONE, top_k=2)
    assert ranking.frequency.tolist() == [1, 4, 3, 0]
    assert ranking.magnitude.tolist() == scores.mean(axis=0).tolist()
    # rank-sums: layer 0: 3 + 1, layer 1: 1 + 2, layer 2: 2 + 3, layer 3: 4 + 4
    assert ranking.influential == (1, 0)
    assert ranking.dominant == ()
    assert ranking.separation is None


def test_dominant_layers_need_both_gaps_and_are_ranked_by_separation():
    scores = np.array(
        [
            [1.2, 1.6, 1.0, 0.1],
            [1.2, 1.6, 1.0, 0.1],
            [1.0, 1.2, 1.2, 0.0],
            [1.0, 1.2, 1.2, 0.0],
        ]
    )
    ranking = rank_layers(scores, SUCCESS, ~SUCCESS, top_k=3)
    assert ranking.success_gap is not None
    assert ranking.failure_gap is not None
    np.testing.assert_allclose(ranking.success_gap, [0.1, 0.2, -0.1, 0.05])
    np.testing.assert_allclose(ranking.failure_gap, [-0.1, -0.2, 0.1, -0.05])
    np.testing.assert_allclose(ranking.separation, [0.2, 0.4, -0.2, 0.1])
    assert ranking.dominant == (1, 0)  # layer 2 has the wrong sign, layer 3 is not influential
    assert ranking.picks(1) == (1,)


def test_the_mean_of_all_clips_counts_clips_of_neither_set():
    scores = np.array([[3.0], [2.9], [1.0]])
    ranking = rank_layers(scores, np.array([True, False, False]), np.array([False, True, False]), top_k=1)
    assert ranking.dominant == ()  # failures score above the mean of all
    assert ranking.picks(1) == (0,)


def test_without_a_dominant_layer_the_influential_ones_are_picked():
    scores = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    assert rank_layers(scores, SUCCESS, ~SUCCESS, top_k=2).picks(2) == (1, 0)


def test_layers_that_say_the_same_of_every_clip_are_dummies():
    generator = np.random.default_rng(0)
    scores = generator.normal(1.0, 0.1, size=(6, 4))
    scores[:, 1] = 1e-15 * generator.random(6)  # all attention on tokens that mean nothing (paper: variance 1e-29)
    scores[:, 2] = 0.25 + 1e-9 * generator.random(6)  # a constant, but for rounding
    scores[:, 3] = 1e-4 * generator.random(6)  # small and real
    assert dummy_layers(scores).tolist() == [False, True, True, False]
    assert not dummy_layers(scores[:1]).any()


def test_dummies_take_no_part():
    scores = np.array([[5.0, 3.0, 2.0, 1.0]] * 2 + [[5.0, 2.0, 1.0, 1.5]] * 2)
    dummies = np.array([True, False, False, False])
    assert (
        top_layers(scores, 2, dummies).tolist() == [[False, True, True, False]] * 2 + [[False, True, False, True]] * 2
    )
    ranking = rank_layers(scores, SUCCESS, ~SUCCESS, 3, dummies)
    assert ranking.frequency.tolist() == [0, 4, 4, 4]
    assert ranking.influential == (1, 2, 3)
    assert ranking.dominant == (1, 2)
    nothing = rank_layers(scores, SUCCESS, ~SUCCESS, 3, np.ones(4, dtype=bool))
    assert nothing.picks(1) == ()
