"""Where LTX-Video keeps its tokens: video attends to video, then to text; no sequence holds both."""

from __future__ import annotations

from collections.abc import Mapping

from interplay.backbones.base import SiteKind, Stream, TokenLayout
from interplay.grid.token_grid import TokenGrid


def separate_layout(grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
    """Video tokens frame by frame, text tokens padded to ``text_length`` and their padding masked."""
    video: dict[Stream, slice] = {"video": slice(0, grid.num_tokens)}
    text: dict[Stream, slice] = {"text": slice(0, text_length)}
    return {"self": TokenLayout(queries=video, keys=video), "cross": TokenLayout(queries=video, keys=text)}
