"""What must not be learnt from is noticed before the optimiser acts, and the clips are named."""

from __future__ import annotations

import math

import pytest

from interplay.core.errors import InterplayError
from interplay.train.guard import Guard, Micro

ONE = [Micro(0, 0, 0.5, "clips a, b")]
FOUR = [Micro(process, part, 0.5, f"clip {process}{part}") for process in range(2) for part in range(2)]
USUAL = [1.0, 1.2, 0.8] * 10


def test_a_loss_that_is_no_number_names_its_clips_and_where_they_ran() -> None:
    bad = [*FOUR[:3], Micro(1, 1, math.nan, "clip 11")]
    with pytest.raises(InterplayError, match=r"step 7 \(nan of clip 11 in process 1, part 1\)"):
        Guard("train", None, 100).check_losses(7, bad)
    Guard("train", None, 100).check_losses(7, FOUR)


def test_a_gradient_that_is_no_number_names_everybody() -> None:
    with pytest.raises(InterplayError, match="clips a, b"):
        Guard("train", None, 100).check_gradient(3, math.inf, USUAL, ONE)


def test_a_jump_of_the_gradient_stops_and_says_by_how_much() -> None:
    guard = Guard("train", 10.0, 100)
    guard.check_gradient(30, 9.9, USUAL, ONE)
    with pytest.raises(InterplayError, match=r"20 times the usual 1 .*clips a, b.*--ignore-spikes"):
        guard.check_gradient(30, 20.0, USUAL, ONE)


def test_only_the_last_steps_count_and_a_young_run_has_no_usual() -> None:
    Guard("train", 10.0, 30).check_gradient(60, 500.0, [1.0] * 30 + [100.0] * 30, ONE)
    Guard("train", 10.0, 100).check_gradient(5, 500.0, [1.0] * 5, ONE)


def test_spikes_can_be_ignored() -> None:
    Guard("train", None, 100).check_gradient(30, 1e6, USUAL, ONE)
