"""What a step of Muon costs: torch's own, one matrix after the other, and ours, many at a time in either precision.

Run: python benchmarks/muon.py --threads 1 --out benchmarks/muon.md

The matrices are those that Muon trains of a tiny backbone (`hidden_matrices`), the gradients random. Times are
processor time, the least of several steps, because other work disturbs it less.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from experiments.cells import closing
from experiments.costs import seconds_of
from torch import Tensor, nn

from interplay.backbones.registry import build_tiny, tiny_names
from interplay.core.files import atomic_write_text
from interplay.train.muon import Muon
from interplay.train.optimizers import hidden_matrices
from interplay.train.precision import native_precision

OPTIONS = {"lr": 1e-3, "adjust_lr_fn": "match_rms_adamw"}
WAYS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "torch's": torch.optim.Muon,
    "ours, bfloat16": partial(Muon, dtype=torch.bfloat16),
    "ours, float32": partial(Muon, dtype=torch.float32),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=list(tiny_names()), choices=tiny_names())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lines = ["# A step of Muon, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += [f"| backbone | matrices | {' | '.join(WAYS)} |", "|---|---|" + "---|" * len(WAYS)]
    for name in arguments.backbones:
        matrices = trained_by_muon(name)
        seconds = [least_seconds(made(matrices, **OPTIONS), arguments.repeats) for made in WAYS.values()]
        cells = [f"{1000 * each:.0f} ms, {each / seconds[0]:.2f}x" for each in seconds]
        lines.append(f"| {name} | {len(matrices)} | {' | '.join(cells)} |")
    lines += ["", f"The machine is made for {native_precision()}, which is what ours takes by default."]
    page = "\n".join([*lines, "", closing(Path(__file__).name, "cpu"), ""])
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def trained_by_muon(name: str) -> list[Tensor]:
    """The matrices, each with a gradient."""
    backbone = build_tiny(name, 0)
    module = nn.ModuleList([*backbone.transformers, *backbone.text_encoders])
    hidden = hidden_matrices(module)
    matrices: list[Tensor] = [value for key, value in module.named_parameters() if key in hidden]
    generator = torch.Generator().manual_seed(0)
    for matrix in matrices:
        matrix.grad = torch.randn(matrix.shape, generator=generator)
    return matrices


def least_seconds(optimizer: torch.optim.Optimizer, repeats: int) -> float:
    """Processor time of the fastest step, after one to warm up."""
    optimizer.step()
    return min(seconds_of(optimizer.step, torch.device("cpu")) for _ in range(repeats))


if __name__ == "__main__":
    main()
