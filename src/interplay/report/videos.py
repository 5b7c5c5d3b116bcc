"""Clips as data inside the page: a video that every browser plays, and a film strip for paper and for a first look.

Shapes: f frames, h and w pixels.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from interplay.core.artifacts import scratch
from interplay.records.media.video import Video, write_video
from interplay.report.config import ReportConfig

_STRIP_FRAME_WIDTH_PX = 120


@dataclass(frozen=True)
class Media:
    """One clip as data URIs, and what a reader is told about it. ``strip_frames`` numbers the strip's pictures."""

    video_uri: str
    strip_uri: str
    strip_frames: tuple[int, ...]
    width_px: int
    height_px: int
    num_frames: int
    fps: float


def data_uri(media_type: str, data: bytes) -> str:
    """``data`` as a URI that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def embed(video: Video, config: ReportConfig, folder: Path) -> Media:
    """``video`` for the page; ``folder`` is the artifact under construction, whose scratch place is used."""
    enlarged = enlarge(video.frames, config.video_width_px)
    path = scratch(folder) / "video.mp4"
    write_video(path, enlarged, video.fps, lossless=False)
    shown = strip_indices(len(video.frames), config.strip_frames)
    return Media(
        video_uri=data_uri("video/mp4", path.read_bytes()),
        strip_uri=data_uri("image/png", _png(film_strip(video.frames, shown))),
        strip_frames=shown,
        width_px=enlarged.shape[2],
        height_px=enlarged.shape[1],
        num_frames=len(video.frames),
        fps=video.fps,
    )


def enlarge(frames: UInt8[ndarray, "f h w 3"], width_px: int) -> UInt8[ndarray, "f hh ww 3"]:
    """Every pixel as a square of whole pixels; an odd size repeats its last row or column, which yuv420p needs."""
    factor = max(1, round(width_px / frames.shape[2]))
    large = frames.repeat(factor, axis=1).repeat(factor, axis=2)
    odd = ((0, 0), (0, large.shape[1] % 2), (0, large.shape[2] % 2), (0, 0))
    return np.pad(large, odd, mode="edge")


def strip_indices(num_frames: int, wanted: int) -> tuple[int, ...]:
    """Evenly spaced frames, the first and the last among them."""
    return tuple(sorted({round(i) for i in np.linspace(0, num_frames - 1, min(wanted, num_frames))}))


def film_strip(frames: UInt8[ndarray, "f h w 3"], indices: tuple[int, ...]) -> UInt8[ndarray, "h ww 3"]:
    """The frames at ``indices`` side by side, with a white seam of one pixel."""
    pictures = [_small(frames[index]) for index in indices]
    seam = np.full((pictures[0].shape[0], 1, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (seam, picture)][1:]
    return np.concatenate(parts, axis=1)


def _small(frame: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "hh ww 3"]:
    height, width = frame.shape[:2]
    if width <= _STRIP_FRAME_WIDTH_PX:
        return frame
    size = (_STRIP_FRAME_WIDTH_PX, max(1, round(height * _STRIP_FRAME_WIDTH_PX / width)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def _png(image: UInt8[ndarray, "h w 3"]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
