"""``interplay world``: make clips of the embedded world, and train a tiny backbone on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from interplay.cli.options import Out, Overwrite, Seed, Threads, use_threads
from interplay.core.errors import InputError

if TYPE_CHECKING:
    from interplay.grid.buckets import Bucket

app = typer.Typer(help="The embedded interaction world.", no_args_is_help=True)


@app.command()
def make(
    out: Out,
    train: Annotated[int, typer.Option(help="Clips of the training split.")] = 400,
    test: Annotated[int, typer.Option(help="Clips of compositions that are trained, with new scenes.")] = 48,
    heldout: Annotated[int, typer.Option(help="Clips of compositions that are never trained.")] = 32,
    solo: Annotated[int, typer.Option(help="Clips of one actor alone, for pretraining.")] = 0,
    twins: Annotated[
        bool, typer.Option("--twins", help="Also a split of test and held-out clips with the roles swapped.")
    ] = False,
    size: Annotated[str, typer.Option(help="Width x height x frames, as 720x480x49.")] = "80x48x17",
    fps: Annotated[float, typer.Option(help="Frames per second of the videos.")] = 8.0,
    companions: Annotated[
        bool, typer.Option("--companions", help="Also write structure and pose videos, reference images and speech.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw; the same clips with any number.")] = 1,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write clips with captions, mask tracks and exact truth; killed at any point, the same command goes on.

    Example: interplay world make --train 100 --test 20 --heldout 20 --out runs/clips
    Example: interplay world make --size 720x480x49 --fps 16 --workers 8 --twins --out runs/large-clips
    """
    from interplay.world.make import COMPANIONS, WorldConfig, run

    drawn = _size(size)
    config = WorldConfig(
        seed=seed,
        train=train,
        test=test,
        heldout=heldout,
        solo=solo,
        num_frames=drawn.frames,
        size_hw=drawn.size_hw,
        fps=fps,
        companions=COMPANIONS if companions else (),
        twins=twins,
    )
    print(run(config, out, workers=workers, overwrite=overwrite).path)


def _size(text: str) -> Bucket:
    from interplay.grid.buckets import Bucket

    try:
        return Bucket.parse(text)
    except InputError as error:
        cure = "write width x height x frames, such as 720x480x49"
        raise InputError("is no size", where=f"--size {text}", cure=cure) from error


@app.command()
def pretrain(
    out: Out,
    backbone: Annotated[
        str | None, typer.Option(help="Which tiny backbone to train.", show_default="tiny-cogvideox")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Begin with the weights of this one, a name or folder, instead of random ones."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A YAML file with the phases of the run; default: the usual ones.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a field: --set clips=6000.")] = None,
    seed: Annotated[int | None, typer.Option(help="Root of all randomness of this run.", show_default="0")] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="What it computes in; default: bfloat16 where this machine does so, else float32."),
    ] = None,
    fuse: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Compile the transformer's blocks, which needs a C++ compiler; default: in bfloat16 alone.",
        ),
    ] = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a tiny backbone from scratch on the world; killed at any point, the same command goes on.

    With --start a run goes on from the weights of another one, with phases of its own.

    Example: interplay world pretrain --backbone tiny-cogvideox --out runs/tiny-cogvideox
    Example: interplay world pretrain --start runs/tiny-cogvideox --recipe more.yaml --seed 1 --out runs/longer
    """
    from interplay.core.config import from_overrides, load_recipe
    from interplay.train.pretrain.config import PretrainConfig
    from interplay.train.pretrain.run import run

    use_threads(threads)
    named = {"backbone": backbone, "seed": seed, "compile": None if fuse is None else str(fuse).lower()}
    given = [*(overrides or []), *(f"{name}={value}" for name, value in named.items() if value is not None)]
    if recipe is None:
        config = from_overrides(PretrainConfig, given, where="the usual run")
    else:
        config = load_recipe(recipe, PretrainConfig, given)
    if precision is not None:
        config = config.in_precision(precision)
    print(run(config, out, start=start, overwrite=overwrite).path)
