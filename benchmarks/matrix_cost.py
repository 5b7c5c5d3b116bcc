"""What a training step of MATRIX costs, in time and memory, against a LoRA alone.

Run: python benchmarks/matrix_cost.py --out benchmarks/matrix_cost.md

A step is what the trainer does: draw clips from the cache, forward, backward, clip the gradient, AdamW. All ways train
the same LoRA on the same layers, from the same seed. *Map* is the first frame's instance map alone, with its widened
input layer, which is trained, too; *SGA + SPA* are the losses alone, at latent rate or through the decoders to the full
frame rate; *MATRIX* is all of it.

The ways take turns. *Time* is the median over the rounds, the ratio the median of the ratios within a round, and the
range its quartiles. *Memory* is by how much allocations grow at their peak in a step, beyond weights and optimiser. On
a CPU, time is that of the process (other work on the machine does not count), one thread, float32. On a GPU it is wall
time in bfloat16.

*Floor of SGA + SPA*, in operations. The scores are a product of each observed query (or key) with one mean per
instance: 2 h d for a token and instance, of the 24 (h d)^2 and more that a block takes for it. A decoder of width c
takes 54 c (1 + p) for a token of a map, p positions per token (16 in most models), and twice that on the way back. For
tiny-cogvideox (c = 4, 63 maps of 300 tokens a step) that is 0.2 of 25 billion: 1.01. In bytes: the queries and keys of
the aligned sites are read once more and their gradients written once more, and a decoded map is read and its gradient
written. What is above it is the price of many small operations.

*Floor of the map.* A LoRA alone needs gradients down to the lowest layer l that it adapts; a trained input layer needs
them down to the input. With N layers, and a backward pass that costs a frozen layer as much as its forward pass, that
is 2 N / (2 N - l) in time and, without gradient checkpointing, N / (N - l) in what is kept: 1.14 and 1.33 for N = 8,
l = 2 (the tiny models' quarter), 1.09 for the 42 layers of CogVideoX-5B with l = 7, 1.08 for Wan-14B with l = 6.

Goal: SGA + SPA at most 1.05 times the time and 1.03 times the memory of the LoRA alone. (The paper's full method takes
1.27 times the hours of its LoRA alone: 31.09 against 24.43 per epoch, appendix D.)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from experiments.cells import closing
from experiments.costs import Timing, in_turns, name_of, peak_of, seconds_of
from experiments.numbers import table
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.tiny import TinyCogVideoX
from interplay.backbones.cogvideox.tiny import build as build_cogvideox
from interplay.backbones.registry import build_tiny
from interplay.backbones.wan.tiny import TinyWan
from interplay.backbones.wan.tiny import build as build_wan
from interplay.core.cache import Cache
from interplay.core.files import atomic_write_text
from interplay.core.progress import Progress
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.requests import MatrixSites
from interplay.methods.matrix.targets import ClipTargets, Entity
from interplay.records.store.reader import ClipStore
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import LoraConfig, TrainConfig
from interplay.train.dataset import encode_clips
from interplay.train.losses import FineTuneLosses
from interplay.train.run import add_trained, build_losses, install_method
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

TINY = ("tiny-cogvideox", "tiny-wan", "tiny-hunyuan-video")
CLIPS, BATCH = 16, 8
BOXES = ((0.2, 0.7, 0.1, 0.3), (0.4, 0.6, 0.5, 0.9))  # top, bottom, left, right: 10 % and 8 % of a frame
BASE = "LoRA"
NOTHING: Mapping[str, Any] = {"instance_map": False, "sga_roles": (), "spa_roles": ()}
WAYS: Mapping[str, Mapping[str, Any]] = {
    BASE: NOTHING,
    "SGA + SPA, latent rate": {"instance_map": False, "supervision": "latent"},
    "SGA + SPA": {"instance_map": False},
    "map": {**NOTHING, "instance_map": True},
    "MATRIX": {},
}


@dataclass(frozen=True)
class Subject:
    """A model that is trained: ``build`` makes it anew each time, ``clips`` are ready for what a way asks for."""

    name: str
    build: Callable[[], Backbone]
    clips: Callable[[Backbone, TrainConfig, Mapping[str, Any] | None], TrainingClips]
    batch_size: int
    rank: int
    decoder: Mapping[str, int]
    layers: tuple[tuple[int, ...], tuple[int, ...]]
    device: torch.device
    checkpointing: bool = False

    def recipe(self, way: str) -> TrainConfig:
        """The recipe of a way."""
        v2t, v2v = self.layers
        return TrainConfig(
            backbone=self.name,
            matrix=MatrixConfig(v2t_layers=v2t, v2v_layers=v2v, **{**self.decoder, **WAYS[way]}),
            lora=LoraConfig(rank=self.rank, alpha=self.rank),
            steps=1,
            batch_size=self.batch_size,
            learning_rate=1e-4,
            gradient_checkpointing=self.checkpointing,
            precision="bfloat16" if self.device.type == "cuda" else "float32",
        )


# --- one way ----------------------------------------------------------------------------------------------------------


class Training:
    """One way to train a subject, step by step."""

    def __init__(self, subject: Subject, way: str) -> None:
        config, backbone = subject.recipe(way), subject.build()
        self.subject = subject
        installed = install_method(backbone, config)
        data = subject.clips(backbone, config, None if installed is None else installed.identity)
        aligned = MatrixConfig(v2t_layers=subject.layers[0], v2v_layers=subject.layers[1])
        sites = [own.lora_sites(backbone) for own in MatrixSites.of_each(backbone, aligned)]
        add_trained(backbone, config, installed, sites)
        self.losses: FineTuneLosses = build_losses(config, backbone, data, installed)
        self.losses.train()
        self.trained = [parameter for parameter in self.losses.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=config.learning_rate)

    def step(self, number: int) -> None:
        """As the trainer makes one, with the draws of this number."""
        self.optimizer.zero_grad(set_to_none=True)
        device = self.subject.device.type
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = self.losses(torch.Generator().manual_seed(number))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()

    def seconds(self, number: int) -> float:
        """Of one step."""
        return seconds_of(lambda: self.step(number), self.subject.device)

    def peak(self, number: int) -> int:
        """Bytes at the worst moment of a step, beyond what is there before it."""
        self.optimizer.zero_grad(set_to_none=True)
        return peak_of(lambda: self.step(number), self.subject.device)


@dataclass(frozen=True)
class Cost:
    """Time of a step, and bytes."""

    timing: Timing
    bytes: int


def costs(subject: Subject, rounds: int, ways: Sequence[str]) -> dict[str, Cost]:
    """Every way, in turns."""
    trainings = {way: Training(subject, way) for way in ways}
    for training in trainings.values():
        for number in range(2):  # the first one makes the optimiser's state
            training.step(number)
    peaks = {way: training.peak(2) for way, training in trainings.items()}
    timings = in_turns({way: _timed(training) for way, training in trainings.items()}, rounds)
    return {way: Cost(timings[way], peaks[way]) for way in ways}


def _timed(training: Training) -> Callable[[int], float]:
    # After the steps that warmed up and measured memory.
    return lambda number: training.seconds(3 + number)


# --- who is trained ---------------------------------------------------------------------------------------------------


def tiny(name: str, world: Path, cache: Cache) -> Subject:
    """A tiny backbone with random weights and clips of the embedded world, encoded as the trainer does it."""
    layers = len({site.layer for site in build_tiny(name, 0).sites()})

    def clips(backbone: Backbone, config: TrainConfig, reading: Mapping[str, Any] | None) -> TrainingClips:
        return encode_clips(backbone, ClipStore(world), config, cache=cache, model=f"{name}, seed 0", reading=reading)

    return Subject(
        name=name,
        build=lambda: build_tiny(name, 0),
        clips=clips,
        batch_size=BATCH,
        rank=16,
        decoder={"decoder_width": 4, "decoder_depth": 0},  # as the recipes matrix-tiny-*
        layers=((layers // 4, layers // 4 + 1), (layers // 2,)),
        device=torch.device("cpu"),
    )


def large(device: torch.device) -> list[Subject]:
    """Stacks of blocks of CogVideoX-5B and Wan-14B: whole on a GPU, small on a CPU; random weights and latents."""
    if device.type == "cuda":
        cogvideox = TinyCogVideoX(
            num_frames=49, size_hw=(240, 360), layers=42, heads=48, head_dim=64, text_length=226, latent_channels=16
        )
        wan = TinyWan(
            num_frames=81, size_hw=(240, 416), layers=40, heads=40, head_dim=128, text_length=512, latent_channels=16
        )
    else:
        cogvideox = TinyCogVideoX(
            num_frames=49, size_hw=(80, 112), layers=4, heads=5, head_dim=64, text_length=226, latent_channels=16
        )
        wan = TinyWan(
            num_frames=81, size_hw=(64, 96), layers=4, heads=3, head_dim=128, text_length=512, latent_channels=16
        )
    whole = device.type == "cuda"
    return [
        _stack("CogVideoX-5B", build_cogvideox, cogvideox, ((7, 11), (12,)) if whole else ((1, 2), (2,)), 128, device),
        _stack("Wan-14B", build_wan, wan, ((20, 24), (6, 8)) if whole else ((2, 3), (0, 1)), 16, device),
    ]


def _stack(
    name: str,
    build: Callable[[int, Any], Backbone],
    config: TinyCogVideoX | TinyWan,
    layers: tuple[tuple[int, ...], tuple[int, ...]],
    rank: int,
    device: torch.device,
) -> Subject:
    def made() -> Backbone:
        backbone = build(0, config)
        for network in backbone.networks.values():
            network.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
        return backbone

    tokens = made_tokens(config)
    return Subject(
        name=f"{name}: {config.layers} blocks, {tokens:,} tokens, {config.heads} heads x {config.head_dim}",
        build=made,
        clips=lambda backbone, config, reading: MadeUp(backbone, config),
        batch_size=1,
        rank=rank,
        decoder={"decoder_width": 16, "decoder_depth": 2},  # as the recipes
        layers=layers,
        device=device,
        checkpointing=device.type == "cuda",
    )


def made_tokens(config: TinyCogVideoX | TinyWan) -> int:
    """Video tokens of a clip: four frames and 8 x 8 pixels each."""
    return ((config.num_frames - 1) // 4 + 1) * (config.size_hw[0] // 8) * (config.size_hw[1] // 8)


class MadeUp(TrainingClips):
    """One clip of random latents, with two instances that stand still, and the verb between them."""

    groups = ((0,),)

    def __init__(self, backbone: Backbone, config: TrainConfig) -> None:
        grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
        generator = torch.Generator().manual_seed(0)

        def random(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(backbone.device, backbone.dtype)

        with torch.no_grad():
            image = random(1, 3, grid.height, grid.width).clamp(-1, 1)
            first_frame = backbone.first_frame_condition(image, grid)
            text = backbone.encode_text(["a man pushes a ball"], first_frame)
        shown = config.matrix is not None and config.matrix.instance_map
        self._batch = ClipBatch(
            grid=grid,
            latents=random(1, backbone.latent_channels, *grid.latent_shape),
            first_frame=first_frame,
            text=text,
            targets=(two_instances(grid),),
            maps=random(1, backbone.picture_channels, *grid.latent_shape) if shown else None,
            captions=("a man pushes a ball",),
        )

    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        """The clip."""
        return self._batch


def two_instances(grid: TokenGrid) -> ClipTargets:
    """A subject, an object and their verb, at both rates."""

    def boxes(shape: tuple[int, int, int]) -> list[Tensor]:
        masks = [torch.zeros(shape) for _ in BOXES]
        for mask, (top, bottom, left, right) in zip(masks, BOXES, strict=True):
            height, width = shape[1:]
            mask[:, int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = 1.0
        return [*masks, torch.maximum(*masks)]

    known, full_known = torch.ones(grid.token_shape[0], dtype=torch.bool), torch.ones(grid.frames, dtype=torch.bool)
    tracks, full = boxes(grid.token_shape), boxes((grid.frames, *grid.latent_shape[1:]))
    subject, thing, verb = ((track, known, at_full, full_known) for track, at_full in zip(tracks, full, strict=True))
    return ClipTargets(
        "made up",
        (
            Entity("subject", "id1", (1,), *subject),
            Entity("object", "id2", (4,), *thing),
            Entity("verb", "verb", (2,), *verb),
        ),
    )


# --- the page ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="timed steps of each way")
    parser.add_argument("--backbones", nargs="*", default=TINY, choices=TINY, help="tiny backbones to measure")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="of the large blocks")
    parser.add_argument("--skip-large", action="store_true", help="the tiny backbones alone")
    parser.add_argument("--out", type=Path, default=None, help="write the tables to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    page = measure(arguments.backbones, None if arguments.skip_large else device, arguments.rounds)
    page = f"{page}\n{closing(Path(__file__).name, name_of(device))}\n"
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def measure(names: Sequence[str], device: torch.device | None, rounds: int) -> str:
    """Both tables."""
    parts = ["# The cost of MATRIX in training\n", (__doc__ or "").split("\n\n", 2)[2].strip() + "\n"]
    with tempfile.TemporaryDirectory() as folder:
        make_world(WorldConfig(train=CLIPS), Path(folder) / "clips")
        cache = Cache(Path(folder) / "cache")
        subjects = [tiny(name, Path(folder) / "clips", cache) for name in names]
        about = f"{BATCH} clips of the embedded world a step; the recipes' decoders."
        parts += [f"## Tiny backbones on a CPU\n\n{about}\n", _table(subjects, rounds), ""]
    if device is not None:
        scale = (
            "At the models' real shapes, with gradient checkpointing."
            if device.type == "cuda"
            else "**At reduced size, for want of a GPU**: a ninth (CogVideoX) and a sixteenth (Wan) of the real "
            "tokens, a tenth of the real layers and of the real width, so that attention has its real share of a "
            "block's work."
        )
        parts += [f"## Blocks of the real models, random weights\n\n{scale}\n", _table(large(device), rounds), ""]
    return "\n".join(parts)


def _table(subjects: Sequence[Subject], rounds: int) -> str:
    rows = []
    with Progress("measure", len(subjects)) as progress:
        for subject in subjects:
            rows += _rows(subject.name, costs(subject, rounds, tuple(WAYS)))
            progress.advance()
    return table(["what", "way", "time", "of the LoRA's", "quartiles", "peak memory", "of the LoRA's"], rows)


def _rows(title: str, found: Mapping[str, Cost]) -> list[list[str]]:
    rows = []
    for way, cost in found.items():
        timing = cost.timing
        time = [f"{1e3 * timing.seconds:.0f} ms", f"{timing.ratio:.3f}", timing.spread]
        of_lora = f"{cost.bytes / found[BASE].bytes:.3f}"
        rows.append([title, way, *time, f"{cost.bytes / 2**20:.1f} MiB", of_lora])
        title = ""
    return rows


if __name__ == "__main__":
    main()
