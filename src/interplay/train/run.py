"""``interplay train``: a LoRA on a backbone, with or without alignment, from a recipe.

The artifact (kind ``training``) holds ``adapter/`` (a LoRA in the diffusers format, and beside it what the method and
the recipe train in full), ``losses.csv``, the resolved ``recipe.yaml``, ``buckets.json`` (where every clip went, or why
it was left out) and ``missing.json`` (what alignment would have used and could not). A recipe with ``validation`` adds
``validation.json``, ``best/`` (the adapter of the smallest held-out loss), ``samples/`` and ``chart.png``. The
alignment heads serve training alone and are not shipped.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from interplay.backbones.base import Backbone, Site
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build, open_artifact, scratch
from interplay.core.cache import Cache
from interplay.core.config import dump_recipe, jsonable
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text, read_json, write_json
from interplay.core.progress import shown
from interplay.core.seeds import derive_seed
from interplay.methods.matrix.adapter import save_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import Installed, install
from interplay.methods.matrix.layers import LayerLists, Layers, as_lists, existing_of_each
from interplay.methods.matrix.requests import MatrixSites
from interplay.records.store.reader import ClipStore
from interplay.train.batches import TrainingClips
from interplay.train.chart import CHART, draw_chart
from interplay.train.compiled_blocks import compiled_blocks
from interplay.train.config import TrainConfig, ValidationConfig
from interplay.train.dataset import EncodedClips, chosen_shapes, encode_clips, in_buckets
from interplay.train.heldout import HELD_OUT, SAMPLES, HeldOut
from interplay.train.history import LOSSES, as_csv, mean_of
from interplay.train.loop import Examination, LoopConfig, Schedule, Trainer
from interplay.train.losses import FineTuneLosses, MatrixLosses
from interplay.train.optimizers import OptimizerConfig, check_optimizer
from interplay.train.parts import randomise, save_parts, unfreeze
from interplay.train.probes import Probes
from interplay.train.processes import Processes, together
from interplay.train.trackers import checked

ADAPTER_FOLDER, BEST_FOLDER = "adapter", "best"
BUCKETS, MISSING, VALIDATION = "buckets.json", "missing.json", "validation.json"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Surroundings:
    """What a run may be given that changes none of its results.

    ``trackers`` are names that accelerate knows; they write below ``tracking``. ``ignore_spikes`` goes on where the
    gradient jumps.
    """

    trackers: tuple[str, ...] = ()
    tracking: Path | None = None
    ignore_spikes: bool = False


def run(
    config: TrainConfig,
    clips: Artifact,
    out: Path,
    *,
    analysis: Artifact | None = None,
    cache: Cache | None = None,
    overwrite: bool = False,
    probes: Probes | None = None,
    surroundings: Surroundings | None = None,
) -> Artifact:
    """Train on the clips of a dataset. Layers that the recipe leaves open are those that ``analysis`` chose.

    What is computed once per clip lies in ``cache``; without one it lies with the unfinished work and goes with it.
    Under ``accelerate launch`` every process calls this, and the main one writes.
    """
    resolved = with_chosen_layers(config, analysis)
    used, around = probes or Probes(), surroundings or Surroundings()
    used.check(resolved)
    checked(around.trackers)
    check_optimizer(resolved.optimizer)
    processes = Processes()
    if resolved.compile and (processes.shards or processes.deepspeed):
        other = "shards (FSDP)" if processes.shards else "DeepSpeed"
        problem = f"asks for compiled blocks, and accelerate's configuration for {other}; the two were never tried"
        raise InputError(problem, where="recipe, field compile", cure="set compile: false, or use DDP")
    backbone = backbone_input(config.backbone)
    given: dict[str, Artifact | External] = {"clips": clips, "backbone": backbone}
    inputs = given | ({"analysis": analysis} if analysis else {})

    def built(make: Callable[[Path], Any]) -> Artifact:
        return build(out, kind="training", config=resolved, inputs=inputs, make=make, overwrite=overwrite)

    def make(folder: Path) -> Mapping[str, Any]:
        store = cache or Cache(scratch(folder) / "cache")
        return _train(_Task(resolved, clips, folder, store, backbone, used, around))

    with shown(processes.is_main):
        return together(processes, built, make) or open_artifact(out, "training")


def with_chosen_layers(config: TrainConfig, analysis: Artifact | None) -> TrainConfig:
    """The recipe with ``matrix.v2t_layers`` and ``matrix.v2v_layers`` filled in from the analysis where empty.

    Where experts share the noise levels each gets what the analysis chose for it. Layers of terms that the recipe does
    not have are nobody's business.
    """
    matrix = config.matrix
    if matrix is None:
        return config
    open_fields = {
        kind: name
        for kind, name, needed in (("v2t", "v2t_layers", matrix.needs_v2t), ("v2v", "v2v_layers", matrix.needs_v2v))
        if needed and not getattr(matrix, name)
    }
    if not open_fields:
        return config
    if analysis is None:
        raise InputError(
            "names no layers to align",
            where="recipe, fields matrix.v2t_layers and matrix.v2v_layers",
            cure="name layers, or give --analysis (made by `interplay analyze`)",
        )
    told = read_json(analysis.path / "layers.json")
    filled = {name: _chosen(told, relation) for relation, name in open_fields.items()}
    return config.model_copy(update={"matrix": matrix.model_copy(update=filled)})


def _chosen(told: Mapping[str, Any], relation: str) -> LayerLists:
    """What the analysis chose for each expert; an expert of which it knows nothing gets what it chose at all.

    Analyses of before experts were judged apart do not list any.
    """
    at_all = told["chosen"][relation]
    own = [expert["chosen"][relation] or at_all for expert in told.get("experts", ())]
    return as_lists(own or [at_all])


@dataclass(frozen=True)
class _Task:
    config: TrainConfig
    clips: Artifact
    folder: Path
    cache: Cache
    model: External
    probes: Probes
    around: Surroundings


@dataclass(frozen=True)
class TrainedModel:
    """A backbone with all that the recipe trains: adapters, what the method installed, and single parts."""

    backbone: Backbone
    installed: Installed | None
    parts: Mapping[str, nn.Parameter]
    lora: bool = True

    def save(self, folder: Path) -> None:
        """Write what was trained, as generation reads it."""
        save_adapter(self.backbone, folder, self.installed, lora=self.lora)
        save_parts(self.backbone, self.parts, folder)


def _train(task: _Task) -> Mapping[str, Any]:
    config, processes = task.config, Processes()
    backbone = _loaded(config, processes)
    backbone.check_shift(config.timestep_shift)
    if config.weights == "random":
        randomise(backbone, config.seed)
    installed = install_method(backbone, config)
    sites = lora_sites(backbone, config)
    store = ClipStore(task.clips.path)
    data, held_out = _encoded(task, backbone, installed, store)
    model = add_trained(backbone, config, installed, sites)
    losses = build_losses(config, backbone, data, installed)
    examination = _examination(task, losses, held_out, store, processes)
    trainer = _trainer(task, losses, data, examination)
    # Only now: what is wrong with a recipe has been refused by then, and its mended self meets no unfinished work.
    if processes.is_main:
        _tell(data, task.folder)
    with compiled_blocks(backbone.transformers) if config.compile else nullcontext():
        history = trainer.run()
    if processes.is_main:
        _write(task, model, trainer)
    return {
        "steps": config.steps,
        "layers": _layers(config.matrix),
        "lora_layers": as_lists([[site.layer for site in own] for own in sites]),
        "also_trained": sorted(model.parts),
        "trainable_parameters": trainer.trainable_parameters,
        "clips": len(data),
        "clips_per_step": config.batch_size * trainer.draws,
        "buckets": {str(bucket): count for bucket, count in data.report.counts.items()},
        "dropped_clips": len(data.report.dropped),
        "dropped": dict(data.report.reasons),
        "missing": _missing(data),
        "lost_spans": list(data.lost_spans),
        "seconds_per_step": mean_of(history, "seconds"),
    }


def _loaded(config: TrainConfig, processes: Processes) -> Backbone:
    """The backbone on this process's device; transformers that are to be shared out wait on the CPU until they are."""
    dtype = DTYPES[config.precision]
    if not processes.shards:
        return load_backbone(config.backbone, processes.device, dtype, text_to_video=config.text_to_video)
    backbone = load_backbone(config.backbone, dtype=dtype, text_to_video=config.text_to_video)
    backbone.computes_on = processes.device
    for network in backbone.networks.values():
        if network not in backbone.transformers:
            network.to(processes.device)
    return backbone


