"""``interplay world``: make clips of the embedded world, and train a tiny backbone on it."""

from __future__ import annotations

from typing import Annotated

import typer

from interplay.cli.options import Out, Overwrite, Seed, Threads, use_threads

app = typer.Typer(help="The embedded interaction world.", no_args_is_help=True)


@app.command()
def make(
    out: Out,
    train: Annotated[int, typer.Option(help="Clips of the training split.")] = 400,
    test: Annotated[int, typer.Option(help="Clips of compositions that are trained, with new scenes.")] = 48,
    heldout: Annotated[int, typer.Option(help="Clips of compositions that are never trained.")] = 32,
    solo: Annotated[int, typer.Option(help="Clips of one actor alone, for pretraining.")] = 0,
    companions: Annotated[
        bool, typer.Option("--companions", help="Also write structure and pose videos, reference images and speech.")
    ] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write clips with captions, mask tracks and exact truth.

    Example: interplay world make --train 100 --test 20 --heldout 20 --out runs/clips
    """
    from interplay.world.make import COMPANIONS, WorldConfig, run

    media = COMPANIONS if companions else ()
    config = WorldConfig(seed=seed, train=train, test=test, heldout=heldout, solo=solo, companions=media)
    artifact = run(config, out, overwrite=overwrite)
    print(artifact.path)


@app.command()
def pretrain(
    out: Out,
    backbone: Annotated[str, typer.Option(help="Which tiny backbone to train.")] = "tiny-cogvideox",
    seed: Seed = 0,
    fuse: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compile the transformer's blocks; needs a C++ compiler.")
    ] = True,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a tiny backbone from scratch on the world; killed at any point, the same command goes on.

    Example: interplay world pretrain --backbone tiny-cogvideox --out runs/tiny-cogvideox
    """
    from interplay.train.pretrain.config import PretrainConfig
    from interplay.train.pretrain.run import run

    use_threads(threads)
    artifact = run(PretrainConfig(backbone=backbone, seed=seed, compile=fuse), out, overwrite=overwrite)
    print(artifact.path)
