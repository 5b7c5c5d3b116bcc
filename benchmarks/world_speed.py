"""How many clips of the embedded world one core makes a second: scene, motion, pixels and masks, at several sizes.

Run on one core: python benchmarks/world_speed.py --clips 300 --out benchmarks/world_speed.md
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np

from interplay.world.companions.structure import structure_frames
from interplay.world.sampling import render_at
from interplay.world.truth import boxes, truth

SIZES = ((17, (64, 64)), (17, (48, 80)), (49, (64, 64)), (17, (240, 360)), (17, (480, 720)))
_PAGE = """# How fast the embedded world is made

Clips of the training split per second of processor time, on one core: scene, motion, pixels and masks; with everything
else that is known (boxes, truth); and structure videos alone. Best of {rounds} rounds of {clips} clips (a twentieth of
them at the two large sizes), because whatever else a machine does can only make a round slower.

| frames x height x width | clips/s | with boxes and truth | structure videos/s |
|---|---|---|---|
{rows}

`python benchmarks/world_speed.py --clips {clips} --out benchmarks/world_speed.md` ({machine}, Python {python}, numpy
{numpy}).
"""


def rate(num_frames: int, size_hw: tuple[int, int], clips: int, rounds: int, what: str) -> float:
    """Clips per second of processor time."""
    ready = [render_at(1, "train", index, num_frames, size_hw) for index in range(clips)] if what == "structure" else []
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for index in range(clips):
            if what == "structure":
                scene, rendering = ready[index]
                structure_frames(scene, rendering.motion, size_hw)
                continue
            scene, rendering = render_at(1, "train", index, num_frames, size_hw)
            assert rendering.masks
            if what == "truth":
                boxes(scene, rendering)
                truth(scene, rendering)
        best = min(best, time.process_time() - started)
    return clips / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for num_frames, size_hw in SIZES:
        clips = arguments.clips if size_hw[0] < 100 else max(2, arguments.clips // 20)
        rates = [rate(num_frames, size_hw, clips, arguments.rounds, what) for what in ("clips", "truth", "structure")]
        rows.append(f"| {num_frames} x {size_hw[0]} x {size_hw[1]} | " + " | ".join(f"{r:.1f}" for r in rates) + " |")
        print(rows[-1], flush=True)
    page = _PAGE.format(
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
