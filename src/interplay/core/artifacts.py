"""Artifacts: the folders in which stages meet.

An artifact is a folder with a ``manifest.json`` that says what it is (``kind``), what it was made from (``config``,
``inputs``), and what it holds (``files``). Its ``identity`` is the digest of kind, config and input identities, so the
same question asked twice is answered once. The promises of :func:`build`:

- ``out`` is absent, or the finished old artifact, or the finished new one; never anything between, whatever dies when.
- Unfinished work waits in ``<out>.partial`` and the next run with the same identity goes on from it; another one says
  what is different and leaves it alone (:mod:`interplay.core.unfinished`).
- One process at a time writes an artifact.

What is finished stays as it is, with one exception: :mod:`interplay.core.additions` adds files to it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from interplay.core.config import Config, check_finite, digest, jsonable
from interplay.core.errors import InputError
from interplay.core.files import exclusive, fsync_folder, full_disk_named, write_json
from interplay.core.manifest import (
    MANIFEST,
    REMAKE,
    SCRATCH,
    content_of,
    entry_of,
    read_manifest,
    sha256_on_disk,
    versions,
)
from interplay.core.unfinished import Mark, beside, prepare_partial, say, work_in


@dataclass(frozen=True)
class Artifact:
    """A finished artifact: its folder, and what its manifest says."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """What sort of artifact this is: "clips", "analysis", ..."""
        return str(self.manifest["kind"])

    @property
    def identity(self) -> str:
        """The digest of kind, config and input identities."""
        return str(self.manifest["identity"])

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config of the run that made this."""
        return dict(self.manifest["config"])

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the maker had to say about the result."""
        return dict(self.manifest["summary"])

    def input_path(self, name: str) -> Path:
        """Where the input ``name`` was when this was made; kept relative, so a tree of artifacts can move as one."""
        return Path(os.path.normpath(self.path.absolute() / self.manifest["inputs"][name]["path"]))


@dataclass(frozen=True)
class External:
    """An input that no stage made (a model's folder): ``identity`` is a digest of what is in it."""

    path: Path
    identity: str


# The note that something is being added to a finished artifact: it keeps the old manifest meanwhile.
ADDING = f"{SCRATCH}/adding.json"


def scratch(folder: Path) -> Path:
    """The place inside a folder under construction for what helps to resume and is dropped at the end."""
    place = folder / SCRATCH
    place.mkdir(parents=True, exist_ok=True)
    return place


def open_artifact(path: Path, kind: str | None = None) -> Artifact:
    """The finished artifact in ``path``.

    :class:`InputError` when there is none, when it is of another kind than ``kind``, when its manifest is unreadable,
    or when a file it lists is missing or has another size (the digests are checked by :func:`verify`).
    """
    if path.is_file():
        raise InputError("is a file", where=path, cure="name the folder that a stage wrote as --out")
    if not path.is_dir():
        raise _absent(path)
    if not (path / MANIFEST).is_file():
        _refuse_half_added(path)
        cure = "name the folder that a stage wrote as --out"
        raise InputError(f"is no artifact (no {MANIFEST})", where=path, cure=cure)
    artifact = Artifact(path, read_manifest(path))
    if kind is not None and artifact.kind != kind:
        cure = f'name an artifact of the kind "{kind}"'
        raise InputError(f'is an artifact of the kind "{artifact.kind}"', where=path, cure=cure)
    for name, entry in artifact.manifest["files"].items():
        if not (path / name).is_file() or (path / name).stat().st_size != entry["bytes"]:
            raise InputError("is missing or was changed after it was made", where=path / name, cure=REMAKE)
    return artifact


def verify(artifact: Artifact) -> None:
    """Read every file of ``artifact``; :class:`InputError` about the first one that is not as it was written."""
    for name, entry in artifact.manifest["files"].items():
        if sha256_on_disk(artifact.path / name) != entry["sha256"]:
            raise InputError("was changed after it was made", where=artifact.path / name, cure=REMAKE)


def build(
    out: Path,
    *,
    kind: str,
    config: Config | Mapping[str, Any],
    inputs: Mapping[str, Artifact | External],
    make: Callable[[Path], Mapping[str, Any]],
    overwrite: bool = False,
) -> Artifact:
    """Make the artifact ``out``, or return it at once when it is there already.

    ``make(folder)`` writes the files into ``folder`` and returns the summary. ``folder`` may hold the unfinished work
    of an earlier run with the same identity: ``make`` goes on from there. What it puts into :func:`scratch` is dropped
    at the end. ``overwrite`` permits replacing a finished artifact of another identity, when the new one is complete,
    and dropping unfinished work of another identity, before the new one begins.
    """
    # Absolute without resolving links: `runs/x/..` and "." must have a name to put `.partial` and `.lock` behind.
    out = Path(os.path.abspath(out))
    identities = {name: artifact.identity for name, artifact in inputs.items()}
    check_finite(jsonable(config), f"settings of the {kind}")
    identity = digest([kind, config, identities])
    with full_disk_named(out.parent), exclusive(beside(out, ".lock"), owner=out):
        recover_from_a_broken_swap(out)
        finished = _finished(out, identity, overwrite)
        if finished is not None:
            say(f"{out}: already there, made from the same config and inputs")
            return finished
        asked = Mark(identity, kind, jsonable(config), identities)
        partial = prepare_partial(out, asked, overwrite=overwrite)
        with work_in(partial).kept_where_there_is_any():
            summary = make(partial)
        _write_manifest(partial, out, kind, identity, config, inputs, summary)
        _publish(partial, out)
    return open_artifact(out, kind)


# --- what is already there ------------------------------------------------------------------------------------------


def _absent(path: Path) -> InputError:
    if beside(path, ".partial").is_dir():
        return InputError(
            "is not finished", where=path, cure="run the command that makes it again; it goes on from there"
        )
    return InputError("there is no such folder", where=path, cure="check the path, or run the stage that makes it")


def _refuse_half_added(path: Path) -> None:
    if (path / ADDING).is_file():
        cure = "run the command that adds to it again; it goes on from there"
        raise InputError("is not finished: something is being added to it", where=path, cure=cure)


def _finished(out: Path, identity: str, overwrite: bool) -> Artifact | None:
    """The wanted artifact if ``out`` is it, ``None`` if ``out`` may be written; anything else is an error."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / MANIFEST).is_file():
        _refuse_half_added(out)
        # Overwriting is for artifacts only: `--overwrite --out ~` must not cost anybody a home folder.
        raise InputError("exists and is no artifact", where=out, cure="give another --out, or remove it yourself")
    found = Artifact(out, read_manifest(out))
    if found.identity == identity:
        return open_artifact(out)
    if overwrite:
        return None
    problem = "exists already, made from another config or other inputs"
    raise InputError(problem, where=out, cure="give another --out, or --overwrite")


# --- the manifest ---------------------------------------------------------------------------------------------------


def told_of_inputs(inputs: Mapping[str, Artifact | External], out: Path) -> dict[str, dict[str, str]]:
    """What the manifest of ``out`` says of its inputs; paths are relative to ``out``."""
    return {
        name: {"path": os.path.relpath(artifact.path.absolute(), out), "identity": artifact.identity}
        for name, artifact in inputs.items()
    }


def now() -> str:
    """The time of day, as manifests write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_manifest(
    partial: Path,
    out: Path,
    kind: str,
    identity: str,
    config: Config | Mapping[str, Any],
    inputs: Mapping[str, Artifact | External],
    summary: Mapping[str, Any],
) -> None:
    manifest = {
        "kind": kind,
        "identity": identity,
        "config": jsonable(config),
        "inputs": told_of_inputs(inputs, out),
        "summary": dict(summary),
        "versions": versions(),
        "created": now(),
        "files": {path.relative_to(partial).as_posix(): entry_of(path) for path in content_of(partial)},
    }
    write_json(partial / MANIFEST, manifest)


# --- the swap -------------------------------------------------------------------------------------------------------


def _publish(partial: Path, out: Path) -> None:
    """Put the complete ``partial`` in the place of ``out``.

    A folder cannot be renamed onto a full one, so an old artifact steps aside first. Between the two renames ``out`` is
    absent; a process that dies right there is healed by the next :func:`build`.
    """
    replaced = beside(out, ".replaced")
    if out.exists() and any(out.iterdir()):
        os.rename(out, replaced)
    os.rename(partial, out)
    fsync_folder(out.parent)
    # Only now: without its mark, complete work in `.partial` would look foreign to the next run.
    shutil.rmtree(out / SCRATCH, ignore_errors=True)
    if replaced.exists():
        shutil.rmtree(replaced)


def recover_from_a_broken_swap(out: Path) -> None:
    """Finish what a process that died between the two renames of a swap left; call it while holding the lock."""
    replaced = beside(out, ".replaced")
    if not replaced.exists():
        return
    if out.exists():
        shutil.rmtree(replaced)
    else:
        os.rename(replaced, out)
