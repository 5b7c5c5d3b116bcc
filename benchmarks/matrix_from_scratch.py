"""Alignment as an accelerator: how many steps a tiny base needs to become able, with SGA and SPA and without.

Run: python benchmarks/matrix_from_scratch.py --work runs/from-scratch --out benchmarks/matrix_from_scratch.md

It may be killed at any time and goes on when it is started again; the page is written after every cell (an arm with a
seed). `--seeds` and `--arms` say what is made now, so that several machines can share the work.

The transformer begins with random weights and all of it is trained, by the recipe that the tiny bases are pretrained
with; autoencoder and text encoder are those of the finished base, as a released text encoder would be. Both arms begin
with the same weights and see the same clips in the same order with the same noise, seed by seed. The aligned arm adds
SGA and SPA from the first step on; its decoders are dropped, and the model that comes out is of the stock class. No
instance map is shown to either. Which layers are aligned is decided beforehand: those at the depth of the layers that
the paper aligns in CogVideoX-5B (7 and 11 of 42 for SGA, 12 for SPA). The learning rate is constant after its warm-up,
so that every step could have been the last one; what is measured is a moving average of the weights.

*Present*: the share of frames in which nobody of the first frame is missing. All intervals are 95 %, by bootstrap over
clips: a clip's scores under the seeds are averaged first. Steps to a level are read off the mean curve, with straight
lines between the steps that were measured; in the ratio, the last step stands for a level that is not reached.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
from experiments.numbers import Column, contrast, mean_of, shown, signed, speedup, steps_shown, table
from jaxtyping import Float
from numpy import ndarray

from interplay.backbones.registry import load_skeleton
from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.cache import Cache
from interplay.core.estimates import Estimate, mean_over_repeats
from interplay.core.files import atomic_write_text, read_json, write_json
from interplay.core.progress import track
from interplay.evaluate.judges import JUDGES
from interplay.evaluate.judges.base import Judge, Media
from interplay.evaluate.scores import score_clip
from interplay.methods.matrix.config import MatrixConfig
from interplay.records.clip import Clip
from interplay.records.media.video import read_video, write_image
from interplay.records.store.reader import ClipStore
from interplay.train import run as training
from interplay.train.config import TrainConfig, ValidationConfig
from interplay.train.heldout import HELD_OUT, SAMPLES

PLAIN, ALIGNED = "plain", "aligned"
TITLES = {PLAIN: "plain", ALIGNED: "SGA + SPA", "sga": "SGA alone", "spa": "SPA alone"}
COLOURS = {PLAIN: "#33415c", ALIGNED: "#e8a317", "sga": "#2a9d6f", "spa": "#8c6bb1"}
METRICS = ("if", "kisa", "sgi", "spi", "present")
# The paper's layers of CogVideoX-5B (appendix D), of 42.
V2T_OF_42, V2V_OF_42, PAPER_LAYERS = (7, 11), (12,), 42
CURVE = "curve.json"
LEVELS = {"if": (-0.2, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "present": (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)}
STRIP_CLIPS, STRIP_FRAMES, GAP = 4, 6, 2
SETTINGS = (
    "scenes",
    "clips",
    "train_clips",
    "steps",
    "every",
    "batch",
    "learning_rate",
    "ema",
    "lambda_sga",
    "lambda_spa",
    "precision",
    "compile",
    "sample_steps",
)


def main() -> None:
    experiment(parse(), SETTINGS, Room.of, write, last=CURVE)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common_options(parser, seeds=range(3), work=Path("runs/from-scratch"))
    parser.add_argument("--arms", nargs="+", default=[PLAIN, ALIGNED], choices=list(TITLES), help="what is made now")
    parser.add_argument("--scenes", type=int, default=9, help="root seed of all scenes; pretraining used 0")
    parser.add_argument("--clips", type=int, default=50, help="clips of each split that are scored at every checkpoint")
    parser.add_argument("--train-clips", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--every", type=int, default=400, help="steps between checkpoints")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--lambda-sga", type=float, default=0.02)
    parser.add_argument("--lambda-spa", type=float, default=0.01)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="fuse the blocks that are not observed")
    parser.add_argument("--sample-steps", type=int, default=20)
    return parser.parse_args()


# --- the cells -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """What all cells share."""

    arguments: argparse.Namespace
    clips: Artifact
    num_layers: int
    cache: Cache

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Room:
        """Make what is not there yet."""
        skeleton = load_skeleton(arguments.backbone)
        size = skeleton.native_frames, skeleton.native_size_hw
        clips = clips_of(
            arguments.work, seed=arguments.scenes, train=arguments.train_clips, held=arguments.clips, size=size
        )
        num_layers = 1 + max(site.layer for site in skeleton.sites())
        return cls(arguments, clips, num_layers, cache_of(arguments))

    def make(self, arm: str, seed: int) -> None:
        """One cell: train, with samples on the way, and judge them."""
        folder = cell(self.arguments.work, arm, seed)
        trained = training.run(self.recipe(arm, seed), self.clips, folder / "training", cache=self.cache)
        write_json(folder / CURVE, curve(trained, self.clips))

    def recipe(self, arm: str, seed: int) -> TrainConfig:
        """The settings of pretraining, but for the length and the end of its schedule."""
        given = self.arguments
        return TrainConfig(
            backbone=given.backbone,
            weights="random",
            lora=None,
            matrix=self.matrix(arm),
            steps=given.steps,
            batch_size=given.batch,
            precision=given.precision,
            compile=given.compile,
            optimizer="muon",
            learning_rate=given.learning_rate,
            schedule="constant",
            warmup_steps=min(200, given.steps // 8),
            ema_decay=given.ema,
            save_every=50,
            keep_checkpoints=1,
            validation=ValidationConfig(
                every=given.every,
                splits=SPLITS,
                limit=given.clips,
                samples=len(SPLITS) * given.clips,
                sample_steps=given.sample_steps,
            ),
            seed=seed,
        )

    def matrix(self, arm: str) -> MatrixConfig | None:
        """The alignment of an arm; that of ``plain`` is none."""
        if arm == PLAIN:
            return None
        return MatrixConfig(
            instance_map=False,
            decoder_width=4,
            decoder_depth=0,
            lambda_sga=self.arguments.lambda_sga,
            lambda_spa=self.arguments.lambda_spa,
            sga_roles=() if arm == "spa" else ("subject", "object", "verb"),
            spa_roles=() if arm == "sga" else ("subject", "object"),
            v2t_layers=at_depth(V2T_OF_42, self.num_layers),
            v2v_layers=at_depth(V2V_OF_42, self.num_layers),
        )


def at_depth(layers: Sequence[int], num_layers: int) -> tuple[int, ...]:
    """Layers at the same relative depth: the middle of layer 7 of 42 lies at 0.18."""
    return tuple(sorted({int((layer + 0.5) / PAPER_LAYERS * num_layers) for layer in layers}))


def curve(trained: Artifact, clips: Artifact) -> dict[str, dict[str, dict[str, float | None]]]:
    """The judge's scores of all samples: by step, metric and clip."""
    judge, store = JUDGES.get("world")(), ClipStore(clips.path)
    folders = sorted((trained.path / SAMPLES).glob("step-*"))
    scored: dict[str, dict[str, dict[str, float | None]]] = {}
    for folder in track(folders, label="judge samples"):
        videos = sorted(folder.glob("*.mp4"))
        rows = {video.stem: judged(judge, store.get(video.stem), video) for video in videos}
        step = str(int(folder.name.removeprefix("step-")))
        scored[step] = {metric: {clip: row[metric] for clip, row in rows.items()} for metric in METRICS}
    return scored


