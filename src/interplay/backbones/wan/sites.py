"""The attention sites of Wan: two per block, ``blocks.<k>.self`` and ``blocks.<k>.cross``."""

from __future__ import annotations

from interplay.backbones.base import Site


def block_sites(num_layers: int, image_tokens: bool) -> tuple[Site, ...]:
    """Sites in the order of the network.

    With ``image_tokens`` (Wan 2.1 image-to-video) ``attn2`` attends to the image first and to the text second, and adds
    the two results; the site is the second call.
    """
    calls = 2 if image_tokens else 1
    return tuple(
        site
        for k in range(num_layers)
        for site in (
            Site(address=f"blocks.{k}.self", layer=k, kind="self", module=f"blocks.{k}.attn1"),
            Site(f"blocks.{k}.cross", k, "cross", f"blocks.{k}.attn2", calls=calls, call=calls - 1),
        )
    )
