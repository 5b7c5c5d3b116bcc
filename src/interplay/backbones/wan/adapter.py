"""Wan behind the house's interface, on the stock pipelines and nothing else.

All layouts of checkpoints are one class here, told apart by the pipeline and its configs: text-to-video, Wan 2.1 I2V
(image tokens in the cross-attention), Wan 2.2 A14B (two experts that share the noise levels) and Wan 2.2 TI2V (first
frame in place, or, as :meth:`Wan.without_first_frame`, none).

Conditions: tokens are ``ids`` and ``mask`` (``b t``), text is ``embeddings`` (``b t d``), a first frame is ``latents``
(``b c g h w``, of all latent frames or of the first) and for Wan 2.1 ``image_tokens`` (``b i e``).

Shape legend: see :mod:`interplay.backbones.base`; ``t`` text tokens, ``d`` text width, ``g`` latent frames of the
condition, ``i`` image tokens, ``e`` their width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.backbones.base import Backbone, Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.lora import adapter_layers, adapter_settings
from interplay.backbones.native import Native, stock_sampling
from interplay.backbones.pipeline_backbone import FlowBackbone
from interplay.backbones.quiet import quiet
from interplay.backbones.wan.check import check_pipeline
from interplay.backbones.wan.first_frame import BesideTheNoise, FirstFrame, InPlaceOfTheNoise, NotShown
from interplay.backbones.wan.image_tokens import Unplugged, image_tokens, number_of_tokens
from interplay.backbones.wan.latents import decode, encode, fit_scale
from interplay.backbones.wan.layout import separate_layout
from interplay.backbones.wan.sampler import FlowSampler, flow_shift
from interplay.backbones.wan.sites import block_sites
from interplay.backbones.widen import with_beside
from interplay.core.files import read_json
from interplay.grid.token_grid import TokenGrid

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanPipeline, WanTransformer3DModel
    from transformers import UMT5EncoderModel

# What the released checkpoints are run at (model cards and the stock pipeline's defaults).
_RELEASED = Native(num_frames=81, size_hw=(480, 832), text_length=512)
_RELEASED_IN_PLACE = Native(num_frames=121, size_hw=(704, 1280), text_length=512)
# Frames per second of the released checkpoints (model cards), and of TI2V.
_FPS, _FPS_IN_PLACE = 16.0, 24.0
# One file per transformer, in their order; the first name is the one that stock loaders look for.
_LORA_FILES = ("pytorch_lora_weights.safetensors", "pytorch_lora_weights_2.safetensors")


def stock_pipeline_class(image_to_video: bool = True) -> type[WanPipeline] | type[WanImageToVideoPipeline]:
    """The stock pipeline, imported without the remarks of packages that only Wan 2.1's image encoder would use."""
    with quiet():
        from diffusers import WanImageToVideoPipeline, WanPipeline
    return WanImageToVideoPipeline if image_to_video else WanPipeline


def _pipeline_class_of(folder: Path) -> type[WanPipeline] | type[WanImageToVideoPipeline]:
    """What ``model_index.json`` names; Wan 2.2 TI2V makes both and is published as the one that is shown nothing."""
    index = read_json(folder / "model_index.json")
    return stock_pipeline_class(index["_class_name"] != "WanPipeline" or bool(index.get("expand_timesteps")))


