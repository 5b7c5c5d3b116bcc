"""What a backbone is to the rest of the house: a stock video diffusion transformer behind one small interface.

A family (``cogvideox``, ``wan``, ...) implements :class:`Backbone` once. Everything above this floor (observation,
objectives, methods, stages) speaks only this interface, so no stage ever asks which model it has in its hands.

What a model is conditioned on differs most between families. Here it is two batches of named tensors, text and first
frame, that a family makes and reads itself (:class:`~interplay.backbones.batch.Batch`).

Shape legend: ``b`` batch, ``n`` clips, ``c`` latent channels, ``f h w`` latent frames, height, width, ``p y x`` pixel
frames, height, width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.backbones.batch import Batch
from interplay.backbones.devices import device_of
from interplay.backbones.native import Sampling
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Caption, Tokenizer, TokenSpans, token_spans

Stream = Literal["text", "video", "image"]
# "cross" is attention to text; "image" to the tokens of an image encoder, where it has a softmax of its own.
SiteKind = Literal["joint", "self", "cross", "image"]


@dataclass(frozen=True)
class Site:
    """One attention of the network: ``address`` is its canonical name, ``module`` its path below the transformer.

    ``projections`` are the linear layers inside the module (query, key, value, output) that a LoRA may adapt. A module
    may attend to several sequences one after the other: of its ``calls`` of the attention kernel this site is number
    ``call``.
    """

    address: str
    layer: int
    kind: SiteKind
    module: str
    projections: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    calls: int = 1
    call: int = 0


@dataclass(frozen=True)
class TokenLayout:
    """Where each stream's tokens sit along the query and the key axis of one kind of site.

    ``image`` tokens are those that an image encoder made of the first frame; tokens of no stream may lie in between.
    """

    queries: Mapping[Stream, slice]
    keys: Mapping[Stream, slice]

    @cached_property
    def num_queries(self) -> int:
        """Query tokens up to the end of the last stream."""
        return max(part.stop for part in self.queries.values())

    @cached_property
    def num_keys(self) -> int:
        """Key tokens up to the end of the last stream."""
        return max(part.stop for part in self.keys.values())


@dataclass(frozen=True)
class Objective:
    """What the network was trained to predict, and over how many noise steps.

    ``prediction`` is ``"v"`` (Salimans & Ho 2022, v = sqrt(a) e - sqrt(1-a) x0), ``"noise"`` or ``"flow"`` (e - x0).
    The first ``given_frames`` latent frames are shown to the model clean, and what it predicts there means nothing.
    """

    prediction: Literal["v", "noise", "flow"]
    num_train_timesteps: int
    given_frames: int = 0


class Sampler(ABC):
    """One run of a model's noise schedule from pure noise to clean latents; keeps the state of multistep solvers."""

    timesteps: Tensor

    @abstractmethod
    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "b c f h w"]:
        """The latents that the stock pipeline starts from, each clip's noise from its own generator.

        A generator gives the same noise here as in the stock pipeline.
        """

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
    Conditions are opaque to everybody but the family: what :meth:`embed_tokens` and :meth:`first_frame_condition` make
    goes into :meth:`denoise`.
    """

    name: str
    objective: Objective
    # How it makes clips unless it is told otherwise.
    recommended: Sampling
    transformer: nn.Module
    text_encoder: nn.Module
    # Whether clips start with a given picture; where they do not, the condition of the first frame is Batch.empty.
    sees_first_frame: bool = True
    # Whether the same weights make clips of text alone, too (without_first_frame).
    first_frame_is_optional: bool = False
    # Whether embed_tokens looks at the first frame; where it does not, clips of one prompt have one text condition.
    text_sees_first_frame: bool = False
    # Where the networks compute, when that is not where their weights wait (interplay.backbones.placement).
    computes_on: torch.device | None = None
    # Path, below each transformer, of the layer that latents enter by (a convolution, or a linear layer over patches).
    input_projection: str
    # Any, because diffusers' autoencoders share these methods and no base class that declares them.
    vae: Any

    @property
    def transformers(self) -> tuple[nn.Module, ...]:
        """All transformers, of one architecture: several where experts share the noise levels, noisiest first."""
        return (self.transformer,)

    @property
    def text_encoders(self) -> tuple[nn.Module, ...]:
        """All networks that :meth:`embed_tokens` runs."""
        return (self.text_encoder,)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network of the pipeline by a name that says what it is."""
        groups = {"transformer": self.transformers, "text encoder": self.text_encoders, "autoencoder": (self.vae,)}
        return {
            name if number == 1 else f"{name} {number}": module
            for name, group in groups.items()
            for number, module in enumerate(group, start=1)
        }

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The text encoder's tokenizer (a transformers fast tokenizer: it reports character offsets)."""

    @property
    @abstractmethod
    def text_length(self) -> int:
        """Number of text tokens the model was configured with; captions are padded or cut to it."""

    def token_spans(self, caption: Caption) -> TokenSpans:
        """Where the caption's labels stand among the text tokens, and what :attr:`text_length` cuts off."""
        return token_spans(caption, self.tokenizer, self.text_length)

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
    def latent_channels(self) -> int:
        """Channels of the latents that are denoised."""

    @property
    @abstractmethod
    def pipeline_class(self) -> str:
        """Name of the stock diffusers pipeline that loads this model."""

    @abstractmethod
    def grid(self, num_frames: int, size_hw: tuple[int, int]) -> TokenGrid:
        """The token grid of a clip of this many pixel frames at this size; ``InputError`` when it does not fit."""

    def check_decodes(self, num_frames: int) -> None:  # noqa: B027 (most autoencoders decode what they encode)
        """:class:`.InputError` when the autoencoder does not decode clips of so many pixel frames.

        Some of these can be trained on. What clips are made of is asked this before :meth:`grid`: where a model's rule
        is stricter here, whoever follows the other one's advice would be refused a second time.
        """

    @abstractmethod
    def sites(self) -> tuple[Site, ...]:
        """Every attention site, in the order of the network."""

    @abstractmethod
    def layout(self, grid: TokenGrid, text_length: int) -> Mapping[SiteKind, TokenLayout]:
        """Token layout of each kind of site for this grid and this many text tokens."""

    @property
    def device(self) -> torch.device:
        """Where the networks compute."""
        return self.computes_on or device_of(self.transformer)

    @property
    def dtype(self) -> torch.dtype:
        """The floating point type that the transformer computes in (a few of its weights may stay in float32)."""
        # Of a layer that is neither kept in float32 by diffusers nor, as the input projection may be, trained in it.
        first = self.sites()[0]
        layer = self.transformer.get_submodule(f"{first.module}.{first.projections[0]}")
        return cast(Tensor, layer.weight).dtype

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Batch:
        """Tokens of plain prompts, padded or cut to :attr:`text_length`. Empty text is the unconditional prompt."""

    @abstractmethod
    def embed_tokens(self, tokens: Batch, first_frame: Batch) -> Batch:
        """Text conditions of tokens; differentiable with respect to the text encoders.

        ``first_frame`` is the condition of the same clips: some models read their prompt with the picture in view.
        """

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str], first_frame: Batch) -> Batch:
        """Text conditions of plain prompts. Empty text is the unconditional prompt."""
        return self.embed_tokens(self.tokenize(texts), first_frame)

    def told_guidance(self, text: Batch, scale: float) -> Batch | None:
        """Text conditions that tell a guidance-distilled model this scale, for one pass; ``None`` if it takes two."""
        return None

    @abstractmethod
    def encode_video(self, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
        """Scaled latents (unit variance, the transformer's units) of pixels in [-1, 1]; the posterior's mean."""

    @abstractmethod
    def decode_video(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
        """Pixels in [-1, 1] of scaled latents."""

    @abstractmethod
    def first_frame_condition(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Batch:
        """What the transformer is shown of the first frame (pixels in [-1, 1]) of clips of this geometry.

        A model that is shown none (:attr:`sees_first_frame`) gives :meth:`Batch.empty`.
        """

    def without_first_frame(self) -> Backbone:
        """The same networks as a model that makes clips of text alone; itself where it is one.

        What happens to the networks of one of the two happens to both. :class:`.InputError` for a model that was made
        to be shown a first frame always.
        """
        if not self.sees_first_frame:
            return self
        problem = "was made to be shown a first frame and makes no videos of text alone"
        cure = "leave text_to_video out, or use a text-to-video model"
        raise InputError(problem, where=f"backbone {self.name}", cure=cure)

    def leave_out_image_tokens(self) -> Callable[[], None]:
        """Show the transformer no image tokens of the first frame until the function that this gives is called.

        For models that are shown the first frame in another way, too, and were made so that these tokens can be left
        out: as if the transformer had been built without them. :class:`.InputError` for all others.
        """
        problem = f"{self.name} has no image tokens beside its first frame that could be left out"
        raise InputError(problem, where="matrix.image_tokens", cure="leave matrix.image_tokens out")

    @property
    @abstractmethod
    def picture_channels(self) -> int:
        """How many channels :meth:`show_picture` gives."""

    @abstractmethod
    def show_picture(self, image: Float[Tensor, "b 3 y x"], grid: TokenGrid) -> Float[Tensor, "b e f h w"]:
        """A second picture of the first frame (pixels in [-1, 1]), as input channels of clips of this geometry.

        It goes through the autoencoder exactly as the first frame does, and has channels that say where it is valid
        where the family shows its first frame with some. For :func:`interplay.backbones.widen.beside`.
        """

    @abstractmethod
    def fit_latent_scale(self, latents: Float[Tensor, "n c f h w"]) -> None:
        """Change the latent scale so that clips whose latents are these now will have latents of unit variance."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the whole pipeline in the standard diffusers layout, weights as safetensors."""

    @abstractmethod
    def denoise(
        self,
        latents: Float[Tensor, "b c f h w"],
        timesteps: Tensor,
        text: Batch,
        first_frame: Batch,
    ) -> Float[Tensor, "b c f h w"]:
        """One forward at these ``timesteps`` (shape ``b``): the objective's prediction.

        A model whose input was widened reads the further channels from ``first_frame`` too, see
        :mod:`interplay.backbones.widen`.
        Where experts share the noise levels, all timesteps of one call belong to one of them, else ``ValueError``.
        """

    @abstractmethod
    def sampler(self, steps: int, grid: TokenGrid, first_frame: Batch) -> Sampler:
        """A fresh run of the model's own scheduler with this many steps, for clips that start with ``first_frame``."""

    @abstractmethod
    def add_lora(self, sites: Sequence[Site], rank: int, alpha: float, *, expert: int | None = None) -> None:
        """Add trainable low-rank adapters (peft) to the projections of these sites; everything else stays as it is.

        In all of :attr:`transformers`, or in one of them (``expert``).
        """

    @abstractmethod
    def save_lora(self, folder: Path) -> None:
        """Write the adapters in the diffusers format, which the stock pipeline's ``load_lora_weights`` reads."""

    @abstractmethod
    def load_lora(self, folder: Path) -> None:
        """Load adapters through the stock pipeline's own loader."""

    def check_shift(self, shift: float | None) -> None:
        """:class:`.InputError` for a shift of noise levels that training could not draw by."""
        if shift is not None and self.objective.prediction != "flow":
            problem = f"{self.name} is not trained by flow matching, so there is no shift of its noise levels"
            raise InputError(problem, where="recipe, field timestep_shift", cure="leave timestep_shift out")

    def draw_timesteps(self, count: int, generator: torch.Generator, shift: float | None = None) -> Int[Tensor, " b"]:
        """Random timesteps of one training batch, on the CPU as ``generator`` is; uniform unless a family says else.

        ``shift`` is how far they are moved towards noise in place of the model's own (flow matching alone).
        """
        self.check_shift(shift)
        return torch.randint(self.objective.num_train_timesteps, (count,), generator=generator)

    @property
    def expert_timesteps(self) -> tuple[range, ...]:
        """The timesteps of each of :attr:`transformers`, in their order: noisiest first."""
        return (range(self.objective.num_train_timesteps),)

    def expert_of(self, timestep: float) -> int:
        """Which of :attr:`transformers` runs at this timestep; pure noise may be one above the last that is trained."""
        return next(number for number, own in enumerate(self.expert_timesteps) if timestep >= own.start)

    def expert_at(self, timesteps: Tensor) -> int:
        """Which of :attr:`transformers` runs in a forward at these timesteps; ``ValueError`` where they are of several.

        On ``meta``, where timesteps have no values, the first.
        """
        if len(self.transformers) == 1 or timesteps.is_meta:
            return 0
        experts = set(map(self.expert_of, timesteps.tolist()))
        if len(experts) > 1:
            boundary = self.expert_timesteps[min(experts)].start
            raise ValueError(f"timesteps {timesteps.tolist()} lie on both sides of the experts' boundary {boundary}")
        return experts.pop()

    def draw_expert(self, generator: torch.Generator, shift: float | None = None) -> int:
        """Which of :attr:`transformers` a random batch is for: each as often as its noise levels are drawn."""
        return 0

    def draw_timesteps_of(
        self, expert: int, count: int, generator: torch.Generator, shift: float | None = None
    ) -> Int[Tensor, " b"]:
        """Random timesteps of one training batch for this one of :attr:`transformers`."""
        return self.draw_timesteps(count, generator, shift)

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
