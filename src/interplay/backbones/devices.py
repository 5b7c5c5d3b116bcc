"""Where a network computes, which is not always where its weights are."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn


def device_of(network: nn.Module) -> torch.device:
    """The device that a network computes on.

    Offloaded by accelerate (``cpu_offload``, or a stock pipeline's ``enable_model_cpu_offload``) its weights wait on
    ``cpu`` or ``meta``, and the hooks on its modules know where they go; the network's own first, which ``cpu_offload``
    leaves without a device.
    """
    weights = next(chain(network.parameters(), network.buffers())).device
    modules = network.modules() if weights.type == "meta" else (network,)
    for module in modules:
        found = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
        if found is not None:
            return torch.device(found)
    return weights
