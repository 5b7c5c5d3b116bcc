"""``interplay cache``: how large a cache is, and making it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from interplay.cli.sizes import size_of, size_text
from interplay.core.cache import KindSize, open_cache

app = typer.Typer(help="Caches of what training computes once per clip.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The cache's folder (--cache of `interplay train`).", show_default=False)]


@app.command()
def show(
    folder: Folder,
    json: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this JSON file too.")] = None,
) -> None:
    """Print how many entries of each kind a cache has, and how many bytes they take.

    Example: interplay cache show runs/cache
    """
    from interplay.core.files import write_json

    sizes = open_cache(folder).sizes()
    print(size_table(sizes))
    if json is not None:
        write_json(json, {"folder": str(folder.resolve()), "kinds": [asdict(size) for size in sizes]})


@app.command()
def clear(
    folder: Folder,
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind (see `interplay cache show`).")] = None,
) -> None:
    """Delete all entries; whoever needs them makes them again.

    Example: interplay cache clear runs/cache --kind latents
    """
    print(f"{size_text(open_cache(folder).clear(kind))} freed")


@app.command()
def prune(
    folder: Folder,
    max_size: Annotated[str, typer.Option("--max-size", help="What may stay, such as 50GB.")],
) -> None:
    """Delete the entries that were not used for longest, until the rest fits.

    Example: interplay cache prune runs/cache --max-size 50GB
    """
    print(f"{size_text(open_cache(folder).prune(size_of(max_size, where='--max-size')))} freed")


def size_table(sizes: Sequence[KindSize]) -> str:
    """One line per kind, and their sum."""
    total = KindSize("together", sum(size.entries for size in sizes), sum(size.bytes for size in sizes))
    width = max(len(size.kind) for size in (*sizes, total))
    return "\n".join(f"{s.kind:<{width}}  {s.entries:>9} entries  {size_text(s.bytes):>9}" for s in (*sizes, total))
