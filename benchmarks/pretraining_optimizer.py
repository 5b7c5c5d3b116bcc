"""What Muon gains over AdamW when a tiny backbone is pretrained: loss by step and by time, from the same start.

Run: python benchmarks/pretraining_optimizer.py --steps 250 --out benchmarks/pretraining_optimizer.md

Both runs start from the same random weights, draw the same clips and noise, and end their learning rate at the last
step. The held-out loss is that of clips of the test split at fixed noise, with the last weights (no average).
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, load_backbone, tiny_names
from interplay.core.files import atomic_write_text
from interplay.train.loop import History, mean_of
from interplay.train.optimizers import OptimizerName
from interplay.train.pretrain.config import DenoiserConfig
from interplay.train.pretrain.denoiser import DenoiserLosses, train_denoiser, world_tokens
from interplay.train.pretrain.latents import LatentCache, cache_latents

OPTIMIZERS: tuple[OptimizerName, ...] = ("adamw", "muon")
HELD_OUT_DRAWS = 16


@dataclass(frozen=True)
class Fit:
    """One run: its losses, its held-out loss, and its seconds."""

    history: History
    held_out: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tiny-cogvideox", choices=tiny_names(), help="must ship with weights")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--clips", type=int, default=2048, help="training clips; a tenth as many are held out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        fits = measure(arguments.backbone, arguments.steps, arguments.clips, arguments.seed, Path(folder))
    command = " ".join(["python", "benchmarks/pretraining_optimizer.py", *sys.argv[1:]])
    page = render_page(command, arguments.backbone, arguments.steps, fits)
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def measure(name: str, steps: int, clips: int, seed: int, folder: Path) -> dict[OptimizerName, Fit]:
    trained = load_backbone(name)
    caches = [_cache(trained, count, root, folder) for count, root in ((clips, seed), (clips // 10, seed + 1))]
    fits = {}
    for optimizer in OPTIMIZERS:
        backbone = build_tiny(name, seed)
        settings = DenoiserConfig(
            name=optimizer,
            steps=steps,
            learning_rate=1e-3,
            final_learning_rate=2e-5,
            warmup_steps=steps // 5,
            optimizer=optimizer,
        )
        tokens = [world_tokens(backbone, root, count) for count, root in ((clips, seed), (clips // 10, seed + 1))]
        started = time.perf_counter()
        history = train_denoiser(backbone, settings, caches[0], tokens[0], folder, seed=seed, save_every=steps)
        seconds = time.perf_counter() - started
        losses = DenoiserLosses(backbone, settings, caches[1], tokens[1]).eval()
        fits[optimizer] = Fit(history, _held_out(losses), seconds)
    return fits


def _cache(backbone: Backbone, clips: int, seed: int, folder: Path) -> LatentCache:
    place = folder / str(seed)
    place.mkdir()
    return cache_latents(backbone, clips, backbone.native_frames, backbone.native_size_hw, seed, place)


@torch.no_grad()
def _held_out(losses: DenoiserLosses) -> float:
    draws = [losses(torch.Generator().manual_seed(number))["loss"] for number in range(HELD_OUT_DRAWS)]
    return float(torch.stack(draws).mean())


def render_page(command: str, name: str, steps: int, fits: dict[OptimizerName, Fit]) -> str:
    window = max(steps // 5, 1)
    ends = list(range(window, steps + 1, window))
    lines = ["# The optimiser of pretraining, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += [f"Backbone {name}; the loss is the mean of the {window} steps before.", ""]
    lines += ["| optimiser | " + " | ".join(f"step {end}" for end in ends) + " | held out | s/step |"]
    lines += ["|---|" + "---|" * (len(ends) + 2)]
    for optimizer, fit in fits.items():
        losses = [f"{mean_of(fit.history[end - window : end], 'loss'):.4f}" for end in ends]
        cells = [*losses, f"{fit.held_out:.4f}", f"{fit.seconds / steps:.2f}"]
        lines.append(f"| {optimizer} | " + " | ".join(cells) + " |")
    machine = f"{platform.machine()}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}"
    lines += ["", f"`{command}` ({machine}).", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
