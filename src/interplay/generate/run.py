"""``interplay generate``: the clips of a dataset again, from their first frame and caption alone.

Every clip gets the seed ``derive_seed(seed, "generate", clip_id)``, so two models that are given the same dataset and
root seed start from the same noise, clip by clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build
from interplay.core.files import write_json
from interplay.core.progress import Progress
from interplay.core.seeds import derive_seed
from interplay.diffusion.sampling import clip_generators, conditions_for, sample
from interplay.generate.config import GenerateConfig
from interplay.grid.pixels import to_frames, to_tensor
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore

ADAPTER_FOLDER = "adapter"


def run(
    config: GenerateConfig, clips: Artifact, out: Path, *, training: Artifact | None = None, overwrite: bool = False
) -> Artifact:
    """Generate the chosen clips with the backbone, and with the LoRA of ``training`` where one is given."""
    given: dict[str, Artifact | External] = {"clips": clips, "backbone": backbone_input(config.backbone)}
    inputs = given | ({"training": training} if training else {})
    return build(
        out,
        kind="generation",
        config=config,
        inputs=inputs,
        make=lambda folder: _generate(config, clips, training, folder),
        overwrite=overwrite,
    )


def choose_clips(store: ClipStore, splits: Sequence[str], limit: int | None) -> list[Clip]:
    """The first ``limit`` clips of each split, or of the whole dataset when no split is named."""
    if not splits:
        return store.select(limit=limit)
    return [clip for split in splits for clip in store.select(split=split, limit=limit)]


def _generate(config: GenerateConfig, clips: Artifact, training: Artifact | None, folder: Path) -> Mapping[str, Any]:
    store = ClipStore(clips.path)
    chosen = choose_clips(store, config.splits, config.limit)
    backbone = load_backbone(config.backbone)
    if training is not None:
        backbone.load_lora(training.path / ADAPTER_FOLDER)
    (folder / "videos").mkdir(exist_ok=True)
    batches = [chosen[i : i + config.batch_size] for i in range(0, len(chosen), config.batch_size)]
    waiting = [batch for batch in batches if not all(_sidecar(folder, clip).is_file() for clip in batch)]
    done = len(chosen) - sum(len(batch) for batch in waiting)
    with Progress("generate", len(chosen), done=done) as progress:
        for batch in waiting:
            _generate_batch(config, backbone, store, batch, training, folder)
            progress.advance(len(batch))
    write_json(folder / "index.json", _index(config, chosen, training, backbone.sees_first_frame))
    return {"clips": len(chosen), "backbone": config.backbone, "adapter": training is not None}


def _generate_batch(
    config: GenerateConfig,
    backbone: Backbone,
    store: ClipStore,
    batch: Sequence[Clip],
    training: Artifact | None,
    folder: Path,
) -> None:
    """Generate one batch; a video is written before its sidecar, so a sidecar proves that the clip is complete."""
    grid = backbone.grid(batch[0].num_frames, batch[0].size_hw)
    images = torch.stack([to_tensor(store.frames(clip)[:1])[:, 0] for clip in batch])
    conditions = conditions_for(backbone, [prompt_of(clip) for clip in batch], images, grid)
    generators = clip_generators([clip_seed(config.seed, clip) for clip in batch])
    latents = sample(backbone, conditions, generators, steps=config.steps, guidance_scale=config.guidance_scale)
    for clip, video in zip(batch, backbone.decode_video(latents), strict=True):
        write_video(folder / _video_name(clip), to_frames(video), clip.fps)
        write_json(_sidecar(folder, clip), _entry(config, clip, training, backbone.sees_first_frame))


def prompt_of(clip: Clip) -> str:
    """The plain text that the model is given."""
    return parse_caption(clip.caption).text


def clip_seed(root: int, clip: Clip) -> int:
    """The seed of a clip's noise under a root seed."""
    return derive_seed(root, "generate", clip.clip_id)


def _video_name(clip: Clip) -> str:
    return f"videos/{clip.clip_id}.mp4"


def _sidecar(folder: Path, clip: Clip) -> Path:
    return folder / "videos" / f"{clip.clip_id}.json"


def _entry(config: GenerateConfig, clip: Clip, training: Artifact | None, sees_first_frame: bool) -> dict[str, Any]:
    """Everything that reproduces one clip."""
    return {
        "clip_id": clip.clip_id,
        "video": _video_name(clip),
        "prompt": clip.caption,
        "seed": clip_seed(config.seed, clip),
        "steps": config.steps,
        "guidance_scale": config.guidance_scale,
        "backbone": config.backbone,
        "adapter": training.identity if training else None,
        "first_frame": f"frame 0 of {clip.video} in the dataset" if sees_first_frame else None,
        "fps": clip.fps,
        "num_frames": clip.num_frames,
        "size_hw": list(clip.size_hw),
    }


def _index(
    config: GenerateConfig, chosen: Sequence[Clip], training: Artifact | None, sees_first_frame: bool
) -> dict[str, Any]:
    return {
        "backbone": config.backbone,
        "adapter": training.identity if training else None,
        "steps": config.steps,
        "guidance": config.guidance_scale,
        "clips": [_entry(config, clip, training, sees_first_frame) for clip in chosen],
    }
