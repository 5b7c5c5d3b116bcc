"""Every file of a folder tree, in an order that does not depend on the disk, and links where they lead nowhere good.

Names that begin with a dot are nobody's clips (unfinished files, a version control's folder, another system's notes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from interplay.core.errors import InputError
from interplay.records.formats.base import Rejected
from interplay.records.formats.common.naming import clip_id_from, relative
from interplay.records.formats.common.paths import check_regular, inside


def files_below(root: Path, *, follow_links: bool, depth: int | None = None) -> Iterator[Path | Rejected]:
    """The files below ``root`` (at most ``depth`` folders down), folder by folder, each in the order of its names.

    A link to a folder is a :class:`Rejected` unless ``follow_links``, and so is one that leads to a folder that was
    read already, as in a loop of links, and a folder that may not be read.
    """
    seen = {root.resolve()}
    waiting = [(root, 0)]
    while waiting:
        folder, level = waiting.pop()
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        except OSError as error:
            told = InputError(f"cannot be read ({error.strerror})", where=folder, cure="check its permissions")
            yield _rejected(folder, root, told)
            continue
        entries = [entry for entry in entries if not entry.name.startswith(".")]
        inner = [entry for entry in entries if os.path.isdir(entry)]  # Path.is_dir raises where it may not look
        yield from (entry for entry in entries if entry not in inner)
        if depth is not None and level >= depth:
            continue
        kept = []
        for entry in inner:
            barred = _barred(entry, seen, follow_links)
            if barred is None:
                kept.append((entry, level + 1))
            else:
                yield _rejected(entry, root, barred)
        waiting += reversed(kept)


def check_inside(path: Path, root: Path, *, follow_links: bool) -> None:
    """:class:`InputError` unless a file that was found below ``root`` is there, and in it (or links may leave it)."""
    # The "./" keeps a space at the beginning of a name, which `inside` takes for a slip of the pen.
    inside(root, f"./{relative(path, root)}", where=str(path), follow_links=follow_links)
    check_regular(path)


def _barred(folder: Path, seen: set[Path], follow_links: bool) -> InputError | None:
    """Why a folder is not entered; ``None`` when it is."""
    if folder.is_symlink() and not follow_links:
        cure = "copy the folder, or allow links with follow_links=true"
        return InputError("is a link to a folder, which is not followed", where=folder, cure=cure)
    real = folder.resolve()
    if real in seen:
        return InputError(f"leads to {real}, which was read already", where=folder, cure="remove the link")
    seen.add(real)
    return None


def _rejected(folder: Path, root: Path, error: InputError) -> Rejected:
    return Rejected.because(clip_id_from(relative(folder, root)), error)
