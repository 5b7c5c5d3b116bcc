"""Curves over the steps of a run, as every picture of training draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from interplay.train.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK, GREY = "#22304a", "#66707f"
_FAINT, _LINES = "#c3cbd8", "#e6e9ee"
# A loss is shown as it is, and as the mean of about this share of all steps.
_SMOOTHED_SHARE = 0.05


def draw_losses(axis: Axes, history: History, title: str) -> None:
    """The loss of every step, and its running mean."""
    steps, losses = [row["step"] for row in history], np.array([row["loss"] for row in history])
    width = max(1, round(_SMOOTHED_SHARE * len(losses)))
    axis.plot(steps, losses, color=_FAINT, linewidth=0.8)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axis.plot(steps[width - 1 :], smooth, color=DARK, linewidth=1.8)
    told = f"{title} (dark: mean of {width} steps)" if width > 1 else title
    axis.set_title(told, fontsize=10, loc="left", color=DARK)


def style(axis: Axes, last: float) -> None:
    """Steps from 0 to ``last``, and no more ink than they need."""
    from matplotlib.ticker import MaxNLocator

    axis.set_xlim(0, last)
    axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axis.set_xlabel("step", fontsize=8, color=GREY, labelpad=1)
    axis.tick_params(labelsize=8, colors=GREY, length=0)
    axis.grid(visible=True, color=_LINES, linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(_FAINT)