def install_method(backbone: Backbone, config: TrainConfig) -> Installed | None:
    """What the recipe's method changes of how a backbone reads; before anything is encoded."""
    return None if config.matrix is None else install(backbone, config.matrix, seed=_seed(config, "markers"))


def _encoded(
    task: _Task, backbone: Backbone, installed: Installed | None, store: ClipStore
) -> tuple[EncodedClips, EncodedClips | None]:
    """The clips to train on, and the held-out ones where the recipe wants any."""
    wanted = task.config.validation
    reading = None if installed is None else installed.identity
    kept: dict[str, Any] = {"cache": task.cache, "model": task.model.identity, "reading": reading}
    # Asked before anything is encoded, which may take hours.
    apart = None if wanted is None else _held_out(task.config, wanted, store)
    if apart is not None and wanted is not None and wanted.samples:
        _check_samples(backbone, apart, store)
    data = encode_clips(backbone, store, task.config, **kept)
    if apart is None:
        return data, None
    held_out = encode_clips(backbone, store, apart, must_align=False, **kept)
    known = {data.clip_id(row) for row in range(len(data))}
    both = [name for name in map(held_out.clip_id, range(len(held_out))) if name in known]
    if both:
        cure = "name other splits in validation.splits, or in splits"
        raise InputError(f"clip {both[0]} is trained on too", where="recipe, field validation.splits", cure=cure)
    return data, held_out


