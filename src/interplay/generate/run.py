"""``interplay generate``: clips from a dataset's first frames and captions, or from a table of prompts.

Every clip gets the seed ``derive_seed(seed, "generate", clip_id)`` unless its row names one, so two models that are
given the same clips and root seed start from the same noise, clip by clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.placement import Offload
from interplay.backbones.registry import backbone_input
from interplay.core.artifacts import Artifact, External, build
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.core.progress import Progress
from interplay.generate.config import GenerateConfig
from interplay.generate.made import Made, sidecar_of
from interplay.generate.model import ADAPTER_FOLDER, Model, adapter_input, load
from interplay.generate.requests import Request, batches_of, requests_of_clips
from interplay.generate.table import PromptTable
from interplay.records.store.reader import ClipStore

INDEX, VIDEOS = "index.json", "videos"
_Requests = Callable[[Backbone], list[Request]]


def run(
    config: GenerateConfig,
    clips: Artifact,
    out: Path,
    *,
    training: Artifact | None = None,
    adapter: Path | None = None,
    device: str | torch.device = "cpu",
    offload: Offload = "none",
    overwrite: bool = False,
) -> Artifact:
    """Generate the chosen clips of a dataset with the backbone, and with the adapter where one is given.

    ``training`` is an artifact of this project; ``adapter`` a folder or file of weights (:func:`.load`).
    """

    def requests(backbone: Backbone) -> list[Request]:
        return requests_of_clips(config, ClipStore(clips.path), sees_first_frame=backbone.sees_first_frame)

    weights = _Weights(training, adapter)
    return _build(config, {"clips": clips}, requests, weights, out, device=device, offload=offload, overwrite=overwrite)


def run_prompts(
    config: GenerateConfig,
    table: Path,
    out: Path,
    *,
    training: Artifact | None = None,
    adapter: Path | None = None,
    device: str | torch.device = "cpu",
    offload: Offload = "none",
    overwrite: bool = False,
) -> Artifact:
    """Generate the clips of a table of prompts; all of it is checked before a model is loaded."""
    if config.splits:
        raise InputError("a table of prompts has no splits", where="splits", cure="leave it out")
    prompts = PromptTable.read(table)

    def requests(backbone: Backbone) -> list[Request]:
        return prompts.requests(config, backbone, config.limit)

    inputs: dict[str, Artifact | External] = {"prompts": prompts.as_input()}
    weights = _Weights(training, adapter)
    return _build(config, inputs, requests, weights, out, device=device, offload=offload, overwrite=overwrite)


class _Weights:
    """What was trained on the backbone: an artifact of this project, weights from elsewhere, or nothing."""

    def __init__(self, training: Artifact | None, adapter: Path | None) -> None:
        if training is not None and adapter is not None:
            raise InputError("is given beside a training", where=f"adapter {adapter}", cure="give one of the two")
        self.inputs: dict[str, Artifact | External] = {}
        self.path: Path | None = None
        if training is not None:
            self.inputs, self.path = {"training": training}, training.path / ADAPTER_FOLDER
        if adapter is not None:
            found = adapter_input(adapter)
            self.inputs, self.path = {"adapter": found}, found.path

    @property
    def identity(self) -> str | None:
        """The identity of the training or of the weights; ``None`` for the backbone as it is."""
        return next((given.identity for given in self.inputs.values()), None)


def _build(
    config: GenerateConfig,
    inputs: Mapping[str, Artifact | External],
    requests: _Requests,
    weights: _Weights,
    out: Path,
    *,
    device: str | torch.device,
    offload: Offload,
    overwrite: bool,
) -> Artifact:
    def make(folder: Path) -> Mapping[str, Any]:
        model = load(
            config.backbone,
            adapter=weights.path,
            device=device,
            dtype=config.dtype,
            offload=offload,
            tiling=config.tiling,
            text_to_video=config.text_to_video,
        )
        return _generate(config, model, requests(model.backbone), weights.identity, folder)

    given = {**inputs, "backbone": backbone_input(config.backbone), **weights.inputs}
    return build(out, kind="generation", config=config, inputs=given, make=make, overwrite=overwrite)


def _generate(
    config: GenerateConfig, model: Model, requests: Sequence[Request], adapter: str | None, folder: Path
) -> Mapping[str, Any]:
    model.check(requests, config)
    (folder / VIDEOS).mkdir(exist_ok=True)
    batches = batches_of(requests, config, model.backbone)
    waiting = [batch for batch in batches if not all(_sidecar(folder, one).is_file() for one in batch)]
    done = len(requests) - sum(len(batch) for batch in waiting)
    with Progress("generate", len(requests), done=done) as progress:
        for batch in waiting:
            _make_batch(model, batch, config, folder)
            progress.advance(len(batch))
    write_json(folder / INDEX, _index(config, model, requests, adapter, folder))
    return {"clips": len(requests), "backbone": config.backbone, "adapter": adapter is not None}


def _make_batch(model: Model, batch: Sequence[Request], config: GenerateConfig, folder: Path) -> None:
    """Make clips of one geometry; a video is written before its sidecar, which proves that the clip is complete."""
    clips: list[Made] = model.sample(batch, config)
    for made in clips:
        made.save(folder / _video_name(made.request), lossless=config.lossless, overwrite=True)


def _index(
    config: GenerateConfig, model: Model, requests: Sequence[Request], adapter: str | None, folder: Path
) -> dict[str, Any]:
    entries = [read_json(_sidecar(folder, request)) for request in requests]
    return {
        "backbone": config.backbone,
        "adapter": adapter,
        "steps": model.steps(config),
        "guidance": model.guidance_scale(config),
        "negative_prompt": config.negative_prompt,
        "attention_guidance": model.guidance(config).model_dump(mode="json"),
        "clips": [{**entry, "video": f"{VIDEOS}/{entry['video']}"} for entry in entries],
    }


def _video_name(request: Request) -> str:
    return f"{VIDEOS}/{request.clip_id}.mp4"


def _sidecar(folder: Path, request: Request) -> Path:
    return sidecar_of(folder / _video_name(request))
