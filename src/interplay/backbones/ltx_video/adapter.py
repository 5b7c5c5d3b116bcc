"""LTX-Video behind the house's interface, on the stock pipelines and nothing else.

Every release makes videos of text and of pictures with the same weights. Under whatever name it is published, here it
is shown a first frame, or, as :meth:`LTXVideo.without_first_frame`, none. Releases from 0.9.5 on, known by their
autoencoder, are made for another stock pipeline: they count positions in another way than those before, keep their text
encoder from seeing the padding, and are sampled with another schedule.

Conditions: tokens are ``ids`` and ``mask`` (``b t``), text is ``embeddings`` (``b t d``) and ``mask``, a first frame is
``latents`` (``b c 1 h w``), or nothing.

Shape legend: see :mod:`interplay.backbones.base`; ``t`` text tokens, ``d`` text width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Backbone, Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.euler import EulerSampler
from interplay.backbones.ltx_video.latents import decode, encode, fit_scale
from interplay.backbones.ltx_video.layout import separate_layout
from interplay.backbones.ltx_video.sampler import linear_quadratic_levels, shifted_levels, training_shift
from interplay.backbones.ltx_video.sites import block_sites
from interplay.backbones.ltx_video.tokens import coordinates, interpolation, packed, unpacked
from interplay.backbones.native import Native, stock_sampling
from interplay.backbones.pipeline_backbone import FlowBackbone
from interplay.backbones.widen import with_beside, with_zeros_behind
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.grid.token_grid import TokenGrid

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLLTXVideo,
        LTXConditionPipeline,
        LTXImageToVideoPipeline,
        LTXVideoTransformer3DModel,
    )
    from transformers import T5EncoderModel

# The defaults of the stock pipelines' calls.
_RELEASED = Native(num_frames=161, size_hw=(512, 704), text_length=128)
_FPS = 25.0  # of the stock calls, which positions in time are counted at
_RELEASED_FROM_095 = Native(num_frames=161, size_hw=(512, 704), text_length=256)
# What the autoencoders of 0.9.5 and later are made of.
_LATER_BLOCK = "LTXVideo095DownBlock3D"


class LTXVideo(FlowBackbone):
    """LTX-Video 0.9 to 0.9.8, image-to-video and text-to-video; holds a stock pipeline."""

    transformer: LTXVideoTransformer3DModel
    pipeline: LTXImageToVideoPipeline | LTXConditionPipeline
    text_encoder: T5EncoderModel
    vae: AutoencoderKLLTXVideo
    input_projection = "proj_in"
    first_frame_is_optional = True

    def __init__(self, pipeline: LTXImageToVideoPipeline | LTXConditionPipeline, name: str, native: Native) -> None:
        _check(pipeline, name)
        super().__init__(pipeline, name, native)
        self.recommended = native.sampling or stock_sampling(pipeline, _FPS)
        self._from_095 = _is_from_095(pipeline)
        self.objective = Objective("flow", int(pipeline.scheduler.config.num_train_timesteps), given_frames=1)

    def without_first_frame(self) -> Backbone:
        if not self.sees_first_frame:
            return self
        other = copy.copy(self)
        other.sees_first_frame, other.objective = False, replace(self.objective, given_frames=0)
        return other

    @classmethod
    def stock_class(cls, folder: Path) -> Any:
        return _image_to_video(folder)

    @classmethod
    def released(cls, pipeline: LTXImageToVideoPipeline | LTXConditionPipeline) -> Native:
        """The defaults of the stock pipelines' calls."""
        return _RELEASED_FROM_095 if _is_from_095(pipeline) else _RELEASED

    @property
    def _patch(self) -> tuple[int, int, int]:
        config = self.transformer.config
        return config.patch_size_t, config.patch_size, config.patch_size

    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        return TokenGrid(
            frames=num_frames,
            height=size_hw[0],
            width=size_hw[1],
            temporal_stride=int(self.vae.temporal_compression_ratio),
            spatial_stride=int(self.vae.spatial_compression_ratio),
            patch=self._patch,
        )

    def sites(self) -> tuple[Site, ...]:
        return block_sites(self.transformer.config.num_layers)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        return separate_layout(grid, text_length)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        tokens = self._padded_tokens(texts)
        return Batch({"ids": tokens.input_ids, "mask": tokens.attention_mask}).to(self.device)

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        ids, mask = tokens["ids"], tokens["mask"]
        # As the stock pipelines run it: only later releases keep the text encoder from seeing the padding, which the
        # transformer masks in any case. (transformers asks whether a mask is all ones; on meta there is no answer.)
        seen = mask if self._from_095 and not mask.is_meta else None
        return Batch({"embeddings": self.text_encoder(ids, seen)[0].to(self.dtype), "mask": mask})

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        return encode(self.vae, video).to(self.device, self.dtype)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        return decode(self.vae, latents)

    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        if not self.sees_first_frame:
            return Batch.empty(len(image), self.device)
        return Batch({"latents": self.encode_video(image.unsqueeze(2))})

    @property
    def picture_channels(self) -> int:
        return self.latent_channels

    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        return with_zeros_behind(self.encode_video(image.unsqueeze(2)), grid.latent_shape[0])

    @torch.no_grad()
    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        fit_scale(self.vae, latents)

    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Batch,
        first_frame: Batch,
    ) -> Float[Tensor, "b c f h w"]:
        shape = (latents.shape[2], latents.shape[3], latents.shape[4])
        grid = self._grid_of(shape)
        model_input = with_beside(self._pinned(latents, first_frame), first_frame)
        tokens = self.transformer(
            hidden_states=packed(model_input.to(self.dtype), self._patch),
            encoder_hidden_states=text["embeddings"],
            timestep=self._token_timesteps(timesteps, grid),
            encoder_attention_mask=text["mask"],
            **self._positions(grid, latents),
            return_dict=False,
        )[0]
        return unpacked(tokens, shape, self._patch)

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        config = self.pipeline.scheduler.config
        later = self._from_095
        levels = linear_quadratic_levels(config, steps) if later else shifted_levels(config, steps, grid.num_tokens)
        return EulerSampler(
            self.pipeline.scheduler,
            levels=levels,
            shape=(self.latent_channels, *grid.latent_shape),
            device=self.device,
            pinned=partial(self._pinned, first_frame=first_frame),
        )

    @property
    def shift(self) -> float:
        tokens = self.grid(self.native_frames, self.native_size_hw).num_tokens
        return training_shift(self.pipeline.scheduler.config, tokens)

    def _grid_of(self, latent_shape: tuple[int, int, int]) -> TokenGrid:
        """The grid of latents of this shape."""
        frames, height, width = latent_shape
        stride = int(self.vae.spatial_compression_ratio)
        return self.grid(1 + (frames - 1) * int(self.vae.temporal_compression_ratio), (height * stride, width * stride))

    def _pinned(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        """Latents whose first frame is the given one, if one is given."""
        if not self.sees_first_frame:
            return latents
        return torch.cat([first_frame["latents"].to(latents.dtype), latents[:, :, 1:]], dim=2)

    def _token_timesteps(self, timesteps: Tensor, grid: TokenGrid) -> Float[Tensor, "b _"]:
        """What the transformer is told of the noise: one timestep for all tokens, or 0 for those of a given frame."""
        timesteps = timesteps[:, None].float()
        if not self.sees_first_frame:
            return timesteps
        per_token = timesteps.repeat(1, grid.num_tokens)
        per_token[:, : grid.tokens_per_frame] = 0
        return per_token

    def _positions(self, grid: TokenGrid, latents: Tensor) -> dict[str, Any]:
        """What the transformer's rotary embedding is told of the tokens."""
        if self._from_095:
            return {"video_coords": coordinates(grid, len(latents), latents.device)}
        frames, height, width = grid.token_shape
        scale = interpolation(grid)
        return {"num_frames": frames, "height": height, "width": width, "rope_interpolation_scale": scale}


def _image_to_video(folder: Path) -> Any:
    """The pipeline class that is shown pictures and made for the folder's release, by its autoencoder."""
    from diffusers import LTXConditionPipeline, LTXImageToVideoPipeline

    blocks = read_json(folder / "vae" / "config.json").get("down_block_types", ())
    return LTXConditionPipeline if _LATER_BLOCK in blocks else LTXImageToVideoPipeline


def _is_from_095(pipeline: LTXImageToVideoPipeline | LTXConditionPipeline) -> bool:
    from diffusers import LTXConditionPipeline

    return isinstance(pipeline, LTXConditionPipeline)


def _check(pipeline: LTXImageToVideoPipeline | LTXConditionPipeline, where: str) -> None:
    config, vae = pipeline.transformer.config, pipeline.vae.config
    expected = vae.latent_channels * config.patch_size_t * config.patch_size**2
    if config.in_channels != expected or vae.scaling_factor != 1.0:
        problem = f"reads {config.in_channels} values per token, latents have {expected}"
        if config.in_channels == expected:
            problem = (
                f"has an autoencoder with the scaling_factor {vae.scaling_factor}; LTX-Video has statistics instead"
            )
        raise InputError(problem, where=where, cure="use a complete LTX-Video checkpoint in the diffusers layout")