def _held_out(config: TrainConfig, wanted: ValidationConfig, store: ClipStore) -> TrainConfig:
    """The recipe about the clips that are measured."""
    try:
        for split in wanted.splits:
            store.select(split, limit=0)
    except InputError as error:
        cure = f"{error.cure}; or measure nothing: --set validation=null"
        raise InputError(error.problem, where=f"recipe, field validation.splits ({error.where})", cure=cure) from None
    return config.model_copy(update={"splits": wanted.splits, "limit": wanted.limit})


def _check_samples(backbone: Backbone, apart: TrainConfig, store: ClipStore) -> None:
    """:class:`.InputError` when held-out clips are of a length that is trained on and cannot be decoded."""
    counts = in_buckets(backbone, chosen_shapes(store, apart), apart).counts
    for bucket in (bucket for bucket, count in counts.items() if count):
        try:
            backbone.check_decodes(bucket.frames)
        except InputError as error:
            cure = f"{error.cure}, or sample nothing: --set validation.samples=0 --set validation.judge=null"
            raise InputError(
                error.problem, where="recipe, field validation.samples, number of frames", cure=cure
            ) from None


def add_trained(
    backbone: Backbone, config: TrainConfig, installed: Installed | None, sites: Sequence[Sequence[Site]]
) -> TrainedModel:
    """Freeze a backbone and add what the recipe trains of it; random weights follow from the recipe's seed.

    ``sites`` are those of each transformer that get a LoRA (:func:`lora_sites`).
    """
    lora = config.lora
    if lora is None:
        for transformer in backbone.transformers:
            transformer.requires_grad_(False)
    else:
        with torch.random.fork_rng():
            torch.manual_seed(_seed(config, "lora"))
            for expert, own in enumerate(sites):
                backbone.add_lora(own, lora.rank, lora.alpha, expert=expert)
    if config.gradient_checkpointing:
        for transformer in backbone.transformers:
            cast(Any, transformer).enable_gradient_checkpointing()  # every diffusers transformer has it
    widened = installed is not None and installed.channels > 0
    parts = unfreeze(backbone, config.trained_parts, widened=widened)
    if lora is None and not parts and not (installed is not None and installed.trained):
        cure = "give lora, or name parts in also_train"
        raise InputError("leaves nothing to train", where="recipe, fields lora and also_train", cure=cure)
    return TrainedModel(backbone, installed, parts, lora=lora is not None)


