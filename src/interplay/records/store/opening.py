"""Clips as the input of a stage: an artifact, whose manifest says that they are whole and names them for ever."""

from __future__ import annotations

from pathlib import Path

from interplay.core.artifacts import ADDING, Artifact, open_artifact
from interplay.core.errors import InputError
from interplay.core.manifest import MANIFEST
from interplay.records.store.layout import parts_of


def open_clips(path: Path) -> Artifact:
    """The finished artifact of clips in ``path``; :class:`InputError` when there is none.

    A store that a script filled, or that was copied from elsewhere, has no manifest; the error says how it gets one.
    """
    known = (path / MANIFEST).is_file() or (path / ADDING).is_file()
    if not known and path.is_dir() and parts_of(path):
        cure = f"make an artifact of it with `interplay data convert {path} --from store --out NEW`, and name NEW"
        raise InputError("holds clips, but no manifest says that they are whole", where=path, cure=cure)
    return open_artifact(path, "clips")
