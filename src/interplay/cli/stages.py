"""The stage commands: each reads the artifacts of earlier stages and writes one of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interplay.cli.options import BackboneName, Clips, Out, Overwrite, Seed, Threads, use_threads
from interplay.core.artifacts import Artifact, open_artifact

Analysis = Annotated[Path | None, typer.Option("--analysis", help="An analysis artifact: it chooses the layers.")]
Generation = Annotated[Path | None, typer.Option("--generation", help="A generation artifact.")]
Evaluation = Annotated[Path | None, typer.Option("--evaluation", help="The evaluation of that generation.")]
CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache", envvar="INTERPLAY_CACHE", help='Folder of the cache; default: "cache" beside --out.'),
]
Training = Annotated[Path | None, typer.Option("--training", help="A training artifact: its LoRA is used.")]


def curate(
    source: Annotated[Path, typer.Argument(help="A CoInteract training folder, or its CSV, JSON or JSONL table.")],
    out: Out,
    height: Annotated[int, typer.Option(help="Pixel height of the clips.")],
    width: Annotated[int, typer.Option(help="Pixel width of the clips.")],
    frames: Annotated[int, typer.Option(help="Frames per clip (4n+1 for CogVideoX).")] = 49,
    fps: Annotated[float, typer.Option(help="Frames per second of the clips.")] = 8.0,
    caption: Annotated[str, typer.Option(help="full: the whole prompt; clause: who does what to what.")] = "full",
    overwrite: Overwrite = False,
) -> None:
    """Turn real media into clips with instance mask tracks.

    Example: interplay curate DATA --height 480 --width 272 --frames 49 --out runs/clips
    """
    from interplay.curate.config import CurateConfig
    from interplay.curate.run import run

    settings = {"target_hw": (height, width), "num_frames": frames, "fps": fps, "caption": caption}
    print(run(CurateConfig.model_validate(settings), source, out, overwrite=overwrite).path)


def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped recipe.")],
    clips: Clips,
    out: Out,
    analysis: Analysis = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a field: --set a.b=c.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Overrides the recipe's seed.")] = None,
    cache: CacheFolder = None,
    rebuild_cache: Annotated[bool, typer.Option("--rebuild-cache", help="Make every entry of the cache anew.")] = False,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a LoRA from a recipe; killed at any step, the same command goes on.

    Latents, text embeddings and pooled masks are computed once and kept in a cache, a folder named "cache" beside --out
    unless --cache names another. Runs share it, also at the same time; it never changes a result.

    Example: interplay train matrix-tiny-cogvideox --clips runs/clips --analysis runs/analysis --out runs/training
    """
    from interplay.core.cache import Cache
    from interplay.core.config import load_recipe
    from interplay.recipes import recipe_path
    from interplay.train.config import TrainConfig
    from interplay.train.run import run

    use_threads(threads)
    seeded = [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
    config = load_recipe(recipe_path(recipe), TrainConfig, seeded)
    artifact = run(
        config,
        _clips(clips),
        out,
        analysis=_opened(analysis, "analysis"),
        cache=Cache(cache or out.absolute().parent / "cache", rebuild=rebuild_cache),
        overwrite=overwrite,
    )
    print(artifact.path)


def generate(
    clips: Clips,
    backbone: BackboneName,
    out: Out,
    training: Training = None,
    splits: Annotated[list[str] | None, typer.Option("--split", help="Only this split (may be repeated).")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips (of each split).")] = None,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale; 1 switches it off.")] = 1.0,
    seed: Seed = 0,
    batch_size: Annotated[int, typer.Option(help="Clips per forward.")] = 8,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate the dataset's clips again from their first frame and caption.

    Example: interplay generate --clips runs/clips --backbone tiny-cogvideox --split test --out runs/base
    """
    from interplay.generate.config import GenerateConfig
    from interplay.generate.run import run

    use_threads(threads)
    config = GenerateConfig(
        backbone=backbone,
        splits=tuple(splits or ()),
        limit=limit,
        steps=steps,
        guidance_scale=guidance,
        seed=seed,
        batch_size=batch_size,
    )
    artifact = run(config, _clips(clips), out, training=_opened(training, "training"), overwrite=overwrite)
    print(artifact.path)


def evaluate(
    clips: Clips,
    out: Out,
    generation: Generation = None,
    judge: Annotated[str, typer.Option(help="Who answers the questions: world, or none.")] = "world",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Ask who did what to whom: KISA, SGI, SPI and IF, with n scored of n.

    Without --generation the dataset's own videos are judged.

    Example: interplay evaluate --clips runs/clips --generation runs/base --out runs/base-scores
    """
    from interplay.evaluate.config import EvaluateConfig
    from interplay.evaluate.run import run

    config = EvaluateConfig(judge=judge, seed=seed)
    opened = _opened(generation, "generation")
    print(run(config, _clips(clips), opened, out, overwrite=overwrite).path)


def report(
    out: Out,
    clips: Annotated[Path | None, typer.Option(help="The dataset.")] = None,
    base: Annotated[Path | None, typer.Option(help="Generation of the base model.")] = None,
    base_scores: Annotated[Path | None, typer.Option(help="Its evaluation.")] = None,
    analysis: Analysis = None,
    training: Training = None,
    aligned: Annotated[Path | None, typer.Option(help="Generation of the aligned model.")] = None,
    aligned_scores: Annotated[Path | None, typer.Option(help="Its evaluation.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Interplay report",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write one self-contained HTML page from whatever artifacts there are.

    Example: interplay report --clips runs/clips --base runs/base --base-scores runs/base-scores --out runs/report
    """
    from interplay.report.config import ReportConfig
    from interplay.report.inputs import ReportInputs
    from interplay.report.run import PAGE, run

    inputs = ReportInputs(
        clips=None if clips is None else _clips(clips),
        base_generation=_opened(base, "generation"),
        base_evaluation=_opened(base_scores, "evaluation"),
        analysis=_opened(analysis, "analysis"),
        training=_opened(training, "training"),
        aligned_generation=_opened(aligned, "generation"),
        aligned_evaluation=_opened(aligned_scores, "evaluation"),
    )
    print(run(ReportConfig(title=title, seed=seed), inputs, out, overwrite=overwrite).path / PAGE)


def _clips(path: Path) -> Artifact:
    from interplay.records.store.opening import open_clips

    return open_clips(path)


def _opened(path: Path | None, kind: str) -> Artifact | None:
    return None if path is None else open_artifact(path, kind)
