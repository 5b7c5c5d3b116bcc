"""The attention sites of HunyuanVideo: one joint attention per block, dual-stream blocks first, then single-stream.

Both kinds are numbered through: ``blocks.<k>.joint`` with k from 0. The attentions of the token refiner, in which text
looks at text before the first block, are no sites.
"""

from __future__ import annotations

from interplay.backbones.base import Site

_VIDEO_PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
_TEXT_PROJECTIONS = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
# A single-stream block projects attention and feed-forward out together, outside its attention module.
_SINGLE_PROJECTIONS = ("to_q", "to_k", "to_v")


def joint_sites(dual_layers: int, single_layers: int) -> tuple[Site, ...]:
    """Sites in the order of the network."""
    dual = [
        _site(k, f"transformer_blocks.{k}.attn", _VIDEO_PROJECTIONS + _TEXT_PROJECTIONS) for k in range(dual_layers)
    ]
    single = [
        _site(dual_layers + k, f"single_transformer_blocks.{k}.attn", _SINGLE_PROJECTIONS) for k in range(single_layers)
    ]
    return (*dual, *single)


def _site(layer: int, module: str, projections: tuple[str, ...]) -> Site:
    return Site(address=f"blocks.{layer}.joint", layer=layer, kind="joint", module=module, projections=projections)
