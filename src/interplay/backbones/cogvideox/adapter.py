"""CogVideoX image-to-video behind the house's interface, on the stock pipeline and nothing else.

Canonical latents are ``b c f h w``; the stock transformer wants ``b f c h w``, and the permutation stays in here. The
text encoder runs without an attention mask, as the stock pipeline runs it, so padding tokens are part of the text.

Conditions: tokens are ``ids`` (``b t``), text is ``embeddings`` (``b t d``), first frames are ``latents``
(``b c 1 h w``).

Shape legend: see :mod:`interplay.backbones.base`; ``t`` text tokens, ``d`` text width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Backbone, Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.cogvideox.layout import joint_layout
from interplay.backbones.cogvideox.sampler import DPMSampler
from interplay.backbones.cogvideox.sites import joint_sites
from interplay.backbones.lora import adapter_layers, adapter_settings, add_adapters
from interplay.backbones.quiet import quiet
from interplay.backbones.skeleton import skeleton_pipeline
from interplay.backbones.storage import save_as_half
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Tokenizer

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX, CogVideoXImageToVideoPipeline, CogVideoXTransformer3DModel
    from transformers import T5EncoderModel


class CogVideoX(Backbone):
    """CogVideoX 1.0 image-to-video (rotary embeddings); holds a stock pipeline."""

    transformer: CogVideoXTransformer3DModel
    text_encoder: T5EncoderModel
    vae: AutoencoderKLCogVideoX

    def __init__(self, pipeline: CogVideoXImageToVideoPipeline, name: str) -> None:
        config = pipeline.transformer.config
        if not config.use_rotary_positional_embeddings or config.patch_size_t is not None:
            raise InputError(
                "is a CogVideoX without rotary embeddings or with temporal patches",
                where=name,
                cure="use a CogVideoX 1.0 image-to-video checkpoint",
            )
        self.name = name
        self.pipeline = pipeline
        self.transformer = pipeline.transformer
        self.text_encoder = pipeline.text_encoder
        self.vae = pipeline.vae
        self.objective = Objective("v", pipeline.scheduler.config.num_train_timesteps)

    @classmethod
    def load(cls, folder: str | Path, device: torch.device, dtype: torch.dtype) -> CogVideoX:
        """Load a pipeline folder (or hub name) through the stock pipeline class."""
        from diffusers import CogVideoXImageToVideoPipeline

        with quiet():
            pipeline = CogVideoXImageToVideoPipeline.from_pretrained(str(folder), dtype=dtype)
        pipeline.transformer.eval()
        return cls(pipeline.to(device), str(folder))

    @classmethod
    def skeleton(cls, folder: Path, dtype: torch.dtype) -> CogVideoX:
        """The same modules from their configs alone, on the ``meta`` device; a folder without weights will do."""
        from diffusers import CogVideoXImageToVideoPipeline

        return cls(skeleton_pipeline(CogVideoXImageToVideoPipeline, folder, dtype), str(folder))

    @property
    def tokenizer(self) -> Tokenizer:
        return self.pipeline.tokenizer

    @property
    def text_length(self) -> int:
        return int(self.transformer.config.max_text_seq_length)

    @property
    def native_frames(self) -> int:
        return int(self.transformer.config.sample_frames)

    @property
    def native_size_hw(self) -> tuple[int, int]:
        config = self.transformer.config
        return config.sample_height * self._spatial_stride, config.sample_width * self._spatial_stride

    @property
    def latent_channels(self) -> int:
        return int(self.vae.config.latent_channels)

    @property
    def pipeline_class(self) -> str:
        return type(self.pipeline).__name__

    @property
    def _spatial_stride(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        patch = self.transformer.config.patch_size
        return TokenGrid(
            frames=num_frames,
            height=size_hw[0],
            width=size_hw[1],
            temporal_stride=int(self.vae.config.temporal_compression_ratio),
            spatial_stride=self._spatial_stride,
            patch=(1, patch, patch),
        )

    def sites(self) -> tuple[Site, ...]:
        return joint_sites(self.transformer.config.num_layers)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        return joint_layout(grid, text_length)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        tokens = self.pipeline.tokenizer(
            list(texts), padding="max_length", max_length=self.text_length, truncation=True, return_tensors="pt"
        )
        return Batch({"ids": tokens.input_ids.to(self.device)})

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        return Batch({"embeddings": self.text_encoder(tokens["ids"])[0].to(self.dtype)})

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        latents = self.vae.encode(video.to(self.device, self.vae.dtype)).latent_dist.mode()
        return (latents * self.vae.config.scaling_factor).to(self.dtype)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        scaled = latents.to(self.vae.dtype) / self.vae.config.scaling_factor
        return self.vae.decode(scaled).sample.float().clamp(-1.0, 1.0)

    @torch.no_grad()
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        latents = self.vae.encode(image.to(self.device, self.vae.dtype).unsqueeze(2)).latent_dist.mode()
        # Checkpoints of CogVideoX 1.5 divide where they should multiply; the VAE's config says which this is.
        factor = self.vae.config.scaling_factor
        latents = latents / factor if self.vae.config.invert_scale_latents else latents * factor
        return Batch({"latents": latents.to(self.dtype)})

    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        factor = self.vae.config.scaling_factor / float(np.std(latents.float().cpu().numpy()))
        self.vae.register_to_config(scaling_factor=factor)

    def save(self, folder: Path) -> None:
        save_as_half(self.pipeline, folder)

    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Batch,
        first_frame: Batch,
    ) -> Float[Tensor, "b c f h w"]:
        first = first_frame["latents"]
        later = first.new_zeros(*first.shape[:2], latents.shape[2] - 1, *first.shape[3:])
        prediction = self.transformer(
            hidden_states=torch.cat([latents, torch.cat([first, later], dim=2)], dim=1).transpose(1, 2),
            encoder_hidden_states=text["embeddings"],
            timestep=timesteps,
            image_rotary_emb=self._rotary(latents.shape[2], latents.shape[3], latents.shape[4]),
            return_dict=False,
        )[0]
        return prediction.transpose(1, 2)

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        shape = (self.latent_channels, *grid.latent_shape)
        return DPMSampler(self.pipeline.scheduler, steps, shape, self.device, self.dtype)

    def add_lora(self, sites: Sequence[Site], rank: int, alpha: float) -> None:
        add_adapters(self.transformer, sites, rank, alpha)

    def save_lora(self, folder: Path) -> None:
        self.pipeline.save_lora_weights(
            str(folder),
            transformer_lora_layers=adapter_layers(self.transformer),
            transformer_lora_adapter_metadata=adapter_settings(self.transformer),
        )

    def load_lora(self, folder: Path) -> None:
        self.pipeline.load_lora_weights(str(folder))

    def add_noise(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return self.pipeline.scheduler.add_noise(latents, noise, timesteps)

    def target(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return self.pipeline.scheduler.get_velocity(latents, noise, timesteps)

    def _rotary(self, frames: int, latent_height: int, latent_width: int) -> tuple[Tensor, Tensor]:
        """Rotary tables of the token grid, centred on the grid that the model was configured with (as stock does)."""
        from diffusers.models.embeddings import get_3d_rotary_pos_embed
        from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid

        config = self.transformer.config
        height, width = latent_height // config.patch_size, latent_width // config.patch_size
        crops = get_resize_crop_region_for_grid(
            (height, width), config.sample_width // config.patch_size, config.sample_height // config.patch_size
        )
        return get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=crops,
            grid_size=(height, width),
            temporal_size=frames,
            device=self.device,
        )
