"""What the pages of the experiments say follows from the scores: verdicts, crossings, speed-ups, each by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from experiments.numbers import contrast, crossing, mean_of, shown, signed, speedup, steps_shown, table

from interplay.core.estimates import Estimate

STEPS = (0, 100, 200, 300)


def test_a_clip_is_the_unit_and_its_seeds_are_averaged_first() -> None:
    found = mean_of({0: {"a": 0.0, "b": 1.0, "c": None}, 1: {"a": 1.0, "b": 1.0}})
    assert found.mean == 0.75
    assert (found.n_scored, found.n) == (2, 3)


@pytest.mark.parametrize(
    ("added", "verdict"),
    [((0.2, 0.3), "better"), ((-0.2, -0.3), "worse"), ((0.5, -0.1), "better, not in every seed")],
)
def test_a_difference_is_told_from_none_clip_by_clip(added: tuple[float, float], verdict: str) -> None:
    """The clips differ much more from each other than the arms do."""
    reference = {seed: {str(clip): clip / 10 for clip in range(20)} for seed in (0, 1)}
    arm = {seed: {clip: value + added[seed] for clip, value in reference[seed].items()} for seed in (0, 1)}
    found = contrast(arm, reference)
    assert found.whole.mean == pytest.approx(sum(added) / 2)
    assert found.by_seed == pytest.approx(dict(enumerate(added)))
    assert found.verdict == verdict


def test_a_difference_that_could_be_chance_is_none() -> None:
    reference = {0: {str(clip): 0.0 for clip in range(20)}}
    arm = {0: {str(clip): (-1.0) ** clip for clip in range(20)}}
    assert contrast(arm, reference).verdict == "cannot be told apart"
    assert contrast({0: {"0": 1.0}}, {0: {"0": 0.0}}).verdict == "open"  # one clip has no spread
    assert contrast({0: {"0": 1.0}}, {1: {"0": 0.0}}).verdict == "open"  # no seed that both have


@pytest.mark.parametrize(
    ("level", "step"), [(0.0, 0), (0.1, 50), (0.2, 100), (0.5, 275), (0.7, math.inf)], ids=lambda value: f"{value}"
)
def test_a_level_is_reached_between_two_points(level: float, step: float) -> None:
    assert crossing(STEPS, (0.0, 0.2, 0.2, 0.6), level) == pytest.approx(step)


def test_a_level_that_is_lost_again_was_reached() -> None:
    assert crossing(STEPS, (0.0, 0.4, 0.1, 0.6), 0.4) == 100


def test_an_arm_that_learns_twice_as_fast_has_a_speedup_of_two() -> None:
    slow = np.array([[0.0, 0.0], [0.1, 0.3], [0.2, 0.6], [0.3, 0.9]])
    fast = np.array([[0.0, 0.0], [0.2, 0.6], [0.4, 1.2], [0.6, 1.8]])
    found = speedup(STEPS, slow, fast, level=0.4)
    assert [estimate.mean for estimate in found.steps] == [200, 100]
    assert found.ratio.mean == 2
    # Of two clips one may be drawn twice: the slow arm reaches the level after 134 steps with the one, and never.
    assert found.steps[0].low == pytest.approx(400 / 3)
    assert found.steps[0].high == math.inf
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assert found.ratio.low <= 2 <= found.ratio.high


def test_a_level_that_nobody_reaches_has_a_ratio_of_one() -> None:
    curve = np.zeros((4, 3))
    found = speedup(STEPS, curve, curve, level=0.5)
    assert found.ratio.mean == 1
    assert steps_shown(found.steps[0], STEPS[-1]) == "over 300 (over 300 to over 300)"


def test_numbers_as_text() -> None:
    found = Estimate(0.04, -0.01, 0.08, 5, 5)
    assert shown(found) == "0.040 (-0.010 to 0.080)"
    assert shown(found, digits=1) == "0.0 (-0.0 to 0.1)"
    assert signed(found) == "+0.040 (-0.010 to +0.080)"
    assert shown(Estimate(0.04, None, None, 1, 1)) == "0.040"
    assert shown(Estimate(None, None, None, 0, 1)) == signed(Estimate(None, None, None, 0, 1)) == "-"
    assert table(["a", "b"], [["1", "2"]]).splitlines() == ["| a | b |", "|---|---|", "| 1 | 2 |"]
