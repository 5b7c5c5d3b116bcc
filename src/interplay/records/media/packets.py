"""Looking through the packets of a video file: what it holds piece by piece, without decoding anything."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from interplay.records.media.containers import audio_stream, open_video
from interplay.records.media.headers import breaks_off


@dataclass(frozen=True, slots=True)
class Packet:
    """One whole piece of data: when it is shown and decoded (in ticks), and whether decoding can start here.

    ``shown`` is false for what an edit list cuts away: it is only there so that others can be decoded.
    """

    pts: int | None
    dts: int | None
    duration: int
    key: bool
    shown: bool


@dataclass(frozen=True)
class Facts:
    """What the file says about its video.

    ``broken``: it ends before its own structure says that it does. ``declared`` is the header's number of samples,
    ``None`` when it tells none. ``rates`` are the frame rates that the library guesses, the likeliest first.
    """

    broken: bool
    declared: int | None
    tick_s: Fraction
    rates: tuple[Fraction, ...]
    pixel_aspect: Fraction
    codec: str
    has_audio: bool


def scan(path: Path) -> tuple[Facts, list[Packet]]:
    """The file's facts and its whole packets in its order (looked through twice when an edit list hides a part)."""
    with open_video(path) as (container, stream):
        family = container.format.name
        # For a GIF the library counts itself, with the torn one.
        declared = (stream.frames or None) if family != "gif" else None
        packets, cut = whole_packets(container, stream)
        broken = cut or _lacks(path, family, len(packets), declared)
        if broken and family == "gif":
            packets = packets[:-1]  # nothing in a GIF marks its last picture as torn
        facts = Facts(
            broken=broken,
            declared=declared,
            tick_s=Fraction(stream.time_base or Fraction(1)),
            rates=tuple(rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate),
            pixel_aspect=Fraction(stream.sample_aspect_ratio or 1),
            codec=stream.codec_context.codec.canonical_name,
            has_audio=audio_stream(container) is not None,
        )
        return facts, packets


def whole_packets(container: InputContainer, stream: VideoStream) -> tuple[list[Packet], bool]:
    """The packets up to the end or to the first torn one, and whether it was a torn one."""
    packets: list[Packet] = []
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                return packets, True
            if packet.size:  # the library marks the end by an empty packet
                shown = not packet.is_discard
                packets.append(Packet(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, shown))
    except av.error.FFmpegError:
        return packets, True
    return packets, False


def _lacks(path: Path, family: str, held: int, declared: int | None) -> bool:
    if declared is not None and held >= declared:
        return False  # what else is missing, such as an index behind the data, is no frame
    if not family.startswith("mov") or declared is None:
        return breaks_off(path)
    # An edit list leaves samples out; the bare track tells whether any is missing.
    with open_video(path, ignore_edits=True) as (container, stream):
        packets, cut = whole_packets(container, stream)
    return cut or len(packets) < declared
