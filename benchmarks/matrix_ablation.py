"""The ablation of MATRIX on the world: what each of its losses gives, and whether it matters which layers they are on.

Run: python benchmarks/matrix_ablation.py --work runs/ablation --out benchmarks/matrix_ablation.md

It may be killed at any time and goes on when it is started again; the page is written after every cell (an arm with a
seed). `--seeds` and `--arms` say what is made now, so that several machines can share the work; `--set` changes the
recipe of all arms.

Every trained arm is the same model: a LoRA on all layers, and the first frame's instance map through a widened input.
All start from the same weights, take the same number of steps on the same clips in the same order with the same noise,
and make clips from the same noise again, seed by seed. What differs are the alignment losses and the layers they are
laid on, so a difference between two arms is what those give. *Dominant* layers are those that the analysis of the base
finds on other clips; *random* ones are as many of the others, drawn anew for each seed. The clips to train on, to
analyze and to score are three sets of scenes that the base has never seen, and *held out* are compositions that nothing
was trained on.

All intervals are 95 %, by bootstrap over clips: a clip's scores under the seeds are averaged first, and differences are
taken clip by clip. They say how sure the difference is on clips of this world with these seeds; how much it depends on
the seed is seen in the column of the seeds. Of many comparisons at 95 % one in twenty errs.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from experiments.cells import (
    SPLITS,
    cache_of,
    cell,
    cells_of,
    clips_of,
    closing,
    common_options,
    experiment,
)
from experiments.numbers import Column, Contrast, contrast, mean_of, shown, signed, table

from interplay.analyze import run as analysis
from interplay.analyze.config import AnalyzeConfig
from interplay.backbones.registry import load_skeleton
from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.cache import Cache
from interplay.core.config import load_recipe
from interplay.core.estimates import Estimate
from interplay.core.files import atomic_write_text, read_json
from interplay.core.manifest import MANIFEST
from interplay.core.seeds import derive_seed
from interplay.evaluate import run as evaluation
from interplay.evaluate.config import EvaluateConfig
from interplay.generate import run as generation
from interplay.generate.config import GenerateConfig
from interplay.recipes import recipe_path
from interplay.records.store.reader import ClipStore
from interplay.train import run as training
from interplay.train.config import TrainConfig

METRICS = ("kisa", "sgi", "spi", "if")
BASE, LORA, BOTH = "base", "lora", "both"
# The scenes that the analysis looks at have another root seed than those that are trained on and scored.
LAYERS_APART = 1000
SETTINGS = (
    "recipe",
    "set",
    "scenes",
    "clips",
    "train_clips",
    "layer_clips",
    "steps",
    "sample_steps",
    "guidance",
    "dtype",
)


@dataclass(frozen=True)
class Arm:
    """What is changed in the recipe (``None``: nothing is trained), and which layers are aligned."""

    title: str
    changes: tuple[str, ...] | None = ()
    layers: Literal["dominant", "random", "all"] = "dominant"


ARMS: Mapping[str, Arm] = {
    BASE: Arm("base, not trained", None),
    LORA: Arm("LoRA only", ("matrix.sga_roles=[]", "matrix.spa_roles=[]")),
    "spa": Arm("+ SPA", ("matrix.sga_roles=[]",)),
    "sga-t2v": Arm("+ SGA (t2v)", ("matrix.spa_roles=[]", "matrix.sga_direction=t2v")),
    "sga-v2t": Arm("+ SGA (v2t)", ("matrix.spa_roles=[]",)),
    BOTH: Arm("+ SGA (v2t) + SPA"),
    "both-random": Arm("both, random layers", (), "random"),
    "both-all": Arm("both, all layers", (), "all"),
}
# What is asked: is the first arm better than the second one?
QUESTIONS = (
    (LORA, BASE),
    ("spa", LORA),
    ("sga-t2v", LORA),
    ("sga-v2t", LORA),
    (BOTH, LORA),
    ("sga-v2t", "sga-t2v"),
    (BOTH, "spa"),
    (BOTH, "sga-v2t"),
    (BOTH, "both-random"),
    (BOTH, "both-all"),
)
ALL_CLIPS = "all clips"
# What a complete cell has.
LAST = f"scores/{MANIFEST}"


def main() -> None:
    experiment(parse(), SETTINGS, Room.of, write, last=LAST)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common_options(parser, seeds=range(3), work=Path("runs/ablation"))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="what is made now")
    parser.add_argument("--recipe", default="matrix-tiny-cogvideox", help="name or file")
    parser.add_argument("--set", nargs="+", default=[], help="changes of the recipe for all arms: a.b=c")
    parser.add_argument("--scenes", type=int, default=7, help="root seed of all scenes; pretraining used 0")
    parser.add_argument("--clips", type=int, default=208, help="clips of each split that is scored")
    parser.add_argument("--train-clips", type=int, default=1600)
    parser.add_argument("--layer-clips", type=int, default=64, help="clips that the analysis looks at")
    parser.add_argument("--steps", type=int, default=300, help="training steps of every arm")
    parser.add_argument("--sample-steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of generation")
    return parser.parse_args()


# --- the cells -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """What all cells share: the clips, the layers that the analysis chose, and the cache."""

    arguments: argparse.Namespace
    clips: Artifact
    chosen: Mapping[str, Sequence[int]]
    layers: Sequence[int]
    cache: Cache

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Room:
        """Make what is not there yet."""
        skeleton = load_skeleton(arguments.backbone)
        size = skeleton.native_frames, skeleton.native_size_hw
        clips = clips_of(
            arguments.work, seed=arguments.scenes, train=arguments.train_clips, held=arguments.clips, size=size
        )
        chosen = read_json(analysed(arguments, size).path / "layers.json")["chosen"]
        return cls(arguments, clips, chosen, sorted({site.layer for site in skeleton.sites()}), cache_of(arguments))

    def make(self, arm: str, seed: int) -> None:
        """One cell: train, generate, judge."""
        folder = cell(self.arguments.work, arm, seed)
        trained = None
        if ARMS[arm].changes is not None:
            recipe = self.recipe(arm, seed)
            trained = training.run(recipe, self.clips, folder / "training", cache=self.cache)
        sampling = sampling_of(self.arguments, seed)
        device = self.arguments.device
        made = generation.run(sampling, self.clips, folder / "generated", training=trained, device=device)
        evaluation.run(EvaluateConfig(judge="world"), self.clips, made, folder / "scores")

    def recipe(self, arm: str, seed: int) -> TrainConfig:
        """That of an arm with a seed."""
        given, layers = self.arguments, self.aligned(arm, seed)
        changes = [
            f"backbone={given.backbone}",
            f"lora.layers={list(self.layers)}",
            f"steps={given.steps}",
            f"seed={seed}",
            "validation=null",
            *given.set,
            *(ARMS[arm].changes or ()),
            *(f"matrix.{kind}_layers={numbers}" for kind, numbers in layers.items()),
        ]
        return load_recipe(recipe_path(given.recipe), TrainConfig, changes)

    def aligned(self, arm: str, seed: int) -> dict[str, list[int]]:
        """Layers by relation, v2t and v2v."""
        if ARMS[arm].layers == "all":
            return {kind: list(self.layers) for kind in self.chosen}
        if ARMS[arm].layers == "dominant":
            return {kind: list(numbers) for kind, numbers in self.chosen.items()}
        return {kind: self.others(kind, numbers, seed) for kind, numbers in self.chosen.items()}

    def others(self, kind: str, numbers: Sequence[int], seed: int) -> list[int]:
        """As many layers that were not chosen, as far as there are any."""
        rest = [layer for layer in self.layers if layer not in numbers]
        drawn = random.Random(derive_seed(seed, "ablation", kind))
        return sorted(drawn.sample(rest, min(len(numbers), len(rest))))


def analysed(arguments: argparse.Namespace, size: tuple[int, tuple[int, int]]) -> Artifact:
    """The analysis of the base on scenes of its own."""
    folder = arguments.work / "layers"
    scenes = arguments.scenes + LAYERS_APART
    clips = clips_of(folder, seed=scenes, train=0, held=arguments.layer_clips, size=size)
    sampling = sampling_of(arguments, scenes).model_copy(update={"splits": SPLITS[:1]})
    made = generation.run(sampling, clips, folder / "generated", device=arguments.device)
    scores = evaluation.run(EvaluateConfig(judge="world"), clips, made, folder / "scores")
    config = AnalyzeConfig(mode="replay", heads=False, overlay_clips=0)
    device = torch.device(arguments.device)
    return analysis.run(config, clips, folder / "analysis", generation=made, evaluation=scores, device=device)


def sampling_of(arguments: argparse.Namespace, seed: int) -> GenerateConfig:
    return GenerateConfig(
        backbone=arguments.backbone,
        splits=SPLITS,
        steps=arguments.sample_steps,
        guidance_scale=arguments.guidance,
        dtype=arguments.dtype,
        seed=seed,
    )


# --- what the cells say ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """All complete cells: scores by arm, seed, metric and clip; of trained ones, what a step took and came to."""

    scores: Mapping[str, Mapping[int, Mapping[str, Column]]]
    splits: Mapping[str, str]
    costs: Mapping[str, Mapping[int, Cost]]

    @classmethod
    def of(cls, work: Path) -> Found:
        """Read the folder."""
        scores: dict[str, dict[int, Mapping[str, Column]]] = {arm: {} for arm in ARMS}
        costs: dict[str, dict[int, Cost]] = {arm: {} for arm in ARMS}
        for arm in ARMS:
            for seed, folder in cells_of(work, arm, LAST).items():
                scores[arm][seed] = read_scores(open_artifact(folder / "scores"))
                if ARMS[arm].changes is not None:
                    costs[arm][seed] = Cost.of(open_artifact(folder / "training"))
        clips = ClipStore(open_artifact(work / "clips").path).select()
        return cls(scores, {clip.clip_id: clip.split for clip in clips}, costs)

    def column(self, arm: str, metric: str, split: str) -> dict[int, Column]:
        """One metric of an arm by seed, in one split or in all."""
        return {
            seed: {clip: value for clip, value in metrics[metric].items() if split in (ALL_CLIPS, self.splits[clip])}
            for seed, metrics in self.scores[arm].items()
        }

    def mean(self, arm: str, metric: str, split: str) -> Estimate:
        """Mean of an arm."""
        return mean_of(self.column(arm, metric, split))

    def contrast(self, arm: str, reference: str, split: str, metric: str = "if") -> Contrast:
        """How much better an arm is than another."""
        return contrast(self.column(arm, metric, split), self.column(reference, metric, split))


@dataclass(frozen=True)
class Cost:
    """Of one training: median seconds of a step, and the plain objective's mean over the last quarter of steps."""

    seconds: float
    diffusion: float
    layers: str

    @classmethod
    def of(cls, trained: Artifact) -> Cost:
        """From what a training leaves."""
        with (trained.path / "losses.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        late = rows[-max(1, len(rows) // 4) :]
        return cls(
            statistics.median(float(row["seconds"]) for row in rows),
            statistics.fmean(float(row["diffusion"]) for row in late),
            layers_shown(trained.config["matrix"]),
        )


def layers_shown(matrix: Mapping[str, Any]) -> str:
    kinds = {"SGA": (matrix["sga_roles"], matrix["v2t_layers"]), "SPA": (matrix["spa_roles"], matrix["v2v_layers"])}
    return "; ".join(f"{kind} {', '.join(map(str, layers))}" for kind, (roles, layers) in kinds.items() if roles) or "-"


def read_scores(scores: Artifact) -> dict[str, Column]:
    clips = read_json(scores.path / evaluation.SCORES)["clips"]
    return {metric: {clip: row[metric] for clip, row in clips.items()} for metric in METRICS}


# --- the page --------------------------------------------------------------------------------------------------------


def write(arguments: argparse.Namespace) -> str:
    """The page of what is there, and its picture."""
    found = Found.of(arguments.work)
    page = page_of(found, arguments)
    if arguments.out is not None:
        chart = arguments.out.with_suffix(".png")
        draw(found, chart)
        page = page.replace("## Scores", f"![Differences in interaction fidelity]({chart.name})\n\n## Scores", 1)
        atomic_write_text(arguments.out, page)
    return page


def page_of(found: Found, arguments: argparse.Namespace) -> str:
    there = {arm: sorted(cells) for arm, cells in found.scores.items() if cells}
    told = "; ".join(f"{arm} {', '.join(map(str, seeds))}" for arm, seeds in there.items()) or "none"
    changed = f" with {', '.join(arguments.set)}" if arguments.set else ""
    settings = (
        f"Backbone {Path(arguments.backbone).name}, recipe {arguments.recipe}{changed}: {arguments.steps} steps on "
        f"{arguments.train_clips} clips; scored are {arguments.clips} clips of each split, made in "
        f"{arguments.sample_steps} steps with guidance {arguments.guidance:g} in {arguments.dtype}. Complete cells "
        f"(seeds by arm): {told}."
    )
    about = (__doc__ or "").strip().split("\n\n")[3:]
    sections = [
        "# The ablation of MATRIX on the world, measured",
        *about,
        settings,
        "## What comes out",
        questions(found),
        "## Scores",
        *(f"### {split}\n\n{scores(found, split)}" for split in (*SPLITS, ALL_CLIPS)),
        "## Cost",
        costs(found),
        closing(Path(__file__).name, arguments.device),
    ]
    return "\n\n".join(sections) + "\n"


def questions(found: Found) -> str:
    heads = ["IF of", "against", "test", "held out", ALL_CLIPS, "by seed", "verdict"]
    rows = []
    for arm, reference in QUESTIONS:
        if not set(found.scores[arm]) & set(found.scores[reference]):
            continue
        whole = found.contrast(arm, reference, ALL_CLIPS)
        each = ", ".join(f"{value:+.3f}" for _, value in sorted(whole.by_seed.items()))
        splits = [signed(found.contrast(arm, reference, split).whole) for split in SPLITS]
        row = [ARMS[arm].title, ARMS[reference].title, *splits, signed(whole.whole), each, whole.verdict]
        rows.append(row)
    return table(heads, rows)


def scores(found: Found, split: str) -> str:
    heads = ["arm", "seeds", "clips", "KISA", "SGI", "SPI", "IF"]
    rows = []
    for arm, cells in found.scores.items():
        if cells:
            means = [found.mean(arm, metric, split) for metric in METRICS]
            rows.append([ARMS[arm].title, str(len(cells)), str(means[-1].n_scored), *map(shown, means)])
    return table(heads, rows)


def costs(found: Found) -> str:
    """Only seeds that both have are compared."""
    heads = ["arm", "layers aligned (of the last seed)", "s/step (median)", "of LoRA only", "denoising loss at the end"]
    rows = []
    for arm, cells in found.costs.items():
        if not cells:
            continue
        shared = [seed for seed in cells if seed in found.costs[LORA]]
        ratios = [cells[seed].seconds / found.costs[LORA][seed].seconds for seed in shared]
        rows.append(
            [
                ARMS[arm].title,
                cells[max(cells)].layers,
                f"{statistics.fmean(cost.seconds for cost in cells.values()):.3f}",
                f"{statistics.fmean(ratios):.2f}x" if ratios else "-",
                f"{statistics.fmean(cost.diffusion for cost in cells.values()):.4f}",
            ]
        )
    return table(heads, rows)


def draw(found: Found, path: Path) -> None:
    """Difference of every arm to LoRA only, split by split: mean and interval, and each seed as a small mark."""
    from matplotlib.figure import Figure

    arms = [arm for arm in ARMS if arm != LORA and set(found.scores[arm]) & set(found.scores[LORA])]
    if not arms:
        return
    figure = Figure(figsize=(10.4, 1.1 + 0.42 * len(arms)), dpi=110, layout="constrained")
    axes = figure.subplots(1, len(SPLITS), sharex=True, sharey=True, squeeze=False)[0]
    for axis, split in zip(axes, SPLITS, strict=True):
        for place, arm in enumerate(reversed(arms)):
            seen = found.contrast(arm, LORA, split)
            mean, low, high = seen.whole.mean, seen.whole.low, seen.whole.high
            if mean is None or low is None or high is None:
                continue
            axis.plot([low, high], [place, place], color="#33415c", linewidth=1.6)
            axis.plot([mean], [place], color="#33415c", marker="o", markersize=6)
            each = list(seen.by_seed.values())
            axis.plot(each, [place - 0.22] * len(each), color="#e8a317", marker="|", linestyle="none", markersize=7)
        axis.axvline(0, color="#c8453b", linewidth=0.8, linestyle="--")
        axis.set_title({"test": "test", "heldout": "held-out compositions"}[split], fontsize=10, loc="left")
        axis.set_xlabel("interaction fidelity, minus that of LoRA only", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(arms)), [ARMS[arm].title for arm in reversed(arms)])
    figure.savefig(path)


if __name__ == "__main__":
    main()
