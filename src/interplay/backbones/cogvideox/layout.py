"""Where CogVideoX keeps its tokens: in every block one joint sequence, text first, then video frame by frame."""

from __future__ import annotations

from collections.abc import Mapping

from interplay.backbones.base import SiteKind, TokenLayout
from interplay.grid.token_grid import TokenGrid


def joint_layout(grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
    """Queries and keys are the same sequence: ``[text, video]``."""
    streams = {"text": slice(0, text_length), "video": slice(text_length, text_length + grid.num_tokens)}
    return {"joint": TokenLayout(queries=streams, keys=streams)}  # type: ignore[arg-type]
