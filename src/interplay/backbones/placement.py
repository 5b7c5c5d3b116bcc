"""Where a backbone's weights lie while it works, for machines whose accelerator does not hold them all at once.

Nothing here changes a result, but tiling: tiles are decoded apart and blended, which moves pixels near their seams.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from interplay.backbones.base import Backbone

# "none": every network on the device. "networks": one at a time, the others on the CPU. "blocks": beside that, of the
# transformer one block at a time.
Offload = Literal["none", "networks", "blocks"]

_CPU = torch.device("cpu")
# Released autoencoders have 192 and more.
_SMALLEST_TILE_PX = 64


def place(backbone: Backbone, device: torch.device, offload: Offload) -> None:
    """Let a backbone compute on ``device``, its weights there or, with ``offload``, on the CPU until they are needed.

    To be called once, when adapters are loaded: layers that are added later stay where they are.
    """
    if offload == "none":
        for network in backbone.networks.values():
            network.to(device)
        return
    backbone.computes_on = device
    turns = _Turns(device)
    for network in backbone.networks.values():
        network.to(_CPU)
        if offload == "blocks" and network in backbone.transformers:
            _by_blocks(network, device, turns)
        else:
            turns.watch(network)


def use_tiles(backbone: Backbone) -> None:
    """Let the autoencoder work on one clip and one tile of it at a time; a small clip is one tile.

    So is every clip of a tiny model whose stock tiles are a few pixels: they do not add up to a picture.
    """
    vae = backbone.vae
    vae.enable_slicing()
    if min(vae.tile_sample_min_height, vae.tile_sample_min_width) >= _SMALLEST_TILE_PX:
        vae.enable_tiling()


class _Turns:
    """One network at a time has its weights on the device.

    Families call their networks by several doors (``forward``, ``encode``, an embedding alone), so every module of a
    network tells when it is entered, and takes its tensors along.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.there: nn.Module | None = None

    def watch(self, network: nn.Module) -> None:
        """Fetch ``network`` whenever a module of it is called."""

        def entered(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
            self.fetch(network)
            return self.moved(arguments), self.moved(named)

        for module in network.modules():
            module.register_forward_pre_hook(entered, with_kwargs=True, prepend=True)

    def fetch(self, network: nn.Module | None) -> None:
        """Bring this network, and send away the one that was there."""
        if self.there is network:
            return
        if self.there is not None:
            self.there.to(_CPU)
        if network is not None:
            network.to(self.device)
        self.there = network

    def moved(self, value: Any) -> Any:
        """Tensors on the device, in whatever stands around them; a list stays the same list.

        Autoencoders hand lists down to their layers as memory: what a layer puts into a copy is lost.
        """
        if isinstance(value, Tensor):
            return value.to(self.device)
        if isinstance(value, list):
            value[:] = [self.moved(part) for part in value]
            return value
        if isinstance(value, tuple):
            return tuple(self.moved(part) for part in value)
        if isinstance(value, dict):
            return {name: self.moved(part) for name, part in value.items()}
        return value


def _by_blocks(transformer: nn.Module, device: torch.device, turns: _Turns) -> None:
    def entered(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        turns.fetch(None)

    transformer.register_forward_pre_hook(entered, prepend=True)
    # Every diffusers transformer has it; a stream copies the next block while this one computes.
    cast(Any, transformer).enable_group_offload(
        onload_device=device,
        offload_device=_CPU,
        offload_type="block_level",
        num_blocks_per_group=1,
        use_stream=device.type == "cuda",
    )
