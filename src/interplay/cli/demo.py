"""``interplay demo``: the whole story with one command, on the embedded world or on real media.

Every step is a stage of its own and its artifact a folder below ``--out``; a second run finds them there and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interplay.cli.options import Overwrite, Seed, Threads, use_threads
from interplay.core.artifacts import Artifact

if TYPE_CHECKING:
    from interplay.analyze.config import AnalyzeConfig
    from interplay.evaluate.config import EvaluateConfig
    from interplay.generate.config import GenerateConfig
    from interplay.train.config import TrainConfig

BACKBONE = "tiny-cogvideox"
RECIPE = "matrix-tiny-cogvideox"

# The embedded default: sized for ten minutes on two cores.
TRAIN_CLIPS, TEST_CLIPS, HELDOUT_CLIPS = 400, 48, 32
ANALYZED_CLIPS = 32
# Real media: one clip, so a few steps show that everything works; portrait, in the proportions of the world's clips.
REAL_SIZE_HW, REAL_FRAMES, REAL_FPS, REAL_STEPS, REAL_BATCH = (96, 56), 17, 8.0, 20, 2


@dataclass(frozen=True)
class _Plan:
    """Where the two demos differ, apart from where their clips come from."""

    settings: GenerateConfig
    judge: EvaluateConfig
    analysis: AnalyzeConfig
    recipe: TrainConfig
    title: str
    notes: tuple[str, ...] = ()


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for all artifacts of the demo.")] = Path("runs/demo"),
    data: Annotated[Path | None, typer.Option("--data", help="Real media: a CoInteract training folder.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Run the main job and print the report's path.

    Example: interplay demo --out runs/demo
    """
    use_threads(threads)
    _say(1, "clips: the embedded world with exact truth" if data is None else f"clips: mask tracks from {data}")
    clips = _world_clips(out, seed, overwrite) if data is None else _real_clips(out, data, overwrite)
    plan = _world_plan(seed) if data is None else _real_plan(seed)
    command = f"interplay demo --out {out} --seed {seed}" + (f" --data {data}" if data else "")
    print(f"report: {_chain(plan, clips, out, seed, command, overwrite)}")


def _world_clips(out: Path, seed: int, overwrite: bool) -> Artifact:
    from interplay.world.make import WorldConfig, run

    config = WorldConfig(seed=seed, train=TRAIN_CLIPS, test=TEST_CLIPS, heldout=HELDOUT_CLIPS)
    return run(config, out / "clips", overwrite=overwrite)


def _real_clips(out: Path, data: Path, overwrite: bool) -> Artifact:
    from interplay.curate.config import CurateConfig
    from interplay.curate.run import run

    config = CurateConfig(target_hw=REAL_SIZE_HW, num_frames=REAL_FRAMES, fps=REAL_FPS, caption="clause")
    return run(config, data, out / "clips", overwrite=overwrite)


def _world_plan(seed: int) -> _Plan:
    from interplay.analyze.config import AnalyzeConfig
    from interplay.evaluate.config import EvaluateConfig
    from interplay.generate.config import GenerateConfig

    return _Plan(
        settings=GenerateConfig(backbone=BACKBONE, splits=("test", "heldout"), seed=seed),
        judge=EvaluateConfig(judge="world", seed=seed),
        analysis=AnalyzeConfig(mode="replay", limit=ANALYZED_CLIPS, seed=seed),
        recipe=_recipe(f"seed={seed}"),
        title="Interplay demo: the embedded world",
    )


def _real_plan(seed: int) -> _Plan:
    """Real media has no exact judge: nothing is scored, and the analysis looks at the noised clips themselves.

    The only clip is trained on, so none is left to be measured on the way.
    """
    from interplay.analyze.config import AnalyzeConfig
    from interplay.evaluate.config import EvaluateConfig
    from interplay.generate.config import GenerateConfig

    return _Plan(
        settings=GenerateConfig(backbone=BACKBONE, seed=seed),
        judge=EvaluateConfig(judge="none", seed=seed),
        analysis=AnalyzeConfig(mode="data", backbone=BACKBONE, seed=seed),
        recipe=_recipe(
            f"seed={seed}", f"steps={REAL_STEPS}", f"batch_size={REAL_BATCH}", "warmup_steps=5", "validation=null"
        ),
        title="Interplay demo: a real clip",
        notes=(
            f"{BACKBONE} knows the embedded world alone, so what it makes of real pixels is texture. This page shows "
            "that every stage takes real media; a backbone trained on real video gives pictures.",
        ),
    )


def _chain(plan: _Plan, clips: Artifact, out: Path, seed: int, command: str, overwrite: bool) -> Path:
    """Generate, evaluate, analyze, train, generate and evaluate again, report: the same for both demos."""
    from interplay.analyze import run as analyze
    from interplay.cli.probes import probes_for
    from interplay.evaluate import run as evaluate
    from interplay.generate import run as generate
    from interplay.report import run as report
    from interplay.report.config import ReportConfig
    from interplay.report.inputs import ReportInputs
    from interplay.train import run as train

    _say(2, f"generate with the base ({BACKBONE})")
    base = generate.run(plan.settings, clips, out / "base", overwrite=overwrite)
    _say(3, f"evaluate the base (judge: {plan.judge.judge})")
    base_scores = evaluate.run(plan.judge, clips, base, out / "base-scores", overwrite=overwrite)
    _say(4, "analyze: which layers carry the interactions")
    generation, evaluation = (base, base_scores) if plan.analysis.mode == "replay" else (None, None)
    analysis = analyze.run(
        plan.analysis, clips, out / "analysis", generation=generation, evaluation=evaluation, overwrite=overwrite
    )
    _say(5, "train: a LoRA with mask-track alignment on those layers")
    training = train.run(
        plan.recipe, clips, out / "training", analysis=analysis, probes=probes_for(plan.recipe), overwrite=overwrite
    )
    _say(6, "generate again with the same seeds")
    aligned = generate.run(plan.settings, clips, out / "aligned", training=training, overwrite=overwrite)
    _say(7, f"evaluate the aligned model (judge: {plan.judge.judge})")
    aligned_scores = evaluate.run(plan.judge, clips, aligned, out / "aligned-scores", overwrite=overwrite)
    _say(8, "report")
    inputs = ReportInputs(clips, base, base_scores, analysis, training, aligned, aligned_scores)
    config = ReportConfig(title=plan.title, command=command, notes=plan.notes, seed=seed)
    return report.run(config, inputs, out / "report", overwrite=overwrite).path / report.PAGE


def _recipe(*overrides: str) -> TrainConfig:
    from interplay.core.config import load_recipe
    from interplay.recipes import recipe_path
    from interplay.train.config import TrainConfig

    return load_recipe(recipe_path(RECIPE), TrainConfig, overrides)


def _say(step: int, what: str) -> None:
    print(f"[{step}/8] {what}", flush=True)
