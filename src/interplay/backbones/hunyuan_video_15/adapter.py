"""HunyuanVideo-1.5 behind the house's interface, on the stock pipelines and nothing else.

Tokens and text conditions: see :mod:`interplay.backbones.hunyuan_video_15.prompts`. The condition of the first frame is
its ``latents b c 1 h w`` and its ``image_tokens b i e``; text-to-video has none.

Shape legend: see :mod:`interplay.backbones.base`; ``i`` image tokens, ``e`` their width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from interplay.backbones.base import Objective, Sampler, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.devices import device_of
from interplay.backbones.euler import EulerSampler
from interplay.backbones.hunyuan_video_15.first_frame import (
    image_tokens,
    model_input,
    number_of_tokens,
    with_validity,
)
from interplay.backbones.hunyuan_video_15.layout import joint_layout
from interplay.backbones.hunyuan_video_15.prompts import PROMPT_TOKENS, PromptEncoder, glyph_tokens
from interplay.backbones.hunyuan_video_15.rehearsal import EveryTokenCounts
from interplay.backbones.hunyuan_video_15.sampler import even_levels
from interplay.backbones.hunyuan_video_15.sites import joint_sites
from interplay.backbones.lora import adapter_layers, adapter_settings
from interplay.backbones.native import Native, stock_sampling
from interplay.backbones.pipeline_backbone import FlowBackbone
from interplay.backbones.widen import with_beside, with_zeros_behind
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Caption, TokenSpans

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLHunyuanVideo15,
        HunyuanVideo15ImageToVideoPipeline,
        HunyuanVideo15Pipeline,
        HunyuanVideo15Transformer3DModel,
    )
    from transformers import Qwen2_5_VLTextModel

# The default of the stock pipelines' calls; heights and widths follow from the model's target size, see `released`.
_RELEASED_FRAMES = 121
_FPS = 24.0  # of the released checkpoints (model cards)
_RELEASED_ASPECT = (9, 16)
_LORA_PREFIX = "transformer"


class HunyuanVideo15(FlowBackbone):
    """HunyuanVideo-1.5, text-to-video and image-to-video; holds a stock pipeline."""

    transformer: HunyuanVideo15Transformer3DModel
    pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline
    text_encoder: Qwen2_5_VLTextModel
    vae: AutoencoderKLHunyuanVideo15
    input_projection = "x_embedder.proj"

    def __init__(
        self, pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline, name: str, native: Native
    ) -> None:
        _check(pipeline, name)
        super().__init__(pipeline, name, native)
        scale = float(pipeline.guider.guidance_scale)
        self.recommended = native.sampling or stock_sampling(pipeline, _FPS, scale)
        # The stock autoencoder's attention mask fits one clip (diffusers 0.42), so clips go through it one by one.
        self.vae.use_slicing = True
        self.sees_first_frame = pipeline.components.get("image_encoder") is not None
        self._prompts = PromptEncoder(pipeline, native.text_length)
        self.objective = Objective("flow", int(pipeline.scheduler.config.num_train_timesteps))

    @classmethod
    def released(cls, pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline) -> Native:
        """The released clips of a model of this target size: what the stock pipeline picks for 16:9."""
        height, width = pipeline.video_processor.calculate_default_height_width(*_RELEASED_ASPECT, pipeline.target_size)
        return Native(_RELEASED_FRAMES, (int(height), int(width)), glyph_tokens(pipeline) + PROMPT_TOKENS)

    @property
    def text_encoders(self) -> tuple[nn.Module, ...]:
        return self.text_encoder, self.pipeline.text_encoder_2

    def token_spans(self, caption: Caption) -> TokenSpans:
        return self._prompts.spans(caption)

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
        return joint_sites(self.transformer.config.num_layers)

    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        shown = number_of_tokens(self.pipeline.image_encoder) if self.sees_first_frame else 0
        return joint_layout(grid, shown, text_length)

    def tokenize(self, texts: Sequence[str]) -> Batch:
        return self._prompts.tokenize(texts).to(self.device)

    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        text = self._prompts.embed(tokens)
        return Batch({name: t.to(self.dtype) if t.is_floating_point() else t for name, t in text.tensors.items()})

    def told_guidance(self, text: Batch, scale: float) -> Batch | None:
        # A model that was distilled from guidance is published with a guider that does nothing.
        return text if self.pipeline.guider.guidance_scale == 1.0 else None

    @torch.no_grad()
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        latents = self.vae.encode(video.to(device_of(self.vae), self.vae.dtype)).latent_dist.mode()
        return (latents * self.vae.config.scaling_factor).to(self.device, self.dtype)

    @torch.no_grad()
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        scaled = latents.to(device_of(self.vae), self.vae.dtype) / self.vae.config.scaling_factor
        return self.vae.decode(scaled).sample.float().clamp(-1.0, 1.0)

    @torch.no_grad()
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        if not self.sees_first_frame:
            return Batch.empty(len(image), self.device)
        tokens = image_tokens(self.pipeline.image_encoder, self.pipeline.feature_extractor, image)
        return Batch(
            {"latents": self.encode_video(image.unsqueeze(2)), "image_tokens": tokens.to(self.device, self.dtype)}
        )

    @property
    def picture_channels(self) -> int:
        return self.latent_channels + 1

    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        return with_zeros_behind(with_validity(self.encode_video(image.unsqueeze(2))), grid.latent_shape[0])

    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        factor = self.vae.config.scaling_factor / float(latents.float().std())
        self.vae.register_to_config(scaling_factor=factor)

    def denoise(
        self, latents: Float[Tensor, "b c f h w"], timesteps: Tensor, text: Batch, first_frame: Batch
    ) -> Float[Tensor, "b c f h w"]:
        shown = with_beside(model_input(latents, first_frame), first_frame).to(self.dtype)
        none_seen = shown.new_zeros(len(shown), 0, self.transformer.config.image_embed_dim)
        with EveryTokenCounts() if latents.is_meta else nullcontext():
            return self.transformer(
                hidden_states=shown,
                timestep=timesteps.to(self.dtype),
                encoder_hidden_states=text["embeddings"],
                encoder_attention_mask=text["mask"],
                encoder_hidden_states_2=text["glyphs"],
                encoder_attention_mask_2=text["glyphs_mask"],
                image_embeds=first_frame.tensors.get("image_tokens", none_seen),
                return_dict=False,
            )[0]

    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        return EulerSampler(
            self.pipeline.scheduler,
            levels=even_levels(steps),
            shape=(self.latent_channels, *grid.latent_shape),
            device=self.device,
        )

    def save_lora(self, folder: Path) -> None:
        # The stock pipelines cannot save adapters (diffusers 0.42); this is what those of other families write.
        from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY, LORA_WEIGHT_NAME_SAFE

        folder.mkdir(parents=True, exist_ok=True)
        layers = {f"{_LORA_PREFIX}.{name}": one.contiguous() for name, one in adapter_layers(self.transformer).items()}
        settings = {f"{_LORA_PREFIX}.{name}": value for name, value in adapter_settings(self.transformer).items()}
        metadata = {"format": "pt", LORA_ADAPTER_METADATA_KEY: json.dumps(settings, indent=2, sort_keys=True)}
        save_file(layers, folder / LORA_WEIGHT_NAME_SAFE, metadata=metadata)

    def load_lora(self, folder: Path) -> None:
        # Nor load them; their transformer can.
        from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE

        self.transformer.load_lora_adapter(
            str(folder), prefix=_LORA_PREFIX, weight_name=LORA_WEIGHT_NAME_SAFE, use_safetensors=True
        )

    @property
    def shift(self) -> float:
        return float(self.pipeline.scheduler.config.shift)


def _check(pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline, where: str) -> None:
    config, latents = pipeline.transformer.config, int(pipeline.vae.config.latent_channels)
    problem = ""
    if config.use_meanflow:
        problem = "is distilled to few steps and wants to be told the next one (use_meanflow)"
    elif config.in_channels != 2 * latents + 1:
        problem = f"reads {config.in_channels} channels, latents and condition have {2 * latents + 1}"
    if problem:
        cure = "use a HunyuanVideo-1.5 text- or image-to-video checkpoint of the full number of steps"
        raise InputError(problem, where=f"{where}, transformer", cure=cure)
