"""Mask tracks one by one (size, length, gaps, tiny and full masks) and in pairs (the same, overlapping, swapped).

*A swap*: between two frames in which both tracks are seen, at most four frames apart, each track's new mask lies on the
other's old mask (intersection over union of at least 0.3) and at least twice as well as on its own old mask.

Shapes: f frames, n chosen frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.data.codes import Finding, found
from interplay.data.config import CheckConfig
from interplay.data.rules.spans import in_words
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack
from interplay.records.sizes import size_text

# Intersection over union from which two tracks are the same one (a tracker started twice differs in a few edge pixels).
_SAME = 0.95
# See the module: two trackers that swap jump onto each other's masks and off their own.
_SWAP_IOU, _SWAP_RATIO, _SWAP_REACH = 0.3, 2.0, 4
# A mask that leaves less than this of the frame free is no instance.
_FULL_SHARE = 0.95


def check_tracks(clip: Clip, config: CheckConfig) -> Iterator[Finding]:
    """Every track by itself, then those that fit the video in pairs."""
    fitting: dict[str, MaskTrack] = {}
    for name, track in clip.tracks.items():
        wrong = list(_check_shape(clip, name, track))
        yield from wrong
        try:
            areas = track.areas()
        except InputError as error:
            yield found("track-damaged", clip.clip_id, f"track {name}", f"{error.where}: {error.problem}", error.cure)
            continue
        yield from _check_presence(clip, name, track, areas)
        yield from _check_areas(clip, name, track, areas, config)
        if not wrong:
            fitting[name] = track
    yield from _check_pairs(clip, fitting, config)


def _check_shape(clip: Clip, name: str, track: MaskTrack) -> Iterator[Finding]:
    where = f"track {name}"
    if track.size_hw != clip.size_hw:
        sizes = size_text(track.size_hw), size_text(clip.size_hw)
        yield found("mask-size", clip.clip_id, where, f"is {sizes[0]}, and the video is {sizes[1]}")
    if len(track) != clip.num_frames:
        problem = f"has {len(track)} frames, and the video has {clip.num_frames}"
        yield found("mask-frames", clip.clip_id, where, problem)


def _check_presence(clip: Clip, name: str, track: MaskTrack, areas: Int[ndarray, " f"]) -> Iterator[Finding]:
    where, known = f"track {name}", track.known()
    seen = np.flatnonzero(areas > 0).tolist()
    if not seen:
        problem = "is empty in every frame" if known.any() else "is unknown in every frame"
        yield found("track-empty", clip.clip_id, where, problem)
        return
    if not known.all():
        gaps = np.flatnonzero(~known).tolist()
        yield found("track-gaps", clip.clip_id, where, f"is unknown in {in_words(gaps)} of {len(track)}")
    if seen[0] > 0:
        yield found("track-late", clip.clip_id, where, f"the instance is first seen in frame {seen[0]}")


def _check_areas(
    clip: Clip, name: str, track: MaskTrack, areas: Int[ndarray, " f"], config: CheckConfig
) -> Iterator[Finding]:
    pixels = track.size_hw[0] * track.size_hw[1]
    least = max(config.token_px**2, config.min_share * pixels)
    tiny = np.flatnonzero((areas > 0) & (areas < least)).tolist()
    full = np.flatnonzero(areas > _FULL_SHARE * pixels).tolist()
    if tiny:
        problem = f"has fewer than {least:.0f} pixels in {in_words(tiny)} (as few as {areas[tiny].min()})"
        yield found("mask-tiny", clip.clip_id, f"track {name}", problem)
    if full:
        problem = f"covers over {_FULL_SHARE:.0%} of the picture in {in_words(full)}"
        yield found("mask-full", clip.clip_id, f"track {name}", problem)


# --- pairs -----------------------------------------------------------------------------------------------------------


def _check_pairs(clip: Clip, fitting: Mapping[str, MaskTrack], config: CheckConfig) -> Iterator[Finding]:
    seen = {name: track.visible() for name, track in fitting.items()}
    for one, other in combinations(fitting, 2):
        joint = np.flatnonzero(seen[one] & seen[other]).tolist()
        if joint:
            pair, where = (fitting[one], fitting[other]), f"tracks {one} and {other}"
            yield from _check_pair(clip, where, pair, joint, config)


def _check_pair(
    clip: Clip, where: str, pair: tuple[MaskTrack, MaskTrack], joint: Sequence[int], config: CheckConfig
) -> Iterator[Finding]:
    overlaps = _overlaps(pair[0], joint, pair[1], joint)
    if overlaps.min() >= _SAME:
        yield found("track-duplicate", clip.clip_id, where, f"are the same in {in_words(joint)}")
        return
    strong = [frame for frame, overlap in zip(joint, overlaps, strict=True) if overlap >= config.overlap]
    if strong:
        problem = f"overlap by up to {overlaps.max():.2f} (intersection over union) in {in_words(strong)}"
        yield found("track-overlap", clip.clip_id, where, problem)
    for before, after in _swaps(pair, joint):
        problem = f"change places between frames {before} and {after}"
        yield found("track-swap", clip.clip_id, where, problem, f"track again from frame {after} on")


def _swaps(pair: tuple[MaskTrack, MaskTrack], joint: Sequence[int]) -> list[tuple[int, int]]:
    """The pairs of frames between which the two tracks change places (the rule stands at the head of the module)."""
    steps = [(before, after) for before, after in pairwise(joint) if after - before <= _SWAP_REACH]
    before, after = [step[0] for step in steps], [step[1] for step in steps]
    first, second = pair
    crossed = np.minimum(_overlaps(first, after, second, before), _overlaps(second, after, first, before))
    stayed = np.maximum(_overlaps(first, after, first, before), _overlaps(second, after, second, before))
    swapped = (crossed >= _SWAP_IOU) & (crossed >= _SWAP_RATIO * stayed)
    return [step for step, swap in zip(steps, swapped, strict=True) if swap]


def _overlaps(
    first: MaskTrack, first_frames: Sequence[int], second: MaskTrack, second_frames: Sequence[int]
) -> Float[ndarray, " n"]:
    """Intersection over union of the masks of two tracks, frame by frame of the two choices; none of them is empty."""
    one, other = first.select(first_frames), second.select(second_frames)
    shared = one.intersection(other).areas()
    overlaps: Float[ndarray, " n"] = shared / (one.areas() + other.areas() - shared)
    return overlaps
