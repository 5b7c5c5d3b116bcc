"""The chart of a run: a panel for everything that was measured, whatever that is, with labels that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interplay.records.media.video import write_video
from interplay.train.chart import _apart, _panels, draw_chart

HISTORY = [{"step": step, "loss": 1.0 / (1 + step)} for step in range(9)]
EVERYTHING = {
    "held_out_at_0.3": 0.2,
    "held_out_at_0.7": 0.1,
    "held_out": 0.15,
    "held_out_sga_verb": 1.0,
    "held_out_alignment": 1.0,
    "aas_noun_v2t": 0.3,
    "fidelity": -1.0,
}


def test_everything_has_its_panel() -> None:
    titles = {panel.title.split()[-1]: panel.names for panel in _panels([{"step": 0, **EVERYTHING}])}
    assert titles == {
        "level": ("held_out_at_0.3", "held_out_at_0.7", "held_out"),
        "loss": ("held_out_sga_verb", "held_out_alignment"),
        "score": ("aas_noun_v2t",),
        "samples": ("fidelity",),
    }


@pytest.mark.parametrize("names", [list(EVERYTHING), ["held_out", "held_out_at_0.3"], []])
def test_it_is_drawn_whatever_was_measured(names: list[str], tmp_path: Path) -> None:
    # The second examination lacks a number, as when no sample could be judged.
    rows = [{"step": step, **{name: EVERYTHING[name] for name in names[: len(names) - step // 8]}} for step in (0, 8)]
    for step in (0, 8) if names else ():
        folder = tmp_path / "samples" / f"step-{step:08d}"
        folder.mkdir(parents=True)
        write_video(folder / "a.mp4", np.zeros((5, 32, 48, 3), dtype=np.uint8), 8.0)
    draw_chart(HISTORY, rows if names else [], tmp_path / "samples", tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_labels_keep_apart_and_stay_near() -> None:
    places = _apart([0.5, 0.5, 0.5, 0.9], 0.1, 0.0)
    assert places == pytest.approx([0.4, 0.5, 0.6, 0.9])
    assert _apart([0.0, 0.01], 0.1, 0.0) == pytest.approx([0.0, 0.1])
