"""What a backbone is to the rest of the house: a stock video diffusion transformer behind one small interface.

A family (``cogvideox``, ``wan``, ...) implements :class:`Backbone` once. Everything above this floor (observation,
objectives, methods, stages) speaks only this interface, so no stage ever asks which model it has in its hands.

Shape legend: ``b`` batch, ``c`` latent channels, ``f h w`` latent frames, height, width, ``p y x`` pixel frames,
height, width, ``t`` text tokens, ``d`` text width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Tokenizer

Stream = Literal["text", "video"]
SiteKind = Literal["joint", "self", "cross"]


@dataclass(frozen=True)
class Site:
    """One attention of the network: ``address`` is its canonical name, ``module`` its path below the transformer.

    ``projections`` are the linear layers inside the module (query, key, value, output) that a LoRA may adapt.
    """

    address: str
    layer: int
    kind: SiteKind
    module: str
    projections: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class TokenLayout:
    """Where each stream's tokens sit along the query and the key axis of one kind of site."""

    queries: Mapping[Stream, slice]
    keys: Mapping[Stream, slice]


@dataclass(frozen=True)
class Objective:
    """What the network was trained to predict, and over how many noise steps.

    ``prediction`` is ``"v"`` (Salimans & Ho 2022, v = sqrt(a) e - sqrt(1-a) x0), ``"noise"`` or ``"flow"`` (e - x0).
    """

    prediction: Literal["v", "noise", "flow"]
    num_train_timesteps: int


class Sampler(ABC):
    """One run of a model's noise schedule from pure noise to clean latents; keeps the state of multistep solvers."""

    timesteps: Tensor

    @abstractmethod
    def step(
        self,
        index: int,
        prediction: Float[Tensor, "b c f h w"],
        latents: Float[Tensor, "b c f h w"],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "b c f h w"]:
        """Latents after step ``index``, from the model's prediction at ``timesteps[index]``.

        Noise that a stochastic solver adds comes from one generator per batch element.
        """


class Backbone(ABC):
    """A video diffusion transformer with its VAE, text encoder, tokenizer and scheduler, loaded and ready.

    ``vae`` is a diffusers video autoencoder: ``encode(x).latent_dist`` and ``decode(z).sample`` on ``b c p y x``.
    """

    name: str
    objective: Objective
    transformer: nn.Module
    text_encoder: nn.Module
    # Any, because diffusers' autoencoders share these methods and no base class that declares them.
    vae: Any

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The text encoder's tokenizer (a transformers fast tokenizer: it reports character offsets)."""

    @property
    @abstractmethod
    def text_length(self) -> int:
        """Number of text tokens the model was configured with; captions are padded or cut to it."""

    @property
    @abstractmethod
    def native_frames(self) -> int:
        """Pixel frames of the clips the model was trained on."""

    @property
    @abstractmethod
    def native_size_hw(self) -> tuple[int, int]:
        """Pixel height and width of the clips the model was trained on."""

    @property
    @abstractmethod
    def pipeline_class(self) -> str:
        """Name of the stock diffusers pipeline that loads this model."""

    @abstractmethod
    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        """The token grid of a clip of this many pixel frames at this size; ``InputError`` when it does not fit."""

    @abstractmethod
    def sites(self) -> tuple[Site, ...]:
        """Every attention site, in the order of the network."""

    @abstractmethod
    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        """Token layout of each kind of site for this grid and this many text tokens."""

    @property
    def device(self) -> torch.device:
        """Where the transformer's weights are."""
        return next(self.transformer.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The transformer's floating point type."""
        return next(self.transformer.parameters()).dtype

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Int[Tensor, "b t"]:
        """Token ids of plain prompts, padded or cut to :attr:`text_length`."""

    @abstractmethod
    def embed_tokens(self, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        """Text conditions of token ids; differentiable with respect to the text encoder."""

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b t d"]:
        """Text conditions of plain prompts. Empty text is the unconditional prompt."""
        return self.embed_tokens(self.tokenize(texts))

    @abstractmethod
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        """Scaled latents (unit variance, the transformer's units) of pixels in [-1, 1]; the posterior's mean."""

    @abstractmethod
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        """Pixels in [-1, 1] of scaled latents."""

    @abstractmethod
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], latent_frames: int) -> Float[Tensor, "b c f h w"]:
        """The image condition the transformer sees beside the noisy latents, as the stock pipeline builds it."""

    @abstractmethod
    def set_latent_scale(self, standard_deviation: float) -> None:
        """Tell the VAE the standard deviation of its raw latents, so that scaled latents have unit variance."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the whole pipeline in the standard diffusers layout, weights as safetensors."""

    @abstractmethod
    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Float[Tensor, "b t d"],
        condition: Float[Tensor, "b c f h w"],
    ) -> Float[Tensor, "b c f h w"]:
        """One forward of the transformer at integer ``timesteps`` (shape ``b``): the objective's prediction."""

    @abstractmethod
    def sampler(self, steps: int) -> Sampler:
        """A fresh run of the model's own scheduler with this many steps."""

    @abstractmethod
    def add_lora(self, sites: Sequence[Site], rank: int, alpha: float) -> None:
        """Add trainable low-rank adapters (peft) to the projections of these sites; everything else stays as it is."""

    @abstractmethod
    def save_lora(self, folder: Path) -> None:
        """Write the adapters in the diffusers format, which the stock pipeline's ``load_lora_weights`` reads."""

    @abstractmethod
    def load_lora(self, folder: Path) -> None:
        """Load adapters through the stock pipeline's own loader."""

    @abstractmethod
    def add_noise(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        """Latents noised to ``timesteps`` by the model's own schedule."""

    @abstractmethod
    def target(
        self, latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], timesteps: Tensor
    ) -> Float[Tensor, "b c f h w"]:
        """What :meth:`denoise` should predict for these latents, noise and timesteps."""
