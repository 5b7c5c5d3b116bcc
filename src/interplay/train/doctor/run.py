"""``interplay doctor``: what a recipe will need, against what the machine has, before anything is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interplay.backbones.base import Backbone
from interplay.backbones.registry import load_skeleton
from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.grid.buckets import Bucket
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.layers import lists_of_each
from interplay.records.store.reader import ClipStore
from interplay.train.config import TrainConfig
from interplay.train.dataset import chosen_shapes, in_buckets
from interplay.train.doctor.estimate import Needs, estimate
from interplay.train.doctor.machine import Device, compute_device, free_disk
from interplay.train.run import DTYPES, with_chosen_layers

# The paper aligns two layers of one kind and one of the other (MATRIX, D). Which ones does not matter much for memory,
# but how far back from the output the first of them lies does: the very first layers cost most.
_ASSUMED_V2T, _ASSUMED_V2V = (0, 1), (2,)


@dataclass(frozen=True)
class Dataset:
    """The clips that a run would see: how many of each size, how many it leaves out and why."""

    clips: Mapping[Bucket, int]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Diagnosis:
    """What is needed and what there is. ``assumed`` lists what the recipe and the data leave open.

    ``batch_that_fits`` is the largest smaller batch size for which the memory would do; ``None`` when the recipe's own
    fits, 0 when not even a single clip does.
    """

    needs: Needs
    dataset: Dataset
    device: Device
    disk_free: int
    assumed: tuple[str, ...]
    batch_that_fits: int | None

    @property
    def fits(self) -> bool:
        """Whether memory and disk will do."""
        return self.needs.memory_bytes <= self.device.free and self.needs.disk_bytes <= self.disk_free

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, sizes in bytes."""
        return {
            "fits": self.fits,
            "memory_bytes": self.needs.memory_bytes,
            "disk_bytes": self.needs.disk_bytes,
            "memory": [asdict(part) for part in self.needs.memory],
            "disk": [asdict(part) for part in self.needs.disk],
            "trained_parameters": self.needs.trained,
            "clips": {str(bucket): count for bucket, count in self.dataset.clips.items()},
            "left_out": dict(self.dataset.left_out),
            "device": asdict(self.device),
            "disk_free_bytes": self.disk_free,
            "assumed": list(self.assumed),
            "batch_that_fits": self.batch_that_fits,
        }


def diagnose(
    config: TrainConfig,
    clips: Artifact | None,
    *,
    out: Path,
    analysis: Artifact | None = None,
    memory_bytes: int | None = None,
) -> Diagnosis:
    """Rehearse the recipe on ``clips`` (without any: on one clip of the model's own size).

    ``memory_bytes`` asks about a machine with so much device memory instead of this one.
    """
    resolved, assumed = _with_layers(config, analysis)
    skeleton = _skeleton(config)
    dataset = _dataset(resolved, skeleton, clips)
    if clips is None:
        assumed += (f"no dataset is given: one clip of the model's own size, {next(iter(dataset.clips))}",)
    needs = _needs(resolved, len(skeleton.transformers), dataset.clips)
    device = compute_device()
    if memory_bytes is not None:
        device = Device("the machine that is asked about", memory_bytes, memory_bytes)
    fits = needs.memory_bytes <= device.free
    fitting = None if fits else _smaller_batch(resolved, len(skeleton.transformers), dataset, device)
    return Diagnosis(needs, dataset, device, free_disk(out), assumed, fitting)


def _with_layers(config: TrainConfig, analysis: Artifact | None) -> tuple[TrainConfig, tuple[str, ...]]:
    matrix = config.matrix
    if matrix is None or analysis is not None:
        return with_chosen_layers(config, analysis), ()
    layers: dict[str, tuple[int, ...]] = {}
    if matrix.needs_v2t and not matrix.v2t_layers:
        layers["v2t_layers"] = _ASSUMED_V2T
    if matrix.needs_v2v and not matrix.v2v_layers:
        layers["v2v_layers"] = _ASSUMED_V2V
    if not layers:
        return config, ()
    named = ", ".join(str(layer) for layer in sorted({layer for chosen in layers.values() for layer in chosen}))
    assumed = f"the recipe leaves layers open: {named} are assumed, the first ones, which cost most"
    return config.model_copy(update={"matrix": matrix.model_copy(update=layers)}), (assumed,)


def _dataset(config: TrainConfig, skeleton: Backbone, clips: Artifact | None) -> Dataset:
    if clips is None:
        height, width = skeleton.native_size_hw
        return Dataset({Bucket(width, height, skeleton.native_frames): 1}, {})
    shapes = chosen_shapes(ClipStore(clips.path), config)
    if not shapes:
        cure = "name other splits in the recipe, or another dataset"
        raise InputError("none of its clips is in the recipe's splits", where=clips.path, cure=cure)
    report = in_buckets(skeleton, shapes, config)
    counts = Counter(assignment.bucket for assignment in report.assigned)
    return Dataset(dict(counts), {str(reason): count for reason, count in report.reasons.items()})


def _needs(config: TrainConfig, transformers: int, clips: Mapping[Bucket, int]) -> Needs:
    """The most that a recipe may need: as if all experts were aligned as the one whose layers cost most.

    A rehearsal leaves its adapter in the skeleton, so each takes a fresh one.
    """
    each = dict.fromkeys(_as_each_expert(config.matrix, transformers))
    recipes = [config.model_copy(update={"matrix": matrix}) for matrix in each]
    found = [estimate(one, _skeleton(one), clips) for one in recipes]
    return max(found, key=lambda needs: needs.memory_bytes)


def _skeleton(config: TrainConfig) -> Backbone:
    return load_skeleton(config.backbone, DTYPES[config.precision], text_to_video=config.text_to_video)


def _as_each_expert(matrix: MatrixConfig | None, transformers: int) -> list[MatrixConfig | None]:
    """The section with the layers of each transformer for all of them."""
    if matrix is None:
        return [None]
    v2t = lists_of_each(matrix.v2t_layers, transformers, where="matrix.v2t_layers")
    v2v = lists_of_each(matrix.v2v_layers, transformers, where="matrix.v2v_layers")
    return [
        matrix.model_copy(update={"v2t_layers": own_v2t, "v2v_layers": own_v2v})
        for own_v2t, own_v2v in zip(v2t, v2v, strict=True)
    ]


def _smaller_batch(config: TrainConfig, transformers: int, dataset: Dataset, device: Device) -> int:
    """The first of half the batch, a quarter, ... 1 that fits, or 0."""
    size = config.batch_size
    while size > 1:
        size //= 2
        smaller = config.model_copy(update={"batch_size": size})
        if _needs(smaller, transformers, dataset.clips).memory_bytes <= device.free:
            return size
    return 0
