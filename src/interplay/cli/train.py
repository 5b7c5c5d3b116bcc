"""``interplay train``: a recipe, a dataset, and what the run is surrounded by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interplay.cli.options import Clips, Out, Overwrite, Threads, use_threads
from interplay.core.artifacts import open_artifact


def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped recipe.")],
    clips: Clips,
    out: Out,
    analysis: Annotated[
        Path | None, typer.Option("--analysis", help="An analysis artifact: it chooses the layers.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a field: --set a.b=c.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Overrides the recipe's seed.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", envvar="INTERPLAY_CACHE", help='Folder of the cache; default: "cache" beside --out.'),
    ] = None,
    rebuild_cache: Annotated[bool, typer.Option("--rebuild-cache", help="Make every entry of the cache anew.")] = False,
    trackers: Annotated[
        list[str] | None, typer.Option("--tracker", help="tensorboard, wandb, ... (may be repeated).")
    ] = None,
    tracking: Annotated[
        Path | None,
        typer.Option(
            "--tracking", help='Where trackers write, each run below its own name; default: "tracking" beside --out.'
        ),
    ] = None,
    ignore_spikes: Annotated[bool, typer.Option("--ignore-spikes", help="Go on where the gradient jumps.")] = False,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a LoRA from a recipe; killed at any step, the same command goes on.

    Latents, text embeddings and pooled masks are computed once and kept in a cache, a folder named "cache" beside --out
    unless --cache names another. Runs share it, also at the same time; it never changes a result. On several devices:
    accelerate launch -m interplay.cli train ...

    Example: interplay train matrix-tiny-cogvideox --clips runs/clips --analysis runs/analysis --out runs/training
    """
    from interplay.cli.probes import probes_for
    from interplay.core.cache import Cache
    from interplay.core.config import load_recipe
    from interplay.recipes import recipe_path
    from interplay.records.store.opening import open_clips
    from interplay.train.config import TrainConfig
    from interplay.train.processes import Processes
    from interplay.train.run import Surroundings, run, with_chosen_layers

    use_threads(threads)
    seeded = [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
    opened = None if analysis is None else open_artifact(analysis, "analysis")
    config = with_chosen_layers(load_recipe(recipe_path(recipe), TrainConfig, seeded), opened)
    beside = out.absolute().parent
    artifact = run(
        config,
        open_clips(clips),
        out,
        analysis=opened,
        cache=Cache(cache or beside / "cache", rebuild=rebuild_cache),
        overwrite=overwrite,
        probes=probes_for(config),
        surroundings=Surroundings(tuple(trackers or ()), (tracking or beside / "tracking") / out.name, ignore_spikes),
    )
    if Processes().is_main:
        print(artifact.path)
