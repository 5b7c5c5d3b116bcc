"""Options that several commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from interplay.core.errors import InputError

Out = Annotated[Path, typer.Option("--out", help="Folder of the artifact to write.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a finished artifact, and drop unfinished work, that has other settings."),
]
Seed = Annotated[int, typer.Option("--seed", help="Root of all randomness of this run.")]
Clips = Annotated[Path, typer.Option("--clips", help="A dataset artifact (from `world make` or `curate`).")]
Offload = Annotated[
    str,
    typer.Option("--offload", help="Weights on the CPU until needed: none, networks (one at a time) or blocks."),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; default: torch's own choice.")]

_OFFLOADS: tuple[Literal["none"], Literal["networks"], Literal["blocks"]] = ("none", "networks", "blocks")


def use_threads(threads: int | None) -> None:
    """Let torch compute on so many CPU threads; ``None`` leaves it as it is."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def the_offload(name: str) -> Literal["none", "networks", "blocks"]:
    """The way of offloading of this name."""
    for known in _OFFLOADS:
        if name == known:
            return known
    raise InputError("is no way to offload", where=f"--offload {name}", cure="use none, networks or blocks")
