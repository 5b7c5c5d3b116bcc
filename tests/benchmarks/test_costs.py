"""Costs are compared within a round, and memory is what grows, not what is there."""

from __future__ import annotations

import time

import pytest
import torch
from experiments.costs import in_turns, peak_of, seconds_of

CPU = torch.device("cpu")


def test_each_way_is_asked_once_a_round_and_begins_one_in_its_turn() -> None:
    asked = []

    def way(name: str):
        return lambda number: asked.append((number, name)) or 1.0

    in_turns({name: way(name) for name in "abc"}, rounds=3)
    assert asked == [(number, name) for number, order in enumerate(("abc", "bca", "cab")) for name in order]


def test_a_machine_that_slows_down_does_not_change_the_ratio() -> None:
    """The second way takes 1.5 times as long, and everything four times as long from the third round on."""
    pace = (1.0, 1.0, 4.0, 4.0, 4.0)
    found = in_turns({"plain": lambda number: pace[number], "way": lambda number: 1.5 * pace[number]}, rounds=5)
    assert found["plain"].ratio == 1
    assert found["way"].ratio == 1.5
    assert found["way"].quartiles == (1.5, 1.5)
    assert found["way"].seconds == 6.0
    assert found["way"].spread == "1.500 to 1.500"


def test_one_round_has_no_spread() -> None:
    found = in_turns({"plain": lambda number: 2.0, "way": lambda number: 3.0}, rounds=1)
    assert (found["way"].ratio, found["way"].quartiles) == (1.5, (1.5, 1.5))


def test_the_peak_is_the_worst_moment_beyond_what_is_there() -> None:
    there = torch.zeros(1 << 20)

    def compute() -> None:
        torch.zeros(1 << 18)
        first, second = torch.zeros(1 << 16), torch.zeros(1 << 17)
        del first, second
        torch.zeros(1 << 10)

    assert peak_of(compute, CPU) == 4 << 18
    assert peak_of(there.clone, CPU) == 4 << 20


def test_time_is_that_of_the_process() -> None:
    assert seconds_of(lambda: time.sleep(0.2), CPU) < 0.1
    assert seconds_of(lambda: sum(range(200_000)), CPU) > 0


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
