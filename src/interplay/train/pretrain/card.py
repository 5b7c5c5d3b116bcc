"""The model card of a pretrained tiny backbone: where its weights come from, in the hub's README format."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from interplay.core.files import atomic_write_text, write_json
from interplay.core.manifest import MANIFEST, entry_of, read_manifest
from interplay.train.history import LOSSES, mean_of
from interplay.train.pretrain.chart import CHART
from interplay.train.pretrain.config import AutoencoderConfig, DenoiserConfig, PretrainConfig

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
{command}
```
with what it was set to then:

| phase | steps | batch | learning rate | on | computed in |
|---|---|---|---|---|---|
{phases}

| | |
|---|---|
| seed | {seed} |
| data | the world's training split, rendered from the seed; held-out compositions were never shown |
| clip | {num_frames} frames of {height} x {width} pixels |
| autoencoder | {vae_parameters:,} parameters |
| transformer and text encoder | {parameters:,} parameters |
| losses | none but the model's own: no mask and no alignment term |
| weights | moving average (decay {ema}), stored as float16 |
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


def write_card(
    path: Path, config: PretrainConfig, facts: CardFacts, histories: Mapping[str, Sequence[Mapping[str, float]]]
) -> None:
    """Write the card as ``path``."""
    rows = [row for part, history in histories.items() for row in _loss_rows(part, history)]
    phases = [*map(_autoencoder_phase, config.autoencoder), *(_denoiser_phase(one, config) for one in config.denoiser)]
    text = _CARD.format(
        name=config.backbone,
        pipeline=facts.pipeline,
        command=_command(config),
        phases="\n".join(phases),
        seed=config.seed,
        num_frames=facts.num_frames,
        height=facts.size_hw[0],
        width=facts.size_hw[1],
        vae_parameters=facts.vae_parameters,
        parameters=facts.parameters,
        ema=config.denoiser[-1].ema_decay,
        machine=f"{platform.machine()}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}",
        hours=sum(row["seconds"] for history in histories.values() for row in history) / 3600,
        window=MEAN_OVER,
        chart=CHART,
        table=LOSSES,
        rows="\n".join(rows),
    )
    atomic_write_text(path, text)


def _command(config: PretrainConfig) -> str:
    words = ["interplay world pretrain --backbone", config.backbone, "--seed", str(config.seed)]
    if len(config.precisions) == 1:
        words += ["--precision", *config.precisions]
    return " ".join([*words, "--compile" if config.compile else "--no-compile", "--out OUT"])


def relist(folder: Path, names: Iterable[str]) -> None:
    """Let the manifest of ``folder`` list these files as they are now: a card is written on when the run is over."""
    manifest = read_manifest(folder)
    files = {**manifest["files"], **{name: entry_of(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**manifest, "files": dict(sorted(files.items()))})


def _autoencoder_phase(phase: AutoencoderConfig) -> str:
    crops = f"crops of {phase.crop_frames} x {phase.crop_px} x {phase.crop_px} pixels"
    if phase.trains == "decoder":
        crops += ", the decoder alone"
    return _phase(phase, crops, phase.precision)


def _denoiser_phase(phase: DenoiserConfig, config: PretrainConfig) -> str:
    blocks = "blocks compiled" if config.compile else "blocks not compiled"
    return _phase(phase, f"latents of {config.clips} clips", f"{phase.precision}, {blocks}")


def _phase(phase: AutoencoderConfig | DenoiserConfig, on: str, computed_in: str) -> str:
    cells = (phase.name, phase.steps, phase.batch_size, f"{phase.learning_rate:g}", on, computed_in)
    return f"| {' | '.join(map(str, cells))} |"


def _loss_rows(part: str, history: Sequence[Mapping[str, float]]) -> list[str]:
    """About eight rows from first to last, each the mean of the steps before it."""
    if not history:
        return []
    stride = max(len(history) // 8, 1)
    ends = sorted({*range(stride, len(history) + 1, stride), len(history)})
    return [f"| {part} | {end} | {mean_of(history[max(end - MEAN_OVER, 0) : end], 'loss'):.4f} |" for end in ends]
