"""A model that makes clips: a backbone, with the adapter that was trained on it, in a few lines of Python.

>>> import interplay
>>> model = interplay.load("tiny-cogvideox")
>>> clip = model.generate("the <id1> man kicks the <id2> ball", image="first.png", seed=1)
>>> clip.save("kick.mp4")

The stage (:mod:`.run`) makes its clips by the same object.

Shape legend: ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from numpy import ndarray

from interplay.backbones.base import Backbone
from interplay.backbones.placement import Offload, place, use_tiles
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import External, open_artifact
from interplay.core.config import digest, from_mapping
from interplay.core.errors import InputError
from interplay.core.manifest import MANIFEST, sha256_on_disk
from interplay.diffusion.sampling import clip_generators, sample
from interplay.generate.config import DType, SamplingConfig
from interplay.generate.made import Made, facts_of
from interplay.generate.requests import Masks, Picture, Request
from interplay.generate.table import geometry, refused_picture
from interplay.grid.buckets import Bucket
from interplay.grid.pixels import to_frames
from interplay.methods.matrix.adapter import Adapter, load_adapter
from interplay.methods.matrix.files import LAYERS_FILE
from interplay.methods.matrix.guidance import GuidanceConfig, with_layers
from interplay.methods.matrix.layers import Layers
from interplay.methods.matrix.showing import guided_words, shown_conditions, shown_guides
from interplay.records.masks import MaskTrack
from interplay.records.rates import FASTEST, SLOWEST

ADAPTER_FOLDER = "adapter"
# A painted picture, a folder of <id>.png, or masks by instance id.
GivenMasks = str | PathLike[str] | UInt8[ndarray, "y x 3"] | Mapping[str, Bool[ndarray, "y x"]]
_DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Model:
    """A backbone with its adapter, and what they were loaded from."""

    backbone: Backbone
    adapter: Adapter
    source: External
    adapter_source: External | None
    tiling: bool

    def generate(
        self,
        prompt: str,
        *,
        image: str | PathLike[str] | UInt8[ndarray, "y x 3"] | None = None,
        masks: GivenMasks | None = None,
        seed: int = 0,
        size: str | None = None,
        fps: float | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        negative_prompt: str = "",
        guidance: Mapping[str, Any] | None = None,
    ) -> Made:
        """Make one clip.

        ``prompt`` may carry markup (``<id1> man``). ``image`` is the first frame: pixels, a picture, or a video's first
        frame; without one the clip is made of text, by models that do that. ``masks`` of its instances are a picture in
        the palette's colours, a folder of ``<id>.png``, or arrays by id. ``size`` is width x height x frames, as
        ``720x480x49``. What is not given is as the model was trained and as its stock pipeline does it. ``guidance``
        are fields of :class:`.GuidanceConfig`. What nobody would read is refused (:meth:`check`).
        """
        num_frames, size_hw = geometry(None if size is None else str(Bucket.parse(size)), self.backbone)
        request = Request(
            clip_id="clip",
            prompt=prompt,
            seed=seed,
            num_frames=num_frames,
            size_hw=size_hw,
            fps=self.backbone.recommended.fps if fps is None else _rate(fps),
            image=_picture(image),
            masks=_masks(masks),
        )
        if image is not None and not self.backbone.sees_first_frame:
            raise refused_picture(self.backbone, "image")
        given = {"steps": steps, "guidance_scale": guidance_scale, "guidance": guidance or {}}
        config = from_mapping(SamplingConfig, {**given, "negative_prompt": negative_prompt}, where="generate")
        return self.make([request], config)[0]

    def make(self, requests: Sequence[Request], config: SamplingConfig) -> list[Made]:
        """Make clips of one geometry together, after all of them have been checked."""
        self.check(requests, config)
        return self.sample(requests, config)

    def check(self, requests: Sequence[Request], config: SamplingConfig) -> None:
        """Let what would go wrong with any of these clips go wrong now; their files are read for that.

        Refused is also what nobody would read, and a clip without words for guidance that goes by words. Told on
        stderr are masks in a table that nobody reads (the same table is made by a base and by its adapter), clips that
        are shown no instance map by an adapter that reads one, and those that are made of text beside others that are
        made of pictures.
        """
        guidance = self.guidance(config)
        if config.negative_prompt and self.guidance_scale(config) == 1:
            problem = "is not read: a scale of classifier-free guidance of 1 leads away from nothing"
            cure = "raise guidance_scale (--guidance) above 1, or leave it out"
            raise InputError(problem, where="generate, field negative_prompt", cure=cure)
        # All of them, before any file is read: reading those of a large table takes a while.
        for request in requests:
            request.check_fits(self.backbone)
        without = []
        if not (self.adapter.sees_map or guidance.cmg_scale):
            _tell_unread_masks(requests, plain=self.adapter_source is None)
        for request in requests:
            shown, grid = request.shown(self.adapter), request.grid(self.backbone)
            guided_words(self.backbone, guidance, shown, grid)
            if not shown.masks:
                without.append(request.clip_id)
        if without and self.adapter.sees_map:
            print(_without_map(without, len(requests)), file=sys.stderr)
        of_text = [request.clip_id for request in requests if request.image is None]
        if 0 < len(of_text) < len(requests) and self.backbone.first_frame_is_optional:
            told = f"{len(of_text)} of {len(requests)} clips have no first frame and are made of text alone"
            print(f"{told} ({of_text[0]}, ...)", file=sys.stderr)

    def sample(self, requests: Sequence[Request], config: SamplingConfig) -> list[Made]:
        """Make clips of one geometry together; the caller has checked them (:meth:`check`)."""
        backbone = self._as_asked(requests)
        grid = requests[0].grid(backbone)
        shown = [request.shown(self.adapter) for request in requests]
        steps, scale, guidance = self.steps(config), self.guidance_scale(config), self.guidance(config)
        with _memory_named(requests):
            latents = sample(
                backbone,
                shown_conditions(backbone, self.adapter, shown, grid, negative=config.negative_prompt),
                clip_generators([request.seed for request in requests]),
                steps=steps,
                guidance_scale=scale,
                guides=shown_guides(backbone, guidance, shown, grid),
            )
            videos = [to_frames(video) for video in backbone.decode_video(latents)]
        settings = self._facts() | {
            "steps": steps,
            "guidance_scale": scale,
            "negative_prompt": config.negative_prompt,
            "guidance": guidance.model_dump(mode="json"),
        }
        return [
            Made(frames, request, one, facts_of(request, one, settings, place=place, size=len(requests)), self._places)
            for place, (request, one, frames) in enumerate(zip(requests, shown, videos, strict=True))
        ]

    def _as_asked(self, requests: Sequence[Request]) -> Backbone:
        """The backbone, without its first frame where that is optional and none of the clips has one."""
        if self.backbone.first_frame_is_optional and all(request.image is None for request in requests):
            return self.backbone.without_first_frame()
        return self.backbone

    def steps(self, config: SamplingConfig) -> int:
        """Denoising steps: those of the config, or the model's own."""
        return config.steps or self.backbone.recommended.steps

    def guidance_scale(self, config: SamplingConfig) -> float:
        """Scale of classifier-free guidance: that of the config, or the model's own."""
        scale = config.guidance_scale
        return self.backbone.recommended.guidance_scale if scale is None else scale

    def guidance(self, config: SamplingConfig) -> GuidanceConfig:
        """Guidance by attention, with the layers that the config leaves open."""
        aligned = self.adapter.aligned
        if aligned is None:
            aligned = Layers() if self.adapter_source is None else _aligned_by(self.adapter_source.path)
        return with_layers(config.guidance, self.backbone, aligned)

    @property
    def _places(self) -> dict[str, Path]:
        """Where the weights are; a name (shipped, or on the hub) is found by itself wherever it is."""
        named = Path(self.backbone.name)
        places = {"backbone": named} if named.is_dir() else {}
        return places if self.adapter_source is None else places | {"adapter": self.adapter_source.path}

    def _facts(self) -> dict[str, Any]:
        return {
            "backbone": self.backbone.name,
            "backbone_digest": self.source.identity,
            "adapter": None if self.adapter_source is None else self.adapter_source.identity,
            "sees_map": self.adapter.sees_map,
            "dtype": str(self.backbone.dtype).removeprefix("torch."),
            "device": self.backbone.device.type,
            # Sums on a CPU are split among its threads.
            "threads": torch.get_num_threads() if self.backbone.device.type == "cpu" else None,
            "tiling": self.tiling,
        }


