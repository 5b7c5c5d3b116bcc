"""The first frame's instance map: which pixel belongs to which instance, painted in one fixed colour per id.

The map (I0 of the paper, section 5 and D.1) goes through the autoencoder exactly as the first frame does
(:meth:`.Backbone.show_picture`) and enters the model by widened input channels (:mod:`interplay.backbones.widen`). It
can be painted from mask tracks or read from a picture that somebody else painted in the same colours.

Shape legend: ``y x`` pixel height and width, ``b`` clips, ``e`` channels, ``f h w`` latent frames, height, width.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.grid.pixels import to_tensor
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import is_instance_id
from interplay.records.geometry import Transform
from interplay.records.masks import MaskTrack
from interplay.records.media.images import read_image

Colour = tuple[int, int, int]
# In degrees: red, green, blue, yellow, magenta, cyan. The order of the released evaluation's overlays; the palette of
# the training maps is not published.
_HUES = (0, 120, 240, 60, 300, 180)
BACKGROUND: Colour = (0, 0, 0)
# How far a pixel may be from a colour of the palette, per channel: what video and JPEG coding do to flat colours.
_TOLERANCE = 40


def colour_of(instance_id: str) -> Colour:
    """The colour of ``id1``, ``id2``, ...: the six of the palette, then hues halfway between those already given.

    Any number of instances has colours of its own, although colours of the hundredth are hard to tell apart.
    """
    lap, place = divmod(int(instance_id.removeprefix("id")) - 1, len(_HUES))
    # Van der Corput's sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ... of the 60 degrees between neighbours.
    halves = int(f"{lap:b}"[::-1], 2) / 2 ** len(f"{lap:b}")
    red, green, blue = colorsys.hsv_to_rgb((_HUES[place] + 60 * halves) / 360, 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def palette(ids: Sequence[str]) -> dict[str, Colour]:
    """The colours of these instances."""
    return {instance_id: colour_of(instance_id) for instance_id in ids}


def paint(
    tracks: Mapping[str, MaskTrack], *, frame: int, fit: Transform | None = None
) -> UInt8[ndarray, "y x 3"] | None:
    """The instance map of a frame of these tracks, brought to size by ``fit``; ``None`` when no instance is in it.

    Gaps and empty masks are not painted. Where instances overlap the smaller one is on top (ours; not published), and
    of equally small ones the later id. Masks are resized by their nearest pixel, so colours do not mix.
    """
    found = []
    for instance_id, track in tracks.items():
        single = track.select([frame])
        mask = (single if fit is None else fit.track(single)).to_array()[0]
        if mask.any():
            found.append((int(mask.sum()), int(instance_id.removeprefix("id")), instance_id, mask))
    if not found:
        return None
    picture = np.empty((*found[0][3].shape, 3), dtype=np.uint8)
    picture[:] = BACKGROUND
    for _, _, instance_id, mask in sorted(found, key=lambda one: (-one[0], one[1])):
        picture[mask] = colour_of(instance_id)
    return picture


def masks_of(picture: UInt8[ndarray, "y x 3"], ids: Sequence[str], *, where: str) -> dict[str, MaskTrack]:
    """The masks of a map that was painted in the palette's colours, as tracks of one frame: the inverse of a painting.

    A pixel is that of the nearest colour. One that is near none of the colours of ``ids`` and not background either
    means that the picture was painted otherwise: an :class:`InputError` that names the colour.
    """
    names = [name for name in ids if is_instance_id(name)]
    colours = np.array([BACKGROUND, *(colour_of(name) for name in names)], dtype=np.int16)
    flat, place = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)
    distance = np.abs(flat.astype(np.int16)[:, None] - colours[None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    strange = distance.min(axis=1) > _TOLERANCE
    if strange.any():
        # Blurred edges are a few pixels of many colours; a foreign palette is one colour of many pixels.
        counts = np.bincount(place.ravel(), minlength=len(flat)) * strange
        colour, share = tuple(flat[counts.argmax()].tolist()), counts.max() / place.size
        wanted = ", ".join(f"{name} {colour_of(name)}" for name in names)
        raise InputError(
            f"has pixels of the colour {colour} ({share:.1%} of the picture), which is no instance's",
            where=where,
            cure=f"paint {wanted or 'nothing'} on black, without soft edges",
        )
    labels = nearest[place.reshape(-1)].reshape(picture.shape[:2])
    return {name: MaskTrack.from_array((labels == index)[None]) for index, name in enumerate(names, start=1)}


def read_map(
    path: Path, ids: Sequence[str], *, size_hw: tuple[int, int], fit: Transform | None = None
) -> UInt8[ndarray, "y x 3"] | None:
    """A painted map from a picture file, in exact colours and brought to size by ``fit``; ``None`` if it is all black.

    ``size_hw`` is the size that the first frame has, and so the map.
    """
    picture = read_image(path)
    if picture.shape[:2] != tuple(size_hw):
        found, wanted = (f"{width}x{height}" for height, width in (picture.shape[:2], size_hw))
        problem = f"is {found} pixels (width x height), the first frame is {wanted}"
        raise InputError(problem, where=path, cure="give the map at the size of the first frame")
    return paint(masks_of(picture, ids, where=str(path)), frame=0, fit=fit)


def shown_maps(
    backbone: Backbone, maps: Sequence[UInt8[ndarray, "y x 3"] | None], grid: TokenGrid
) -> Float[Tensor, "b e f h w"]:
    """The channels of these maps; all zero for a clip of which nobody knows where anything is."""
    channels = torch.zeros(len(maps), backbone.picture_channels, *grid.latent_shape, device=backbone.device)
    known = [row for row, picture in enumerate(maps) if picture is not None]
    if known:
        pictures = [to_tensor(picture[None])[:, 0] for picture in maps if picture is not None]
        channels[known] = backbone.show_picture(torch.stack(pictures), grid).to(channels)
    return channels
