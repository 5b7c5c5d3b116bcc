"""The attention sites of CogVideoX: one joint attention per block, ``blocks.<k>.joint``."""

from __future__ import annotations

from interplay.backbones.base import Site


def joint_sites(num_layers: int) -> tuple[Site, ...]:
    """Sites in the order of the network; ``attn1`` is the block's only attention."""
    return tuple(
        Site(address=f"blocks.{k}.joint", layer=k, kind="joint", module=f"transformer_blocks.{k}.attn1")
        for k in range(num_layers)
    )
