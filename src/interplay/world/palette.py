"""Colours of the world: a name a caption can use, an RGB value a judge can find again.

Instances of one scene never share a colour, so a colour is an identity. Skin, hair, trousers, wood and backgrounds lie
far from every instance colour, so that a pixel has one nearest name even after a small autoencoder has blurred it.
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
SHOES: RGB = (40, 40, 50)
EYE: RGB = (30, 26, 28)
WHITE: RGB = (250, 250, 248)
MOUTH: RGB = (150, 74, 70)
METAL: RGB = (112, 116, 126)
PAPER: RGB = (248, 246, 238)
WATER: RGB = (198, 220, 232)
LIGHT: RGB = (255, 238, 160)
FRAME: RGB = (132, 126, 126)
WOOD: RGB = (196, 168, 138)
INSIDE: RGB = (70, 66, 72)
SHADOW: RGB = (60, 56, 66)


def darker(colour: RGB, share: float = 0.78) -> RGB:
    """The shade of sleeves and lids: ``share`` of every channel."""
    red, green, blue = (round(share * c) for c in colour)
    return red, green, blue


def lighter(colour: RGB, share: float = 0.35) -> RGB:
    """The tint of highlights and rims: ``share`` of the way to white."""
    red, green, blue = (round(c + share * (255 - c)) for c in colour)
    return red, green, blue
