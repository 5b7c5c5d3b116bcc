"""CogVideoX behind the house's interface, on the stock pipelines and nothing else.

Text-to-video and image-to-video, 1.0 and 1.5, are one class here, told apart by the pipeline and its configs. Canonical
latents are ``b c f h w``; the stock transformer wants ``b f c h w``, and the permutation stays in here. The text
encoder runs without an attention mask, as the stock pipeline runs it, so padding tokens are part of the text.

Conditions: tokens are ``ids`` (``b t``), text is ``embeddings`` (``b t d``), first frames are ``latents``
(``b c 1 h w``) where the model is shown one, and ``b c f h w`` where it is shown a still clip of it.

Shape legend: see :mod:`interplay.backbones.base`; ``t`` text tokens, ``d`` text width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.cogvideox.check import check_pipeline
from interplay.backbones.cogvideox.first_frame import beside_the_noise, doubled
from interplay.backbones.cogvideox.layout import joint_layout
from interplay.backbones.cogvideox.positions import rotary_tables
from interplay.backbones.cogvideox.sampler import CogVideoXSampler
from interplay.backbones.cogvideox.sites import joint_sites
from interplay.backbones.devices import device_of
from interplay.backbones.native import Native, stock_sampling
from interplay.backbones.pipeline_backbone import PipelineBackbone
from interplay.backbones.widen import with_beside, with_zeros_behind
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid, neighbours

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLCogVideoX,
        CogVideoXImageToVideoPipeline,
        CogVideoXPipeline,
        CogVideoXTransformer3DModel,
    )
    from transformers import T5EncoderModel

# CogVideoX 1.5's configs name its largest grid; this is what the model cards and the stock pipeline run it at.
_RELEASED_1_5 = (81, (768, 1360))
# What the model cards of 1.0 and of 1.5 write their videos at.
_FPS, _FPS_1_5 = 8.0, 16.0
# What the released "ofs" embedding of CogVideoX 1.5 image-to-video is told (a constant of the stock pipeline).
_OFS = 2.0


class CogVideoX(PipelineBackbone):
    """CogVideoX 1.0 and 1.5, text-to-video and image-to-video; holds a stock pipeline."""

    transformer: CogVideoXTransformer3DModel
    pipeline: CogVideoXPipeline | CogVideoXImageToVideoPipeline
    text_encoder: T5EncoderModel
    vae: AutoencoderKLCogVideoX
    input_projection = "patch_embed.proj"

    def __init__(
        self, pipeline: CogVideoXPipeline | CogVideoXImageToVideoPipeline, name: str, native: Native | None = None
    ) -> None:
        self._shown = check_pipeline(pipeline, name)
        self.sees_first_frame = self._shown != "nothing"
        super().__init__(pipeline, name, native)
        fps = _FPS if self.transformer.config.patch_size_t is None else _FPS_1_5
        self.recommended = self.native.sampling or stock_sampling(pipeline, fps)
        self.objective = Objective("v", pipeline.scheduler.config.num_train_timesteps)

    @classmethod
    def released(cls, pipeline: CogVideoXPipeline | CogVideoXImageToVideoPipeline) -> Native:
        """As the transformer's config says; CogVideoX 1.5's names its largest grid."""
        config, stride = pipeline.transformer.config, _spatial_stride(pipeline.vae)
        size_hw = config.sample_height * stride, config.sample_width * stride
        frames, size_hw = (config.sample_frames, size_hw) if config.patch_size_t is None else _RELEASED_1_5
        return Native(int(frames), size_hw, int(config.max_text_seq_length))

    @property
    def _first_latents(self) -> int:
        return int(self.transformer.config.patch_size_t or 1)

    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        patch = self.transformer.config.patch_size
        height, width = self.released(self.pipeline).size_hw
        if self.transformer.config.use_learned_positional_embeddings and size_hw != (height, width):
            problem = f"{size_hw[0]} x {size_hw[1]} is not the size that {self.name} has positions for"
            raise InputError(problem, where="video height and width", cure=f"use {height} x {width}")
        return TokenGrid(
            frames=num_frames,
            height=size_hw[0],
            width=size_hw[1],
            temporal_stride=int(self.vae.config.temporal_compression_ratio),
            spatial_stride=_spatial_stride(self.vae),
            patch=(self._first_latents, patch, patch),
            first_latents=self._first_latents,
        )

    def check_decodes(self, num_frames: int) -> None:
        # The stock decoder takes latent frames in pairs, and the first one for a single picture only where one is over:
        # of two latent frames it makes eight pictures, not five.
        pair = 2 * int(self.vae.config.temporal_compression_ratio)
        if (num_frames - 1) % pair:
            cure = f"use {neighbours(num_frames, 1, pair)}"
            problem = f"{num_frames} is not 1 + a multiple of {pair}, which is what the autoencoder decodes"
            raise InputError(problem, where="number of frames", cure=cure)

    def sites(self) -> tuple[Site, ...]:
        return joint_sites(self.transformer.config.num_layers)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        return joint_layout(grid, text_length)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        tokens = self._padded_tokens(texts)
        return Batch({"ids": tokens.input_ids.to(self.device)})

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        return Batch({"embeddings": self.text_encoder(tokens["ids"])[0].to(self.dtype)})

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        latents = self.vae.encode(video.to(device_of(self.vae), self.vae.dtype)).latent_dist.mode()
        return doubled((latents * self.vae.config.scaling_factor).to(self.device, self.dtype), self._first_latents)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        taken = latents[:, :, self._first_latents - 1 :].to(device_of(self.vae), self.vae.dtype)
        return self.vae.decode(taken / self.vae.config.scaling_factor).sample.float().clamp(-1.0, 1.0)

    @torch.no_grad()
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        if not self.sees_first_frame:
            return Batch.empty(len(image), self.device)
        if self._shown == "still clip":
            return Batch({"latents": self._still_latents(image, grid)})
        return Batch({"latents": self._picture_latents(image)})

    @property
    def picture_channels(self) -> int:
        return self.latent_channels

    @torch.no_grad()
    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        if self._shown == "still clip":
            return self._still_latents(image, grid)
        return with_zeros_behind(self._picture_latents(image), grid.latent_shape[0])

    def _still_latents(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b c f h w"]:
        return self.encode_video(image[:, :, None].expand(-1, -1, grid.frames, -1, -1))

    def _picture_latents(self, image: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b c 1 h w"]:
        latents = self.vae.encode(image.to(device_of(self.vae), self.vae.dtype).unsqueeze(2)).latent_dist.mode()
        # Checkpoints of CogVideoX 1.5 divide where they should multiply; the VAE's config says which this is.
        factor = self.vae.config.scaling_factor
        latents = latents / factor if self.vae.config.invert_scale_latents else latents * factor
        return latents.to(self.device, self.dtype)

    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        factor = self.vae.config.scaling_factor / float(np.std(latents.float().cpu().numpy()))
        self.vae.register_to_config(scaling_factor=factor)

    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Batch,
        first_frame: Batch,
    ) -> Float[Tensor, "b c f h w"]:
        model_input = beside_the_noise(latents, first_frame["latents"]) if self.sees_first_frame else latents
        config = self.transformer.config
        prediction = self.transformer(
            hidden_states=with_beside(model_input, first_frame).to(self.dtype).transpose(1, 2),
            encoder_hidden_states=text["embeddings"],
            timestep=timesteps,
            ofs=None if config.ofs_embed_dim is None else latents.new_full((1,), _OFS),
            image_rotary_emb=rotary_tables(
                config, (latents.shape[2], latents.shape[3], latents.shape[4]), latents.device
            ),
            return_dict=False,
        )[0]
        return prediction.transpose(1, 2)

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        shape = (self.latent_channels, *grid.latent_shape)
        return CogVideoXSampler(self.pipeline.scheduler, steps, shape, self.device, self.dtype)

    def add_noise(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return self.pipeline.scheduler.add_noise(latents, noise, timesteps)

    def target(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return self.pipeline.scheduler.get_velocity(latents, noise, timesteps)


def _spatial_stride(vae: AutoencoderKLCogVideoX) -> int:
    return int(2 ** (len(vae.config.block_out_channels) - 1))
