"""Where things stand on a card: which frames of a clip are shown, in which cells, and where their labels go.

All measures are CSS pixels of a card at its full width; a page scales them down with the card.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# The room that a card has for its frames: two cards stand side by side on a screen of 1400 pixels, and a strip of two
# by two frames of 3:2 fills its card.
STRIP_WIDTH, STRIP_HEIGHT = 620.0, 416.0
GAP = 3.0
# A frame that has boxes is worth a step of at most so many frames; boxes come every fourth frame in CoInteract.
_STEP_TO_BOXES = 2


@dataclass(frozen=True)
class Grid:
    """Cells of ``cell_width`` by ``cell_height`` in ``columns``, as many rows as ``cells`` need."""

    cells: int
    columns: int
    cell_width: float
    cell_height: float

    @property
    def rows(self) -> int:
        """Rows of cells."""
        return math.ceil(self.cells / self.columns)

    @property
    def width(self) -> float:
        """Of all columns and the gaps between them."""
        return self.columns * (self.cell_width + GAP) - GAP

    @property
    def height(self) -> float:
        """Of all rows and the gaps between them."""
        return self.rows * (self.cell_height + GAP) - GAP

    def corner(self, index: int) -> tuple[float, float]:
        """``(x, y)`` of the upper left corner of a cell."""
        row, column = divmod(index, self.columns)
        return column * (self.cell_width + GAP), row * (self.cell_height + GAP)


def arrange(cells: int, size_hw: tuple[int, int], *, width: float = STRIP_WIDTH, height: float = STRIP_HEIGHT) -> Grid:
    """The grid that shows ``cells`` pictures of one size as large as the room allows."""
    options = [_grid(cells, columns, size_hw, width, height) for columns in range(1, cells + 1)]
    return max(options, key=lambda grid: (round(grid.cell_width, 3), grid.columns))


def _grid(cells: int, columns: int, size_hw: tuple[int, int], width: float, height: float) -> Grid:
    rows = math.ceil(cells / columns)
    across = (width - (columns - 1) * GAP) / columns / size_hw[1]
    down = (height - (rows - 1) * GAP) / rows / size_hw[0]
    scale = min(across, down)
    return Grid(cells, columns, max(1.0, size_hw[1] * scale), max(1.0, size_hw[0] * scale))


def choose_frames(num_frames: int, wanted: int, with_boxes: Collection[int] = ()) -> tuple[int, ...]:
    """Evenly spaced frames, the first and the last among them; each moves to a close frame that has boxes."""
    count = min(wanted, num_frames)
    if count <= 1:
        return (0,)
    even = [round(index * (num_frames - 1) / (count - 1)) for index in range(count)]
    return tuple(sorted({_near(frame, num_frames, with_boxes) for frame in even}))


def _near(frame: int, num_frames: int, with_boxes: Collection[int]) -> int:
    for step in range(_STEP_TO_BOXES + 1):
        for near in (frame - step, frame + step):
            if near in with_boxes and 0 <= near < num_frames:
                return near
    return frame


@dataclass(frozen=True)
class Tag:
    """A label in a cell: text, and its upper left corner in the cell."""

    text: str
    key: str
    x: float
    y: float


# Of the style sheet's label: 10 px text, its line, and the space around it.
_TAG_HEIGHT, _CHARACTER, _TAG_PADDING, _LONGEST = 15.0, 5.9, 8.0, 16


def place_tags(wanted: Sequence[tuple[str, str, float, float]], cell_width: float, cell_height: float) -> list[Tag]:
    """Labels ``(key, text, x, y)`` centred above their points, inside the cell and not on one another."""
    placed: list[Tag] = []
    for key, text, x, y in sorted(wanted, key=lambda tag: tag[3]):
        shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        width = len(shown) * _CHARACTER + _TAG_PADDING
        left = min(max(0.0, x - width / 2), max(0.0, cell_width - width))
        top = min(max(0.0, y - _TAG_HEIGHT), max(0.0, cell_height - _TAG_HEIGHT))
        for other in placed:
            if abs(top - other.y) < _TAG_HEIGHT and left < other.x + _width(other) and other.x < left + width:
                top = other.y + _TAG_HEIGHT
        placed.append(Tag(shown, key, left, min(top, max(0.0, cell_height - _TAG_HEIGHT))))
    return placed


def _width(tag: Tag) -> float:
    return len(tag.text) * _CHARACTER + _TAG_PADDING
