"""The attention sites of Wan: ``blocks.<k>.self``, ``blocks.<k>.cross`` and in Wan 2.1 I2V ``blocks.<k>.image``."""

from __future__ import annotations

from interplay.backbones.base import Site

# Beside the projections that both attentions of the module share.
_IMAGE_PROJECTIONS = ("add_k_proj", "add_v_proj")


def block_sites(num_layers: int, image_tokens: bool) -> tuple[Site, ...]:
    """Sites in the order of the network.

    With ``image_tokens`` (Wan 2.1 image-to-video) ``attn2`` attends to the image first and to the text second, with the
    same queries, and adds the two results.
    """
    return tuple(site for k in range(num_layers) for site in _block(k, image_tokens))


def _block(k: int, image_tokens: bool) -> tuple[Site, ...]:
    within = Site(f"blocks.{k}.self", k, "self", f"blocks.{k}.attn1")
    module = f"blocks.{k}.attn2"
    if not image_tokens:
        return within, Site(f"blocks.{k}.cross", k, "cross", module)
    image = Site(f"blocks.{k}.image", k, "image", module, _IMAGE_PROJECTIONS, calls=2, call=0)
    return within, image, Site(f"blocks.{k}.cross", k, "cross", module, calls=2, call=1)
