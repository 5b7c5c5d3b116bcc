"""Paths that a dataset's own files name: they must stay inside the dataset.

A table, a JSON file or a link that came with a dataset is somebody else's word. A path that climbs out of the folder
would copy a file of the user's into whatever is made from it, so it is an error unless the user asks for it.
"""

from __future__ import annotations

import os
from pathlib import Path

from interplay.core.errors import InputError


def inside(root: Path, named: str, *, where: str, follow_links: bool = False) -> Path:
    """The existing file or folder that ``named`` (relative to ``root``) means; else an :class:`InputError`.

    An absolute path, one that climbs above ``root``, and a link that leads out of it are refused; ``follow_links``
    allows the last of these, for a dataset whose big files lie on another disk.
    """
    relative = Path(named.strip())
    if relative.is_absolute() or not named.strip() or "\0" in named:
        cure = "name it relative to the dataset's folder"
        raise InputError(f"{named!r} is no path inside the dataset", where=where, cure=cure)
    depth = 0
    for part in relative.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise InputError(f"{named!r} leaves the dataset's folder", where=where, cure="move the file into it")
    path = root / relative
    try:
        resolved, base = path.resolve(strict=True), root.resolve(strict=True)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}", where=where, cure="correct the path or add the file") from error
    except (OSError, RuntimeError) as error:  # a loop of links: OSError, RuntimeError before Python 3.13
        raise InputError(f"{path} cannot be followed ({error})", where=where, cure="replace the link") from error
    if not follow_links and not resolved.is_relative_to(base):
        cure = "copy the file into the dataset, or allow it with --set follow_links=true"
        raise InputError(f"{path} is a link that leaves the dataset's folder", where=where, cure=cure)
    return path


def check_regular(path: Path) -> None:
    """:class:`InputError` when something else than a file is there: reading a pipe or a device would never end."""
    if os.path.exists(path) and not os.path.isfile(path):  # unlike Path's, these never raise
        raise InputError("is no regular file", where=path, cure="replace it by a file")
