"""What all families share: they hold a stock pipeline, whose own loaders and savers read and write everything.

Shape legend: see :mod:`interplay.backbones.base`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.backbones.base import Backbone, Site
from interplay.backbones.flow import draw_shifted_timesteps, flow_noised, flow_target
from interplay.backbones.lora import adapter_layers, adapter_settings, add_adapters
from interplay.backbones.native import Native, read_native, write_native
from interplay.backbones.quiet import quiet
from interplay.backbones.skeleton import skeleton_pipeline, stock_pipeline
from interplay.backbones.storage import save_as_half
from interplay.records.caption import Tokenizer


class PipelineBackbone(Backbone):
    """A backbone whose parts are those of the stock ``pipeline``.

    ``native`` is what the model was trained on, see :meth:`released` for a pipeline that does not say it.
    """

    # Any, because every family has a pipeline class of its own and no base class declares what they share.
    pipeline: Any
    native: Native

    def __init__(self, pipeline: Any, name: str, native: Native | None = None) -> None:
        self.name, self.pipeline = name, pipeline
        self.native = native or self.released(pipeline)
        self.transformer, self.text_encoder, self.vae = pipeline.transformer, pipeline.text_encoder, pipeline.vae

    @classmethod
    def stock_class(cls, folder: Path) -> Any:
        """The stock pipeline class that loads this folder."""
        return stock_pipeline(folder)

    @classmethod
    @abstractmethod
    def released(cls, pipeline: Any) -> Native:
        """What the released checkpoints of such a pipeline were trained on."""

    @classmethod
    def load(cls, folder: str | Path, device: torch.device, dtype: torch.dtype) -> PipelineBackbone:
        """Load a pipeline folder through its stock pipeline class."""
        stock = cls.stock_class(Path(folder))
        with quiet():
            pipeline = stock.from_pretrained(str(folder), dtype=dtype)
        return cls._of(pipeline.to(device), Path(folder))

    @classmethod
    def skeleton(cls, folder: Path, dtype: torch.dtype) -> PipelineBackbone:
        """The same modules from their configs alone, on the ``meta`` device; a folder without weights will do."""
        return cls._of(skeleton_pipeline(cls.stock_class(folder), folder, dtype), folder)

    @classmethod
    def _of(cls, pipeline: Any, folder: Path) -> PipelineBackbone:
        backbone = cls(pipeline, str(folder), read_native(folder, cls.released(pipeline)))
        for transformer in backbone.transformers:
            transformer.eval()
        return backbone

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        image_encoder = self.pipeline.components.get("image_encoder")
        return {**super().networks, **({} if image_encoder is None else {"image encoder": image_encoder})}

    @property
    def tokenizer(self) -> Tokenizer:
        tokenizer: Tokenizer = self.pipeline.tokenizer
        return tokenizer

    @property
    def text_length(self) -> int:
        return self.native.text_length

    @property
    def native_frames(self) -> int:
        return self.native.num_frames

    @property
    def native_size_hw(self) -> tuple[int, int]:
        return self.native.size_hw

    @property
    def latent_channels(self) -> int:
        return int(self.vae.config.latent_channels)

    @property
    def pipeline_class(self) -> str:
        return type(self.pipeline).__name__

    def _padded_tokens(self, texts: Sequence[str]) -> Any:
        """The tokenizer's own output for prompts that are padded or cut to the text's length."""
        return self.pipeline.tokenizer(
            list(texts), padding="max_length", max_length=self.text_length, truncation=True, return_tensors="pt"
        )

    def save(self, folder: Path) -> None:
        save_as_half(self.pipeline, folder)
        if self.native != self.released(self.pipeline):
            write_native(folder, self.native)

    def add_lora(self, sites: Sequence[Site], rank: int, alpha: float, *, expert: int | None = None) -> None:
        for transformer in self.transformers if expert is None else (self.transformers[expert],):
            add_adapters(transformer, sites, rank, alpha)

    def save_lora(self, folder: Path) -> None:
        self.pipeline.save_lora_weights(
            str(folder),
            transformer_lora_layers=adapter_layers(self.transformer),
            transformer_lora_adapter_metadata=adapter_settings(self.transformer),
        )

    def load_lora(self, folder: Path) -> None:
        self.pipeline.load_lora_weights(str(folder))


class FlowBackbone(PipelineBackbone):
    """One that was trained by flow matching (:mod:`interplay.backbones.flow`).

    Training draws timesteps as dense as the scheduler's own shift makes its steps, unless it is told another shift.
    """

    @property
    @abstractmethod
    def shift(self) -> float:
        """How far the model's own schedule moves noise levels towards noise."""

    def draw_timesteps(self, count: int, generator: torch.Generator, shift: float | None = None) -> Int[Tensor, " b"]:
        # A batch is one expert's: each gets the share of batches that its timesteps have among all draws.
        return self.draw_timesteps_of(self.draw_expert(generator, shift), count, generator, shift)

    def draw_expert(self, generator: torch.Generator, shift: float | None = None) -> int:
        if len(self.transformers) == 1:
            return 0
        return self.expert_of(int(self._draw(1, range(self.objective.num_train_timesteps), generator, shift)))

    def draw_timesteps_of(
        self, expert: int, count: int, generator: torch.Generator, shift: float | None = None
    ) -> Int[Tensor, " b"]:
        return self._draw(count, self.expert_timesteps[expert], generator, shift)

    def _draw(self, count: int, within: range, generator: torch.Generator, shift: float | None) -> Int[Tensor, " b"]:
        total = self.objective.num_train_timesteps
        return draw_shifted_timesteps(count, self.shift if shift is None else shift, total, within, generator)

    def add_noise(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return flow_noised(latents, noise, timesteps / self.objective.num_train_timesteps)

    def target(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        return flow_target(latents, noise)
