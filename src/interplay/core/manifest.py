"""What an artifact's manifest tells: which files the folder holds, and which versions made it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import read_json

MANIFEST = "manifest.json"
SCRATCH = ".interplay"
REMAKE = "remove the artifact's folder and make it again"
_FIELDS = ("kind", "identity", "config", "inputs", "summary", "versions", "created", "files")
_NAMED_PACKAGES = ("interplay", "torch", "diffusers", "transformers", "peft", "accelerate", "numpy", "av", "pyarrow")


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of an artifact; :class:`InputError` when it is none."""
    path = folder / MANIFEST
    manifest = read_json(path)
    if not isinstance(manifest, dict):
        raise InputError("is not a manifest", where=path, cure=REMAKE)
    missing = [name for name in _FIELDS if name not in manifest]
    if missing:
        raise InputError(f"the field {missing[0]} is missing", where=path, cure=REMAKE)
    return manifest


def content_of(folder: Path) -> Iterator[Path]:
    """Every file that belongs to an artifact: all but its manifest and its notes."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != SCRATCH and inside.as_posix() != MANIFEST:
            yield path


def entry_of(path: Path) -> dict[str, Any]:
    """What the manifest says of a file, once the file is safe on the disk."""
    return {"bytes": path.stat().st_size, "sha256": sha256_on_disk(path)}


def sha256_on_disk(path: Path) -> str:
    """The digest of a file's bytes, after they have reached the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """The versions of what numbers and bytes may depend on."""
    found = {"python": sys.version.split()[0]}
    for package in _NAMED_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # an optional one that is not installed
    return found
