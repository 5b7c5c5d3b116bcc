"""Mode ``data``: clips of the dataset, noised to chosen timesteps, one forward each. Nothing is generated.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.source import Case, Source, Watch, sort_out
from interplay.backbones.base import Backbone
from interplay.core.seeds import derive_seed
from interplay.diffusion.training import noise_batch
from interplay.grid.pixels import to_tensor
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore


class Noising(Source):
    """The dataset's own videos and tracks. Each clip and timestep has noise of its own, whatever its batch."""

    def __init__(self, config: AnalyzeConfig, store: ClipStore, backbone: Backbone) -> None:
        clips = store.select(split=config.split, limit=config.limit)
        self.cases, self.skipped = sort_out([Case(clip, clip.tracks) for clip in clips])
        self._store, self._backbone, self._seed = store, backbone, config.seed
        limit = backbone.objective.num_train_timesteps
        self._timesteps = [min(limit - 1, int(fraction * limit)) for fraction in config.fractions()]
        self.num_steps = len(self._timesteps)

    def drive(self, batch: Sequence[Case], watch: Watch) -> None:
        """One forward per timestep."""
        backbone = self._backbone
        videos = torch.stack([to_tensor(self.frames(case)) for case in batch])
        latents = backbone.encode_video(videos)
        grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
        first_frame = backbone.first_frame_condition(videos[:, :, 0], grid)
        text = backbone.encode_text([parse_caption(case.clip.caption).text for case in batch], first_frame)
        for step, timestep in enumerate(self._timesteps):
            noisy = self._noised(batch, latents, step, timestep)
            timesteps = torch.full((len(batch),), timestep, device=latents.device)
            watch(step, timestep, partial(backbone.denoise, noisy, timesteps, text, first_frame))

    def frames(self, case: Case) -> UInt8[ndarray, "p y x 3"]:
        """The dataset's video."""
        return self._store.frames(case.clip)

    def _noised(
        self, batch: Sequence[Case], latents: Float[Tensor, "b c f h w"], step: int, timestep: int
    ) -> Float[Tensor, "b c f h w"]:
        at = torch.tensor([timestep])
        generators = [self._generator(case.clip, step) for case in batch]
        noised = [
            noise_batch(self._backbone, clip[None], generator, at)
            for clip, generator in zip(latents, generators, strict=True)
        ]
        return torch.cat([one.noisy for one in noised])

    def _generator(self, clip: Clip, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, "analyze", "noise", clip.clip_id, step))
