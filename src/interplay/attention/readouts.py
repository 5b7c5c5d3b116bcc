"""What is read off attention: its mass on key regions, per row or on average, and the mean of its rows.

Shape legend: ``b`` batch, ``h`` heads, ``k`` key tokens, ``n`` query tokens of a stream, ``c`` rows of a piece, ``j``
keys of a piece, ``r`` key regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.attention.regions import members
from interplay.attention.streaming import Readout, Rows


@dataclass(frozen=True)
class KeyRegions:
    """Key regions as columns over the whole key axis, and once more over the keys that are in any of them."""

    columns: Float[Tensor, "b k r"]
    index: Int[Tensor, "b j"]
    chosen: Float[Tensor, "b j r"]

    @classmethod
    def of(cls, columns: Float[Tensor, "b k r"]) -> KeyRegions:
        """Find the keys that matter; elements of the batch with fewer of them get others, of weight 0."""
        index = members((columns != 0).any(dim=-1))
        return cls(columns, index, columns.gather(1, index[:, :, None].expand(-1, -1, columns.shape[2])))

    def to(self, device: torch.device) -> KeyRegions:
        """The same on another device."""
        return KeyRegions(self.columns.to(device), self.index.to(device), self.chosen.to(device))

    def positions(self) -> Int[Tensor, "b j"] | None:
        """Where the keys in any region are, ``None`` if that is everywhere."""
        return None if self.index.shape[1] == self.columns.shape[1] else self.index

    def mass(self, weights: Float[Tensor, "b h c j"], batch: slice) -> Float[Tensor, "b h c r"]:
        """Mass of attention, to all keys or to those in any region, on each region."""
        columns = self.columns if weights.shape[-1] == self.columns.shape[1] else self.chosen
        # Heads join the rows: a product that repeats over heads would first copy the columns for each of them.
        mass = weights.flatten(1, 2) @ columns[batch]
        return mass.view(*weights.shape[:3], -1)

    def pull_back(self, gradient: Float[Tensor, "b h c r"], batch: slice) -> Float[Tensor, "b h c k"]:
        """Each region's gradient to the keys in it."""
        of_keys = gradient.flatten(1, 2) @ self.columns[batch].transpose(1, 2)
        return of_keys.view(*gradient.shape[:3], -1)


@dataclass(frozen=True)
class MassPerRow(Readout):
    """Mass of each row on each key region: ``b h n r`` over a stream's queries, zero where no row is read."""

    rows: Rows
    keys: KeyRegions
    first_query: int
    num_queries: int

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h n r"]:
        """Zeros."""
        columns = self.keys.columns
        return torch.zeros(batch, heads, self.num_queries, columns.shape[2], device=columns.device)

    def key_index(self) -> Int[Tensor, "b j"] | None:
        """The keys in any region."""
        return self.keys.positions()

    def add(
        self, result: Float[Tensor, "b h n r"], weights: Float[Tensor, "b h c j"], batch: slice, rows: slice
    ) -> None:
        """Each row's mass to its place; rows that only pad are not members, their places stay zero."""
        mass = self.keys.mass(weights, batch) * self._real(batch, rows)
        result.scatter_(2, self._places(batch, rows).expand(mass.shape), mass)

    def pull_back(self, gradient: Float[Tensor, "b h n r"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each region's gradient to the keys in it."""
        of_rows = gradient.gather(2, self._places(batch, rows).expand(*gradient.shape[:2], -1, gradient.shape[3]))
        return self.keys.pull_back(of_rows * self._real(batch, rows), batch)

    def _real(self, batch: slice, rows: slice) -> Tensor:
        return (self.rows.weights[batch, rows] > 0)[:, None, :, None]

    def _places(self, batch: slice, rows: slice) -> Tensor:
        return (self.rows.index[batch, rows] - self.first_query)[:, None, :, None]


@dataclass(frozen=True)
class MeanMass(Readout):
    """Mean over the rows, by their weights, of the mass on each key region: ``b h r``."""

    rows: Rows
    keys: KeyRegions

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h r"]:
        """Zeros."""
        columns = self.keys.columns
        return torch.zeros(batch, heads, columns.shape[2], device=columns.device)

    def key_index(self) -> Int[Tensor, "b j"] | None:
        """The keys in any region."""
        return self.keys.positions()

    def add(self, result: Float[Tensor, "b h r"], weights: Float[Tensor, "b h c j"], batch: slice, rows: slice) -> None:
        """The piece's share of the mean."""
        result += torch.einsum("bc,bhcr->bhr", self.rows.weights[batch, rows], self.keys.mass(weights, batch))

    def pull_back(self, gradient: Float[Tensor, "b h r"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each region's gradient to the keys in it, in the share of each row."""
        return self.rows.weights[batch, None, rows, None] * self.keys.pull_back(gradient[:, :, None], batch)


@dataclass(frozen=True)
class MeanRow(Readout):
    """Mean over the rows, by their weights, of attention to each key: ``b h k``."""

    rows: Rows

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h k"]:
        """Zeros."""
        return torch.zeros(batch, heads, keys, device=self.rows.weights.device)

    def key_index(self) -> None:
        """All keys."""

    def add(self, result: Float[Tensor, "b h k"], weights: Float[Tensor, "b h c k"], batch: slice, rows: slice) -> None:
        """The piece's share of the mean."""
        result += torch.einsum("bc,bhck->bhk", self.rows.weights[batch, rows], weights)

    def pull_back(self, gradient: Float[Tensor, "b h k"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each key's gradient, in the share of each row."""
        return self.rows.weights[batch, None, rows, None] * gradient[:, :, None]
