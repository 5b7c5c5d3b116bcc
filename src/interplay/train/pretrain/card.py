"""The model card of a pretrained tiny backbone: where its weights come from, in the hub's README format."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from interplay.core.files import atomic_write_text, write_json
from interplay.core.manifest import MANIFEST, entry_of, read_manifest
from interplay.train.history import LOSSES, mean_of
from interplay.train.pretrain.chart import CHART
from interplay.train.pretrain.config import AutoencoderConfig, DenoiserConfig, PretrainConfig
from interplay.train.pretrain.lineage import Lineage, recipe_name

MEAN_OVER = 200

_CARD = """---
license: apache-2.0
library_name: diffusers
tags: [video-generation, image-to-video, tiny, interplay]
---
# {name}

A tiny instance of the real diffusers classes, trained from scratch on Interplay's embedded world. It loads with the
stock `{pipeline}.from_pretrained` and exists so that the whole toolkit runs without a GPU or a download.

## How it was made
```
{commands}
```
with what it was set to then:

| phase | seed | steps | batch | learning rate | on | computed in |
|---|---|---|---|---|---|---|
{phases}

| | |
|---|---|
| data | the world's training split, rendered from the seed; held-out compositions were never shown |
| clip | {num_frames} frames of {height} x {width} pixels |
| autoencoder | {vae_parameters:,} parameters |
| transformer and text encoder | {parameters:,} parameters |
| losses | none but the model's own: no mask and no alignment term |
| weights | moving averages, stored as float16 |
| trained on | {machine} |
| time | {hours:.1f} hours of steps |

## Losses
![Losses of every phase]({chart})

Means over {window} steps (every step is in `{table}`):

| part | step | loss |
|---|---|---|
{rows}
"""


@dataclass(frozen=True)
class CardFacts:
    """What the card tells about the model itself."""

    pipeline: str
    num_frames: int
    size_hw: tuple[int, int]
    vae_parameters: int
    parameters: int


def write_card(path: Path, lineage: Lineage, facts: CardFacts) -> None:
    """Write the card of what the runs of ``lineage`` made as ``path``."""
    histories = lineage.histories
    text = _CARD.format(
        name=lineage.recipes[-1].backbone,
        pipeline=facts.pipeline,
        commands="\n".join(_commands(lineage.recipes)),
        phases="\n".join(row for recipe in lineage.recipes for row in _phase_rows(recipe)),
        num_frames=facts.num_frames,
        height=facts.size_hw[0],
        width=facts.size_hw[1],
        vae_parameters=facts.vae_parameters,
        parameters=facts.parameters,
        machine=f"{platform.machine()}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}",
        hours=sum(row["seconds"] for history in histories.values() for row in history) / 3600,
        window=MEAN_OVER,
        chart=CHART,
        table=LOSSES,
        rows="\n".join(row for part, history in histories.items() for row in _loss_rows(part, history)),
    )
    atomic_write_text(path, text)


def _commands(recipes: Sequence[PretrainConfig]) -> Iterator[str]:
    """What to type: each run but the first begins with the weights of the one before it."""
    for number, recipe in enumerate(recipes, start=1):
        words = ["interplay world pretrain", *_settings(recipe, number)]
        words += [f"--start OUT{number - 1}"] if number > 1 else []
        yield " ".join([*words, f"--out OUT{number}" if len(recipes) > 1 else "--out OUT"])


def _settings(recipe: PretrainConfig, number: int) -> list[str]:
    """The options of a run by the defaults, else the name of its recipe."""
    precision = recipe.phases[0].precision
    usual = PretrainConfig(backbone=recipe.backbone, seed=recipe.seed, compile=recipe.compile)
    if precision is None or usual.in_precision(precision) != recipe:
        return ["--recipe", recipe_name(number)]
    compiled = "--compile" if recipe.compile else "--no-compile"
    return ["--backbone", recipe.backbone, "--seed", str(recipe.seed), "--precision", precision, compiled]


def relist(folder: Path, names: Iterable[str]) -> None:
    """Let the manifest of ``folder`` list these files as they are now: a card is written on when the run is over."""
    manifest = read_manifest(folder)
    files = {**manifest["files"], **{name: entry_of(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**manifest, "files": dict(sorted(files.items()))})


def _phase_rows(recipe: PretrainConfig) -> Iterator[str]:
    blocks = "blocks compiled" if recipe.compile else "blocks not compiled"
    for crops in recipe.autoencoder:
        on = f"crops of {crops.crop_frames} x {crops.crop_px} x {crops.crop_px} pixels"
        alone = ", the decoder alone" if crops.trains == "decoder" else ""
        yield _phase_row(recipe.seed, crops, on + alone, str(crops.precision))
    for phase in recipe.denoiser:
        yield _phase_row(recipe.seed, phase, f"latents of {recipe.clips} clips", f"{phase.precision}, {blocks}")


def _phase_row(seed: int, phase: AutoencoderConfig | DenoiserConfig, on: str, computed_in: str) -> str:
    cells = (phase.name, seed, phase.steps, phase.batch_size, f"{phase.learning_rate:g}", on, computed_in)
    return f"| {' | '.join(map(str, cells))} |"


def _loss_rows(part: str, history: Sequence[Mapping[str, float]]) -> list[str]:
    """About eight rows from first to last, each the mean of the steps before it."""
    if not history:
        return []
    stride = max(len(history) // 8, 1)
    ends = sorted({*range(stride, len(history) + 1, stride), len(history)})
    return [f"| {part} | {end} | {mean_of(history[max(end - MEAN_OVER, 0) : end], 'loss'):.4f} |" for end in ends]
