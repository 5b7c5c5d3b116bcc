"""Optimisers: AdamW for everything, or Muon for the matrices of repeated layers and AdamW for the rest.

Muon (Jordan et al. 2024) replaces the momentum of a matrix by the nearest orthogonal one, so that all of its directions
learn at one rate. It is meant for hidden matrices: embeddings, input and output projections, norms and biases keep
AdamW. Updates are scaled to the size of AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), so that one
learning rate serves both; ``benchmarks/pretraining.md`` says what it gains here.

``adamw8bit`` is AdamW with its two moments in eight bits (Dettmers et al. 2022), by the package bitsandbytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.train.muon import Muon

OptimizerName = Literal["adamw", "adamw8bit", "muon"]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = tuple[Beta, Beta]
BETAS: Betas = (0.9, 0.99)
_MOMENTUM = 0.95
# Matrices of hidden layers bear twice AdamW's rate: their updates are never larger in one direction than in another.
_MUON_RATE = 2.0
# Repeated layers as the libraries call them: transformer_blocks.3, blocks.3, block.3, refiner_blocks.0, layers.3.
_REPEATED = re.compile(r"(block|blocks|layer|layers)\.\d+\.")


class OptimizerConfig(Config):
    """Which optimiser, its decoupled weight decay, and how long AdamW remembers gradients and their squares."""

    name: OptimizerName = "adamw"
    weight_decay: float = 0.0
    betas: Betas = BETAS


def build_optimizers(
    module: nn.Module, trained: Mapping[str, Tensor], settings: OptimizerConfig, learning_rate: float
) -> list[torch.optim.Optimizer]:
    """Optimisers that together hold every trained parameter once, each group with its own peak rate."""
    hidden = hidden_matrices(module) & trained.keys() if settings.name == "muon" else set()
    rest = [value for key, value in trained.items() if key not in hidden]
    matrices = [value for key, value in trained.items() if key in hidden]
    found: list[torch.optim.Optimizer] = []
    if rest:
        found.append(_adamw(rest, settings, learning_rate))
    if matrices:
        found.append(
            Muon(
                matrices,
                lr=_MUON_RATE * learning_rate,
                momentum=_MOMENTUM,
                weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found


def check_optimizer(name: OptimizerName) -> None:
    """:class:`InputError` about an optimiser whose package is missing; asked before anything is computed."""
    if name == "adamw8bit":
        _bitsandbytes()


def _adamw(parameters: Iterable[Tensor], settings: OptimizerConfig, learning_rate: float) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"lr": learning_rate, "betas": settings.betas, "weight_decay": settings.weight_decay}
    if settings.name != "adamw8bit":
        return torch.optim.AdamW(parameters, **options)
    optimizer: torch.optim.Optimizer = _bitsandbytes().optim.AdamW8bit(parameters, **options)
    return optimizer


def _bitsandbytes() -> Any:
    try:
        return import_module("bitsandbytes")
    except ImportError as error:
        cure = "install it (pip install bitsandbytes), or set optimizer: adamw"
        raise InputError(
            "adamw8bit needs the package bitsandbytes", where="recipe, field optimizer", cure=cure
        ) from error


def hidden_matrices(module: nn.Module) -> set[str]:
    """Names of the weights of linear layers inside repeated layers: ``transformer_blocks.3.ff.net.2.weight``.

    What stands before and behind them (patch and text projections, time embedding, output) is not hidden.
    """
    return {
        f"{name}.weight"
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and _REPEATED.search(f"{name}.")
    }
