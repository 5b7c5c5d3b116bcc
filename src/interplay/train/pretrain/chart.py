"""One picture of a pretraining run: the loss of every phase over its steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from interplay.core.files import full_disk_named
from interplay.train.curves import draw_losses, style
from interplay.train.history import History

CHART = "losses.png"
_DPI, _WIDTH_INCH, _PANEL_INCH, _COLUMNS = 90, 10.0, 1.9, 2
# Losses fall by orders of magnitude within the first steps; an axis begins where so few of them are above it.
_ABOVE = 97.0


def draw_chart(histories: Mapping[str, History], path: Path) -> None:
    """Draw the phases in their order; a phase of which nothing is known is left out."""
    from matplotlib.figure import Figure

    known = {name: history for name, history in histories.items() if history}
    rows = max(1, -(-len(known) // _COLUMNS))
    figure = Figure(figsize=(_WIDTH_INCH, rows * _PANEL_INCH), dpi=_DPI, layout="constrained")
    for place, (name, history) in enumerate(known.items()):
        axis = figure.add_subplot(rows, _COLUMNS, place + 1)
        draw_losses(axis, history, name)
        style(axis, len(history))
        axis.set_ylim(0, float(np.percentile([row["loss"] for row in history], _ABOVE)))
    with full_disk_named(path.parent):
        figure.savefig(path)
