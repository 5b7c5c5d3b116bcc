"""Small media files for tests: frames that carry their number, written by PyAV in any format, and files spoilt on
purpose."""

import struct
from fractions import Fraction
from itertools import islice

import av
import numpy as np

BITS, BLOCK = 8, 8


def numbered(count, height=32):
    """Frames ``[f, h, 64, 3]`` that show their number as eight black or white columns, which survives lossy coding."""
    bits = np.arange(count)[:, None] >> np.arange(BITS) & 1
    rows = np.repeat(bits * 200 + 20, BLOCK, axis=1).astype(np.uint8)
    frames = np.broadcast_to(rows[:, None, :, None], (count, height, BITS * BLOCK, 3)).copy()
    frames[:, : height // 4, :, 1] = 128  # a band of another colour, so that up is up
    return frames


def numbers(frames):
    """The numbers that frames of :func:`numbered` show."""
    middle = frames[:, frames.shape[1] * 5 // 8, BLOCK // 2 :: BLOCK, 0] > 120
    return [int(number) for number in (middle << np.arange(BITS)).sum(axis=1)]


def encode(path, frames, *, codec="libx264", pixels="yuv420p", rate=25, times=None, options=None, layout=None):
    """Write ``frames`` as the ending of ``path`` says; ``times`` are presentation times in ms for a variable rate."""
    with av.open(str(path), "w", options=layout or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for place, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[place], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def plain_decoding(path, count=None):
    """Every frame (or the first ``count``) as PyAV itself gives them, from the start on."""
    with av.open(str(path)) as container:
        frames = islice(container.decode(video=0), count)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in frames])


def find_box(data, kind):
    """Where the content of the first box of this kind begins (after size and type)."""
    return data.index(kind) + len(kind)


def patch(path, kind, offset, layout, *values):
    """Overwrite numbers inside a box of an mp4."""
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, find_box(data, kind) + offset, *values)
    path.write_bytes(bytes(data))


def turn(path, a, b, c, d):
    """Set the display matrix of an mp4's first track."""
    one = 1 << 16
    patch(path, b"tkhd", 40, ">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