def judged(judge: Judge, clip: Clip, video: Path) -> dict[str, float | None]:
    """Scores of one sample, and the share of its frames in which nobody is missing."""
    media = Media.of(clip, video)
    questions, seen = judge.questions(media), judge.presence(media)
    score = score_clip(tuple(zip(questions, judge.answer(media, questions), strict=True)), seen).to_json()
    present = 1 - len(seen.vanished_frames) / seen.compared_frames if seen.compared_frames else None
    return {**{metric: score[metric] for metric in METRICS if metric in score}, "present": present}


# --- what the cells say ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """All complete cells: scores by arm, seed, step, metric and clip; held-out loss by arm, seed and step; cost."""

    scores: Mapping[str, Mapping[int, Mapping[int, Mapping[str, Column]]]]
    losses: Mapping[str, Mapping[int, Mapping[int, float]]]
    seconds: Mapping[str, Mapping[int, float]]

    @classmethod
    def of(cls, work: Path) -> Found:
        """Read the folder."""
        scores: dict[str, dict[int, dict[int, Mapping[str, Column]]]] = {arm: {} for arm in TITLES}
        losses: dict[str, dict[int, dict[int, float]]] = {arm: {} for arm in TITLES}
        seconds: dict[str, dict[int, float]] = {arm: {} for arm in TITLES}
        for arm in TITLES:
            for seed, folder in cells_of(work, arm, CURVE).items():
                trained = open_artifact(folder / "training")
                scores[arm][seed] = {int(step): columns for step, columns in read_json(folder / CURVE).items()}
                rows = read_json(trained.path / training.VALIDATION)["rows"]
                losses[arm][seed] = {int(row["step"]): row[HELD_OUT] for row in rows}
                with (trained.path / "losses.csv").open(encoding="utf-8") as stream:
                    seconds[arm][seed] = statistics.median(float(row["seconds"]) for row in csv.DictReader(stream))
        return cls(scores, losses, seconds)

    @property
    def arms(self) -> list[str]:
        """Those with a complete cell."""
        return [arm for arm, cells in self.scores.items() if cells]

    @property
    def steps(self) -> list[int]:
        """The checkpoints."""
        return sorted({step for cells in self.scores.values() for curves in cells.values() for step in curves})

    def column(self, arm: str, step: int, metric: str) -> dict[int, Column]:
        """One metric at one checkpoint, by seed."""
        return {seed: curves[step][metric] for seed, curves in self.scores[arm].items() if step in curves}

    def mean(self, arm: str, step: int, metric: str) -> Estimate:
        """Mean over clips."""
        return mean_of(self.column(arm, step, metric))

    def matrix(self, arm: str, metric: str, seeds: Sequence[int]) -> Float[ndarray, "s n"]:
        """Scores by step and clip, averaged over these seeds; clips that are scored at all steps in all of them."""
        columns = [mean_over_repeats([self.scores[arm][seed][step][metric] for seed in seeds]) for step in self.steps]
        clips = [clip for clip in columns[0] if all(column.get(clip) is not None for column in columns)]
        return np.array([[column[clip] for clip in clips] for column in columns], dtype=np.float64)

    def shared(self, *arms: str) -> list[int]:
        """Seeds that all of these arms have."""
        return sorted(set.intersection(*(set(self.scores[arm]) for arm in arms)))


