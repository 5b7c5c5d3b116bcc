"""Training the video autoencoder: reconstruct crops of world clips, keep the latents at a known scale.

Shape legend: ``b`` batch, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.grid.pixels import to_tensor
from interplay.train.history import History
from interplay.train.loop import LoopConfig, Schedule, Trainer
from interplay.train.pretrain.config import AutoencoderConfig
from interplay.world.sampling import render_at

# Clips are rendered on the fly and never repeat; any index below this may be drawn.
_WORLD_CLIPS = 1 << 30
_MOVES = 0.2  # a tenth of the range [-1, 1]
_CHANGES = 0.02  # two or three grey levels


def train_autoencoder(
    backbone: Backbone, settings: AutoencoderConfig, folder: Path, *, seed: int, save_every: int
) -> History:
    """One phase: train the backbone's VAE in place (weights become the moving average); returns the logged losses."""
    schedule = Schedule(settings.steps, settings.learning_rate, settings.learning_rate / 50, warmup=100)
    loop = LoopConfig(ema_decay=0.995, save_every=save_every)
    module = AutoencoderLosses(backbone, settings, seed)
    return Trainer(module, schedule, folder, name=settings.name, seed=seed, loop=loop).run()


def check_crops(backbone: Backbone, settings: AutoencoderConfig) -> None:
    """:class:`.InputError` where a phase's crops lie in no clip, or do not go through this autoencoder and back."""
    clip = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    length, side, place = settings.crop_frames, settings.crop_px, f"recipe, phase {settings.name}"
    try:
        backbone.check_decodes(length)
        replace(clip, frames=length, height=side, width=side, patch=(1, 1, 1), first_latents=1)
    except InputError as error:
        raise InputError(error.problem, where=f"{place}, crops, {error.where}", cure=error.cure) from None
    if length > clip.frames or side > min(clip.height, clip.width):
        problem = f"{length} x {side} x {side} lies in no clip of {clip.frames} x {clip.height} x {clip.width}"
        raise InputError(problem, where=f"{place}, fields crop_frames and crop_px", cure="take smaller crops")
    if settings.still_weight and length == 1:
        cure = "take longer crops, or leave still_weight out"
        problem = "still_weight compares latent frames, and a single picture has one"
        raise InputError(problem, where=f"{place}, field crop_frames", cure=cure)


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
        """``loss``, ``absolute`` (mean error in pixel units of [-1, 1]), ``kl`` (nats per pixel value), ``still``."""
        video = self._crops(generator).to(next(self.vae.parameters()).device)
        with torch.autocast(video.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            posterior = self.vae.encode(video).latent_dist
            restored = self.vae.decode(posterior.sample(generator=generator)).sample
        error = (restored.float() - video).abs()
        weight = self._weight(video)
        kl = posterior.kl().float().sum() / video.numel()
        loss = (weight * error).mean() / weight.mean() + self.settings.kl_weight * kl * video.shape[1]
        losses = {"loss": loss, "absolute": error.mean(), "kl": kl}
        if self.settings.still_weight:
            losses["still"] = change_where_still(posterior.mode().float(), video)
            losses["loss"] = loss + self.settings.still_weight * losses["still"]
        return losses

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


def change_where_still(latents: Float[Tensor, "b c f h w"], video: Float[Tensor, "b 3 p y x"]) -> Tensor:
    """How much latents change from frame to frame where no pixel does: half the mean square, of the channels' variance.

    0 when what stands still is coded alike in all frames, whatever moves elsewhere, and 0 when nothing stands still. A
    denoiser then has it from the first frame, and need not find out how the code of a standing thing goes on.
    """
    still = still_positions(video, latents.shape[2:])
    variance = latents.detach().var(dim=(0, 2, 3, 4), keepdim=True)
    change = (latents.diff(dim=2).square() / (2.0 * variance)).mean(dim=1, keepdim=True)
    return (still * change).sum() / still.sum().clamp(min=1.0)


def still_positions(video: Float[Tensor, "b 3 p y x"], latent_size: torch.Size) -> Float[Tensor, "b 1 f2 h w"]:
    """1 at a latent position where neither it nor one beside it moves in a latent frame and in the one before.

    ``f2`` is one less than the latent frames ``(f, h, w)``: a causal autoencoder codes the first pixel frame alone and
    then groups of equal length, and what is asked is whether two neighbouring groups are the same.
    """
    frames, height, width = latent_size
    changed = (video.diff(dim=2).abs().amax(dim=1, keepdim=True) > _CHANGES).to(video.dtype)
    moves = functional.adaptive_max_pool3d(changed, (frames - 1, height, width))
    moves = functional.max_pool3d(moves, (1, 3, 3), stride=1, padding=(0, 1, 1))
    before = functional.pad(moves[:, :, :-1], (0, 0, 0, 0, 1, 0))
    return 1.0 - torch.maximum(moves, before)


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
