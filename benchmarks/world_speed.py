"""How many clips of the embedded world one core makes a second, drawn and written, at several sizes.

Run on one core: python benchmarks/world_speed.py --clips 300 --out benchmarks/world_speed.md
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import numpy as np

from interplay.world.companions.pose import pose_frames
from interplay.world.companions.structure import structure_frames
from interplay.world.make import WorldConfig, run
from interplay.world.sampling import render_at
from interplay.world.truth import boxes, truth

SIZES = ((17, (64, 64)), (17, (48, 80)), (49, (64, 64)), (17, (240, 360)), (17, (480, 720)))
# Clips of 64x64x17 that one core is to render a second.
_GOAL = 100.0
What = Literal["clips", "truth", "store", "structure", "pose"]
_PAGE = """# How fast the embedded world is made

Clips of the training split, per second of processor time on one core: rendered (scene, motion, pixels and masks);
with everything else that is known (boxes, truth); written as `interplay world make` does, which also encodes masks as
run lengths, frames as lossless video, and the records as Parquet; and structure and pose videos alone. Best of
{rounds} rounds of {clips} clips (a twentieth of them at the two large sizes), because whatever else a machine does can
only make a round slower. Waiting for the disk is no processor time and not counted.

The goal of 100 clips of 64x64x17 a second on one core is about the first column: a scene drawn with its exact masks.
{verdict}

| frames x height x width | rendered | with boxes and truth | written | structure videos alone | pose videos alone |
|---|---|---|---|---|---|
{rows}

`python benchmarks/world_speed.py --clips {clips} --out benchmarks/world_speed.md` ({machine}, Python {python}, numpy
{numpy}).
"""


def rate(num_frames: int, size_hw: tuple[int, int], clips: int, rounds: int, what: What) -> float:
    """Clips per second of processor time."""
    make = maker(num_frames, size_hw, clips, what)
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        make()
        best = min(best, time.process_time() - started)
    return clips / best


def maker(num_frames: int, size_hw: tuple[int, int], clips: int, what: What) -> Callable[[], None]:
    """What is timed: so many clips, or what comes with them."""
    if what == "store":
        config = WorldConfig(seed=1, train=clips, num_frames=num_frames, size_hw=size_hw)
        return lambda: _written(config)
    if what in ("structure", "pose"):
        drawn = [render_at(1, "train", index, num_frames, size_hw) for index in range(clips)]
        draw = structure_frames if what == "structure" else pose_frames
        return lambda: _all((draw(scene, rendering.motion, size_hw) for scene, rendering in drawn))
    return lambda: _rendered(num_frames, size_hw, clips, known=what == "truth")


def _all(pictures: Iterator[object]) -> None:
    for _ in pictures:
        pass


def _written(config: WorldConfig) -> None:
    with TemporaryDirectory() as folder:
        run(config, Path(folder) / "clips")


def _rendered(num_frames: int, size_hw: tuple[int, int], clips: int, *, known: bool) -> None:
    for index in range(clips):
        scene, rendering = render_at(1, "train", index, num_frames, size_hw)
        assert rendering.masks
        if known:
            boxes(scene, rendering)
            truth(scene, rendering)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows: list[str] = []
    first = (0.0, 0.0)
    for num_frames, size_hw in SIZES:
        clips = arguments.clips if size_hw[0] < 100 else max(2, arguments.clips // 20)
        rates = [rate(num_frames, size_hw, clips, arguments.rounds, what) for what in get_args(What)]
        first = first if rows else (rates[0], rates[2])
        rows.append(f"| {num_frames} x {size_hw[0]} x {size_hw[1]} | " + " | ".join(f"{r:.1f}" for r in rates) + " |")
        print(rows[-1], flush=True)
    met = "It is met" if first[0] >= _GOAL else "It is missed on this machine"
    page = _PAGE.format(
        verdict=f"{met}: {first[0]:.0f} a second; a store of such clips is written at {first[1]:.0f} a second.",
        rows="\n".join(rows),
        clips=arguments.clips,
        rounds=arguments.rounds,
        machine=f"{platform.machine()}, {platform.system()}",
        python=platform.python_version(),
        numpy=np.__version__,
    )
    arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
