"""``interplay train``: a LoRA on a backbone, with or without alignment, from a recipe.

The artifact (kind ``training``) holds ``adapter/`` in the diffusers LoRA format, ``losses.csv``, the resolved
``recipe.yaml``, ``buckets.json`` (where every clip went, or why it was left out) and ``missing.json`` (what alignment
would have used and could not). The alignment heads serve training alone and are not shipped.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone, Site
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build, scratch
from interplay.core.cache import Cache
from interplay.core.config import dump_recipe
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text, read_json, write_json
from interplay.core.seeds import derive_seed
from interplay.methods.matrix.config import MatrixConfig
from interplay.records.store.reader import ClipStore
from interplay.train.batches import TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.dataset import EncodedClips, encode_clips
from interplay.train.loop import History, LoopConfig, Schedule, Trainer, mean_of
from interplay.train.losses import FineTuneLosses, MatrixLosses
from interplay.train.optimizers import OptimizerConfig

ADAPTER_FOLDER = "adapter"
BUCKETS, MISSING = "buckets.json", "missing.json"


def run(
    config: TrainConfig,
    clips: Artifact,
    out: Path,
    *,
    analysis: Artifact | None = None,
    cache: Cache | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Train on the clips of a dataset. Layers that the recipe leaves open are those that ``analysis`` chose.

    What is computed once per clip lies in ``cache``; without one it lies with the unfinished work and goes with it.
    """
    resolved = with_chosen_layers(config, analysis)
    backbone = backbone_input(config.backbone)
    given: dict[str, Artifact | External] = {"clips": clips, "backbone": backbone}
    inputs = given | ({"analysis": analysis} if analysis else {})
    return build(
        out,
        kind="training",
        config=resolved,
        inputs=inputs,
        make=lambda folder: _train(resolved, clips, folder, cache or Cache(scratch(folder) / "cache"), backbone),
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


def _train(config: TrainConfig, clips: Artifact, folder: Path, cache: Cache, model: External) -> Mapping[str, Any]:
    backbone = load_backbone(config.backbone)
    sites = lora_sites(backbone, config)
    data = encode_clips(backbone, ClipStore(clips.path), config, cache=cache, model=model.identity)
    _tell(data, folder)
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
        "buckets": {str(bucket): count for bucket, count in data.report.counts.items()},
        "dropped_clips": len(data.report.dropped),
        "dropped": dict(data.report.reasons),
        "missing": _missing(data),
        "lost_spans": list(data.lost_spans),
        "seconds_per_step": mean_of(history, "seconds"),
    }


def _tell(data: EncodedClips, folder: Path) -> None:
    """Write and say what of the dataset is not used, before the steps begin."""
    report = data.report
    write_json(folder / BUCKETS, report.to_json())
    write_json(folder / MISSING, [asdict(missing) for missing in data.missing])
    if report.dropped:
        told = f"{len(report.dropped)} of {report.total} clips are left out ({_listed(report.reasons)})"
        print(f"{told}: see {folder / BUCKETS}", file=sys.stderr)
    if data.missing:
        lacking = {missing.clip_id for missing in data.missing}
        reasons = Counter(missing.reason for missing in data.missing)
        told = f"{len(lacking)} of {len(data)} clips lack something to align ({_listed(reasons)})"
        print(f"{told}: see {folder / MISSING}", file=sys.stderr)


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _missing(data: EncodedClips) -> dict[str, int]:
    """How often a term misses something, by term and reason."""
    return dict(Counter(f"{missing.term}: {missing.reason}" for missing in data.missing))


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


def _trainer(config: TrainConfig, backbone: Backbone, data: TrainingClips, work: Path) -> Trainer:
    module = (
        MatrixLosses(backbone, data, config, config.matrix) if config.matrix else FineTuneLosses(backbone, data, config)
    )
    schedule = Schedule(config.steps, config.learning_rate, final=0.0, warmup=config.warmup_steps)
    loop = LoopConfig(
        optimizer=OptimizerConfig(weight_decay=config.weight_decay),
        clip_grad_norm=config.clip_grad_norm,
        save_every=config.save_every,
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
