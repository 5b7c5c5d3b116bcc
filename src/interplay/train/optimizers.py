"""Optimisers: AdamW for everything, or Muon for the matrices of repeated layers and AdamW for the rest.

Muon (Jordan et al. 2024) replaces the momentum of a matrix by the nearest orthogonal one, so that all of its directions
learn at one rate. It is meant for hidden matrices: embeddings, input and output projections, norms and biases keep
AdamW. Updates are scaled to the size of AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), so that one
learning rate serves both; ``benchmarks/pretraining_optimizer.md`` says what it gains here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from interplay.core.config import Config

OptimizerName = Literal["adamw", "muon"]
_BETAS = (0.9, 0.99)
_MOMENTUM = 0.95
# Matrices of hidden layers bear twice AdamW's rate: their updates are never larger in one direction than in another.
_MUON_RATE = 2.0
# Repeated layers as the libraries call them: transformer_blocks.3, blocks.3, block.3, refiner_blocks.0, layers.3.
_REPEATED = re.compile(r"(block|blocks|layer|layers)\.\d+\.")


class OptimizerConfig(Config):
    """Which optimiser, and its decoupled weight decay."""

    name: OptimizerName = "adamw"
    weight_decay: float = 0.0


def build_optimizers(
    module: nn.Module, trained: Mapping[str, Tensor], settings: OptimizerConfig, learning_rate: float
) -> list[torch.optim.Optimizer]:
    """Optimisers that together hold every trained parameter once, each group with its own peak rate."""
    hidden = hidden_matrices(module) & trained.keys() if settings.name == "muon" else set()
    rest = [value for key, value in trained.items() if key not in hidden]
    matrices = [value for key, value in trained.items() if key in hidden]
    found: list[torch.optim.Optimizer] = []
    if rest:
        found.append(torch.optim.AdamW(rest, lr=learning_rate, betas=_BETAS, weight_decay=settings.weight_decay))
    if matrices:
        found.append(
            torch.optim.Muon(
                matrices,
                lr=_MUON_RATE * learning_rate,
                momentum=_MOMENTUM,
                weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found


def hidden_matrices(module: nn.Module) -> set[str]:
    """Names of the weights of linear layers inside repeated layers: ``transformer_blocks.3.ff.net.2.weight``.

    What stands before and behind them (patch and text projections, time embedding, output) is not hidden.
    """
    return {
        f"{name}.weight"
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and _REPEATED.search(f"{name}.")
    }
