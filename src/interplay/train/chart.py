"""One picture of a run: training loss, held-out loss, alignment, AAS and fidelity over the same steps, samples below.

A dotted line marks the step whose weights are the best ones.

Shape legend: ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.files import full_disk_named
from interplay.records.media.video import read_video
from interplay.train.curves import DARK, GREY, draw_losses, style
from interplay.train.heldout import ALIGNMENT, HELD_OUT
from interplay.train.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHART = "chart.png"
FIDELITY = "fidelity"
_AT = f"{HELD_OUT}_at_"
# Curves of the means are bold and dark, the others take colours that stay apart for the colour-blind (Okabe & Ito).
_MEANS = (HELD_OUT, ALIGNMENT, FIDELITY)
_ROLES = {"subject": "#0072b2", "object": "#d55e00", "verb": "#009e73", "noun": "#0072b2"}
# The second one of each pair of relations: what propagates from the first frame.
_DASHED = ("spa", "v2v")
_DPI, _WIDTH_INCH, _PANEL_INCH, _GAP_INCH = 130, 11.0, 1.9, 0.5
_MOST_STRIPS, _FRAMES_IN_A_STRIP, _MANY_PX = 5, 7, 180
# Labels at the ends of curves keep this distance, as a share of the panel's height.
_LABEL_SHARE = 0.105


@dataclass(frozen=True)
class _Panel:
    title: str
    names: tuple[str, ...]


def draw_chart(history: History, examined: History, samples: Path, path: Path) -> None:
    """Draw what there is; a run without held-out clips has the training loss alone."""
    from matplotlib.figure import Figure

    panels = _panels(examined)
    strips = _strips(samples)
    last = max([row["step"] for row in examined] + [len(history)])
    heights = [_PANEL_INCH] * (1 + -(-len(panels) // 2)) + [_strip_inch(strips)] * len(strips)
    figure = Figure(figsize=(_WIDTH_INCH, sum(heights) + _GAP_INCH * len(heights)), dpi=_DPI, layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    axes = [figure.add_subplot(grid[0, :])]
    axes += [figure.add_subplot(grid[1 + place // 2, place % 2]) for place in range(len(panels))]
    draw_losses(axes[0], history, "training loss")
    for axis, panel in zip(axes[1:], panels, strict=True):
        _draw_curves(axis, examined, panel, last)
    for axis in axes:
        style(axis, last)
        _mark_best(axis, examined)
    _tell_best(axes[0], examined)
    for place, (label, frames) in enumerate(strips):
        _draw_strip(figure, figure.add_subplot(grid[len(heights) - len(strips) + place, :]), label, frames)
    with full_disk_named(path.parent):
        figure.savefig(path)


# --- curves ----------------------------------------------------------------------------------------------------------


def _panels(examined: History) -> list[_Panel]:
    names = list(dict.fromkeys(name for row in examined for name in row if name != "step"))
    terms = tuple(n for n in names if n.startswith(f"{HELD_OUT}_") and not n.startswith(_AT))
    found = [
        _Panel("held-out loss by noise level", tuple(n for n in names if n.startswith(_AT) or n == HELD_OUT)),
        _Panel("held-out alignment loss", terms),
        _Panel("attention alignment score", tuple(n for n in names if n.startswith("aas_"))),
        _Panel("interaction fidelity of the samples", tuple(n for n in names if n == FIDELITY)),
    ]
    return [panel for panel in found if panel.names]


def _draw_curves(axis: Axes, examined: History, panel: _Panel, last: float) -> None:
    levels = [name for name in panel.names if name.startswith(_AT)]
    ends: list[tuple[float, str, Any]] = []
    for name in panel.names:
        steps, values = zip(*((row["step"], row[name]) for row in examined if name in row), strict=True)
        color = _color(name, levels)
        whole = name in _MEANS
        dashed = any(word in _DASHED for word in name.split("_"))
        axis.plot(
            steps,
            values,
            color=color,
            linestyle=(0, (4, 2)) if dashed else "-",
            linewidth=2.2 if whole else 1.2,
            marker="o",
            markersize=3.5 if whole else 2.2,
            clip_on=False,
            zorder=3 if whole else 2,
        )
        ends.append((values[-1], _label(name), color))
    axis.set_title(panel.title, fontsize=10, loc="left", color=DARK)
    if len(ends) > 1:
        _label_ends(axis, ends, last)


def _color(name: str, levels: Sequence[str]) -> Any:
    from matplotlib import colormaps

    if name in _MEANS:
        return DARK
    if name in levels:
        return colormaps["viridis"](0.9 - 0.75 * levels.index(name) / max(len(levels) - 1, 1))
    return next((color for word, color in _ROLES.items() if word in name.split("_")), GREY)


def _label(name: str) -> str:
    if name in _MEANS:
        return "mean"
    if name.startswith(_AT):
        return f"t = {name.removeprefix(_AT)}"
    words = name.removeprefix(f"{HELD_OUT}_").removeprefix("aas_").split("_")
    return " ".join(word.upper() if word in ("sga", "spa") else word for word in words)


def _label_ends(axis: Axes, ends: Sequence[tuple[float, str, Any]], last: float) -> None:
    """Name every curve where it ends, moved apart where they would lie on each other."""
    low, high = axis.get_ylim()
    ordered = sorted(ends, key=lambda end: end[0])
    places = _apart([value for value, _, _ in ordered], _LABEL_SHARE * (high - low), low)
    for (_, label, color), place in zip(ordered, places, strict=True):
        axis.annotate(
            label, (last, place), xytext=(8, 0), textcoords="offset points", color=color, fontsize=8, va="center"
        )
    axis.set_ylim(low, high)


def _apart(values: Sequence[float], apart: float, low: float) -> list[float]:
    """The places nearest to these rising values (least squares) that lie ``apart``, and none below ``low``."""
    # Without the gaps the places only have to rise: neighbours that do not are put at their mean.
    pools: list[list[float]] = []
    for index, value in enumerate(values):
        pools.append([value - index * apart])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    free = [max(low, float(np.mean(pool))) for pool in pools for _ in pool]
    return [place + index * apart for index, place in enumerate(free)]


def _best(examined: History) -> Mapping[str, float] | None:
    return min(examined, key=lambda row: row[HELD_OUT], default=None)


def _mark_best(axis: Axes, examined: History) -> None:
    best = _best(examined)
    if best is not None:
        axis.axvline(best["step"], color=GREY, linestyle=":", linewidth=1.2, zorder=1)


def _tell_best(axis: Axes, examined: History) -> None:
    best = _best(examined)
    if best is not None:
        told = f"dotted: best held-out loss, {best[HELD_OUT]:.4g} at step {best['step']:.0f}"
        axis.set_title(told, fontsize=8, loc="right", color=GREY)


# --- samples ---------------------------------------------------------------------------------------------------------


def _strips(samples: Path) -> list[tuple[str, UInt8[ndarray, "p y x 3"]]]:
    """The first sample of a few steps, the first and the last one among them."""
    steps = sorted(folder for folder in samples.glob("step-*") if any(folder.glob("*.mp4")))
    count = min(len(steps), _MOST_STRIPS)
    chosen = [steps[round(at)] for at in np.linspace(0, len(steps) - 1, count)] if steps else []
    first = min((path.name for folder in chosen[:1] for path in folder.glob("*.mp4")), default="")
    return [(f"step {int(folder.name.removeprefix('step-'))}", _few(folder / first)) for folder in chosen]


def _few(video: Path) -> UInt8[ndarray, "p y x 3"]:
    frames = read_video(video).frames
    return frames[[round(at) for at in np.linspace(0, len(frames) - 1, _FRAMES_IN_A_STRIP)]]


def _strip_inch(strips: Sequence[tuple[str, UInt8[ndarray, "p y x 3"]]]) -> float:
    if not strips:
        return 0.0
    height, width = strips[0][1].shape[1:3]
    return float(_WIDTH_INCH / _FRAMES_IN_A_STRIP * height / width - 0.2)


def _draw_strip(figure: Figure, axis: Axes, label: str, frames: UInt8[ndarray, "p y x 3"]) -> None:
    """A few frames side by side, white between them, with the step before them."""
    height, width = frames.shape[1:3]
    between = np.full((height, max(1, width // 40), 3), 255, dtype=np.uint8)
    row = [part for frame in frames for part in (between, frame)][1:]
    # Few pixels are shown as what they are, many are made fewer without jagged edges.
    axis.imshow(np.concatenate(row, axis=1), interpolation="nearest" if width < _MANY_PX else "antialiased")
    axis.set_ylabel(label, fontsize=9, rotation=0, ha="right", va="center", color=DARK)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
