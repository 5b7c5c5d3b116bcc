"""What is read off attention: its mass on key regions, per row, on average or in pairs, and the mean of its rows.

Shape legend: ``b`` batch, ``h`` heads, ``k`` key tokens, ``n`` query tokens of a stream, ``c`` rows of a piece, ``j``
keys of a piece, ``r`` key regions, or pairs of a query region and a key region, ``m`` query rows that are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.attention.products import product
from interplay.attention.regions import Chosen, chosen, weights_of
from interplay.attention.streaming import Readout, Rows


@dataclass(frozen=True)
class KeyRegions:
    """Key regions as columns over the whole key axis, and once more over the keys that are read for them."""

    columns: Float[Tensor, "b k r"]
    read: Chosen
    of_read: Float[Tensor, "b j r"]

    @classmethod
    def of(cls, columns: Float[Tensor, "b k r"]) -> KeyRegions:
        """Find the keys that matter; others may be read beside them, with weight 0."""
        read = chosen((columns != 0).any(dim=-1))
        return cls(columns, read, weights_of(columns, read).contiguous())

    def to(self, device: torch.device) -> KeyRegions:
        """The same on another device."""
        read = self.read if isinstance(self.read, slice) else self.read.to(device)
        return KeyRegions(self.columns.to(device), read, self.of_read.to(device))

    def keys_read(self) -> Chosen | None:
        """The keys that are read, ``None`` if that is all."""
        return None if self.of_read.shape[1] == self.columns.shape[1] else self.read

    def columns_of(self, weights: Float[Tensor, "b h c j"]) -> Float[Tensor, "_ j r"]:
        """The columns beside attention to all keys or to those that are read."""
        return self.columns if weights.shape[-1] == self.columns.shape[1] else self.of_read

    def mass(self, weights: Float[Tensor, "b h c j"], batch: slice) -> Float[Tensor, "b h c r"]:
        """Mass of attention, to all keys or to those in any region, on each region."""
        # Heads join the rows: a product that repeats over heads would first copy the columns for each of them.
        mass = weights.flatten(1, 2) @ self.columns_of(weights)[batch]
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

    def keys_read(self) -> Chosen | None:
        """Those in any region."""
        return self.keys.keys_read()

    def add(
        self, result: Float[Tensor, "b h n r"], weights: Float[Tensor, "b h c j"], batch: slice, rows: slice
    ) -> None:
        """Each row's mass to its place; rows that only pad are not members, their places stay zero."""
        mass = self.keys.mass(weights, batch)
        if self.rows.padded:
            mass *= self._real(batch, rows)
        result.scatter_(2, self._places(batch, rows).expand(mass.shape), mass)

    def pull_back(self, gradient: Float[Tensor, "b h n r"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each region's gradient to the keys in it."""
        of_rows = gradient.gather(2, self._places(batch, rows).expand(*gradient.shape[:2], -1, gradient.shape[3]))
        return self.keys.pull_back(of_rows * self._real(batch, rows), batch)

    def _real(self, batch: slice, rows: slice) -> Tensor:
        return (self.rows.weights[batch, rows] > 0)[:, None, :, None]

    def _places(self, batch: slice, rows: slice) -> Tensor:
        return self._of_stream[batch, None, rows, None]

    @cached_property
    def _of_stream(self) -> Int[Tensor, "b m"]:
        return self.rows.index - self.first_query


@dataclass(frozen=True)
class MeanMass(Readout):
    """Mean over the rows, by their weights, of the mass on each key region: ``b h r``."""

    rows: Rows
    keys: KeyRegions

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h r"]:
        """Zeros."""
        columns = self.keys.columns
        return torch.zeros(batch, heads, columns.shape[2], device=columns.device)

    def keys_read(self) -> Chosen | None:
        """Those in any region."""
        return self.keys.keys_read()

    def add(self, result: Float[Tensor, "b h r"], weights: Float[Tensor, "b h c j"], batch: slice, rows: slice) -> None:
        """The piece's share of the mean."""
        result += torch.einsum("bc,bhcr->bhr", self.rows.weights[batch, rows], self.keys.mass(weights, batch))

    def pull_back(self, gradient: Float[Tensor, "b h r"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each region's gradient to the keys in it, in the share of each row."""
        return self.rows.weights[batch, None, rows, None] * self.keys.pull_back(gradient[:, :, None], batch)


@dataclass(frozen=True)
class PairedSums(Readout):
    """Of each pair of a query region and a key region, the mass of the rows on the keys, by both weights: ``b h r``.

    ``row_weights`` are those of the query regions in the rows that are read.
    """

    rows: Rows
    row_weights: Float[Tensor, "b r m"]
    keys: KeyRegions

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h r"]:
        """Zeros."""
        weights = self.row_weights
        return torch.zeros(batch, heads, weights.shape[1], device=weights.device)

    def keys_read(self) -> Chosen | None:
        """Those in any region."""
        return self.keys.keys_read()

    def add(self, result: Float[Tensor, "b h r"], weights: Float[Tensor, "b h c j"], batch: slice, rows: slice) -> None:
        """The piece's share of the sums: first over its rows, then over the keys."""
        of_rows = self.row_weights[batch, None, :, rows].expand(-1, weights.shape[1], -1, -1)
        columns = self.keys.columns_of(weights)[batch, None].transpose(-1, -2)
        result += (product(of_rows, weights) * columns).sum(dim=-1)

    def pull_back(self, gradient: Float[Tensor, "b h r"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each pair's gradient to its keys, in the share of each row."""
        of_rows = self.row_weights[batch, None, :, rows].transpose(-1, -2) * gradient[:, :, None]
        return self.keys.pull_back(of_rows, batch)


@dataclass(frozen=True)
class MeanRow(Readout):
    """Mean over the rows, by their weights, of attention to each key: ``b h k``."""

    rows: Rows

    def empty(self, batch: int, heads: int, keys: int) -> Float[Tensor, "b h k"]:
        """Zeros."""
        return torch.zeros(batch, heads, keys, device=self.rows.weights.device)

    def keys_read(self) -> None:
        """All keys."""

    def add(self, result: Float[Tensor, "b h k"], weights: Float[Tensor, "b h c k"], batch: slice, rows: slice) -> None:
        """The piece's share of the mean."""
        result += torch.einsum("bc,bhck->bhk", self.rows.weights[batch, rows], weights)

    def pull_back(self, gradient: Float[Tensor, "b h k"], batch: slice, rows: slice) -> Float[Tensor, "b h c k"]:
        """Each key's gradient, in the share of each row."""
        return self.rows.weights[batch, None, rows, None] * gradient[:, :, None]
