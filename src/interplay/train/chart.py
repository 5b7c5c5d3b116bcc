"""One picture of a run: training loss, held-out loss, alignment, AAS and fidelity over the same steps, samples below.

Shape legend: ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from interplay.core.files import full_disk_named
from interplay.records.media.video import read_video
from interplay.train.heldout import HELD_OUT
from interplay.train.loop import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHART = "chart.png"
# Title, and how the names of its curves begin. What begins with held_out and none of these is an alignment term.
_PANELS = (
    ("held-out loss", (f"{HELD_OUT}_at_", HELD_OUT)),
    ("held-out alignment loss", (f"{HELD_OUT}_",)),
    ("attention alignment score", ("aas_",)),
    ("interaction fidelity of the samples", ("fidelity",)),
)
_FAINT, _MEAN = "#b9c2d0", "#33415c"
_DPI, _WIDTH_INCH, _PANEL_INCH, _STRIP_INCH = 110, 9.0, 1.9, 1.0
_MOST_STRIPS, _FRAMES_IN_A_STRIP = 5, 6
# The training loss is shown as it is, and as the mean of about this share of all steps.
_SMOOTHED_SHARE = 0.05


def draw_chart(history: History, examined: History, samples: Path, path: Path) -> None:
    """Draw what there is; a run without held-out clips has the training loss alone."""
    from matplotlib.figure import Figure

    panels = [(title, names) for title, begins in _PANELS if (names := _names(examined, begins))]
    strips = _strips(samples)
    heights = [_PANEL_INCH] * (1 + len(panels)) + [_STRIP_INCH] * len(strips)
    figure = Figure(figsize=(_WIDTH_INCH, sum(heights) + 0.5), dpi=_DPI, layout="constrained")
    axes = list(figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0])
    _draw_training(axes[0], history)
    last = max([row["step"] for row in examined] + [len(history)])
    for axis, (title, names) in zip(axes[1:], panels, strict=False):
        _draw_curves(axis, examined, names)
        axis.set_title(title, fontsize=9, loc="left")
    for axis in axes[: 1 + len(panels)]:
        axis.set_xlim(0, last)
        axis.tick_params(labelsize=7)
    axes[len(panels)].set_xlabel("step", fontsize=8)
    for axis, (label, video) in zip(axes[1 + len(panels) :], strips, strict=True):
        _draw_strip(axis, label, video)
    with full_disk_named(path.parent):
        figure.savefig(path)


def _names(examined: History, begins: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name for row in examined for name in row if name != "step"))
    if begins == (f"{HELD_OUT}_",):
        return [name for name in names if name.startswith(begins[0]) and not name.startswith(f"{HELD_OUT}_at_")]
    return [name for name in names if name == begins[-1] or name.startswith(begins[0])]


def _draw_training(axis: Axes, history: History) -> None:
    steps, losses = [row["step"] for row in history], np.array([row["loss"] for row in history])
    width = max(1, round(_SMOOTHED_SHARE * len(losses)))
    axis.plot(steps, losses, color=_FAINT, linewidth=0.6)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axis.plot(steps[width - 1 :], smooth, color=_MEAN, linewidth=1.4, label=f"mean of {width} steps")
    axis.set_title("training loss", fontsize=9, loc="left")
    axis.legend(fontsize=7, frameon=False, loc="upper right")


def _draw_curves(axis: Axes, examined: History, names: Sequence[str]) -> None:
    for name in names:
        points = [(row["step"], row[name]) for row in examined if name in row]
        whole = name in (HELD_OUT, f"{HELD_OUT}_alignment", "fidelity")
        steps, values = zip(*points, strict=True)
        label = name.removeprefix(f"{HELD_OUT}_").replace("at_", "t = ").replace("_", " ")
        axis.plot(steps, values, marker=".", markersize=4, linewidth=2.0 if whole else 0.9, label=label)
    axis.legend(fontsize=6, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _strips(samples: Path) -> list[tuple[str, Path]]:
    """The first sample of a few steps, the first and the last one among them."""
    steps = sorted(folder for folder in samples.glob("step-*") if any(folder.glob("*.mp4")))
    count = min(len(steps), _MOST_STRIPS)
    chosen = [steps[round(at)] for at in np.linspace(0, len(steps) - 1, count)] if steps else []
    first = min((path.name for folder in chosen[:1] for path in folder.glob("*.mp4")), default="")
    return [(f"step {int(folder.name.removeprefix('step-'))}", folder / first) for folder in chosen]


def _draw_strip(axis: Axes, label: str, video: Path) -> None:
    frames = read_video(video).frames
    shown = [frames[round(at)] for at in np.linspace(0, len(frames) - 1, _FRAMES_IN_A_STRIP)]
    axis.imshow(np.concatenate(shown, axis=1), interpolation="nearest")
    axis.set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")
    axis.set_xticks([])
    axis.set_yticks([])
