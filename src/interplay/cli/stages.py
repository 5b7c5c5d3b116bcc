"""The stage commands: each reads the artifacts of earlier stages and writes one of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interplay.cli.options import Clips, Out, Overwrite, Seed
from interplay.core.artifacts import Artifact, open_artifact

Analysis = Annotated[Path | None, typer.Option("--analysis", help="An analysis artifact: it chooses the layers.")]
Generation = Annotated[Path | None, typer.Option("--generation", help="A generation artifact.")]
Evaluation = Annotated[Path | None, typer.Option("--evaluation", help="The evaluation of that generation.")]
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
