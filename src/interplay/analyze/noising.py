"""Mode ``data``: clips of the dataset, noised to chosen timesteps, one forward each. Nothing is generated.

Clips that the model cannot take as they are go through buckets first, as in training: one geometry for the frames and
for the mask tracks, so that they cannot drift apart.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.source import Case, Moment, Source, Watch, sort_out
from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.core.seeds import derive_seed
from interplay.diffusion.training import noise_batch
from interplay.grid.assignment import Assignment, BucketReport, ClipShape, as_they_are, assign_all
from interplay.grid.buckets import make_buckets
from interplay.grid.pixels import to_tensor
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip
from interplay.records.media.video import stream_video
from interplay.records.store.reader import ClipStore


class Noising(Source):
    """The dataset's own videos and tracks. Each clip, draw and timestep has noise of its own, whatever its batch.

    ``fidelity`` is the interaction fidelity of clips that somebody judged.
    """

    def __init__(
        self, config: AnalyzeConfig, store: ClipStore, backbone: Backbone, fidelity: Mapping[str, float]
    ) -> None:
        clips = {clip.clip_id: clip for clip in store.select(split=config.split, limit=config.limit)}
        report = _in_buckets(config, list(clips.values()), backbone)
        self._fits = {assignment.clip_id: assignment for assignment in report.assigned}
        self.cases, self.skipped = sort_out(
            [_case(clips[name], assignment, fidelity.get(name)) for name, assignment in self._fits.items()]
        )
        self.skipped |= {drop.clip_id: drop.problem for drop in report.dropped}
        self._store, self._backbone, self._seed = store, backbone, config.seed
        limit = backbone.objective.num_train_timesteps
        self._timesteps = [min(limit - 1, int(fraction * limit)) for fraction in config.fractions()]
        self.num_steps, self.num_draws = len(self._timesteps), config.num_draws

    @torch.no_grad()
    def drive(self, batch: Sequence[Case], watch: Watch) -> None:
        """One forward per timestep and draw."""
        backbone = self._backbone
        videos = torch.stack([to_tensor(self.frames(case)) for case in batch])
        latents = backbone.encode_video(videos)
        grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
        first_frame = backbone.first_frame_condition(videos[:, :, 0], grid)
        text = backbone.encode_text([parse_caption(case.clip.caption).text for case in batch], first_frame)
        for step, timestep in enumerate(self._timesteps):
            timesteps = torch.full((len(batch),), timestep, device=latents.device)
            for draw in range(self.num_draws):
                moment = Moment(draw, step, timestep)
                noisy = self._noised(batch, latents, moment)
                watch(moment, partial(backbone.denoise, noisy, timesteps, text, first_frame))

    def frames(self, case: Case) -> UInt8[ndarray, "p y x 3"]:
        """The dataset's video, in the clip's bucket."""
        assignment, path = self._fits[case.clip.clip_id], self._store.folder / case.clip.video
        pictures = stream_video(path, assignment.frames)
        return np.concatenate([assignment.fit.frames(picture[None]) for picture in pictures])

    def _noised(
        self, batch: Sequence[Case], latents: Float[Tensor, "b c f h w"], moment: Moment
    ) -> Float[Tensor, "b c f h w"]:
        at = torch.tensor([moment.timestep])
        generators = [self._generator(case.clip, moment) for case in batch]
        noised = [
            noise_batch(self._backbone, clip[None], generator, at)
            for clip, generator in zip(latents, generators, strict=True)
        ]
        return torch.cat([one.noisy for one in noised])

    def _generator(self, clip: Clip, moment: Moment) -> torch.Generator:
        # The first draw has no number in its seed: the scores of one draw are the same however many there are.
        parts = (clip.clip_id, moment.step, *((moment.draw,) if moment.draw else ()))
        return torch.Generator().manual_seed(derive_seed(self._seed, "analyze", "noise", *parts))


def _in_buckets(config: AnalyzeConfig, clips: Sequence[Clip], backbone: Backbone) -> BucketReport:
    shapes = [ClipShape.of(clip) for clip in clips]
    if config.buckets is None:
        report = as_they_are(shapes)
        for bucket in report.buckets:
            _check_legal(backbone, bucket.frames, bucket.size_hw)
        return report
    like = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    return assign_all(shapes, make_buckets(config.buckets, like), config.buckets)


def _check_legal(backbone: Backbone, frames: int, size_hw: tuple[int, int]) -> None:
    try:
        backbone.grid(frames, size_hw)
    except InputError as error:
        cure = f"{error.cure}, or bring clips to legal sizes with --size {_native(backbone)}"
        raise InputError(error.problem, where=f"clips of this dataset, {error.where}", cure=cure) from error


def _native(backbone: Backbone) -> str:
    height, width = backbone.native_size_hw
    return f"{width}x{height}x{backbone.native_frames}"


def _case(clip: Clip, assignment: Assignment, fidelity: float | None) -> Case:
    """The clip as the model sees it: size, length and tracks of its bucket."""
    fit, frames = assignment.fit, assignment.frames
    tracks = {
        name: track if _is_whole(clip, assignment) else fit.track(track.select(frames))
        for name, track in clip.tracks.items()
    }
    return Case(replace(clip, num_frames=len(frames), size_hw=fit.target_hw, tracks=tracks), tracks, fidelity)


def _is_whole(clip: Clip, assignment: Assignment) -> bool:
    return clip.size_hw == assignment.fit.target_hw and assignment.frames == tuple(range(clip.num_frames))
