from __future__ import annotations

import os
from contextlib import closing

import pytest

from interplay.core.errors import InputError
from interplay.world.workers import in_order


def square(number: int) -> int:
    return number * number


def dies(number: int) -> int:
    os._exit(9)


def refuses(number: int) -> int:
    if number == 2:
        raise InputError("is two", where=f"item {number}", cure="take another")
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(in_order(square, range(9), workers)) == [n * n for n in range(9)]


def test_leaving_early_ends_the_processes() -> None:
    with closing(in_order(square, range(1000), 2)) as squares:
        assert next(squares) == 0
    assert list(squares) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_as_it_was(workers: int) -> None:
    results = in_order(refuses, range(5), workers)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(InputError, match="item 2: is two; take another"):
        next(results)


def test_a_killed_process_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"--workers 2: a process was killed.*with fewer"):
        list(in_order(dies, range(5), 2))
