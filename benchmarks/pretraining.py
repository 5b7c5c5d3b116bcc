"""What Muon, bfloat16 and compiled blocks gain when a tiny backbone is pretrained: loss by step, and time.

Run: python benchmarks/pretraining.py --steps 250 --out benchmarks/pretraining.md
Or, for learning rates of Muon in place of ways to compute: --rates 1e-3 3e-3 1e-2 --out benchmarks/pretraining_rates.md

All runs start from the same random weights, draw the same clips and noise, and end their learning rate at the last
step. The held-out loss is that of clips of another seed at fixed noise, with the averaged weights, computed in
float32. The time of a step is the median one, so it is without the minute that compiling takes at the first step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from experiments.cells import closing
from experiments.numbers import table

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, load_backbone, tiny_names
from interplay.core.files import atomic_write_text
from interplay.train.history import History, mean_of
from interplay.train.optimizers import OptimizerName
from interplay.train.precision import Precision
from interplay.train.pretrain.config import DenoiserConfig
from interplay.train.pretrain.denoiser import DenoiserLosses, train_denoiser, world_tokens
from interplay.train.pretrain.latents import LatentCache, cache_latents

HELD_OUT_DRAWS = 16


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    optimizer: OptimizerName
    precision: Precision
    compiled: bool
    learning_rate: float = 1e-3

    @property
    def is_plain(self) -> bool:
        """The others' times are told as multiples of this one's."""
        return self.optimizer == "muon" and self.precision == "float32" and not self.compiled

    def __str__(self) -> str:
        return f"{self.optimizer} {self.learning_rate:g}, {self.precision}{', compiled' if self.compiled else ''}"


ARMS = (
    Arm("adamw", "float32", compiled=False),
    Arm("muon", "float32", compiled=False),
    Arm("muon", "bfloat16", compiled=False),
    Arm("muon", "float32", compiled=True),
    Arm("muon", "bfloat16", compiled=True),
)


@dataclass(frozen=True)
class Fit:
    """One run: its losses, and its held-out loss."""

    history: History
    held_out: float

    @property
    def seconds_per_step(self) -> float:
        """The median one's."""
        return statistics.median(row["seconds"] for row in self.history)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tiny-cogvideox", choices=tiny_names())
    parser.add_argument("--latents-of", default=None, help="trained weights of the same kind (default: the shipped)")
    parser.add_argument("--rates", nargs="+", type=float, default=None, help="compare these learning rates of Muon")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--clips", type=int, default=2048, help="training clips; a tenth as many are held out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        fits = measure(arguments, arms(arguments.rates), Path(folder))
    page = render_page(arguments.backbone, arguments.steps, fits)
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def arms(rates: Sequence[float] | None) -> Sequence[Arm]:
    """The ways to compute, or one way at several learning rates."""
    if rates is None:
        return ARMS
    return [Arm("muon", "float32", compiled=False, learning_rate=rate) for rate in rates]


def measure(arguments: argparse.Namespace, ways: Sequence[Arm], folder: Path) -> dict[Arm, Fit]:
    name, steps, clips, seed = arguments.backbone, arguments.steps, arguments.clips, arguments.seed
    trained = load_backbone(arguments.latents_of or name)
    caches = [_cache(trained, count, root, folder) for count, root in ((clips, seed), (clips // 10, seed + 1))]
    fits = {}
    for arm in ways:
        backbone = build_tiny(name, seed)
        settings = DenoiserConfig(
            name=str(arm),
            steps=steps,
            learning_rate=arm.learning_rate,
            final_learning_rate=arm.learning_rate / 50,
            warmup_steps=steps // 5,
            optimizer=arm.optimizer,
            precision=arm.precision,
        )
        tokens = [world_tokens(backbone, root, count) for count, root in ((clips, seed), (clips // 10, seed + 1))]
        kept = {"seed": seed, "save_every": steps, "compiled": arm.compiled}
        history = train_denoiser(backbone, settings, caches[0], tokens[0], folder, **kept)
        losses = DenoiserLosses(backbone, settings, caches[1], tokens[1]).eval()
        fits[arm] = Fit(history, _held_out(losses))
    return fits


def _cache(backbone: Backbone, clips: int, seed: int, folder: Path) -> LatentCache:
    place = folder / str(seed)
    place.mkdir()
    return cache_latents(backbone, clips, backbone.native_frames, backbone.native_size_hw, seed, place)


@torch.no_grad()
def _held_out(losses: DenoiserLosses) -> float:
    draws = [losses(torch.Generator().manual_seed(number))["loss"] for number in range(HELD_OUT_DRAWS)]
    return float(torch.stack(draws).mean())


def render_page(name: str, steps: int, fits: dict[Arm, Fit]) -> str:
    window = max(steps // 5, 1)
    ends = list(range(window, steps + 1, window))
    lines = ["# Ways to pretrain, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += [f"Backbone {name}; the loss is the mean of the {window} steps before.", ""]
    plain = next(fit for arm, fit in fits.items() if arm.is_plain).seconds_per_step
    rows = []
    for arm, fit in fits.items():
        losses = [f"{mean_of(fit.history[end - window : end], 'loss'):.4f}" for end in ends]
        time = [f"{fit.seconds_per_step:.2f}", f"{fit.seconds_per_step / plain:.2f}x"]
        rows.append([str(arm), *losses, f"{fit.held_out:.4f}", *time])
    lines += [table(["way", *(f"step {end}" for end in ends), "held out", "s/step", "time"], rows)]
    return "\n".join([*lines, "", closing(Path(__file__).name, "cpu"), ""])


if __name__ == "__main__":
    main()
