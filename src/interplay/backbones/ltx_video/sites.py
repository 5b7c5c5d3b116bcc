"""The attention sites of LTX-Video: two per block, ``blocks.<k>.self`` and ``blocks.<k>.cross``."""

from __future__ import annotations

from interplay.backbones.base import Site


def block_sites(num_layers: int) -> tuple[Site, ...]:
    """Sites in the order of the network."""
    return tuple(
        site
        for k in range(num_layers)
        for site in (
            Site(address=f"blocks.{k}.self", layer=k, kind="self", module=f"transformer_blocks.{k}.attn1"),
            Site(address=f"blocks.{k}.cross", layer=k, kind="cross", module=f"transformer_blocks.{k}.attn2"),
        )
    )
