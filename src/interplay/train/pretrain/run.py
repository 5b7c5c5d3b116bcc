"""``interplay world pretrain``: an untrained tiny backbone becomes one that knows the world.

Resumable at every stage: the autoencoder's and the denoiser's checkpoints and the latent cache wait in the artifact's
scratch folder until the pipeline is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from interplay.backbones.base import Backbone
from interplay.backbones.registry import backbone_input, build_tiny, load_backbone
from interplay.core.artifacts import Artifact, External, build, scratch
from interplay.core.errors import InputError
from interplay.train.history import History, mean_of
from interplay.train.precision import native_precision
from interplay.train.pretrain.autoencoder import check_crops, train_autoencoder
from interplay.train.pretrain.card import MEAN_OVER, CardFacts, write_card
from interplay.train.pretrain.chart import CHART, draw_chart
from interplay.train.pretrain.config import PretrainConfig
from interplay.train.pretrain.denoiser import train_denoiser, world_tokens
from interplay.train.pretrain.latents import cache_latents, calibrate
from interplay.train.pretrain.lineage import Lineage, lineage_of


def run(config: PretrainConfig, out: Path, *, start: str | None = None, overwrite: bool = False) -> Artifact:
    """Train ``config.backbone`` into ``out``, a pipeline folder (kind ``backbone``).

    It begins with random weights, or with those of ``start``: a backbone of the same kind by its name or folder, whose
    recipes and losses the new folder tells too. :class:`InputError` when ``start`` is of another kind, when one of its
    phases is named like one of ``config``, when there is no ``start`` and no autoencoder is trained, when a phase's
    crops do not fit clips or autoencoder, and when one shifts the noise levels of a model without flow matching.
    """
    resolved = config.resolved(native_precision())
    given = None if start is None else backbone_input(start)
    if given is None and not config.autoencoder:
        cure = "name the weights to begin with (--start), or leave in a phase of the autoencoder"
        raise InputError("the autoencoder begins with random weights, and no phase trains it", where=out, cure=cure)
    lineage = Lineage() if given is None else lineage_of(given.path)
    lineage.refuse_names_of(resolved)
    _check_phases(resolved)
    inputs = {} if given is None else {"start": given}

    def make(folder: Path) -> Mapping[str, Any]:
        return _train(resolved, given, lineage, folder)

    return build(out, kind="backbone", config=resolved, inputs=inputs, make=make, overwrite=overwrite)


def _train(config: PretrainConfig, start: External | None, lineage: Lineage, folder: Path) -> Mapping[str, Any]:
    work = scratch(folder)
    backbone = _begun(config, start)
    histories: dict[str, History] = {}
    for crops in config.autoencoder:
        histories[crops.name] = train_autoencoder(backbone, crops, work, seed=config.seed, save_every=config.save_every)
    summary: dict[str, Any] = {}
    if config.autoencoder:
        deviation = calibrate(backbone, backbone.native_frames, backbone.native_size_hw, config.seed)
        summary["latent_standard_deviation"] = deviation
    if config.denoiser:
        histories |= _train_denoiser(config, backbone, work)
    backbone.save(folder)
    whole = lineage.then(config, histories)
    whole.write(folder)
    write_card(folder / "README.md", whole, _facts(backbone))
    draw_chart(whole.histories, folder / CHART)
    return {**summary, "final_loss": mean_of(histories[config.phases[-1].name][-MEAN_OVER:], "loss")}


def _check_phases(config: PretrainConfig) -> None:
    """Nothing is begun, and hours later refused, because of a phase that its model cannot be trained by."""
    backbone = build_tiny(config.backbone, config.seed)
    for crops in config.autoencoder:
        check_crops(backbone, crops)
    for phase in config.denoiser:
        backbone.check_shift(phase.timestep_shift)


def _begun(config: PretrainConfig, start: External | None) -> Backbone:
    """The backbone as the run begins."""
    untrained = build_tiny(config.backbone, config.seed)
    if start is None:
        return untrained
    backbone = load_backbone(str(start.path))
    if _shapes(backbone) != _shapes(untrained):
        raise InputError(f"is no {config.backbone}", where=start.path, cure="name its kind as the backbone")
    return backbone


def _train_denoiser(config: PretrainConfig, backbone: Backbone, work: Path) -> dict[str, History]:
    cache = cache_latents(backbone, config.clips, backbone.native_frames, backbone.native_size_hw, config.seed, work)
    tokens = world_tokens(backbone, config.seed, config.clips)
    histories: dict[str, History] = {}
    for phase in config.denoiser:
        histories[phase.name] = train_denoiser(
            backbone,
            phase,
            cache,
            tokens,
            work,
            seed=config.seed,
            save_every=config.save_every,
            compiled=bool(config.compile),
        )
    return histories


def _facts(backbone: Backbone) -> CardFacts:
    size_hw, parameters = backbone.native_size_hw, sum(_size(module) for module in _denoising(backbone))
    return CardFacts(backbone.pipeline_class, backbone.native_frames, size_hw, _size(backbone.vae), parameters)


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _shapes(backbone: Backbone) -> list[dict[str, tuple[int, ...]]]:
    """Of all but the text encoders: those know the words of the day when they were made."""
    return [{name: tuple(p.shape) for name, p in m.named_parameters()} for m in (backbone.vae, *backbone.transformers)]


def _denoising(backbone: Backbone) -> tuple[nn.Module, ...]:
    return *backbone.transformers, *backbone.text_encoders
