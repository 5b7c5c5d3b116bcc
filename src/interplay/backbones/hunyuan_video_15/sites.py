"""The attention sites of HunyuanVideo-1.5: one joint attention per block, ``blocks.<k>.joint``.

The attentions of the token refiner, in which text looks at text before the first block, are no sites.
"""

from __future__ import annotations

from interplay.backbones.base import Site

_VIDEO_PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
_TEXT_PROJECTIONS = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")


def joint_sites(num_layers: int) -> tuple[Site, ...]:
    """Sites in the order of the network."""
    projections = _VIDEO_PROJECTIONS + _TEXT_PROJECTIONS
    return tuple(
        Site(f"blocks.{k}.joint", k, "joint", f"transformer_blocks.{k}.attn", projections) for k in range(num_layers)
    )