def load(
    backbone: str,
    *,
    adapter: str | PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    dtype: DType = "float32",
    offload: Offload = "none",
    tiling: bool = False,
    text_to_video: bool = False,
) -> Model:
    """A model that is ready to make clips.

    ``backbone`` is a shipped tiny one, a folder in the diffusers layout or a repository of the hub. ``adapter`` is a
    training of this project, a folder with a LoRA, or a checkpoint of MATRIX's released code. ``offload`` keeps
    weights on the CPU until they are needed: one of the ``networks`` at a time, or ``blocks`` of the transformer.

    A model whose weights make videos of pictures and of text (LTX-Video, Wan 2.2 TI2V) makes a clip of text where no
    image is given; with ``text_to_video`` it takes no image at all.
    """
    target = the_device(device)
    at = target if offload == "none" else torch.device("cpu")
    loaded = load_backbone(backbone, at, _DTYPES[dtype], text_to_video=text_to_video)
    source = None if adapter is None else adapter_input(Path(adapter))
    with_adapter = Adapter(None) if source is None else load_adapter(loaded, source.path)
    if tiling:
        use_tiles(loaded)
    place(loaded, target, offload)
    return Model(loaded, with_adapter, backbone_input(backbone), source, tiling)


def adapter_input(path: Path) -> External:
    """An adapter as an input of a stage: its folder (that inside a training) or file, and a digest of its weights.

    And of what it says of its layers, by which guidance goes.
    """
    if (path / MANIFEST).is_file():
        path = open_artifact(path, "training").path / ADAPTER_FOLDER
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if not files:
        cure = "name a training, a folder with a LoRA or a checkpoint of MATRIX's released code"
        raise InputError("holds no adapter", where=path, cure=cure)
    told = [path / LAYERS_FILE] if (path / LAYERS_FILE).is_file() else []
    return External(path, digest([[file.name, sha256_on_disk(file)] for file in files + told]))


