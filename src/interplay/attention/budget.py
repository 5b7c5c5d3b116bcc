"""How much memory an observation may take beyond the model's own, and how work is cut into pieces that fit.

What counts: the statistics themselves while :class:`~interplay.attention.observe.Observations` holds them, temporary
tensors of a statistic (forward and backward), the gradients it returns for queries and keys, and, under gradient
checkpointing, the queries and keys it must keep because the model does not. Small change is not counted: the regions,
their positions, and one row of a log-sum-exp per query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interplay.core.errors import InputError

FLOAT_BYTES = 4
# Temporary tensors where nobody gave a budget: small beside any real video model, large enough to keep a GPU busy.
WORKSPACE_BYTES = 2**28
# On a CPU a piece should stay in the cache: 2**18 to 2**20 float32 were fastest at 4,096 and at 8,192 tokens.
_CPU_WORKSPACE_BYTES = 2**23
# Fewer rows than this in a matrix product waste its kernel.
_GOOD_ROWS = 64


@dataclass(frozen=True)
class Budget:
    """Bytes that are left for one statistic; ``None`` is no limit but the workspace's own modest size."""

    left_bytes: int | None = None

    def without(self, fixed_bytes: int) -> Budget:
        """What is left when some is set aside."""
        return self if self.left_bytes is None else Budget(self.left_bytes - fixed_bytes)

    def afford(self, fixed_bytes: int) -> None:
        """``InputError`` when so many bytes are not left."""
        if self.left_bytes is not None and self.left_bytes < fixed_bytes:
            raise too_small(self.left_bytes, fixed_bytes)

    def pieces(
        self, batch: int, heads: int, rows: int, *, head_bytes: int, row_bytes: int, fixed_bytes: int, on_cpu: bool
    ) -> Pieces:
        """How to cut a statistic, once ``fixed_bytes`` (results, gradients) are set aside.

        Pieces are of the usual size, larger if a head with a good number of rows needs it, smaller if less is left.
        """
        usual = _CPU_WORKSPACE_BYTES if on_cpu else WORKSPACE_BYTES
        wanted = max(usual, head_bytes + row_bytes * max(1, min(rows, _GOOD_ROWS)))
        if self.left_bytes is not None:
            if self.left_bytes < fixed_bytes + head_bytes + row_bytes:
                raise too_small(self.left_bytes, fixed_bytes + head_bytes + row_bytes)
            wanted = min(wanted, self.left_bytes - fixed_bytes)
        return cut(batch, heads, rows, head_bytes=head_bytes, row_bytes=row_bytes, workspace_bytes=wanted)


NO_LIMIT = Budget()


def too_small(left_bytes: int, needed_bytes: int) -> InputError:
    """The refusal of a statistic that cannot be cut small enough."""
    return InputError(
        f"{needed_bytes:,} bytes are needed and {max(left_bytes, 0):,} are left",
        where="memory budget of the observation",
        cure='raise it, observe fewer sites, or ask for less (reduce="mean", one request for several regions)',
    )


@dataclass(frozen=True)
class Pieces:
    """Lengths of the pieces along batch, heads and query rows."""

    batch: int
    heads: int
    rows: int

    def groups(self, batch: int, heads: int) -> Iterator[tuple[slice, slice]]:
        """Which batch elements and heads are worked on together."""
        for first in range(0, batch, self.batch):
            for head in range(0, heads, self.heads):
                yield slice(first, first + self.batch), slice(head, head + self.heads)

    def row_slices(self, rows: int) -> Iterator[slice]:
        """Which rows of a group are worked on together."""
        for first in range(0, rows, self.rows):
            yield slice(first, first + self.rows)


def cut(batch: int, heads: int, rows: int, *, head_bytes: int, row_bytes: int, workspace_bytes: int) -> Pieces:
    """Pieces as large as the workspace, which holds one head and row at least, allows.

    ``head_bytes`` are the temporary bytes of one head of one batch element, ``row_bytes`` those of each of its rows.
    """
    together = max(1, workspace_bytes // (head_bytes + row_bytes * max(1, min(rows, _GOOD_ROWS))))
    at_once = min(together, batch * heads)
    sizes = (at_once // heads, heads) if at_once >= heads else (1, at_once)
    held = sizes[0] * sizes[1]
    return Pieces(*sizes, rows=max(1, (workspace_bytes // held - head_bytes) // max(row_bytes, 1)))
