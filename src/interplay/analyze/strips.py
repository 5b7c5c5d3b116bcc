"""Drawing one attention map over time: frames with the mask's outline above, the map of each step below.

Shape legend: ``f th tw`` token frames, height, width, ``p y x`` pixel frames, height, width, ``k`` steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from interplay.core.files import full_disk_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More columns than this make frames too small to read in a page's width.
_MOST_COLUMNS = 7
_CELL_WIDTH_INCH, _MOST_CELL_HEIGHT_INCH = 1.75, 2.2
_LABEL_INCH, _TITLE_INCH, _SCALE_INCH = 0.75, 0.35, 0.95
OUTLINE_RGB = (57, 255, 20)
_DPI = 110


@dataclass(frozen=True)
class Strip:
    """A map over time.

    ``pixel_frames`` names the frame that stands for each token frame, ``token_frames`` the token frame of each frame.
    """

    title: str
    frames: UInt8[ndarray, "p y x 3"]
    masks: Bool[ndarray, "p y x"]
    maps: Float[ndarray, "k f th tw"]
    row_labels: tuple[str, ...]
    pixel_frames: tuple[int, ...]
    token_frames: tuple[int, ...]

    @property
    def columns(self) -> list[int]:
        """The token frames that are shown: all, or evenly spread ones."""
        count = self.maps.shape[1]
        return sorted({round(k) for k in np.linspace(0, count - 1, min(count, _MOST_COLUMNS))})


def draw_strip(strip: Strip, path: Path) -> None:
    """Write the strip as a PNG."""
    figure, axes = _canvas(strip)
    for column, frame in enumerate(strip.columns):
        pixel = strip.pixel_frames[frame]
        axes[0][column].imshow(strip.frames[pixel], interpolation="nearest")
        axes[0][column].set_title(f"frame {pixel}", fontsize=8, pad=3)
        _outline(axes[0][column], strip.masks[pixel])
    axes[0][0].set_ylabel("video\nand mask", fontsize=8)
    for row, maps in enumerate(strip.maps, start=1):
        _draw_maps(figure, axes[row], strip, maps)
        axes[row][0].set_ylabel(strip.row_labels[row - 1], fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(path.parent):
        figure.savefig(path, dpi=_DPI)


def _canvas(strip: Strip) -> tuple[Figure, list[list[Axes]]]:
    """A grid of bare axes, sized by the frames' aspect ratio, with a title."""
    from matplotlib.figure import Figure

    rows, columns = 1 + len(strip.maps), len(strip.columns)
    height, width = strip.frames.shape[1:3]
    cell_width = min(_CELL_WIDTH_INCH, _MOST_CELL_HEIGHT_INCH * width / height)
    cell_height = cell_width * height / width
    size = (_LABEL_INCH + columns * cell_width + _SCALE_INCH, _TITLE_INCH + 0.25 + rows * (cell_height + 0.06))
    figure = Figure(figsize=size)
    figure.suptitle(strip.title, fontsize=9.5, x=0.01, y=1 - 0.08 / size[1], ha="left", va="top")
    grid = figure.add_gridspec(
        rows, columns, left=_LABEL_INCH / size[0], right=1 - _SCALE_INCH / size[0], bottom=0.05 / size[1],
        top=1 - (_TITLE_INCH + 0.2) / size[1], wspace=0.03, hspace=0.06,
    )  # fmt: skip
    axes = [[figure.add_subplot(grid[row, column]) for column in range(columns)] for row in range(rows)]
    for axis in (axis for row in axes for axis in row):
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def _draw_maps(figure: Figure, axes: list[Axes], strip: Strip, maps: Float[ndarray, "f th tw"]) -> None:
    """One step: the map over the greyed frames, one colour scale for the whole row."""
    height, width = strip.frames.shape[1:3]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    peak = float(maps.max()) or 1.0
    for axis, frame in zip(axes, strip.columns, strict=True):
        pixel = strip.pixel_frames[frame]
        axis.imshow(strip.frames[pixel].mean(axis=-1), cmap="gray", vmin=0, vmax=255, extent=extent)
        image = axis.imshow(
            maps[frame], cmap="inferno", vmin=0, vmax=peak, extent=extent, alpha=0.8, interpolation="nearest"
        )
        _outline(axis, strip.masks[pixel])
    box = axes[-1].get_position()
    scale = figure.add_axes((box.x1 + 0.008, box.y0, 0.008, box.height))
    colours = figure.colorbar(image, cax=scale)
    colours.ax.tick_params(labelsize=6)
    colours.set_ticks([0, peak], labels=["0", f"{peak:.2g}"])


def _outline(axis: Axes, mask: Bool[ndarray, "y x"]) -> None:
    # A contour of a constant picture is a warning, not a line.
    if mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors=["#{:02x}{:02x}{:02x}".format(*OUTLINE_RGB)], linewidths=1.0)
