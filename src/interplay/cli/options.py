"""Options that several commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="Folder of the artifact to write.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a finished artifact, and drop unfinished work, that has other settings."),
]
Seed = Annotated[int, typer.Option("--seed", help="Root of all randomness of this run.")]
Clips = Annotated[Path, typer.Option("--clips", help="A dataset artifact (from `world make` or `curate`).")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; default: torch's own choice.")]


def use_threads(threads: int | None) -> None:
    """Let torch compute on so many CPU threads; ``None`` leaves it as it is."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
