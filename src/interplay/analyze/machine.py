"""What an analysis may use of the machine. None of it is asked for again when scores are taken over or work goes on.

It moves no score but for rounding: sums are cut into other pieces where there is less memory, and another device adds
them up in another order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.placement import Offload, place

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Machine:
    """Where the model computes, whether its weights wait on the CPU, and what observation may take.

    ``memory_bytes`` bounds what observing a forward takes beyond the model's own memory (what counts:
    :mod:`interplay.attention.budget`); ``None`` keeps temporary tensors small and does not limit the rest.
    """

    device: torch.device = _CPU
    offload: Offload = "none"
    memory_bytes: int | None = None

    @property
    def loads_on(self) -> torch.device:
        """Where weights are loaded to: with offloading, the device never has all of them."""
        return self.device if self.offload == "none" else _CPU

    def take(self, backbone: Backbone) -> None:
        """Let a loaded backbone compute here; once its adapter is there, for later layers stay where they are."""
        place(backbone, self.device, self.offload)
