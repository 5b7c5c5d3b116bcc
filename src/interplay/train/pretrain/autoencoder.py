"""Training the video autoencoder: reconstruct crops of world clips, keep the latents at a known scale.

Shape legend: ``b`` batch, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.grid.pixels import to_tensor
from interplay.train.history import History
from interplay.train.loop import LoopConfig, Schedule, Trainer
from interplay.train.pretrain.config import AutoencoderConfig
from interplay.world.sampling import render_at

# Clips are rendered on the fly and never repeat; any index below this may be drawn.
_WORLD_CLIPS = 1 << 30
_MOVES = 0.2  # a tenth of the range [-1, 1]


def train_autoencoder(
    backbone: Backbone, settings: AutoencoderConfig, folder: Path, *, seed: int, save_every: int
) -> History:
    """One phase: train the backbone's VAE in place (weights become the moving average); returns the logged losses."""
    schedule = Schedule(settings.steps, settings.learning_rate, settings.learning_rate / 50, warmup=100)
    loop = LoopConfig(ema_decay=0.995, save_every=save_every)
    module = AutoencoderLosses(backbone, settings, seed)
    return Trainer(module, schedule, folder, name=settings.name, seed=seed, loop=loop).run()


class AutoencoderLosses(nn.Module):
    """Absolute reconstruction error of random crops, and the Kullback-Leibler term that fixes the latents' scale."""

    def __init__(self, backbone: Backbone, settings: AutoencoderConfig, seed: int) -> None:
        super().__init__()
        self.vae = backbone.vae
        self.settings, self.seed = settings, seed
        self.num_frames, self.size_hw = backbone.native_frames, backbone.native_size_hw
        for part in _encoding(self.vae):
            part.requires_grad_(settings.trains == "autoencoder")

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``, ``absolute`` (mean error in pixel units of [-1, 1]) and ``kl`` (nats per pixel value)."""
        video = self._crops(generator).to(next(self.vae.parameters()).device)
        with torch.autocast(video.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            posterior = self.vae.encode(video).latent_dist
            restored = self.vae.decode(posterior.sample(generator=generator)).sample
        error = (restored.float() - video).abs()
        weight = self._weight(video)
        kl = posterior.kl().float().sum() / video.numel()
        loss = (weight * error).mean() / weight.mean() + self.settings.kl_weight * kl * video.shape[1]
        return {"loss": loss, "absolute": error.mean(), "kl": kl}

    def _weight(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b 1 p y x"]:
        """How much each pixel counts; one that stands still and is grey counts 1."""
        color = self.settings.color_weight * colorfulness(video)
        return 1.0 + self.settings.motion_weight * moving_pixels(video) + color

    def _crops(self, generator: torch.Generator) -> Float[Tensor, "b 3 p y x"]:
        length, side = self.settings.crop_frames, self.settings.crop_px
        crops = []
        for _ in range(self.settings.batch_size):
            index = _below(_WORLD_CLIPS, generator)
            _, rendering = render_at(self.seed, "train", index, self.num_frames, self.size_hw)
            start = _below(self.num_frames - length + 1, generator)
            clip = to_tensor(rendering.frames[start : start + length])
            top, left = self._corner(clip, generator)
            crops.append(clip[:, :, top : top + side, left : left + side])
        return torch.stack(crops)

    def _corner(self, clip: Float[Tensor, "3 p y x"], generator: torch.Generator) -> tuple[int, int]:
        """Where a crop begins: anywhere, or so that something that moves lies in it."""
        side = self.settings.crop_px
        limits = [size - side for size in self.size_hw]
        moving = moving_pixels(clip[None])[0, 0, 0].nonzero()
        share = self.settings.moving_share
        if not len(moving) or float(torch.rand((), generator=generator)) >= share:
            return _below(limits[0] + 1, generator), _below(limits[1] + 1, generator)
        seen = moving[_below(len(moving), generator)].tolist()
        row, column = (min(max(at - _below(side, generator), 0), limit) for at, limit in zip(seen, limits, strict=True))
        return row, column


def moving_pixels(video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b 1 1 y x"]:
    """1 where any channel changes by more than a tenth of the value range over the clip, 0 elsewhere."""
    span = video.amax(dim=2, keepdim=True) - video.amin(dim=2, keepdim=True)
    return (span.amax(dim=1, keepdim=True) > _MOVES).to(video.dtype)


def colorfulness(video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b 1 p y x"]:
    """How far the strongest channel lies above the weakest, of the value range: 0 for grey, 1 for pure red."""
    return (video.amax(dim=1, keepdim=True) - video.amin(dim=1, keepdim=True)) / 2


def _encoding(vae: nn.Module) -> list[nn.Module]:
    """The parts of a diffusers autoencoder that latents come from."""
    return [part for name, part in vae.named_children() if name in ("encoder", "quant_conv")]


def _below(limit: int, generator: torch.Generator) -> int:
    return int(torch.randint(limit, (1,), generator=generator))
