"""Colours of the world: a name a caption can use, an RGB value a judge can find again.

Instances of one scene never share a colour, so a colour is an identity. Skin, hair, trousers and backgrounds lie far
from every instance colour, so that a pixel has one nearest name even after a small autoencoder has blurred it.
"""

from __future__ import annotations

from collections.abc import Mapping

RGB = tuple[int, int, int]

INSTANCE_COLOURS: Mapping[str, RGB] = {
    "red": (218, 40, 44),
    "green": (40, 160, 62),
    "blue": (38, 92, 220),
    "yellow": (246, 206, 20),
    "purple": (146, 50, 180),
    "teal": (16, 190, 196),
}

SKIN: RGB = (232, 182, 144)
HAIR: RGB = (78, 52, 40)
TROUSERS: RGB = (58, 60, 74)
EYE: RGB = (30, 26, 28)

# (sky, ground) pairs.
BACKGROUNDS: tuple[tuple[RGB, RGB], ...] = (
    ((236, 234, 228), (176, 166, 150)),
    ((222, 230, 236), (160, 168, 152)),
    ((240, 230, 220), (184, 172, 164)),
)


def darker(colour: RGB) -> RGB:
    """The shade of sleeves and lids."""
    red, green, blue = (round(0.78 * c) for c in colour)
    return red, green, blue


def lighter(colour: RGB) -> RGB:
    """The tint of highlights and rims."""
    red, green, blue = (round(c + 0.35 * (255 - c)) for c in colour)
    return red, green, blue
