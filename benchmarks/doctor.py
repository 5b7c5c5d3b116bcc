"""How well `interplay doctor` foretells the memory of a training run.

Run: python benchmarks/doctor.py --out benchmarks/doctor.md

Every row is a real run of `interplay train` on the tiny CogVideoX (two steps: the second has the optimiser's state),
each time in a process of its own. *Foretold* is the doctor's sum. *Allocated* is the most that PyTorch's allocator held
at one time, as its profiler reports it. *Grown* is by how much the process's resident memory grew, without the
profiler: beside all of the above it has workspaces of the convolution library, decoded videos and, on a CPU, what the
system's allocator keeps after it was freed. *Giving back* is the same with `MALLOC_MMAP_THRESHOLD_=65536`, with which
glibc gives freed tensors back at once.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact
from interplay.core.files import atomic_write_text
from interplay.train.config import TrainConfig
from interplay.train.doctor.run import diagnose
from interplay.train.run import run as train
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

CLIPS = 8
BYTES_PER_MB = 1e6
RECIPE: Mapping[str, Any] = {"backbone": "tiny-cogvideox", "steps": 2, "learning_rate": 1e-4, "lora": {"rank": 16}}
MATRIX: Mapping[str, Any] = {"v2t_layers": [2, 3], "v2v_layers": [4]}


@dataclass(frozen=True)
class Setting:
    """One training run: its clips (pixel frames, height, width), batch size, and whether it aligns."""

    frames: int
    size_hw: tuple[int, int]
    batch_size: int
    aligned: bool

    def recipe(self) -> dict[str, Any]:
        """The fields of the recipe that this run trains."""
        return {**RECIPE, "batch_size": self.batch_size, "matrix": dict(MATRIX) if self.aligned else None}

    def __str__(self) -> str:
        method = "SGA + SPA" if self.aligned else "LoRA only"
        return f"{self.size_hw[1]}x{self.size_hw[0]}x{self.frames} | {self.batch_size} | {method}"


SETTINGS = [
    Setting(17, (48, 80), 1, True),
    Setting(17, (48, 80), 8, False),
    Setting(17, (48, 80), 8, True),
    Setting(17, (48, 80), 32, True),
    Setting(33, (96, 160), 2, True),
    Setting(33, (192, 320), 1, False),
]


@dataclass(frozen=True)
class Measured:
    """Bytes of one setting."""

    foretold: int
    allocated: int
    grown: int
    giving_back: int


def foretold(setting: Setting, clips: Artifact, folder: Path) -> int:
    """What the doctor says."""
    return diagnose(_config(setting), clips, out=folder).needs.memory_bytes


def allocated(setting: Setting, clips: Artifact, folder: Path) -> int:
    """The most that PyTorch's allocator holds at one time."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        train(_config(setting), clips, folder / "training")
    return _most(profiled)


def grown(setting: Setting, clips: Artifact, folder: Path) -> int:
    """By how much the resident memory of this process grows."""
    config, before = _config(setting), _resident()
    train(config, clips, folder / "training")
    return _resident() - before


def _config(setting: Setting) -> TrainConfig:
    return TrainConfig.model_validate(setting.recipe())


def _most(profiled: Any) -> int:
    events = sorted(
        (event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"),
        key=lambda event: event.start_ns(),
    )
    held = most = 0
    for event in events:
        held += event.nbytes()
        most = max(most, held)
    return most


def _resident() -> int:
    """The most resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows(folder: Path) -> list[tuple[Setting, Measured]]:
    """Every setting, foretold and measured."""
    measured = []
    for number, setting in enumerate(SETTINGS):
        place = folder / str(number)
        clips = make_world(
            WorldConfig(train=CLIPS, num_frames=setting.frames, size_hw=setting.size_hw), place / "clips"
        )
        sizes = [_apart(run, setting, clips, place / run.__name__) for run in (foretold, allocated, grown)]
        os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
        sizes.append(_apart(grown, setting, clips, place / "giving_back"))
        del os.environ["MALLOC_MMAP_THRESHOLD_"]
        measured.append((setting, Measured(*sizes)))
    return measured


def _apart(compute: Callable[[Setting, Artifact, Path], int], setting: Setting, clips: Artifact, place: Path) -> int:
    """Compute in a fresh process, whose memory nobody has used before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(compute, setting, clips, place).result()


def table(measured: list[tuple[Setting, Measured]]) -> str:
    head = [
        "# What `interplay doctor` foretells, and what was measured",
        "",
        "`python benchmarks/doctor.py --out benchmarks/doctor.md`",
        "",
        f"{platform.machine()}, Python {platform.python_version()}, 1 thread; MB of 10^6 bytes.",
        "",
        *(__doc__ or "").split("\n\n", 2)[2].strip().splitlines(),
        "",
        "| clips (width x height x frames) | batch | method | foretold | allocated | ratio | grown | giving back |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines = [
        f"| {setting} | {one.foretold / BYTES_PER_MB:.1f} | {one.allocated / BYTES_PER_MB:.1f} | "
        f"{one.foretold / one.allocated:.3f} | {one.grown / BYTES_PER_MB:.0f} | {one.giving_back / BYTES_PER_MB:.0f} |"
        for setting, one in measured
    ]
    return "\n".join([*head, *lines]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = table(rows(Path(folder)))
    print(text)
    if arguments.out is not None:
        atomic_write_text(arguments.out, text)


if __name__ == "__main__":
    main()
