"""Frame-exact decoding: frame i is frame i of the table, however it is reached.

To reach a frame the decoder goes to the last key frame before it and forward from there; every picture that comes out
is known by its presentation time. Where a file lands somewhere else than asked, decoding begins again at its start.

Shapes: h and w pixels, 3 channels RGB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.media.containers import open_video
from interplay.records.media.frames import FrameTable, frame_table

# To seek costs about as much as to decode a few frames.
_WORTH_A_SEEK = 4


def decode_frames(path: Path, ascending: Iterable[int]) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """The frames at ``ascending`` indices (an index may come twice), as displayed, in RGB.

    A frame that the file does not hold, cannot be read up to, or holds damaged is an :class:`InputError`.
    """
    table = frame_table(path)
    wanted = list(ascending)
    _check_indices(wanted, table, path)
    done, walk = 0, None
    for may_seek in (True, False):
        if done == len(wanted):
            return
        with open_video(path) as (container, stream):
            walk = _Walk(container, stream, table, may_seek=may_seek)
            while done < len(wanted) and (frame := walk.reach(wanted[done])) is not None:
                yield table.orientation.apply(to_rgb(frame))
                done += 1
    if walk is not None and done < len(wanted):
        problem = f"frame {wanted[done]} cannot be decoded ({walk.problem})"
        raise InputError(problem, where=path, cure="fetch or write the file again")


def to_rgb(frame: VideoFrame) -> UInt8[ndarray, "h w 3"]:
    """The picture in RGB; what is transparent is shown over white."""
    # Planar RGB is what our own lossless files hold; PyAV reads it as RGB directly, without a conversion pass.
    if frame.format.name == "gbrp":
        return frame.to_ndarray()
    if any(component.is_alpha for component in frame.format.components):
        return over_white(frame.to_ndarray(format="rgba"))
    return frame.to_ndarray(format="rgb24")


def over_white(picture: UInt8[ndarray, "h w 4"]) -> UInt8[ndarray, "h w 3"]:
    """A picture with transparency as it looks on white: opaque pixels stay what they are, to the bit."""
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _check_indices(wanted: Sequence[int], table: FrameTable, path: Path) -> None:
    if any(after < before for before, after in pairwise(wanted)):
        raise ValueError("indices must ascend")
    outside = [index for index in wanted if not 0 <= index < table.readable]
    if not outside:
        return
    if outside[-1] >= 0:
        table.check_whole(path)
    cure = f"ask for frames 0 to {table.num_frames - 1}"
    raise InputError(f"has {table.num_frames} frames, and frame {outside[-1]} is asked for", where=path, cure=cure)


class _Walk:
    """A decoder on its way through the table of frames. ``problem`` says why it could not go on."""

    def __init__(self, container: InputContainer, stream: VideoStream, table: FrameTable, *, may_seek: bool) -> None:
        self._container, self._stream, self._table, self._may_seek = container, stream, table, may_seek
        self._frames = enumerate(self._pictures(from_key=False))
        self._floor, self._landing = 0, False
        self._last: tuple[int, VideoFrame] | None = None
        self.problem = "it does not come out of the decoder"

    def reach(self, index: int) -> VideoFrame | None:
        """Frame ``index``, ``None`` when the way there is lost; indices may only grow from call to call."""
        if self._last is None or self._last[0] != index:
            self._seek_towards(index)
            frame = self._forward(index)
            if frame is None:
                return None
            self._last = (index, frame)
        return self._last[1]

    def _seek_towards(self, index: int) -> None:
        entry = self._table.key_before(index) if self._may_seek else -1
        following = 0 if self._last is None else self._last[0] + 1
        if entry >= 0 and self._table.keys[entry] - following > _WORTH_A_SEEK:
            self._container.seek(self._table.key_dts[entry], stream=self._stream)
            self._frames = enumerate(self._pictures(from_key=True))
            self._floor, self._landing = self._table.keys[entry], True

    def _forward(self, index: int) -> VideoFrame | None:
        for count, frame in self._frames:
            here = count if self._table.pts is None else self._table.index_of(frame.pts)
            if here is None or here < self._floor:  # refers to what lies before the place of landing
                continue
            if here > index or not self._is_sound(frame) or (self._landing and not _stands_alone(frame)):
                return None
            self._landing = False
            if here == index:
                return frame
        return None

    def _is_sound(self, frame: VideoFrame) -> bool:
        height, width = self._table.stored_hw
        if (frame.height, frame.width) != (height, width):
            self.problem = f"it is {frame.height}x{frame.width}, and the first frame is {height}x{width}"
        elif frame.is_corrupt:
            self.problem = "the data is damaged there or before"
        else:
            return True
        return False

    def _pictures(self, *, from_key: bool) -> Iterator[VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    break
                # Some formats land between two key frames, where nothing can be decoded yet.
                from_key = from_key and not packet.is_keyframe
                if not from_key:
                    yield from packet.decode()
            else:
                return
        except av.error.FFmpegError as error:
            self.problem = str(error.strerror)
        with suppress(av.error.FFmpegError):
            yield from self._stream.decode(None)  # what was complete before the torn place


def _stands_alone(frame: VideoFrame) -> bool:
    # Encoders that refresh a picture column by column mark the first of them as a key frame, which it is not.
    return frame.pict_type in (PictureType.I, PictureType.NONE)
