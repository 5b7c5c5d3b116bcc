"""Marker tokens ``<id1>``, ``<id2>``, ...: in the tokenizer, and rows of their own in the text encoder's embedding.

The released code adds them to the tokenizer and leaves the embedding as it is: they fall into rows that the pretrained
table has to spare, which nobody ever trained (``marker_embeddings: spare``). Or their rows are trained with the adapter
(``trained``); the text encoder itself stays as it is, and its captions are then embedded anew in every step.

A table without rows to spare gets none: rows live beside it and are put in by a hook, so that removing them leaves the
encoder as it was.

Shape legend: ``m`` markers, ``d`` width of the embedding, ``b t`` prompts and their tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.core.seeds import derive_seed


class Markers(nn.Module):
    """The first ``count`` marker tokens of a backbone, until :meth:`remove`.

    ``rows`` are what their tokens are embedded as; ``None`` where those are the table's own, untouched.
    """

    def __init__(self, backbone: Backbone, count: int, *, trained: bool, seed: int) -> None:
        super().__init__()
        self.names = tuple(f"<id{number}>" for number in range(1, count + 1))
        self._undo = [_add_tokens(backbone, self.names)]
        tokenizer = cast(Any, backbone.tokenizer)
        self.ids: list[int] = tokenizer.convert_tokens_to_ids(list(self.names))
        tables = _tables(backbone)
        self.rows: nn.Parameter | None = None
        if trained or max(self.ids) >= len(tables[0].weight):
            rows = _first_rows(tables[0].weight, self.ids, seed)
            self.rows = nn.Parameter(rows.float() if trained else rows, requires_grad=trained)
            for table in tables:
                self._undo += [
                    table.register_forward_pre_hook(self._without).remove,
                    table.register_forward_hook(self._with).remove,
                ]
        self._found: Tensor | None = None

    def remove(self) -> None:
        """Leave tokenizer and text encoder as they were before."""
        while self._undo:
            self._undo.pop()()

    def _without(self, table: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Token ids that every table has: 0 in the places of markers."""
        ids = arguments[0]
        self._found = ids
        is_marker = torch.isin(ids, torch.tensor(self.ids, device=ids.device))
        return (ids.masked_fill(is_marker, 0), *arguments[1:])

    def _with(
        self, table: nn.Module, arguments: tuple[Any, ...], embedded: Float[Tensor, "b t d"]
    ) -> Float[Tensor, "b t d"]:
        """The embedding with the markers' rows in their places."""
        ids, rows, self._found = self._found, self.rows, None
        assert ids is not None
        assert rows is not None
        for number, marker in enumerate(self.ids):
            embedded = torch.where((ids == marker)[..., None], rows[number].to(embedded), embedded)
        return embedded


def check_markers(labels: tuple[str, ...], count: int, *, where: str) -> None:
    """Refuse an instance id for which there is no marker token."""
    highest = max((int(label.removeprefix("id")) for label in labels), default=0)
    if highest > count:
        problem = f"has the marker <id{highest}>, and there are {count} marker tokens"
        raise InputError(problem, where=where, cure=f"train with matrix.markers {highest}, or leave the clip out")


def _add_tokens(backbone: Backbone, names: tuple[str, ...]) -> Callable[[], None]:
    tokenizer = cast(Any, backbone.tokenizer)
    before = copy.deepcopy(tokenizer._tokenizer)  # tokens can be added to a tokenizer and not be taken out
    tokenizer.add_tokens(list(names))

    def undo() -> None:
        tokenizer._tokenizer = before

    return undo


def _tables(backbone: Backbone) -> list[nn.Embedding]:
    """The text encoder's input embedding, and whatever modules share its weight."""
    encoder = cast(Any, backbone.text_encoder)
    weight = encoder.get_input_embeddings().weight
    return [one for one in encoder.modules() if isinstance(one, nn.Embedding) and one.weight is weight]


def _first_rows(table: Tensor, ids: list[int], seed: int) -> Float[Tensor, "m d"]:
    """The table's own rows; for ids beyond it random ones, as far from its mean as its rows are."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "markers"))
    noise = torch.randn(len(ids), table.shape[1], generator=generator).to(table.device)
    values = table.detach().float()
    drawn = (values.mean(dim=0) + values.std(dim=0) * noise).to(table.dtype)
    own = [min(number, len(table) - 1) for number in ids]
    inside = torch.tensor([number < len(table) for number in ids], device=table.device)
    return torch.where(inside[:, None], table.detach()[own], drawn)