# --- the page --------------------------------------------------------------------------------------------------------


def write(arguments: argparse.Namespace) -> str:
    """The page of what is there, and its pictures."""
    found = Found.of(arguments.work)
    page = page_of(found, arguments)
    if arguments.out is not None and found.arms:
        chart, strips = arguments.out.with_suffix(".png"), arguments.out.with_name(f"{arguments.out.stem}_samples.png")
        draw(found, chart)
        pictures = f"![Curves]({chart.name})"
        if draw_strips(found, arguments.work, strips):
            middle = found.steps[len(found.steps) // 2]
            told = f"Rows in threes: the true clip, {TITLES[PLAIN]}, {TITLES[ALIGNED]}, after {middle} steps."
            pictures += f"\n\n{told}\n\n![Samples]({strips.name})"
        page = page.replace("## Curves\n", f"## Curves\n\n{pictures}\n", 1)
        atomic_write_text(arguments.out, page)
    return page


def page_of(found: Found, arguments: argparse.Namespace) -> str:
    told = "; ".join(f"{arm} {', '.join(map(str, found.shared(arm)))}" for arm in found.arms) or "none"
    settings = (
        f"Backbone {Path(arguments.backbone).name}: {arguments.steps} steps of batch {arguments.batch} on "
        f"{arguments.train_clips} clips, Muon at {arguments.learning_rate:g}, moving average {arguments.ema:g}, "
        f"lambda_SGA {arguments.lambda_sga:g}, lambda_SPA {arguments.lambda_spa:g}; scored are {arguments.clips} test "
        f"clips and as many held-out compositions. Complete cells (seeds by arm): {told}."
    )
    about = (__doc__ or "").strip().split("\n\n")[3:]
    sections = [
        "# Alignment from the first step, measured",
        *about,
        settings,
        "## Steps to a level",
        *(f"### {metric}\n\n{levels(found, metric)}" for metric in LEVELS),
        "## Curves",
        *(f"### {metric} by step\n\n{curves(found, metric)}" for metric in LEVELS),
        f"### held-out denoising loss\n\n{losses(found)}",
        "## Cost",
        costs(found),
        closing(Path(__file__).name, arguments.device),
    ]
    return "\n\n".join(sections) + "\n"


def levels(found: Found, metric: str) -> str:
    """How much sooner the aligned arm reaches what both are measured at."""
    if not {PLAIN, ALIGNED} <= set(found.arms) or not found.shared(PLAIN, ALIGNED):
        return "No seed has both arms yet."
    seeds, last = found.shared(PLAIN, ALIGNED), found.steps[-1]
    slow, fast = (found.matrix(arm, metric, seeds) for arm in (PLAIN, ALIGNED))
    best = max(slow.mean(axis=1).max(), fast.mean(axis=1).max())
    rows = []
    for level in (level for level in LEVELS[metric] if level <= best):
        seen = speedup(found.steps, slow, fast, level)
        steps = [steps_shown(one, last) for one in seen.steps]
        rows.append([f"{level:g}", *steps, shown(seen.ratio, 2)])
    heads = [metric, f"steps, {TITLES[PLAIN]}", f"steps, {TITLES[ALIGNED]}", "times fewer"]
    return table(heads, rows) if rows else f"No arm has reached {LEVELS[metric][0]:g} yet; the best is {best:.3f}."


def curves(found: Found, metric: str) -> str:
    both = {PLAIN, ALIGNED} <= set(found.arms)
    heads = ["step", *(TITLES[arm] for arm in found.arms), *(["difference", "by seed"] if both else [])]
    rows = []
    for step in found.steps:
        row = [str(step), *(shown(found.mean(arm, step, metric)) for arm in found.arms)]
        if both:
            seen = contrast(found.column(ALIGNED, step, metric), found.column(PLAIN, step, metric))
            row += [signed(seen.whole), ", ".join(f"{value:+.3f}" for _, value in sorted(seen.by_seed.items()))]
        rows.append(row)
    return table(heads, rows)


def losses(found: Found) -> str:
    """Mean over the seeds, and every seed."""
    rows = []
    for step in found.steps:
        cells = [[by_step[step] for by_step in found.losses[arm].values() if step in by_step] for arm in found.arms]
        each = [", ".join(f"{value:.4f}" for value in values) for values in cells]
        rows.append([str(step), *each])
    return table(["step", *(TITLES[arm] for arm in found.arms)], rows)


def costs(found: Found) -> str:
    means = {arm: statistics.fmean(found.seconds[arm].values()) for arm in found.arms}
    base = means.get(PLAIN)
    rows = [[TITLES[arm], f"{mean:.3f}", "-" if base is None else f"{mean / base:.2f}x"] for arm, mean in means.items()]
    return table(["arm", "s/step (median)", f"of {TITLES[PLAIN]}"], rows)


# --- the pictures ----------------------------------------------------------------------------------------------------


def draw(found: Found, path: Path) -> None:
    """Fidelity, presence and held-out loss by step: mean with interval, every seed as a thin line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, metric, title in zip(axes, ("if", "present"), ("interaction fidelity", "present"), strict=False):
        for arm in found.arms:
            seen = [found.mean(arm, step, metric) for step in found.steps]
            middle, low, high = ([getattr(one, name) for one in seen] for name in ("mean", "low", "high"))
            axis.plot(found.steps, middle, color=COLOURS[arm], linewidth=2, marker=".", label=TITLES[arm])
            axis.fill_between(found.steps, low, high, color=COLOURS[arm], alpha=0.15, linewidth=0)
            for seed in found.scores[arm]:
                each = [mean_of({seed: found.column(arm, step, metric)[seed]}).mean for step in found.steps]
                axis.plot(found.steps, each, color=COLOURS[arm], linewidth=0.6)
        axis.set_title(title, fontsize=10, loc="left")
    for arm in found.arms:
        for by_step in found.losses[arm].values():
            steps, values = zip(*sorted(by_step.items()), strict=True)
            axes[2].plot(steps[1:], values[1:], color=COLOURS[arm], linewidth=1)
    axes[2].set_yscale("log")
    axes[2].set_title("held-out denoising loss, each seed", fontsize=10, loc="left")
    for axis in axes:
        axis.set_xlabel("step", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path)


def draw_strips(found: Found, work: Path, path: Path) -> bool:
    """The same clips in truth and by both arms, at the checkpoint in the middle; nothing where an arm is missing."""
    seeds = found.shared(PLAIN, ALIGNED) if {PLAIN, ALIGNED} <= set(found.arms) else []
    if not seeds:
        return False
    store, step = ClipStore(work / "clips"), found.steps[len(found.steps) // 2]
    folders = [cell(work, arm, seeds[0]) / "training" / SAMPLES / f"step-{step:08d}" for arm in (PLAIN, ALIGNED)]
    names = [clip.clip_id for split in SPLITS for clip in store.select(split, STRIP_CLIPS // 2)]
    rows = []
    for name in names:
        videos = [read_video(folder / f"{name}.mp4").frames for folder in folders]
        rows += [strip(frames) for frames in (store.frames(store.get(name)), *videos)]
        rows.append(np.full((2 * GAP, rows[-1].shape[1], 3), 255, np.uint8))
    write_image(path, np.concatenate(rows[:-1]).repeat(2, axis=0).repeat(2, axis=1))
    return True


def strip(frames: ndarray) -> ndarray:
    """Some frames of a clip side by side."""
    shown_frames = np.linspace(0, len(frames) - 1, STRIP_FRAMES).round().astype(int)
    return np.concatenate(
        [np.pad(frames[i], ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for i in shown_frames], axis=1
    )


if __name__ == "__main__":
    main()
