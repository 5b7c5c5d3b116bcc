"""``interplay data``: check datasets, convert them between formats, and look at them.

Exit codes beyond the usual ones: ``check`` ends with 1 when it found errors (with ``--strict`` also warnings), and
``convert`` with 1 when clips were left out and ``--allow-quarantine`` was not given, or when none could be written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interplay.cli.options import Out, Overwrite

app = typer.Typer(help="Check, convert and show datasets.", no_args_is_help=True)

# Written out, so that the help needs none of the formats.
FORMAT_NAMES = "store, matrix, cointeract, cointeract-inference, cogeneration, tavid, intergeneval, ytvis, videos"
Source = Annotated[Path, typer.Argument(help="A dataset: a folder, or the table of one.")]
From = Annotated[str | None, typer.Option("--from", help=f"Its format ({FORMAT_NAMES}); default: what it looks like.")]
Options = Annotated[list[str] | None, typer.Option("--set", help="Option of the format that is read: name=value.")]
STOPPED_BY_FINDINGS = 1


@app.command()
def check(
    source: Source,
    source_format: From = None,
    options: Options = None,
    fps: Annotated[float | None, typer.Option(help="The frame rate that all clips should have.")] = None,
    temporal_stride: Annotated[int, typer.Option(help="Frame counts should be a multiple of it, plus one.")] = 4,
    multiple: Annotated[int, typer.Option(help="Height and width should be multiples of it.")] = 16,
    min_share: Annotated[float, typer.Option(help="Masks below this share of the frame are tiny.")] = 0.0005,
    decode: Annotated[bool, typer.Option(help="Decode every frame, not only the containers.")] = False,
    tokenizer: Annotated[Path | None, typer.Option(help="A tokenizer.json: finds captions that are too long.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="How many tokens the text encoder reads.")] = None,
    buckets: Annotated[
        str | None, typer.Option(help="The sizes of training: 480x720x49,720x480x49 (w x h x f).")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write every finding to this JSON file.")] = None,
    strict: Annotated[bool, typer.Option(help="Let warnings count like errors.")] = False,
) -> None:
    """Check every clip and the dataset as a whole; ends with 1 when there are errors.

    Example: interplay data check DATA --fps 25 --json findings.json
    """
    from interplay.core.progress import track
    from interplay.data.check import check as check_clips
    from interplay.data.check import save
    from interplay.data.config import CheckConfig
    from interplay.data.source import open_source
    from interplay.data.table import make_console, print_report
    from interplay.grid.buckets import BucketConfig

    config = CheckConfig(
        fps=fps,
        temporal_stride=temporal_stride,
        multiple=multiple,
        min_share=min_share,
        decode=decode,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
        buckets=None if buckets is None else BucketConfig(sizes=tuple(buckets.split(",")), fps=fps),
    )
    opened = open_source(source, source_format, options or ())
    report = check_clips(track(opened, label="check", total=opened.count()), config)
    print_report(report, opened.root, make_console())
    if json is not None:
        told = {"source": str(source.resolve()), "format": opened.choice.name, "config": config.model_dump(mode="json")}
        save(report, told, json)
    if not report.passes(strict=strict):
        raise typer.Exit(STOPPED_BY_FINDINGS)


@app.command()
def convert(
    source: Source,
    out: Out,
    source_format: From = None,
    target_format: Annotated[str, typer.Option("--to", help=f"The format to write ({FORMAT_NAMES}).")] = "store",
    options: Options = None,
    target_options: Annotated[
        list[str] | None, typer.Option("--set-to", help="Option of the format that is written: name=value.")
    ] = None,
    allow_quarantine: Annotated[
        bool, typer.Option("--allow-quarantine", help="End with 0 although some clips were left out.")
    ] = False,
    add: Annotated[
        bool,
        typer.Option("--append", help="Add the clips to the finished store OUT, which --overwrite never replaces."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert a dataset, clip by clip; what cannot be used is listed in OUT/quarantine.jsonl.

    Example: interplay data convert DATA --from matrix --to store --out runs/clips
    """
    from interplay.data.config import ConvertConfig
    from interplay.data.convert import append, in_words
    from interplay.data.convert import convert as convert_source
    from interplay.data.source import choose_format, open_source

    opened = open_source(source, source_format, options or ())
    config = ConvertConfig(source=opened.choice, target=choose_format(target_format, target_options or ()))
    done = (append if add else convert_source)(config, opened, out, overwrite=overwrite)
    print("\n".join(in_words(done)))
    if not done.told["written"] or (done.told["quarantined"] and not allow_quarantine):
        raise typer.Exit(STOPPED_BY_FINDINGS)


@app.command()
def show(
    source: Source,
    out: Out,
    source_format: From = None,
    options: Options = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips.")] = None,
    page_size: Annotated[int, typer.Option(help="Clips on a page.")] = 48,
    frames: Annotated[int, typer.Option(help="Frames shown of each clip.")] = 4,
    overwrite: Overwrite = False,
) -> None:
    """Write a contact sheet: HTML pages with the mask tracks drawn on the frames of every clip.

    Example: interplay data show DATA --limit 200 --out runs/sheet
    """
    from interplay.data.config import ShowConfig
    from interplay.data.show.pages import INDEX
    from interplay.data.show.run import show as show_source
    from interplay.data.source import open_source

    opened = open_source(source, source_format, options or ())
    settings = {"source": opened.choice, "limit": limit, "page_size": page_size, "frames": frames}
    artifact = show_source(ShowConfig.model_validate(settings), opened, out, overwrite=overwrite)
    print(artifact.path / INDEX)