class Wan(FlowBackbone):
    """Wan 2.1 and 2.2, text-to-video and image-to-video; holds a stock pipeline."""

    transformer: WanTransformer3DModel
    pipeline: WanPipeline | WanImageToVideoPipeline
    text_encoder: UMT5EncoderModel
    vae: AutoencoderKLWan
    input_projection = "patch_embedding"

    def __init__(self, pipeline: WanPipeline | WanImageToVideoPipeline, name: str, native: Native) -> None:
        self._show(_first_frame_of(pipeline), int(pipeline.scheduler.config.num_train_timesteps))
        check_pipeline(pipeline, self._first_frame, native, name)
        super().__init__(pipeline, name, native)
        fps = _FPS_IN_PLACE if pipeline.config.expand_timesteps else _FPS
        self.recommended = native.sampling or stock_sampling(pipeline, fps)
        self._shift = flow_shift(pipeline.scheduler, name)
        self._unplugged: Unplugged | None = None
        self.first_frame_is_optional = isinstance(self._first_frame, InPlaceOfTheNoise)

    def _show(self, first_frame: FirstFrame, num_train_timesteps: int) -> None:
        self._first_frame = first_frame
        self.sees_first_frame = not isinstance(first_frame, NotShown)
        self.objective = Objective("flow", num_train_timesteps, first_frame.given_frames)

    def without_first_frame(self) -> Backbone:
        if not (self.sees_first_frame and self.first_frame_is_optional):
            return super().without_first_frame()
        other = copy.copy(self)
        other._show(NotShown(), self.objective.num_train_timesteps)
        return other

    @classmethod
    def stock_class(cls, folder: Path) -> Any:
        return _pipeline_class_of(folder)

    @classmethod
    def released(cls, pipeline: WanPipeline | WanImageToVideoPipeline) -> Native:
        """The defaults of the stock pipelines' calls (of TI2V: its model card)."""
        return _RELEASED_IN_PLACE if pipeline.config.expand_timesteps else _RELEASED

    @property
    def transformers(self) -> tuple[nn.Module, ...]:
        if self.pipeline.config.boundary_ratio is None:
            return (self.transformer,)
        return (self.transformer, self.pipeline.transformer_2)

    @property
    def latent_channels(self) -> int:
        return int(self.vae.config.z_dim)

    @property
    def _temporal_stride(self) -> int:
        return int(self.vae.config.scale_factor_temporal)

    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        patch_t, patch_y, patch_x = self.transformer.config.patch_size
        return TokenGrid(
            frames=num_frames,
            height=size_hw[0],
            width=size_hw[1],
            temporal_stride=self._temporal_stride,
            spatial_stride=int(self.vae.config.scale_factor_spatial),
            patch=(patch_t, patch_y, patch_x),
        )

    def sites(self) -> tuple[Site, ...]:
        return block_sites(self.transformer.config.num_layers, self._reads_image_tokens)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        tokens = number_of_tokens(self.pipeline.image_encoder) if self._reads_image_tokens else 0
        return separate_layout(grid, text_length, tokens)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        tokens = self._padded_tokens(texts)
        return Batch({"ids": tokens.input_ids, "mask": tokens.attention_mask}).to(self.device)

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        ids, mask = tokens["ids"], tokens["mask"]
        # transformers asks whether a mask is all ones, which has no answer on the meta device.
        hidden = self.text_encoder(ids, None if mask.is_meta else mask).last_hidden_state
        # The transformer attends to padding too: its embedding is zero.
        return Batch({"embeddings": (hidden * mask[..., None]).to(self.dtype)})

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        return encode(self.vae, video).to(self.device, self.dtype)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        return decode(self.vae, latents)

    @torch.no_grad()
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        video = self._first_frame.video(image, grid.frames)
        if video is None:
            return Batch.empty(len(image), self.device)
        condition = {"latents": encode(self.vae, video).to(self.device)}
        if self._has_image_tokens:
            # Made even where they are left out: a cache then serves both.
            tokens = image_tokens(self.pipeline.image_encoder, self.pipeline.image_processor, image)
            condition["image_tokens"] = tokens.to(self.device, self.dtype)
        return Batch(condition)

    @property
    def picture_channels(self) -> int:
        return self._first_frame.validity_channels + self.latent_channels

    @torch.no_grad()
    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        video = self._first_frame.video(image, grid.frames)
        latents = encode(self.vae, image.unsqueeze(2) if video is None else video).to(self.device)
        return self._first_frame.shown(latents, grid.latent_shape[0])

    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        fit_scale(self.vae, latents)

    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Batch,
        first_frame: Batch,
    ) -> Float[Tensor, "b c f h w"]:
        patch_t, patch_y, patch_x = self.transformer.config.patch_size
        frames, height, width = latents.shape[2:]
        token_shape = (frames // patch_t, height // patch_y, width // patch_x)
        model_input = with_beside(self._first_frame.model_input(latents, first_frame), first_frame)
        return self.transformers[self.expert_at(timesteps)](
            hidden_states=model_input.to(self.dtype),
            timestep=self._first_frame.model_timesteps(timesteps, token_shape),
            encoder_hidden_states=text["embeddings"],
            encoder_hidden_states_image=first_frame["image_tokens"] if self._reads_image_tokens else None,
            return_dict=False,
        )[0]

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        shape = (self.latent_channels, *grid.latent_shape)
        pinned = partial(self._first_frame.pinned, condition=first_frame)
        return FlowSampler(self.pipeline.scheduler, steps, shape, self.device, pinned)

    def save_lora(self, folder: Path) -> None:
        for transformer, file in zip(self.transformers, _LORA_FILES, strict=False):
            self.pipeline.save_lora_weights(
                str(folder),
                transformer_lora_layers=adapter_layers(transformer),
                transformer_lora_adapter_metadata=adapter_settings(transformer),
                weight_name=file,
            )

    def leave_out_image_tokens(self) -> Callable[[], None]:
        if not self._reads_image_tokens:
            return super().leave_out_image_tokens()
        self._unplugged = Unplugged(self.transformers)
        return self._plug_in

    def _plug_in(self) -> None:
        if self._unplugged is not None:
            self._unplugged.plug_in()
            self._unplugged = None

    def load_lora(self, folder: Path) -> None:
        left_out = self._unplugged is not None
        self._plug_in()  # the stock loader adapts these projections too, if by zeros
        self._load_lora_files(folder)
        if left_out:
            self.leave_out_image_tokens()

    def _load_lora_files(self, folder: Path) -> None:
        for second, file in enumerate(_LORA_FILES[: len(self.transformers)]):
            self.pipeline.load_lora_weights(str(folder), weight_name=file, load_into_transformer_2=bool(second))

    @property
    def shift(self) -> float:
        return self._shift

    @property
    def expert_timesteps(self) -> tuple[range, ...]:
        if len(self.transformers) == 1:
            return super().expert_timesteps
        return (range(self._boundary, self.objective.num_train_timesteps), range(self._boundary))

    @property
    def _has_image_tokens(self) -> bool:
        return self.transformer.config.image_dim is not None

    @property
    def _reads_image_tokens(self) -> bool:
        return self._has_image_tokens and self._unplugged is None

    @property
    def _boundary(self) -> int:
        """The first timestep of the noisy expert."""
        return ceil(self.pipeline.config.boundary_ratio * self.objective.num_train_timesteps)


def _first_frame_of(pipeline: WanPipeline | WanImageToVideoPipeline) -> FirstFrame:
    if not isinstance(pipeline, stock_pipeline_class()):
        return NotShown()
    if pipeline.config.expand_timesteps:
        return InPlaceOfTheNoise()
    return BesideTheNoise(int(pipeline.vae.config.scale_factor_temporal))
