"""One colour per instance, the same on masks, words, legends and time lines.

The first seven are the palette of Okabe and Ito, which people with any colour vision tell apart; five more follow, and
then hues at the golden angle, so that no two neighbours are alike however many instances there are.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RGB = tuple[int, int, int]

_FIRST: tuple[RGB, ...] = (
    (213, 94, 0),  # vermilion
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (143, 95, 215),  # violet
    (139, 195, 74),  # lime
    (161, 96, 56),  # brown
    (0, 188, 188),  # teal
    (244, 122, 158),  # pink
)
_GOLDEN_ANGLE = 0.381966
# The relative luminance (WCAG 2) at which black and white text have the same contrast.
_BRIGHT = 0.179


@dataclass(frozen=True)
class Paint:
    """A colour, and the colour of text on it."""

    rgb: RGB

    @property
    def css(self) -> str:
        """As CSS writes it."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)

    @property
    def ink(self) -> str:
        """Black or white, whichever reads better on this colour."""
        red, green, blue = (_linear(channel / 255) for channel in self.rgb)
        return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _BRIGHT else "#fff"


def paint(number: int) -> Paint:
    """The colour of instance ``number``, counted from 1."""
    index = max(0, number - 1)
    if index < len(_FIRST):
        return Paint(_FIRST[index])
    hue = (index * _GOLDEN_ANGLE) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.55 + 0.35 * (index % 2), 0.95 - 0.25 * (index % 3) / 2)
    return Paint((round(255 * red), round(255 * green), round(255 * blue)))


def paints(instance_ids: Iterable[str]) -> Mapping[str, Paint]:
    """A colour for every id: ``id3`` always has the third one; ids without a number follow after the largest."""
    ids = list(dict.fromkeys(instance_ids))
    numbers = {name: int(match.group(1)) for name in ids if (match := re.fullmatch(r"\D*(\d{1,4})", name))}
    following = iter(range(max(numbers.values(), default=0) + 1, max(numbers.values(), default=0) + 1 + len(ids)))
    return {name: paint(numbers[name] if name in numbers else next(following)) for name in ids}


def _linear(channel: float) -> float:
    """A channel of sRGB (0 to 1) as light."""
    return channel / 12.92 if channel <= 0.03928 else float(((channel + 0.055) / 1.055) ** 2.4)
