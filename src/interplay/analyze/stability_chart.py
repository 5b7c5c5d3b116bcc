"""The figure of stability: how often each layer is chosen under resampling, and how many clips a choice takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.analyze.charts import save, tick_stride, title_of
from interplay.analyze.judging import VariantVerdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHARES = (
    ("influential_share", "#b9c2d0", 0.86),
    ("dominant_share", "#7f95bd", 0.6),
    ("picked_share", "#e8a317", 0.34),
)
_LABELS = {"influential_share": "influential", "dominant_share": "dominant", "picked_share": "chosen"}
_CURVE, _LIMIT = "#33415c", "#c8453b"


def draw_stability(verdicts: Mapping[str, VariantVerdict], path: Path) -> None:
    """Per variant: at the left the shares of resamples by layer, at the right agreement by the number of clips."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 2.7 * len(verdicts)), layout="constrained")
    rows = figure.subplots(len(verdicts), 2, squeeze=False, gridspec_kw={"width_ratios": (2, 1)})
    for (left, right), (name, verdict) in zip(rows, verdicts.items(), strict=True):
        _draw_shares(left, verdict)
        left.set_title(f"{title_of(name)} ({len(verdict.scores.clip_ids)} clips)", fontsize=10, loc="left")
        _draw_need(right, verdict)
        for axis in (left, right):
            axis.tick_params(labelsize=8)
            axis.set_ylim(0, 1.05)
            axis.spines[["top", "right"]].set_visible(False)
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    save(figure, path)


def _draw_shares(axis: Axes, verdict: VariantVerdict) -> None:
    layers = verdict.scores.layers
    for name, colour, width in _SHARES:
        axis.bar(layers, getattr(verdict.stability, name), color=colour, width=width, label=_LABELS[name])
    axis.set_xticks(layers[:: tick_stride(verdict)])
    axis.set_xlabel("layer", fontsize=9)
    axis.set_ylabel("share of resamples", fontsize=8)


def _draw_need(axis: Axes, verdict: VariantVerdict) -> None:
    """Agreement with the choice of all clips; beyond the dotted line more clips are drawn than there are."""
    needed, have = verdict.needed, len(verdict.scores.clip_ids)
    sizes, agreement = zip(*needed.curve, strict=True)
    axis.plot(sizes, agreement, color=_CURVE, marker="o", markersize=3, linewidth=1.2)
    axis.axhline(needed.share, color=_LIMIT, linewidth=0.8, linestyle="--")
    axis.axvline(have, color="#777777", linewidth=0.8, linestyle=":")
    axis.set_xscale("log", base=2)
    ticks = [size for number, size in enumerate(sizes) if number % 2 == 0]
    axis.set_xticks(ticks, [str(size) for size in ticks])
    axis.minorticks_off()
    axis.set_xlabel(f"clips (dotted: the {have} at hand)", fontsize=9)
    axis.set_ylabel("same choice", fontsize=8)
    told = f"more than {sizes[-1]}" if needed.clips is None else f"about {needed.clips}"
    axis.set_title(f"clips for {needed.share:.0%}: {told}", fontsize=9, loc="left")
