"""Still pictures: PNG, JPEG, WebP, BMP and TIFF through Pillow, as they are displayed.

A picture of any kind comes out as 8-bit RGB: turned as its EXIF orientation says, 16-bit values by their high byte,
palettes by their colours, transparency over white (what lies under it is no part of the picture).

Shapes: h and w pixels, 3 channels RGB.
"""

from __future__ import annotations

import logging
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.records.media.containers import MAX_PIXELS, check_pixels, check_present

# By these endings a file is a picture; GIF is not among them, it is a video of as many frames as it has.
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
# What Pillow raises about damaged files, found by feeding it such.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    struct.error,
    OverflowError,
    Image.DecompressionBombError,
)
# EXIF orientations that swap height and width (TIFF 6.0, section "Orientation").
_ORIENTATION_TAG, _SIDEWAYS = 0x0112, frozenset({5, 6, 7, 8})
_DEEP_GREY = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_NOT_COLOURS = frozenset({"I", "F"})

# What Pillow finds wrong with a file is said by our errors; without a handler its remarks would go to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def is_picture(path: Path) -> bool:
    """Whether the file's ending is that of a still picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def read_image(path: Path) -> UInt8[ndarray, "h w 3"]:
    """A picture file in RGB, as displayed; :class:`InputError` when it is none or is damaged."""
    with _open(path) as image:
        return _as_rgb(ImageOps.exif_transpose(image), path)


def image_size_hw(path: Path) -> tuple[int, int]:
    """Height and width as displayed, from the picture's header alone."""
    with _open(path) as image:
        sideways = image.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS
        return (image.width, image.height) if sideways else (image.height, image.width)


def write_image(path: Path, image: UInt8[ndarray, "h w 3"]) -> None:
    """Write a PNG in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path.parent):
        try:
            Image.fromarray(image).save(temporary, format="PNG")
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    check_present(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about sizes, which are checked here, and about broken metadata
            with Image.open(path, formats=_FORMATS) as image:
                check_pixels((image.height, image.width), path)
                _check_still(image, path)
                yield image
    except Image.DecompressionBombError as error:
        problem = f"declares more than the {MAX_PIXELS} pixels that are opened here"
        raise InputError(problem, where=path, cure="replace the file or make it smaller") from error
    except _DAMAGE as error:
        raise InputError(f"is not a picture ({error})", where=path, cure="give a PNG or JPEG file") from error


def _check_still(image: Image.Image, path: Path) -> None:
    pictures = getattr(image, "n_frames", 1)  # only classes of formats with several pictures have it
    # An MPO is a JPEG with a preview or the other eye's view behind it: the first is the picture.
    if pictures > 1 and image.format != "MPO":
        problem = f"is an animation of {pictures} pictures, not one picture"
        raise InputError(problem, where=path, cure="save it as gif, as mp4 or as a folder of numbered pictures")


def _as_rgb(image: Image.Image, path: Path) -> UInt8[ndarray, "h w 3"]:
    if image.mode in _DEEP_GREY:
        # Pillow would cut off at 255; the high byte is what it takes of 16-bit colour, too.
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in _NOT_COLOURS:
        problem = f"holds numbers (mode {image.mode}), and nothing says which of them is white"
        raise InputError(problem, where=path, cure="save it with 8 or 16 bits per channel")
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, (255, 255, 255, 255)), whole)
    return np.array(image.convert("RGB"))
