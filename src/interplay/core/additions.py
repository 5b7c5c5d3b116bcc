"""Adding to a finished artifact: more clips for a dataset, without copying those that are there.

The promises of :func:`extend`:

- What was there stays as it was. While files are added the artifact is *unfinished*: nobody can open it.
- Whatever dies when, running the same command again goes on; another one says what is different and leaves what was
  half added alone, unless it is told to overwrite (:mod:`interplay.core.unfinished`).
- The finished artifact has a new identity, since other stages would compute something else from it; ``added`` in its
  manifest tells what was added, and an addition that was made already is not made twice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from interplay.core.artifacts import (
    ADDING,
    Artifact,
    External,
    now,
    open_artifact,
    recover_from_a_broken_swap,
    told_of_inputs,
)
from interplay.core.config import Config, digest, jsonable
from interplay.core.errors import InputError
from interplay.core.files import exclusive, fsync_folder, full_disk_named, read_json, write_json
from interplay.core.manifest import MANIFEST, REMAKE, SCRATCH, content_of, entry_of, versions
from interplay.core.unfinished import Mark, Work, beside, say


def extend(
    out: Path,
    *,
    kind: str,
    config: Config | Mapping[str, Any],
    inputs: Mapping[str, Artifact | External],
    make: Callable[[Path], Mapping[str, Any]],
    overwrite: bool = False,
) -> Artifact:
    """Add to the finished artifact ``out``, or return it at once when the same has been added already.

    ``make(out)`` adds files, without changing those that are there, and returns the summary of the whole. When an
    earlier run died it finds that run's files and goes on from them. ``config`` and ``inputs`` say what is added.
    ``overwrite`` permits dropping what another command has half added; what is finished it never touches.
    """
    out = Path(os.path.abspath(out))
    identities = {name: artifact.identity for name, artifact in inputs.items()}
    mark = Mark(digest([config, identities]), kind, jsonable(config), identities)
    with full_disk_named(out.parent), exclusive(beside(out, ".lock"), owner=out):
        recover_from_a_broken_swap(out)
        if _has_been_added(out, mark):
            say(f"{out}: already added, from the same config and inputs")
            shutil.rmtree(out / SCRATCH, ignore_errors=True)  # of a run that died at its very last step
            return open_artifact(out, kind)
        note = _begin(out, mark, overwrite)
        with _work(out, note).kept_where_there_is_any():
            summary = make(out)
        told = {"identity": mark.identity, "config": mark.config, "inputs": told_of_inputs(inputs, out)}
        _finish(out, note, told, summary)
    return open_artifact(out, kind)


def _has_been_added(out: Path, mark: Mark) -> bool:
    if (out / ADDING).is_file() and not (out / MANIFEST).is_file():
        return False
    added = open_artifact(out, mark.kind).manifest.get("added", [])
    return any(entry["identity"] == mark.identity for entry in added)


def _begin(out: Path, mark: Mark, overwrite: bool) -> Mapping[str, Any]:
    """Mark the artifact as unfinished; the note keeps its manifest, and the names of files that are none of it."""
    if not (out / MANIFEST).is_file():
        note = _read_note(out)
        if note["identity"] == mark.identity:
            return note
        _work(out, note).make_way(note, mark, overwrite=overwrite)
    manifest = open_artifact(out, mark.kind).manifest
    besides = sorted(_names(out) - set(manifest["files"]))
    note = {**asdict(mark), "manifest": dict(manifest), "besides": besides}
    # In this order: before the mark is whole nothing has changed, and with both files there nothing has been added.
    write_json(out / ADDING, note)
    (out / MANIFEST).unlink()
    fsync_folder(out)
    return note


def _read_note(out: Path) -> Mapping[str, Any]:
    note = read_json(out / ADDING)
    if not isinstance(note, dict) or not {"identity", "manifest", "besides"} <= set(note):
        raise InputError("is no note of an addition", where=out / ADDING, cure=REMAKE)
    return note


def _work(out: Path, note: Mapping[str, Any]) -> Work:
    """The files that were added so far; without them the artifact is what it was."""
    return Work(out, lambda: bool(_added(out, note)), lambda: _undo(out, note), elsewhere=False)


def _undo(out: Path, note: Mapping[str, Any]) -> None:
    for name in sorted(_added(out, note)):
        (out / name).unlink()
    write_json(out / MANIFEST, note["manifest"])
    shutil.rmtree(out / SCRATCH)


def _finish(out: Path, note: Mapping[str, Any], told: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    old = note["manifest"]
    for name, entry in old["files"].items():
        if not (out / name).is_file() or (out / name).stat().st_size != entry["bytes"]:
            raise RuntimeError(f"{out / name} was changed while something was added beside it")
    new = {name: entry_of(out / name) for name in sorted(_added(out, note))}
    manifest = {
        **old,
        "identity": digest([old["identity"], told["identity"]]),
        "summary": dict(summary),
        "added": [*old.get("added", []), {**told, "versions": versions(), "created": now()}],
        "files": {**old["files"], **new},
    }
    write_json(out / MANIFEST, manifest)
    shutil.rmtree(out / SCRATCH, ignore_errors=True)


def _added(out: Path, note: Mapping[str, Any]) -> set[str]:
    return _names(out) - set(note["manifest"]["files"]) - set(note["besides"])


def _names(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in content_of(out)}