def build_losses(
    config: TrainConfig, backbone: Backbone, data: TrainingClips, installed: Installed | None
) -> FineTuneLosses:
    """The module that the recipe minimises; its random weights follow from the recipe's seed.

    What is trained is float32 whatever the precision: bfloat16 has too few digits to add small updates up.
    """
    with torch.random.fork_rng():
        torch.manual_seed(_seed(config, "heads"))
        losses = (
            FineTuneLosses(backbone, data, config)
            if config.matrix is None or installed is None
            else MatrixLosses(backbone, data, config, config.matrix, installed)
        )
    for parameter in losses.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return losses


def _seed(config: TrainConfig, what: str) -> int:
    return derive_seed(config.seed, "init", what)


def _examination(
    task: _Task,
    losses: FineTuneLosses,
    held_out: EncodedClips | None,
    store: ClipStore,
    processes: Processes,
) -> Examination | None:
    settings = task.config.validation
    if settings is None or held_out is None:
        return None
    samples = task.folder / SAMPLES
    backbone, seed = losses.backbone, task.config.seed
    last = task.config.steps
    measured = HeldOut(settings, backbone, losses, held_out, store, task.probes, samples, last, seed, processes)
    return Examination(settings.every, measured.take, best_by=HELD_OUT)


def _trainer(task: _Task, losses: FineTuneLosses, data: EncodedClips, examination: Examination | None) -> Trainer:
    config, around = task.config, task.around
    return Trainer(
        losses,
        schedule_of(config),
        scratch(task.folder),
        name="train",
        seed=config.seed,
        loop=loop_of(config, ignore_spikes=around.ignore_spikes),
        described=lambda: "clips " + ", ".join(data.clip_id(row) for row in losses.last_rows),
        examination=examination,
        trackers=around.trackers,
        tracking=around.tracking,
        settings=jsonable(config),
    )


def loop_of(config: TrainConfig, *, ignore_spikes: bool = False) -> LoopConfig:
    """How the loop runs a recipe."""
    return LoopConfig(
        optimizer=OptimizerConfig(name=config.optimizer, weight_decay=config.weight_decay, betas=config.betas),
        clip_grad_norm=config.clip_grad_norm,
        ema_decay=config.ema_decay,
        save_every=config.save_every,
        keep_checkpoints=config.keep_checkpoints,
        accumulate=config.gradient_accumulation,
        precision=config.precision,
        spike_factor=None if ignore_spikes else config.spike_factor,
    )


def schedule_of(config: TrainConfig) -> Schedule:
    """The learning rate of every step of a recipe."""
    return Schedule(
        config.steps,
        config.learning_rate,
        final=config.final_learning_rate,
        warmup=config.warmup_steps,
        shape=config.schedule,
        warmup_shape=config.warmup,
    )


# --- what a run leaves -----------------------------------------------------------------------------------------------


def _write(task: _Task, model: TrainedModel, trainer: Trainer) -> None:
    folder, history, examined = task.folder, trainer.history, trainer.examined
    model.save(folder / ADAPTER_FOLDER)
    with trainer.best() as best:
        if best is not None:
            model.save(folder / BEST_FOLDER)
    dump_recipe(task.config, folder / "recipe.yaml")
    atomic_write_text(folder / LOSSES, as_csv(history))
    if task.config.validation is not None:
        write_json(folder / VALIDATION, {"best_step": best and best["step"], "rows": examined})
        draw_chart(history, examined, folder / SAMPLES, folder / CHART)


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


def lora_sites(backbone: Backbone, config: TrainConfig) -> list[list[Site]]:
    """The sites of each transformer that get a LoRA: all of the recipe's own layers, else those aligned, else all."""
    transformers = len(backbone.transformers)
    if config.lora is None:
        return [[]] * transformers
    if not config.lora.layers:
        aligned = MatrixSites.of_each(backbone, config.matrix) if config.matrix else ()
        sites = [own.lora_sites(backbone) for own in aligned]
        return sites if any(sites) else [list(backbone.sites())] * transformers
    there = {site.layer for site in backbone.sites()}
    each = existing_of_each(config.lora.layers, transformers, there, where="recipe, field lora.layers")
    return [[site for site in backbone.sites() if site.layer in own] for own in each]


def _layers(matrix: MatrixConfig | None) -> dict[str, Any]:
    """The layers of the recipe, in one list or in one for each transformer."""
    layers = Layers() if matrix is None else Layers(v2t=matrix.v2t_layers, v2v=matrix.v2v_layers)
    return layers.model_dump(mode="json")
