"""A structure video told apart into two mask tracks: the person and the product.

A structure video (CoInteract's HOI video) shows an untextured beige body mesh and the real pixels of the product on
black. Per frame:

1. *Background* is what is dark in every channel.
2. *The body's tone* is the most frequent chromaticity (r, b) = (R, B) / (R + G + B) among the beige ones. Shading
   changes brightness and leaves chromaticity; the tone itself differs between clips, so it is measured, not assumed.
3. What is within a radius of that tone is *body*, all else is *product*.
4. A 3x3 majority takes away the codec's fringe; patches too small to be a part take the label that surrounds them
   (specks, shadows between fingers).
5. A dark or beige patch that the product encloses is a part of the product (clock hands on a dial, a bottle's label).

Known limits: a beige patch of the product reads as body where a hand covers its rim, and a product that is dark or
beige all over is not found. Generated structure videos begin with a few murky frames, in which patches go astray.

Shapes: h and w pixels, f frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack
from interplay.records.structure.components import absorb_small_patches, fill_enclosed_patches
from interplay.records.structure.config import StructureVideoConfig

BACKGROUND, PERSON, PRODUCT = 0, 1, 2
_NUM_LABELS = 3
# Where the tones of body meshes lie in (r, b); grey is (1/3, 1/3), skin and wood lie beyond r = 0.39.
_BEIGE_RB = ((0.335, 0.385), (0.27, 0.328))
_TONE_BIN = 0.0025
# A frame with less beige than this share of its foreground has no body to measure a tone on.
_LEAST_BEIGE = 0.02
# Less black than this over the whole video, and it is an ordinary video.
_LEAST_BACKGROUND = 0.05
# Labels are made at no more than this many pixels of the shorter side: finer is the codec's fringe, and slow.
_WORKING_SIDE = 480


@dataclass(frozen=True)
class StructureTracks:
    """The two tracks, at the size at which they were measured (a whole fraction of the video's)."""

    person: MaskTrack
    product: MaskTrack


def read_tracks(
    frames: Iterable[UInt8[ndarray, "h w 3"]], config: StructureVideoConfig, *, where: str
) -> StructureTracks:
    """Tracks of a structure video; one that has no black background, no body or no product is an InputError."""
    encoded: dict[int, list[bytes | None]] = {PERSON: [], PRODUCT: []}
    size_hw = (0, 0)
    for frame in frames:  # encoded at once: a long video's labels would be as large as the video
        labels = label_frame(_at_working_size(frame), config)
        size_hw = (labels.shape[0], labels.shape[1])
        for label, of_label in encoded.items():
            of_label += MaskTrack.from_masks([labels == label], size_hw).frames
    tracks = StructureTracks(*(MaskTrack(size_hw, tuple(encoded[label])) for label in (PERSON, PRODUCT)))
    _check(tracks, where)
    return tracks


def label_frame(frame: UInt8[ndarray, "h w 3"], config: StructureVideoConfig) -> UInt8[ndarray, "h w"]:
    """``BACKGROUND``, ``PERSON`` or ``PRODUCT`` for every pixel."""
    foreground = frame.max(axis=-1) >= config.background_below
    colours = chromaticity(frame)
    labels = np.where(foreground, PRODUCT, BACKGROUND).astype(np.uint8)
    tone = body_tone(colours[foreground])
    if tone is not None:
        labels[foreground & (np.hypot(*np.moveaxis(colours - tone, -1, 0)) <= config.body_radius)] = PERSON
    whole = absorb_small_patches(majority(labels, _NUM_LABELS), int(config.smallest_part * labels.size), _NUM_LABELS)
    return fill_enclosed_patches(whole, PRODUCT, config.enclosed_share, _NUM_LABELS)


def majority(labels: UInt8[ndarray, "h w"], count: int) -> UInt8[ndarray, "h w"]:
    """The most frequent of ``count`` labels in every 3x3 neighbourhood, the smallest of several.

    A label that no other repeats stays, as in Pillow's ``ModeFilter(3)``, whose result this is, several times faster.
    """
    votes = np.stack([_neighbours(labels == label) for label in range(count)])
    return np.where(votes.max(axis=0) > 2, votes.argmax(axis=0), labels).astype(np.uint8)


def _neighbours(chosen: Bool[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """How many of the nine pixels around (and at) each pixel are chosen."""
    padded = np.pad(chosen.astype(np.uint8), 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    sums: UInt8[ndarray, "h w"] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return sums


def chromaticity(frame: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "h w 2"]:
    """(R, B) / (R + G + B): colour without brightness. Black has grey's."""
    rgb = frame.astype(np.float32)
    total = rgb.sum(axis=-1, keepdims=True)
    grey = np.full_like(rgb[..., ::2], 1 / 3)
    np.divide(rgb[..., ::2], total, out=grey, where=total > 0)
    return grey


def body_tone(colours: Float[ndarray, "pixels 2"]) -> Float[ndarray, 2] | None:
    """The most frequent beige chromaticity (r, b); ``None`` when there is hardly any beige."""
    (r_low, r_high), (b_low, b_high) = _BEIGE_RB
    beige = (colours >= (r_low, b_low)).all(axis=1) & (colours <= (r_high, b_high)).all(axis=1)
    if beige.sum() < max(1, _LEAST_BEIGE * len(colours)):
        return None
    edges: list[list[float]] = [np.arange(low, high + _TONE_BIN, _TONE_BIN).tolist() for low, high in _BEIGE_RB]
    counts = np.histogram2d(colours[beige, 0], colours[beige, 1], bins=edges)[0]
    best = np.unravel_index(counts.argmax(), counts.shape)
    return np.array([axis[index] + _TONE_BIN / 2 for axis, index in zip(edges, best, strict=True)])


def _at_working_size(frame: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "_ _ 3"]:
    factor = -(-min(frame.shape[:2]) // _WORKING_SIDE)
    return np.asarray(Image.fromarray(frame).reduce(factor))


def _check(tracks: StructureTracks, where: str) -> None:
    cure = "give the video with a black background, a beige body mesh and the product's own pixels, or check the column"
    areas = {"beige body": tracks.person.areas().sum(), "product": tracks.product.areas().sum()}
    height, width = tracks.person.size_hw
    if 1 - sum(areas.values()) / (len(tracks.person) * height * width) < _LEAST_BACKGROUND:
        raise InputError("is no structure video: it has no black background", where=where, cure=cure)
    for name, area in areas.items():
        if area == 0:
            raise InputError(f"shows no {name} in the frames that are used", where=where, cure=cure)