def the_device(name: str | torch.device) -> torch.device:
    """The device of this name; :class:`InputError` when this machine has none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        cure = "use cpu, or a device that torch sees (cuda, cuda:1)"
        raise InputError("is no device of this machine", where=f"device {name}", cure=cure) from error
    return device


def _aligned_by(adapter: Path) -> Layers:
    """The layers that the training aligned which this adapter's folder lies in, if it lies in one.

    For adapters of before they said so themselves.
    """
    if not (adapter.parent / MANIFEST).is_file():
        return Layers()
    training = open_artifact(adapter.parent)
    matrix = training.config.get("matrix") if training.kind == "training" else None
    if matrix is None:
        return Layers()
    return Layers(
        v2t=tuple(matrix["v2t_layers"]) if matrix["sga_roles"] else (),
        v2v=tuple(matrix["v2v_layers"]) if matrix["spa_roles"] else (),
    )


def _tell_unread_masks(requests: Sequence[Request], *, plain: bool) -> None:
    """Masks were given and nobody will read them: an error about a single clip, a line about a table."""
    given = [request for request in requests if request.masks is not None]
    if not given:
        return
    reader = "the model alone" if plain else "this adapter"
    problem = f"are not read: {reader} is shown no instance map, and no word is guided"
    if len(requests) == 1:
        cure = "give an adapter that reads a map, guide by words (guidance.cmg_scale), or leave the masks out"
        raise InputError(problem, where=f"{given[0].where}, field masks", cure=cure)
    print(f"masks of {len(given)} of {len(requests)} clips {problem} ({given[0].where}, ...)", file=sys.stderr)


def _without_map(names: Sequence[str], total: int) -> str:
    if total == 1:
        return "the clip has no masks and is shown no instance map, which its adapter was trained with"
    return f"{len(names)} of {total} clips have no masks and are shown no instance map ({names[0]}, ...)"


@contextmanager
def _memory_named(requests: Sequence[Request]) -> Iterator[None]:
    """Say what helps when the device's memory does not hold these clips."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        count = "the clip does" if len(requests) == 1 else f"{len(requests)} clips at once do"
        fewer = "a smaller size" if len(requests) == 1 else "a smaller --batch-size"
        cure = f"use --offload networks (or blocks), --tiling, --dtype bfloat16 or {fewer}"
        raise InputError(f"{count} not fit into the device's memory", where=requests[0].where, cure=cure) from error


def _masks(given: GivenMasks | None) -> Masks | None:
    if isinstance(given, Mapping):
        return {name: MaskTrack.from_array(np.asarray(mask, dtype=bool)[None]) for name, mask in given.items()}
    return _picture(given)


def _rate(fps: float) -> float:
    if not SLOWEST <= fps <= FASTEST:
        cure = f"give {SLOWEST:g} to {FASTEST:g} frames per second, or leave it out"
        raise InputError(f"is {fps}", where="generate, field fps", cure=cure)
    return fps


def _picture(given: str | PathLike[str] | UInt8[ndarray, "y x 3"] | None) -> Picture | None:
    return given if given is None or isinstance(given, ndarray) else Path(given)
