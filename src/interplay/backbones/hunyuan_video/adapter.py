"""HunyuanVideo behind the house's interface, on the stock pipelines and nothing else.

Tokens and text conditions: see :mod:`interplay.backbones.hunyuan_video.encoder` (image-to-video) and
:mod:`interplay.backbones.hunyuan_video.plain` (text-to-video); models distilled from guidance have ``guidance b``
beside them, the scale they are told. The condition of the first frame is its ``latents b c 1 h w`` and the
``pixels b 3 v w`` that the vision tower sees.

Shape legend: see :mod:`interplay.backbones.base`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.devices import device_of
from interplay.backbones.euler import EulerSampler
from interplay.backbones.hunyuan_video.conditioning import CONDITIONINGS, Conditioning
from interplay.backbones.hunyuan_video.encoder import PromptEncoder
from interplay.backbones.hunyuan_video.layout import joint_layout
from interplay.backbones.hunyuan_video.plain import PlainPromptEncoder, PlainTemplate
from interplay.backbones.hunyuan_video.prompts import HEADER_TOKENS, Template
from interplay.backbones.hunyuan_video.sampler import even_levels
from interplay.backbones.hunyuan_video.sites import joint_sites
from interplay.backbones.native import Native, stock_sampling
from interplay.backbones.pipeline_backbone import FlowBackbone
from interplay.backbones.quiet import quiet
from interplay.backbones.widen import with_beside, with_zeros_behind
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Caption, TokenSpans

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLHunyuanVideo,
        HunyuanVideoImageToVideoPipeline,
        HunyuanVideoPipeline,
        HunyuanVideoTransformer3DModel,
    )
    from transformers import LlamaModel, LlavaForConditionalGeneration

# The defaults of the stock pipelines' calls; image-to-video's 256 prompt tokens count the assistant's header, which is
# cut out.
RELEASED = Native(num_frames=129, size_hw=(720, 1280), text_length=256 - HEADER_TOKENS)
RELEASED_TEXT_TO_VIDEO = Native(num_frames=129, size_hw=(720, 1280), text_length=256)
_FPS = 24.0  # of the released checkpoints (model cards)
# A guidance scale is told as a timestep is, in thousandths.
_GUIDANCE_UNIT = 1000.0


class HunyuanVideo(FlowBackbone):
    """HunyuanVideo, text-to-video and image-to-video (either way of conditioning); holds a stock pipeline."""

    transformer: HunyuanVideoTransformer3DModel
    pipeline: HunyuanVideoPipeline | HunyuanVideoImageToVideoPipeline
    text_encoder: LlamaModel | LlavaForConditionalGeneration
    vae: AutoencoderKLHunyuanVideo
    input_projection = "x_embedder.proj"

    def __init__(
        self, pipeline: HunyuanVideoPipeline | HunyuanVideoImageToVideoPipeline, name: str, native: Native
    ) -> None:
        super().__init__(pipeline, name, native)
        self.recommended = native.sampling or stock_sampling(pipeline, _FPS)
        self.sees_first_frame = self.text_sees_first_frame = _makes_videos_of_images(pipeline)
        self.conditioning = _conditioning(pipeline, name)
        self.template: Template | PlainTemplate
        self._prompts: PromptEncoder | PlainPromptEncoder
        if self.sees_first_frame:
            image_tokens = int(pipeline.text_encoder.config.image_seq_length)
            self.template = Template.stock(image_tokens, self.conditioning.image_tokens_every)
            self._prompts = PromptEncoder(pipeline, self.template, native.text_length)
        else:
            self.template = PlainTemplate.stock()
            self._prompts = PlainPromptEncoder(pipeline, self.template, native.text_length)
        steps = pipeline.scheduler.config.num_train_timesteps
        self.objective = Objective("flow", steps, self.conditioning.given_frames)

    @classmethod
    def released(cls, pipeline: HunyuanVideoPipeline | HunyuanVideoImageToVideoPipeline) -> Native:
        """The defaults of the stock pipelines' calls."""
        return RELEASED if _makes_videos_of_images(pipeline) else RELEASED_TEXT_TO_VIDEO

    @property
    def text_encoders(self) -> tuple[torch.nn.Module, ...]:
        return self.text_encoder, self.pipeline.text_encoder_2

    def token_spans(self, caption: Caption) -> TokenSpans:
        return self.template.spans(caption, self.pipeline.tokenizer, self.text_length)

    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        config = self.transformer.config
        return TokenGrid(
            frames=num_frames,
            height=size_hw[0],
            width=size_hw[1],
            temporal_stride=int(self.vae.config.temporal_compression_ratio),
            spatial_stride=int(self.vae.config.spatial_compression_ratio),
            patch=(config.patch_size_t, config.patch_size, config.patch_size),
        )

    def sites(self) -> tuple[Site, ...]:
        return joint_sites(self.transformer.config.num_layers, self.transformer.config.num_single_layers)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        return joint_layout(grid, self.template.image_stream, text_length)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        return self._prompts.tokenize(texts).to(self.device)

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        text = self._prompts.embed(tokens, first_frame)
        if self.transformer.config.guidance_embeds:
            # Training asks for the plain prediction, which is that of guidance with a scale of 1.
            text = Batch({**text.tensors, "guidance": torch.ones(len(text), device=self.device)})
        return Batch({name: t.to(self.dtype) if t.is_floating_point() else t for name, t in text.tensors.items()})

    def told_guidance(self, text: Batch, scale: float) -> Batch | None:
        if "guidance" not in text.tensors:
            return None
        return Batch({**text.tensors, "guidance": torch.full_like(text["guidance"], scale)})

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        latents = self.vae.encode(video.to(device_of(self.vae), self.vae.dtype)).latent_dist.mode()
        return (latents * self.vae.config.scaling_factor).to(self.device, self.dtype)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        scaled = latents.to(device_of(self.vae), self.vae.dtype) / self.vae.config.scaling_factor
        return self.vae.decode(scaled).sample.float().clamp(-1.0, 1.0)

    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        if not isinstance(self._prompts, PromptEncoder):
            return Batch.empty(len(image), self.device)
        latents = self.encode_video(image.unsqueeze(2))
        return Batch({"latents": latents, "pixels": self._prompts.pixels(image).to(self.device, self.dtype)})

    @property
    def picture_channels(self) -> int:
        return self.latent_channels + self.conditioning.validity_channels

    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        shown = self.conditioning.shown(self.encode_video(image.unsqueeze(2)))
        return with_zeros_behind(shown, grid.latent_shape[0])

    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        factor = self.vae.config.scaling_factor / float(latents.float().std())
        self.vae.register_to_config(scaling_factor=factor)
        self.pipeline.vae_scaling_factor = factor  # the stock pipeline keeps a copy

    def denoise(
        self, latents: Float[Tensor, "b c f h w"], timesteps: Tensor, text: Batch, first_frame: Batch
    ) -> Float[Tensor, "b c f h w"]:
        guidance = text.tensors.get("guidance")
        model_input = self.conditioning.model_input(latents.to(self.dtype), first_frame)
        return self.transformer(
            hidden_states=with_beside(model_input, first_frame),
            timestep=timesteps.float(),
            encoder_hidden_states=text["embeddings"],
            encoder_attention_mask=text["mask"],
            pooled_projections=text["pooled"],
            guidance=None if guidance is None else guidance * _GUIDANCE_UNIT,
            return_dict=False,
        )[0]

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        return EulerSampler(
            self.pipeline.scheduler,
            levels=even_levels(steps),
            shape=(self.latent_channels, *grid.latent_shape),
            device=self.device,
            started=partial(self.conditioning.started, first_frame=first_frame),
            pinned=partial(self.conditioning.restored, first_frame=first_frame),
        )

    @property
    def shift(self) -> float:
        return float(self.pipeline.scheduler.config.shift)


def _makes_videos_of_images(pipeline: HunyuanVideoPipeline | HunyuanVideoImageToVideoPipeline) -> bool:
    with quiet():  # the module remarks on every machine without torchvision
        from diffusers import HunyuanVideoImageToVideoPipeline
    return isinstance(pipeline, HunyuanVideoImageToVideoPipeline)


def _conditioning(pipeline: HunyuanVideoPipeline | HunyuanVideoImageToVideoPipeline, name: str) -> Conditioning:
    kind = pipeline.transformer.config.image_condition_type
    wanted = ("token_replace", "latent_concat") if _makes_videos_of_images(pipeline) else (None,)
    if kind not in wanted:
        raise InputError(
            f"has the image_condition_type {kind}",
            where=f"{name}, transformer",
            cure=f"use a checkpoint of this pipeline ({type(pipeline).__name__}: {' or '.join(map(str, wanted))})",
        )
    return CONDITIONINGS[kind]()
