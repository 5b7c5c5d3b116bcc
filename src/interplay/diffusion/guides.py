"""Guidance away from a model with something taken away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Guide:
    """One more pass of the model per step, and how strongly the prediction is pushed away from what it says.

    Formula: eps~ = eps + ``scale`` (eps_c - eps_hat), with eps the prediction (after classifier-free guidance), eps_c
    that of the conditional pass and eps_hat that of the same pass within ``perturbed(timesteps)``, which takes the
    clips of the batch in their order and knows by their timesteps which expert the pass is of. Source:
    perturbed-attention guidance (Ahn et al. 2024), which MATRIX's appendix E refers to.
    """

    name: str
    scale: float
    perturbed: Callable[[Tensor], AbstractContextManager[None]]
