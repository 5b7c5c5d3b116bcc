"""How far the exact world judge can be trusted: agreement on true clips, and faults found, by how worn the pixels are.

Run: python benchmarks/world_judge.py --clips 200 --faulty 60 --out benchmarks/world_judge.md

*Agreement*: of the ten answers and the two checks of presence of a true clip (all yes, nothing emerges, nothing
vanishes), how many the judge gives. *Found*: every answer that the fault makes false is "no", and for faults of
presence at least three quarters of the frames in question carry the flag. *Nothing else*: all answers that the fault
leaves true are still "yes", and no other frame carries a flag. A fault that a scene has no room for is not planted.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interplay.core.files import atomic_write_text
from interplay.core.progress import Progress
from interplay.core.seeds import derive_seed
from interplay.world.judge import Verdict, judge
from interplay.world.judge.faults import ALL, FAULTS, Plant, Planted, Wear, worn
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene

NUM_FRAMES, SIZE_HW = 17, (48, 80)
SPLITS = ("test", "heldout")
# Blur in stage heights (0.4, 0.7 and 1 pixel of 48) and noise in grey levels.
LEVELS: Mapping[str, Wear | None] = {
    "clean": None,
    "light": Wear(0.4 / 48, 4.0),
    "middle": Wear(0.7 / 48, 8.0),
    "strong": Wear(1.0 / 48, 12.0),
}
FOUND_SHARE = 0.75


@dataclass
class Tally:
    """Counts of one kind of clip at one level of wear."""

    clips: int = 0
    good: int = 0
    unchanged: int = 0
    answers: int = 0
    agreed: int = 0
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="true clips of each split")
    parser.add_argument("--faulty", type=int, default=60, help="clips of each split that every fault is planted into")
    parser.add_argument("--seed", type=int, default=2024, help="root seed of the scenes")
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    started = time.perf_counter()
    true, speed_ms = measure_true(arguments.seed, arguments.clips)
    faults = measure_faults(arguments.seed, arguments.faulty)
    command = " ".join(["python", "benchmarks/world_judge.py", *sys.argv[1:]])
    page = render_page(command, true, faults, speed_ms, time.perf_counter() - started)
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def scenes(seed: int, count: int) -> Iterator[tuple[str, Scene]]:
    for split in SPLITS:
        for index in range(count):
            yield f"{split}-{index}", scene_at(seed, split, index, SIZE_HW[1] / SIZE_HW[0])


def measure_true(seed: int, count: int) -> tuple[dict[str, Tally], float]:
    tallies = {level: Tally() for level in LEVELS}
    seconds = []
    with Progress("true clips", len(SPLITS) * count) as progress:
        for name, scene in scenes(seed, count):
            rng = np.random.default_rng(derive_seed(seed, "benchmark", name))
            frames = Plant(scene, NUM_FRAMES, SIZE_HW, rng).true_frames()
            for level, wear in LEVELS.items():
                shown = frames if wear is None else worn(frames, wear, rng)
                before = time.perf_counter()
                verdict = judge(shown, scene)
                seconds.append(time.perf_counter() - before)
                count_true(tallies[level], verdict, name)
            progress.advance()
    return tallies, 1e3 * float(np.median(seconds))


def count_true(tally: Tally, verdict: Verdict, name: str) -> None:
    wrong = [f.name for f in verdict.findings if not f.yes]
    wrong += ["emergence"] * bool(verdict.presence.emergent_frames)
    wrong += ["disappearance"] * bool(verdict.presence.vanished_frames)
    tally.clips += 1
    tally.good += not wrong
    tally.answers += len(verdict.findings) + 2
    tally.agreed += len(verdict.findings) + 2 - len(wrong)
    tally.wrong += [f"{name} {what}" for what in wrong]


def measure_faults(seed: int, count: int) -> dict[str, dict[str, Tally]]:
    tallies = {fault: {level: Tally() for level in LEVELS} for fault in FAULTS}
    with Progress("planted faults", len(SPLITS) * count) as progress:
        for name, scene in scenes(seed, count):
            for fault, plant in FAULTS.items():
                rng = np.random.default_rng(derive_seed(seed, "benchmark", fault, name))
                planted = plant(Plant(scene, NUM_FRAMES, SIZE_HW, rng))
                for level, wear in LEVELS.items() if planted is not None else ():
                    shown = planted.frames if wear is None else worn(planted.frames, wear, rng)
                    count_fault(tallies[fault][level], planted, judge(shown, scene))
            progress.advance()
    return tallies


def count_fault(tally: Tally, planted: Planted, verdict: Verdict) -> None:
    yes = {f.name for f in verdict.findings if f.yes}
    seen = verdict.presence
    checks = [(planted.emergent_since, seen.emergent_frames), (planted.vanished_since, seen.vanished_frames)]
    tally.clips += 1
    tally.good += not (planted.denied & yes) and all(flagged(planted, since, frames) for since, frames in checks)
    stray_flags = any(set(frames) - wanted_frames(planted, since) for since, frames in checks)
    tally.unchanged += planted.kept <= yes and not stray_flags
    tally.answers += len(ALL)
    tally.wrong += sorted(planted.denied & yes)


def flagged(planted: Planted, since: int | None, frames: tuple[int, ...]) -> bool:
    wanted = wanted_frames(planted, since)
    return len(wanted & set(frames)) >= FOUND_SHARE * len(wanted)


def wanted_frames(planted: Planted, since: int | None) -> set[int]:
    if since is None:
        return set()
    return set(range(since, NUM_FRAMES)) if planted.lasting else {since}


def render_page(
    command: str,
    true: Mapping[str, Tally],
    faults: Mapping[str, Mapping[str, Tally]],
    speed_ms: float,
    seconds: float,
) -> str:
    lines = ["# The exact world judge, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += ["Levels of wear: " + ", ".join(_wear(name, wear) for name, wear in LEVELS.items()) + "."]
    lines += [
        "",
        "## True clips",
        "",
        "| wear | clips | answers that agree | clips without a wrong answer |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {n} | {t.clips} | {_share(t.agreed, t.answers)} | {_share(t.good, t.clips)} |" for n, t in true.items()
    ]
    lines += ["", "## Planted faults", "", "Each cell: found / nothing else changed.", ""]
    lines += ["| fault | clips | " + " | ".join(LEVELS) + " |", "|---|---|" + "---|" * len(LEVELS)]
    for fault, levels in faults.items():
        cells = [f"{_share(t.good, t.clips)} / {_share(t.unchanged, t.clips)}" for t in levels.values()]
        lines.append(f"| {fault} | {levels['clean'].clips} | " + " | ".join(cells) + " |")
    wrong = [f"{level}: {what}" for level, tally in true.items() for what in tally.wrong]
    if wrong:
        lines += ["", "Wrong answers on true clips: " + "; ".join(wrong) + "."]
    lines += [
        "",
        f"Judging a clip of {NUM_FRAMES}x{SIZE_HW[0]}x{SIZE_HW[1]} takes {speed_ms:.0f} ms (median, one thread).",
    ]
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"
    lines += ["", f"`{command}` on one core ({machine}), {seconds:.0f} s.", ""]
    return "\n".join(lines)


def _wear(name: str, wear: Wear | None) -> str:
    return name if wear is None else f"{name} (blur {wear.sigma * 48:.1f} px of 48 rows, noise {wear.noise:.0f} of 255)"


def _share(part: int, whole: int) -> str:
    return "-" if whole == 0 else f"{100 * part / whole:.1f} %"


if __name__ == "__main__":
    main()
