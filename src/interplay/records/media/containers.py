"""Opening a media file through PyAV: only files that hold their own pictures and sound, and errors in one line.

A file of a dataset is somebody else's word. Three things are settled before its data is touched: that its format is
one that holds media itself (a playlist would make the library open other files and addresses), that its header does
not declare more than a file of its size can hold (:mod:`.headers`), and that its pictures are of a size that exists.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from interplay.core.errors import InputError
from interplay.records.media.headers import breaks_off, check_header

# 0.27 GB of RGB: the size beyond which Pillow, too, speaks of a decompression bomb.
MAX_PIXELS = 2**28 // 3
# The names of FFmpeg's own demuxers for files that hold video or sound. Left out on purpose: playlists (hls, dash,
# concat), which open other files, patterns of pictures (image2), and text shown as video (tty).
_FORMATS = (
    "mov,matroska,avi,gif,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,nut,ivf,obu,h264,hevc,m4v,mjpeg,dv,yuv4mpegpipe,"
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,amr"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def check_present(path: Path) -> None:
    """:class:`InputError` unless ``path`` is a file that holds something."""
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(problem, where=path, cure="check the path")
    if path.stat().st_size == 0:
        raise InputError("the file is empty", where=path, cure="replace the file")
    if not os.access(path, os.R_OK):
        raise InputError("may not be read", where=path, cure="change the file's permissions")


def check_pixels(size_hw: tuple[int, int], where: str | PathLike[str]) -> None:
    """:class:`InputError` when pictures of this size are more than this project opens (:data:`MAX_PIXELS`)."""
    height, width = size_hw
    if height * width > MAX_PIXELS:
        problem = f"declares pictures of {height}x{width} pixels, which is more than {MAX_PIXELS} in all"
        raise InputError(problem, where=where, cure="replace the file or make it smaller")


@contextmanager
def open_container(path: Path, *, ignore_edits: bool = False) -> Iterator[InputContainer]:
    """The opened file; what the library cannot read inside the ``with`` becomes an :class:`InputError`.

    ``ignore_edits`` gives everything that a file holds, also what its edit list cuts away.
    """
    check_present(path)
    check_header(path)
    options = {**_OPTIONS, **({"ignore_editlist": "1"} if ignore_edits else {})}
    try:
        # "file:" keeps a colon in a name from being read as a protocol.
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            yield container
    except av.error.FFmpegError as error:
        cure = "give a file that a player opens, such as an mp4"
        raise InputError(f"is not a readable video or sound ({_reason(error, path)})", where=path, cure=cure) from error


def _reason(error: av.error.FFmpegError, path: Path) -> str:
    if breaks_off(path):
        return "it breaks off"
    # What the list of formats does not hold comes back as an "invalid argument".
    return "it is of another kind" if isinstance(error, av.error.ArgumentError) else str(error.strerror)


@contextmanager
def open_video(path: Path, *, ignore_edits: bool = False) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its video stream, of a size that can be decoded."""
    with open_container(path, ignore_edits=ignore_edits) as container:
        stream = _video_stream(container, path)
        check_pixels((stream.height, stream.width), path)
        stream.codec_context.thread_count = 1  # small clips decode faster than threads start
        yield container, stream


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The first sound track that has a decoder, ``None`` when there is none."""
    for stream in container.streams.audio:
        if _has_decoder(stream) and stream.rate:
            return stream
    return None


def shows_video(container: InputContainer) -> bool:
    """Whether the file has a video stream (the picture of an album's cover is none)."""
    return bool(_video_streams(container))


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = _video_streams(container)
    if not streams:
        raise InputError("holds no video stream", where=path, cure="give a video file, such as an mp4")
    if not _has_decoder(streams[0]) or not streams[0].height or not streams[0].width:
        raise InputError("its video stream cannot be decoded", where=path, cure="replace the file")
    return streams[0]


def _video_streams(container: InputContainer) -> list[VideoStream]:
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _has_decoder(stream: VideoStream | AudioStream) -> bool:
    # PyAV gives a stream without a decoder, as in a file that breaks off, no codec context.
    return stream.codec_context is not None
