"""The clip's files, its rate, its frame count and its size."""

from __future__ import annotations

import math
from collections.abc import Iterator

from interplay.core.errors import InputError
from interplay.data.codes import Finding, found
from interplay.data.config import CheckConfig
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip
from interplay.records.media.video import VideoInfo, probe_video, stream_video
from interplay.records.sizes import shape_text, size_text

# Beyond these no camera and no model works: the header is wrong.
_LEAST_FPS, _MOST_FPS = 1.0, 240.0
# Film and television run at n * 1000 / 1001 frames per second.
_NTSC = tuple(rate * 1000 / 1001 for rate in (24, 30, 48, 60, 120))
# Two rates are one when a minute of video differs by less than about a frame.
_SAME_RATE = 5e-4


def check_files(located: LocatedClip, config: CheckConfig) -> Iterator[Finding]:
    """Every named file is there, and the video opens and is what the clip says it is."""
    clip = located.clip
    missing = {name for name in located.files if not located.files[name].exists()}
    for name in sorted(missing):
        yield found("media-missing", clip.clip_id, str(located.files[name]), "there is no such file")
    unlocated = [name for name in (clip.video, *clip.media.values()) if name not in located.files]
    for name in unlocated:
        yield found("media-missing", clip.clip_id, name, "the clip names it, and nobody knows where it lies")
    if clip.video not in missing and clip.video not in unlocated:
        yield from _check_video(located, config)


def _check_video(located: LocatedClip, config: CheckConfig) -> Iterator[Finding]:
    clip = located.clip
    try:
        info = probe_video(located.video)
        if config.decode:
            _decode(located, info)
    except InputError as error:
        yield found("video-unreadable", clip.clip_id, error.where, error.problem, error.cure)
        return
    if info.variable_rate:
        yield found(
            "fps-varies", clip.clip_id, str(located.video), f"shows {info.fps:.5g} frames per second on average"
        )
    if info.pixel_aspect != 1.0:
        problem = f"has pixels that are {info.pixel_aspect:.4g} times as wide as high"
        yield found("pixels-not-square", clip.clip_id, str(located.video), problem)
    told, holds = shape_text(clip.num_frames, clip.size_hw), shape_text(info.num_frames, info.size_hw)
    if told != holds:
        yield found("video-differs", clip.clip_id, str(located.video), f"holds {holds}, and the clip says {told}")


def _decode(located: LocatedClip, info: VideoInfo) -> None:
    for _ in stream_video(located.video, range(info.num_frames)):
        pass


def check_rate(clip: Clip, config: CheckConfig) -> Iterator[Finding]:
    """The frame rate is there, usual, and the expected one; a still picture has none to check."""
    if clip.num_frames == 1:
        return
    if not math.isfinite(clip.fps) or clip.fps <= 0:
        yield found("fps-absent", clip.clip_id, "fps", f"is {clip.fps}")
    elif config.fps is not None and not _same_rate(clip.fps, config.fps):
        yield found("fps-unexpected", clip.clip_id, "fps", f"is {clip.fps:g}, not {config.fps:g}")
    elif config.fps is None and not _is_usual(clip.fps):
        yield found("fps-odd", clip.clip_id, "fps", f"is {clip.fps:.5g}")


def check_frame_count(clip: Clip, config: CheckConfig) -> Iterator[Finding]:
    """The frame count is a multiple of the temporal stride, plus one."""
    stride = config.temporal_stride
    if (clip.num_frames - 1) % stride:
        below = (clip.num_frames - 1) // stride * stride + 1
        problem = f"{clip.num_frames} frames are not {stride}n+1"
        cure = f"use {below} or {below + stride} frames"
        yield found("frames-rule", clip.clip_id, "frames", problem, cure)


def check_size(clip: Clip, config: CheckConfig) -> Iterator[Finding]:
    """Both sides are multiples of what the model needs."""
    if any(side % config.multiple for side in clip.size_hw):
        height, width = (max(1, round(side / config.multiple)) * config.multiple for side in clip.size_hw)
        problem = f"{size_text(clip.size_hw)} is not a multiple of {config.multiple} in both sides"
        yield found(
            "size-multiple",
            clip.clip_id,
            "size",
            problem,
            f"resize or crop it, for example to {size_text((height, width))}",
        )


def _same_rate(first: float, second: float) -> bool:
    return abs(first - second) <= _SAME_RATE * second


def _is_usual(fps: float) -> bool:
    whole = max(1.0, float(round(fps)))
    return _LEAST_FPS <= fps <= _MOST_FPS and any(_same_rate(fps, rate) for rate in (whole, *_NTSC))
