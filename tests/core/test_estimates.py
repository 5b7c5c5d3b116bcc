import numpy as np
import pytest

from interplay.core.estimates import estimate, mean_over_repeats, paired_differences, share_interval


def test_the_mean_leaves_out_what_is_not_scored():
    found = estimate([1.0, None, 0.0, 0.5], seed=0, resamples=200)
    assert (found.mean, found.n_scored, found.n) == (0.5, 3, 4)


def test_no_score_has_no_mean_and_one_score_has_no_interval():
    assert estimate([None, None], seed=0, resamples=200).mean is None
    single = estimate([0.4], seed=0, resamples=200)
    assert (single.mean, single.low, single.high) == (0.4, None, None)


def test_the_same_seed_gives_the_same_interval():
    scores = np.random.default_rng(0).random(30).tolist()
    assert estimate(scores, seed=4, resamples=500) == estimate(scores, seed=4, resamples=500)
    assert estimate(scores, seed=4, resamples=500) != estimate(scores, seed=5, resamples=500)


def test_the_interval_agrees_with_the_normal_one_on_many_scores():
    scores = np.random.default_rng(1).normal(0.3, 0.2, 400)
    found = estimate(scores.tolist(), seed=0, resamples=4000)
    half = 1.96 * scores.std() / 20
    assert found.low == pytest.approx(scores.mean() - half, abs=0.003)
    assert found.high == pytest.approx(scores.mean() + half, abs=0.003)


def test_a_constant_has_an_interval_of_no_extent():
    found = estimate([0.2] * 5, seed=0, resamples=100)
    assert found.low == pytest.approx(0.2)
    assert found.high == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # By hand, from the formula; the first is 1 - z^2 / (n + z^2).
    [(60, 60, 0.93982, 1.0), (0, 60, 0.0, 0.06018), (20, 21, 0.77331, 0.99155), (50, 100, 0.40383, 0.59617)],
)
def test_the_interval_of_a_share(part, whole, low, high):
    assert share_interval(part, whole) == (pytest.approx(low, abs=2e-5), pytest.approx(high, abs=2e-5))


def test_of_no_clips_nothing_is_known_of_a_share():
    assert share_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2 is no share"):
        share_interval(3, 2)


def test_differences_are_paired_by_clip():
    found = paired_differences({"a": 0.1, "b": 0.5, "c": None}, {"b": 0.75, "a": 0.1, "c": 1.0, "d": 1.0})
    assert found == {"a": 0.0, "b": 0.25, "c": None, "d": None}


def test_repeats_of_a_clip_are_one_number():
    repeats = [{"a": 0.0, "b": 1.0, "c": 0.5}, {"b": 0.5, "a": 1.0, "c": None}]
    assert mean_over_repeats(repeats) == {"a": 0.5, "b": 0.75, "c": None}
    assert mean_over_repeats([{"a": 0.25}, {}]) == {"a": None}


def test_repeats_do_not_make_the_interval_narrower_than_their_clips_allow():
    scores = {str(clip): value for clip, value in enumerate(np.random.default_rng(2).random(40))}
    once = estimate(list(scores.values()), seed=0, resamples=1000)
    thrice = estimate(list(mean_over_repeats([scores] * 3).values()), seed=0, resamples=1000)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
