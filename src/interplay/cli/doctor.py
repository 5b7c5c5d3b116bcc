"""``interplay doctor``: what a recipe will need of a machine, before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interplay.cli.sizes import size_of, size_text
from interplay.core.artifacts import open_artifact
from interplay.core.files import write_json

if TYPE_CHECKING:
    from interplay.train.doctor.estimate import Part
    from interplay.train.doctor.run import Diagnosis

_DOES_NOT_FIT = 1
# benchmarks/doctor.md: resident memory grows to about three times what is in use, unless freed blocks are given back.
_ON_A_CPU = (
    "On a CPU the process may take up to three times as much; MALLOC_MMAP_THRESHOLD_=65536 keeps it near the sum.",
)


def doctor(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships with the package, or a YAML file.")],
    clips: Annotated[Path | None, typer.Option("--clips", help="The dataset that would be trained on.")] = None,
    analysis: Annotated[Path | None, typer.Option("--analysis", help="An analysis: it chooses the layers.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a field: --set a.b=c.")] = None,
    memory: Annotated[str | None, typer.Option("--memory", help="Ask about a device with so much, as 24GB.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the run would write, for the space on that disk.")] = Path(),
    json: Annotated[Path | None, typer.Option("--json", help="Write everything to this JSON file too.")] = None,
) -> None:
    """Print what a recipe will need in memory and on disk, and whether it fits; nothing is loaded, nothing is trained.

    The recipe's own training step is rehearsed on a model that has shapes and no weights, so a folder with only the
    configs of a model will do. Exit code 1 when it does not fit.

    Example: interplay doctor matrix-tiny-cogvideox --clips runs/clips --memory 24GB
    """
    from interplay.core.config import load_recipe
    from interplay.recipes import recipe_path
    from interplay.train.config import TrainConfig
    from interplay.train.doctor.run import diagnose

    diagnosis = diagnose(
        load_recipe(recipe_path(recipe), TrainConfig, overrides or []),
        None if clips is None else open_artifact(clips, "clips"),
        out=out,
        analysis=None if analysis is None else open_artifact(analysis, "analysis"),
        memory_bytes=None if memory is None else size_of(memory, where="--memory"),
    )
    print("\n".join(_lines(diagnosis)))
    if json is not None:
        write_json(json, diagnosis.to_json())
    if not diagnosis.fits:
        raise typer.Exit(_DOES_NOT_FIT)


def _lines(diagnosis: Diagnosis) -> list[str]:
    needs, device = diagnosis.needs, diagnosis.device
    return [
        *_parts("Memory of the device, at the worst moment", needs.memory, needs.memory_bytes),
        *_parts("Disk", needs.disk, needs.disk_bytes),
        "",
        f"{needs.trained:,} numbers are trained.",
        *(
            f"Clips: {count} of {bucket} (width x height x frames)."
            for bucket, count in diagnosis.dataset.clips.items()
        ),
        *(f"Left out: {count} clips ({reason})." for reason, count in diagnosis.dataset.left_out.items()),
        *(f"Assumed: {assumption}." for assumption in diagnosis.assumed),
        *(_ON_A_CPU if device.processor else ()),
        _verdict("Memory", needs.memory_bytes, device.free, f"{device.name}, {size_text(device.total)} in all"),
        _verdict("Disk", needs.disk_bytes, diagnosis.disk_free, "free there"),
        *_advice(diagnosis),
    ]


def _parts(title: str, parts: Sequence[Part], total: int) -> list[str]:
    width = max(len(part.name) for part in parts)
    rows = [f"  {part.name:<{width}}  {size_text(part.size):>9}   {part.because}" for part in parts]
    return ["", title, *rows, f"  {'together':<{width}}  {size_text(total):>9}"]


def _verdict(what: str, needed: int, free: int, where: str) -> str:
    verdict = "fits" if needed <= free else "DOES NOT FIT"
    return f"{what} {verdict}: {size_text(needed)} needed, {size_text(free)} free ({where})."


def _advice(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.batch_that_fits is None:
        return []
    if diagnosis.batch_that_fits:
        return [f"With --set batch_size={diagnosis.batch_that_fits} it would fit."]
    return ["Not even a batch of one clip fits: use fewer or smaller frames, later layers, or a larger device."]
