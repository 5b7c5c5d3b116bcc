"""Where Wan keeps its tokens: video attends to video, then to text (or image); no sequence holds both."""

from __future__ import annotations

from collections.abc import Mapping

from interplay.backbones.base import SiteKind, Stream, TokenLayout
from interplay.grid.token_grid import TokenGrid


def separate_layout(grid: TokenGrid, text_length: int, image_tokens: int) -> Mapping[SiteKind, TokenLayout]:
    """Video tokens frame by frame, text tokens padded to ``text_length``, and the image encoder's tokens if any."""
    video: dict[Stream, slice] = {"video": slice(0, grid.num_tokens)}
    text: dict[Stream, slice] = {"text": slice(0, text_length)}
    layout: dict[SiteKind, TokenLayout] = {
        "self": TokenLayout(queries=video, keys=video),
        "cross": TokenLayout(queries=video, keys=text),
    }
    if image_tokens:
        layout["image"] = TokenLayout(queries=video, keys={"image": slice(0, image_tokens)})
    return layout
