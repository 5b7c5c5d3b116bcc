"""A dataset ready to train on: latents, first-frame conditions, token ids and alignment targets, encoded once.

Shape legend: ``n`` clips, ``b`` batch, ``c f h w`` latent channels, frames, height, width, ``t`` text tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.core.progress import Progress
from interplay.grid.pixels import to_tensor
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.targets import ClipTargets, caption_of, clip_targets
from interplay.records.caption import Caption, parse_caption, token_spans
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore

# A video autoencoder on the CPU encodes eight clips at once several times faster than one by one.
_BATCH = 8


@dataclass(frozen=True)
class EncodedClips:
    """All clips of a run in memory; ``targets`` is empty when nothing is aligned.

    ``lost_spans`` names the words that were cut off at the model's text length (``clip: label``).
    """

    grid: TokenGrid
    latents: Float[Tensor, "n c f h w"]
    conditions: Float[Tensor, "n c f h w"]
    tokens: Int[Tensor, "n t"]
    empty_tokens: Int[Tensor, "1 t"]
    targets: tuple[ClipTargets, ...]
    lost_spans: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.latents)


def encode_clips(
    backbone: Backbone, store: ClipStore, clips: Sequence[Clip], matrix: MatrixConfig | None
) -> EncodedClips:
    """Encode ``clips``; all must have one geometry (buckets of several sizes come with the data floor)."""
    _check_one_geometry(clips)
    grid = backbone.grid(clips[0].num_frames, clips[0].size_hw)
    captions = [caption_of(clip, matrix) if matrix else parse_caption(clip.caption) for clip in clips]
    latents, conditions = _encode_pixels(backbone, store, clips, grid)
    targets, lost = _align(backbone, clips, captions, grid, matrix) if matrix else ((), ())
    return EncodedClips(
        grid=grid,
        latents=latents,
        conditions=conditions,
        tokens=backbone.tokenize([caption.text for caption in captions]),
        empty_tokens=backbone.tokenize([""]),
        targets=targets,
        lost_spans=lost,
    )


def _encode_pixels(
    backbone: Backbone, store: ClipStore, clips: Sequence[Clip], grid: TokenGrid
) -> tuple[Float[Tensor, "n c f h w"], Float[Tensor, "n c f h w"]]:
    latents, conditions = [], []
    with Progress("encode clips", len(clips)) as progress:
        for start in range(0, len(clips), _BATCH):
            batch = clips[start : start + _BATCH]
            video = torch.stack([to_tensor(store.frames(clip)) for clip in batch])
            latents.append(backbone.encode_video(video))
            conditions.append(backbone.first_frame_condition(video[:, :, 0], grid.latent_shape[0]))
            progress.advance(len(batch))
    return torch.cat(latents), torch.cat(conditions)


def _align(
    backbone: Backbone, clips: Sequence[Clip], captions: Sequence[Caption], grid: TokenGrid, matrix: MatrixConfig
) -> tuple[tuple[ClipTargets, ...], tuple[str, ...]]:
    """Targets of every clip, and the spans that the text length cut off."""
    targets, lost = [], []
    for clip, caption in zip(clips, captions, strict=True):
        spans = token_spans(caption, backbone.tokenizer, backbone.text_length)
        lost += [f"{clip.clip_id}: {label}" for label in spans.lost]
        targets.append(clip_targets(clip, tokens=spans.tokens, grid=grid, pool=matrix.pool))
    return tuple(targets), tuple(lost)


def _check_one_geometry(clips: Sequence[Clip]) -> None:
    first = _geometry(clips[0])
    for clip in clips:
        if _geometry(clip) != first:
            problem = f"has {_geometry(clip)}, but {clips[0].clip_id} has {first}"
            cure = "train on clips of one size, made by one `interplay curate` or `interplay world make`"
            raise InputError(problem, where=f"clip {clip.clip_id}", cure=cure)


def _geometry(clip: Clip) -> str:
    return f"{clip.num_frames} frames of {clip.size_hw[0]} x {clip.size_hw[1]} pixels"
