"""Where HunyuanVideo-1.5 keeps its tokens: in every block one joint sequence of video, the picture's tokens and text.

The transformer sorts what follows the video: tokens that count come first (picture, glyphs, prompt), padding last, and
no token attends to padding or is attended to by it. So a clip's text begins with its glyph tokens, if it has any, and
its prompt's tokens follow them at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from interplay.backbones.base import SiteKind, Stream, TokenLayout
from interplay.grid.token_grid import TokenGrid


def joint_layout(grid: TokenGrid, image_tokens: int, text_length: int) -> Mapping[SiteKind, TokenLayout]:
    """Queries and keys are the same sequence: ``[video, image, text]``; text-to-video has no image tokens."""
    video, image = grid.num_tokens, grid.num_tokens + image_tokens
    streams: dict[Stream, slice] = {"video": slice(0, video), "text": slice(image, image + text_length)}
    if image_tokens:
        streams["image"] = slice(video, image)
    return {"joint": TokenLayout(queries=streams, keys=streams)}
