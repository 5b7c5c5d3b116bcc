"""``interplay train``: a LoRA on a backbone, with or without alignment, from a recipe.

The artifact (kind ``training``) holds ``adapter/`` in the diffusers LoRA format, ``losses.csv`` and the resolved
``recipe.yaml``. The alignment heads serve training alone and are not shipped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone, Site
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build, scratch
from interplay.core.config import dump_recipe
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text, read_json
from interplay.core.seeds import derive_seed
from interplay.methods.matrix.config import MatrixConfig
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore
from interplay.train.config import TrainConfig
from interplay.train.dataset import EncodedClips, encode_clips
from interplay.train.loop import History, LoopConfig, Schedule, Trainer, mean_of
from interplay.train.losses import FineTuneLosses, MatrixLosses

ADAPTER_FOLDER = "adapter"


def run(
    config: TrainConfig, clips: Artifact, out: Path, *, analysis: Artifact | None = None, overwrite: bool = False
) -> Artifact:
    """Train on the clips of a dataset. Layers that the recipe leaves open are those that ``analysis`` chose."""
    resolved = with_chosen_layers(config, analysis)
    given: dict[str, Artifact | External] = {"clips": clips, "backbone": backbone_input(config.backbone)}
    inputs = given | ({"analysis": analysis} if analysis else {})
    return build(
        out,
        kind="training",
        config=resolved,
        inputs=inputs,
        make=lambda folder: _train(resolved, clips, folder),
        overwrite=overwrite,
    )


def with_chosen_layers(config: TrainConfig, analysis: Artifact | None) -> TrainConfig:
    """The recipe with ``matrix.v2t_layers`` and ``matrix.v2v_layers`` filled in from the analysis where empty."""
    if config.matrix is None or (config.matrix.v2t_layers and config.matrix.v2v_layers):
        return config
    if analysis is None:
        raise InputError(
            "names no layers to align",
            where="recipe, fields matrix.v2t_layers and matrix.v2v_layers",
            cure="name layers, or give --analysis (made by `interplay analyze`)",
        )
    chosen = read_json(analysis.path / "layers.json")["chosen"]
    matrix = config.matrix.model_copy(
        update={
            "v2t_layers": config.matrix.v2t_layers or tuple(chosen["v2t"]),
            "v2v_layers": config.matrix.v2v_layers or tuple(chosen["v2v"]),
        }
    )
    return config.model_copy(update={"matrix": matrix})


def _train(config: TrainConfig, clips: Artifact, folder: Path) -> Mapping[str, Any]:
    backbone = load_backbone(config.backbone)
    data = _encode(config, clips, backbone)
    sites = lora_sites(backbone, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "init", "lora"))
        backbone.add_lora(sites, config.lora.rank, config.lora.alpha)
    trainer = _trainer(config, backbone, data, scratch(folder))
    history = trainer.run()
    backbone.save_lora(folder / ADAPTER_FOLDER)
    dump_recipe(config, folder / "recipe.yaml")
    atomic_write_text(folder / "losses.csv", _as_csv(history))
    return {
        "steps": config.steps,
        "layers": _layers(config.matrix),
        "lora_layers": [site.layer for site in sites],
        "trainable_parameters": trainer.trainable_parameters,
        "clips": len(data),
        "lost_spans": list(data.lost_spans),
        "seconds_per_step": mean_of(history, "seconds"),
    }


def _encode(config: TrainConfig, clips: Artifact, backbone: Backbone) -> EncodedClips:
    store = ClipStore(clips.path)
    chosen: list[Clip] = [clip for split in config.splits for clip in store.select(split=split)][: config.limit]
    return encode_clips(backbone, store, chosen, config.matrix)


def lora_sites(backbone: Backbone, config: TrainConfig) -> list[Site]:
    """The sites that get a LoRA: the recipe's own layers, else those that the method aligns, else all."""
    aligned = {*config.matrix.v2t_layers, *config.matrix.v2v_layers} if config.matrix else set()
    wanted = set(config.lora.layers) or aligned or {site.layer for site in backbone.sites()}
    chosen = [site for site in backbone.sites() if site.layer in wanted]
    missing = wanted - {site.layer for site in chosen}
    if missing:
        raise InputError(
            f"layer {min(missing)} does not exist",
            where="recipe, field lora.layers",
            cure=f"choose among 0 to {max(site.layer for site in backbone.sites())}",
        )
    return chosen


def _trainer(config: TrainConfig, backbone: Backbone, data: EncodedClips, work: Path) -> Trainer:
    module = (
        MatrixLosses(backbone, data, config, config.matrix) if config.matrix else FineTuneLosses(backbone, data, config)
    )
    schedule = Schedule(config.steps, config.learning_rate, final=0.0, warmup=config.warmup_steps)
    loop = LoopConfig(
        weight_decay=config.weight_decay, clip_grad_norm=config.clip_grad_norm, save_every=config.save_every
    )
    return Trainer(module, schedule, work, name="train", seed=config.seed, loop=loop)


def _layers(matrix: MatrixConfig | None) -> dict[str, list[int]]:
    return {"v2t": list(matrix.v2t_layers), "v2v": list(matrix.v2v_layers)} if matrix else {"v2t": [], "v2v": []}


def _as_csv(history: History) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
