"""Figures of an analysis: the layer chart (after MATRIX, Fig. 7), the layer x step and the layer x head heat map.

Shape legend: ``l`` layers, ``f`` steps, ``h`` heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from interplay.analyze.config import Measure
from interplay.analyze.experts import expert_of, variant_of
from interplay.analyze.judging import VariantVerdict
from interplay.core.files import full_disk_named
from interplay.methods.matrix.layers import CHOSEN_FROM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES: Mapping[str, str] = {
    "noun_v2t": "nouns, video to text",
    "verb_v2t": "verbs, video to text",
    "noun_v2v": "nouns, video to video",
    "verb_v2v": "verbs, video to video",
}
_MEASURES: Mapping[Measure, str] = {"aas": "AAS", "aas_per_area": "AAS per token of the mask"}
_SUCCESS, _FAILURE, _MEAN, _FAINT, _PICK = "#2a9d5c", "#c8453b", "#33415c", "#b9c2d0", "#e8a317"
_DPI = 120
_MOST_TICKS = 16


def title_of(name: str) -> str:
    """What a chart of this verdict shows, in words."""
    what, _, relation = TITLES[variant_of(name)].partition(", ")
    expert = expert_of(name)
    return f"{what}, {relation}" if expert is None else f"{what} of expert {expert}, {relation}"


def draw_layers(verdicts: Mapping[str, VariantVerdict], path: Path) -> None:
    """Per variant and layer: success and failure gap around the mean of all clips, or the mean where labels lack."""
    figure, axes = _canvas(len(verdicts))
    for axis, (name, verdict) in zip(axes, verdicts.items(), strict=True):
        _draw_gaps(axis, verdict) if verdict.ranking.separation is not None else _draw_magnitudes(axis, verdict)
        axis.set_title(f"{title_of(name)} ({len(verdict.scores.clip_ids)} clips)", fontsize=10, loc="left")
        axis.set_xlabel("layer", fontsize=9)
        axis.set_xticks(verdict.scores.layers[:: tick_stride(verdict)])
        axis.tick_params(labelsize=8)
        _mark_picks(axis, verdict, counts=any(variant_of(name) in names for names in CHOSEN_FROM.values()))
    labelled = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(
        labelled.values(), labelled.keys(), loc="outside lower center", ncols=len(labelled), fontsize=8, frameon=False
    )
    save(figure, path)


def draw_heatmap(verdicts: Mapping[str, VariantVerdict], path: Path) -> None:
    """Mean alignment score of all clips at every layer and step."""
    figure, axes = _canvas(len(verdicts))
    for axis, (name, verdict) in zip(axes, verdicts.items(), strict=True):
        _draw_steps(figure, axis, verdict, verdict.scores.values.mean(axis=0))
        axis.set_title(f"{title_of(name)}: mean {_MEASURES[verdict.measure]}", fontsize=10, loc="left")
    save(figure, path)


def draw_heads(verdicts: Mapping[str, VariantVerdict], path: Path) -> None:
    """Mean alignment score of all clips of every head in every layer."""
    figure, axes = _canvas(len(verdicts))
    for axis, (name, verdict) in zip(axes, verdicts.items(), strict=True):
        assert verdict.heads is not None  # the caller's choice of verdicts
        image = axis.imshow(
            verdict.heads.magnitude, aspect="auto", cmap="viridis", origin="lower", interpolation="nearest"
        )
        _number_layers(axis, verdict)
        heads = verdict.heads.magnitude.shape[1]
        axis.set_xticks(range(0, heads, -(-heads // _MOST_TICKS)))
        axis.set_xlabel("head", fontsize=9)
        figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02).ax.tick_params(labelsize=7)
        axis.set_title(f"{title_of(name)}: mean {_MEASURES[verdict.measure]} by head", fontsize=10, loc="left")
    save(figure, path)


def _draw_gaps(axis: Axes, verdict: VariantVerdict) -> None:
    ranking, layers = verdict.ranking, verdict.scores.layers
    assert ranking.success_gap is not None
    assert ranking.failure_gap is not None
    gaps = (
        (ranking.success_gap, verdict.stability.success_gap_interval, _SUCCESS, "success - all", -0.2),
        (ranking.failure_gap, verdict.stability.failure_gap_interval, _FAILURE, "failure - all", 0.2),
    )
    for gap, interval, colour, label, shift in gaps:
        axis.bar([0], [0], color=colour, label=label)  # the legend's sample, always in full colour
        bars = axis.bar(layers + shift, gap, color=colour, width=0.4)
        if interval is not None:
            axis.vlines(layers + shift, interval[0], interval[1], color="#777777", linewidth=0.8)
        for position, bar in enumerate(bars):
            bar.set_alpha(1.0 if position in ranking.dominant else 0.3)
    axis.axhline(0.0, color=_MEAN, linewidth=0.8)
    axis.set_ylabel(f"{_MEASURES[verdict.measure]}, gap\n(full: dominant; lines: 95 %)", fontsize=8)
    axis.margins(y=0.18)


def _draw_magnitudes(axis: Axes, verdict: VariantVerdict) -> None:
    ranking, layers = verdict.ranking, verdict.scores.layers
    colours = [_MEAN if position in ranking.influential else _FAINT for position in range(len(layers))]
    low, high = verdict.stability.magnitude_interval
    errors = [(ranking.magnitude - low).clip(min=0), (high - ranking.magnitude).clip(min=0)]
    axis.bar(layers, ranking.magnitude, color=colours, width=0.7, yerr=errors, ecolor="#777777", capsize=2,
             label=f"mean {_MEASURES[verdict.measure]}, 95 % interval")  # fmt: skip
    axis.set_ylabel(f"{_MEASURES[verdict.measure]}\n(dark: influential)", fontsize=8)
    axis.margins(y=0.18)


def _mark_picks(axis: Axes, verdict: VariantVerdict, *, counts: bool) -> None:
    """A star above the layers that the variant picks; hollow where its picks are not used in training."""
    label = "chosen" if counts else "first of a variant that training does not use"
    for number, layer in enumerate(verdict.picks):
        text = f"{verdict.share_of(layer):.0%}"
        axis.plot(
            layer, 0.95, marker="*", markersize=11, color=_PICK, linestyle="none", clip_on=False,
            markerfacecolor=_PICK if counts else "none", transform=axis.get_xaxis_transform(),
            label=f"{label} (in % of resamples)" if number == 0 else None,
        )  # fmt: skip
        axis.annotate(
            text, (layer, 0.95), xycoords=axis.get_xaxis_transform(), xytext=(7, -3), textcoords="offset points",
            fontsize=7,
        )  # fmt: skip


def _draw_steps(figure: Figure, axis: Axes, verdict: VariantVerdict, mean: Float[ndarray, "l f"]) -> None:
    image = axis.imshow(mean, aspect="auto", cmap="viridis", origin="lower", interpolation="nearest")
    scores = verdict.scores
    shown = sorted({round(k * (mean.shape[1] - 1) / 4) for k in range(5)})
    axis.set_xticks(shown, [f"{scores.steps[k]}\nt={scores.timesteps[k]}" for k in shown])
    _number_layers(axis, verdict)
    axis.set_xlabel("step", fontsize=9)
    figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02).ax.tick_params(labelsize=7)


def _number_layers(axis: Axes, verdict: VariantVerdict) -> None:
    every = tick_stride(verdict)
    axis.set_yticks(range(0, len(verdict.scores.layers), every), [str(n) for n in verdict.scores.layers[::every]])
    axis.set_ylabel("layer", fontsize=9)
    axis.tick_params(labelsize=7)


def tick_stride(verdict: VariantVerdict) -> int:
    """Every how many layers there is room for a number."""
    return -(-len(verdict.scores.layers) // _MOST_TICKS)


def _canvas(count: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    rows, columns = -(-count // 2), min(count, 2)
    figure = Figure(figsize=(5.2 * columns, 3.1 * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)[:count]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(path.parent):
        figure.savefig(path, dpi=_DPI)
