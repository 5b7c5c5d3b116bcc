"""Heat maps of the alignment score: layers by sampling steps, and layers by heads."""

from __future__ import annotations

from markupsafe import Markup

from interplay.report.alignment import Grid
from interplay.report.figures import svg
from interplay.report.layers import Variant
from interplay.report.numbers import compact, count, rough

_WIDTH, _LEFT, _RIGHT, _TOP = 520.0, 40.0, 440.0, 10.0
_BAR_LEFT, _BAR_WIDTH = 456.0, 10.0
_PLOT_HEIGHT, _MIN_CELL, _MAX_CELL = 190.0, 5.0, 30.0
_BELOW = 46.0
_MAX_LABELS = 14
# Nine stops of the viridis map (Smith and van der Walt, CC0): even steps of lightness, safe for colour-blind eyes.
_VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
_BAR_SLICES = 48


def colour(share: float) -> str:
    """The colour of a value that lies ``share`` (0 to 1) of the way up."""
    position = min(max(share, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    index = min(int(position), len(_VIRIDIS) - 2)
    rest = position - index
    pairs = zip(bytes.fromhex(_VIRIDIS[index]), bytes.fromhex(_VIRIDIS[index + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * rest):02x}" for a, b in pairs)


def heat_figure(variant: Variant, grid: Grid) -> Markup | None:
    """One cell per layer and step, or head, layer 0 at the top; ``None`` when every cell is empty."""
    known = [value for row in grid.values for value in row if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    cell_h = min(max(_PLOT_HEIGHT / len(grid.layers), _MIN_CELL), _MAX_CELL)
    floor = _TOP + cell_h * len(grid.layers)
    picked = {row.layer for row in variant.picks}
    parts = [*_cells(grid, low, high, cell_h), *_layer_names(grid, picked, cell_h), *_column_names(grid, floor)]
    parts += _colour_bar(low, high, floor)
    label = (
        f"{variant.title}: mean score for {len(grid.layers)} layers by {count(len(grid.columns), grid.across)}, "
        f"from {compact(low)} to {compact(high)}"
    )
    return svg.drawing(_WIDTH, floor + _BELOW, label, parts)


def _cells(grid: Grid, low: float, high: float, cell_h: float) -> list[Markup]:
    width = (_RIGHT - _LEFT) / len(grid.columns)
    parts = []
    for i, (layer, row) in enumerate(zip(grid.layers, grid.values, strict=True)):
        for j, (column, value) in enumerate(zip(grid.columns, row, strict=True)):
            title = f"layer {layer}, {grid.across} {column}: {rough(value)}"
            fill = "" if value is None else colour((value - low) / (high - low) if high > low else 0.5)
            style = "cell unknown" if value is None else "cell"
            parts.append(svg.rect(_LEFT + j * width, _TOP + i * cell_h, width, cell_h, style, fill=fill, title=title))
    return parts


def _layer_names(grid: Grid, picked: set[int], cell_h: float) -> list[Markup]:
    kept = [i for i, layer in enumerate(grid.layers) if layer in picked]
    names = [
        svg.text(
            _LEFT - 6,
            _TOP + (i + 0.5) * cell_h + 3.5,
            str(grid.layers[i]),
            "label strong" if i in kept else "label",
            "end",
        )
        for i in svg.labelled(len(grid.layers), _MAX_LABELS, kept)
    ]
    return [svg.upright(10, _TOP + cell_h * len(grid.layers) / 2, "layer"), *names]


def _column_names(grid: Grid, floor: float) -> list[Markup]:
    width = (_RIGHT - _LEFT) / len(grid.columns)
    names = [
        svg.text(_LEFT + (j + 0.5) * width, floor + 14, str(grid.columns[j]))
        for j in svg.labelled(len(grid.columns), _MAX_LABELS)
    ]
    title: str = grid.across
    if grid.span is not None:
        first, last = map(compact, grid.span)
        title += f" (noise timestep {first} to {last})" if len(grid.columns) > 1 else f" (noise timestep {first})"
    return [*names, svg.text((_LEFT + _RIGHT) / 2, floor + 34, title, "axis-title")]


def _colour_bar(low: float, high: float, floor: float) -> list[Markup]:
    slice_h = (floor - _TOP) / _BAR_SLICES
    parts = [
        # Half a unit of overlap, so that no seam shows between the slices.
        svg.rect(
            _BAR_LEFT, floor - (i + 1) * slice_h, _BAR_WIDTH, slice_h + 0.5, "cell", fill=colour(i / (_BAR_SLICES - 1))
        )
        for i in range(_BAR_SLICES)
    ]
    parts.append(svg.text(_BAR_LEFT + _BAR_WIDTH + 5, _TOP + 9, compact(high), anchor="start"))
    parts.append(svg.text(_BAR_LEFT + _BAR_WIDTH + 5, floor, compact(low), anchor="start"))
    return parts
