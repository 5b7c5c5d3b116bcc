from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from interplay.backbones.batch import Batch


def batch(*rows: int) -> Batch:
    return Batch({"a": torch.tensor(rows), "b": torch.tensor(rows)[:, None, None] * torch.ones(1, 2, 3)})


def rows(of: Batch) -> list[int]:
    assert of["b"][:, 0, 0].tolist() == of["a"].tolist()
    return of["a"].tolist()


def test_rows_are_chosen_repeated_and_joined_in_every_tensor() -> None:
    given = batch(1, 2, 3)
    assert len(given) == 3
    assert rows(given.take([2, 0])) == [3, 1]
    assert rows(given.take(slice(1, 2))) == [2]
    assert rows(given.take(torch.tensor([1, 1]))) == [2, 2]
    assert rows(given.take([0, 1]).repeated(2)) == [1, 2, 1, 2]
    assert rows(Batch.join([given, batch(4)])) == [1, 2, 3, 4]
    assert given.to("meta")["b"].is_meta


def test_rows_are_replaced_where_asked_by_rows_of_their_own_or_by_one() -> None:
    where = torch.tensor([True, False, True])
    assert rows(batch(1, 2, 3).replaced(where, batch(7, 8, 9))) == [7, 2, 9]
    assert rows(batch(1, 2, 3).replaced(where, batch(0))) == [0, 2, 0]


def test_tensors_of_different_length_and_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="one number of rows"):
        Batch({"a": torch.zeros(2), "b": torch.zeros(3)})
    with pytest.raises(ValueError, match="one number of rows"):
        Batch({})
    with pytest.raises(ValueError, match="other names"):
        Batch.join([batch(1), Batch({"a": torch.zeros(1)})])


def test_a_condition_of_nothing_keeps_its_rows_wherever_it_goes() -> None:
    nothing = Batch.empty(3)
    assert len(nothing) == 3
    assert len(nothing.take([0, 2])) == 2
    assert len(nothing.repeated(2)) == 6
    assert len(Batch.join([nothing, Batch.empty(1)])) == 4
    assert len(nothing.replaced(torch.tensor([True, False, True]), Batch.empty(1))) == 3
    (column,) = nothing.tensors.values()
    assert column.numel() == 0
    (stored,) = load(save({"column": column})).values()  # as the cache of training keeps it
    assert stored.shape == column.shape
