"""``interplay analyze``: which layers carry the interactions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interplay.cli.options import Clips, Offload, Out, Overwrite, Seed, Threads, the_offload, use_threads
from interplay.cli.sizes import size_of
from interplay.core.artifacts import Artifact, open_artifact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from interplay.analyze.config import AnalyzeConfig

Generation = Annotated[Path | None, typer.Option("--generation", help="A generation: its sampling is replayed.")]
Evaluation = Annotated[Path | None, typer.Option("--evaluation", help="Its evaluation (or that of the clips).")]


def analyze(
    clips: Clips,
    out: Out,
    backbone: Annotated[
        str | None, typer.Option(help="A shipped tiny one, a pipeline folder or a name on the hub (data mode).")
    ] = None,
    generation: Generation = None,
    evaluation: Evaluation = None,
    tracks: Annotated[
        Path | None,
        typer.Option(help="Clips with mask tracks of the generated videos, called as these; or --evaluation."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV (clip_id, label) or JSON: which clips are success and which failure.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only clips of this split (data mode).")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips.")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", help="Bring clips to width x height x frames, as 720x480x49 (data mode; repeatable)."),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="With --size: the rate at which clips are sampled.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="Score this part only, as 2/4 (env: by RANK and WORLD_SIZE).")
    ] = None,
    scores: Annotated[
        list[Path] | None, typer.Option(help="Take over the scores of this analysis or shard (repeatable).")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting: --set timesteps=8, --set top_k=10.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="What the model computes in: float32, bfloat16 or float16.")] = "float32",
    device: Annotated[
        str, typer.Option(help="Where the model runs: cpu, cuda, cuda:1 (cuda with --shard env: by LOCAL_RANK).")
    ] = "cpu",
    offload: Offload = "none",
    memory: Annotated[
        str | None,
        typer.Option(help="What observation may take beyond the model's own memory, as 500MB; default: no limit."),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the layers that carry the interactions: alignment scores of words and regions per layer, step and head.

    With --generation its sampling is replayed and observed, and --evaluation or --tracks gives the masks; without,
    dataset clips are noised. What is scored stays when a run is broken off. Several processes share the work: give them
    --shard 1/4, --shard 2/4 and so on, then run the same command without it.

    Example: interplay analyze --clips runs/clips --backbone tiny-cogvideox --out runs/analysis
    """
    from interplay.analyze.run import run, run_shard
    from interplay.analyze.shards import Shard, own_device
    from interplay.records.store.opening import open_clips

    use_threads(threads)
    mode = "data" if generation is None else "replay"
    given = {"mode": mode, "backbone": backbone, "split": split, "limit": limit, "dtype": dtype, "seed": seed}
    config = _config(given, size or [], fps, overrides or [])
    opened = open_clips(clips)
    judged = _opened(evaluation, "evaluation")
    made_by = _opened(generation, "generation")
    scored = [open_artifact(path) for path in scores or []]
    shared: dict[str, Any] = {
        "generation": made_by,
        "evaluation": judged,
        "tracks": None if tracks is None else open_clips(tracks),
        "labels": labels,
        "scores": scored,
        "device": _device(own_device(device, shard, os.environ)),
        "offload": the_offload(offload),
        "memory_bytes": None if memory is None else size_of(memory, where="--memory"),
        "overwrite": overwrite,
    }
    if shard is not None:
        artifact = run_shard(config, opened, out, Shard.parse(shard), **shared)
    else:
        artifact = run(config, opened, out, **shared)
    print(artifact.path)


def _config(given: Mapping[str, object], sizes: list[str], fps: float | None, overrides: list[str]) -> AnalyzeConfig:
    """The settings: named options first, then ``--set``."""
    from interplay.analyze.config import AnalyzeConfig
    from interplay.core.config import from_overrides
    from interplay.core.errors import InputError

    named = [f"{name}={value}" for name, value in given.items() if value is not None]
    if fps is not None and not sizes:
        raise InputError("means nothing without --size", where="--fps", cure="give --size, or leave it out")
    if sizes:
        named.append(f"buckets.sizes=[{', '.join(sizes)}]")
    if fps is not None:
        named.append(f"buckets.fps={fps}")
    return from_overrides(AnalyzeConfig, [*named, *overrides], where="analyze")


def _device(name: str) -> torch.device:
    """The torch device of this name."""
    import torch

    from interplay.core.errors import InputError

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        cure = "use cpu, or a device that torch sees (cuda, cuda:1)"
        raise InputError("is no device of this machine", where=f"--device {name}", cure=cure) from error
    return device


def _opened(path: Path | None, kind: str) -> Artifact | None:
    return None if path is None else open_artifact(path, kind)
