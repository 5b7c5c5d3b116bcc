"""Where every number comes from: the artifacts, their versions and seeds, and whether the two models are comparable."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact
from interplay.report.absent import Absent
from interplay.report.cards import Generation
from interplay.report.inputs import KINDS, ReportInputs
from interplay.report.numbers import count


@dataclass(frozen=True)
class Source:
    """One artifact of the report. ``folder`` is relative to where the report lies; ``config`` is JSON text."""

    name: str
    kind: str
    identity: str
    folder: str
    created: str
    seeds: tuple[tuple[str, str], ...]
    config: str


@dataclass(frozen=True)
class Provenance:
    """The table of artifacts, what is not there, and package -> its version (several if the artifacts disagree)."""

    sources: tuple[Source, ...]
    missing: tuple[str, ...]
    versions: Mapping[str, str]


def trace(inputs: ReportInputs, place: Path) -> Provenance:
    """What ``inputs`` say about their own making; ``place`` is the folder in which the report's folder lies."""
    given = inputs.given()
    sources = tuple(_source(name, artifact, place) for name, artifact in given.items())
    missing = tuple(name.replace("_", " ") for name in KINDS if name not in given)
    return Provenance(sources, missing, _versions(given))


def _source(name: str, artifact: Artifact, place: Path) -> Source:
    return Source(
        name=name.replace("_", " "),
        kind=artifact.kind,
        identity=artifact.identity,
        folder=Path(os.path.relpath(artifact.path.absolute(), place.absolute())).as_posix(),
        created=str(artifact.manifest["created"]),
        seeds=tuple(_seeds(artifact.config)),
        config=json.dumps(artifact.config, indent=2, ensure_ascii=False),
    )


def _seeds(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a config that is a seed, however deep it lies."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _seeds(value, f"{prefix}{key}.")
        elif key == "seed" or key.endswith("_seed"):
            yield f"{prefix}{key}", str(value)


def _versions(given: Mapping[str, Artifact]) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for artifact in given.values():
        for package, version in artifact.manifest["versions"].items():
            found.setdefault(str(package), {})[str(version)] = None
    return {package: " and ".join(versions) for package, versions in found.items()}


def comparability(base: Generation | Absent, aligned: Generation | Absent) -> tuple[str, ...]:
    """Sentences that say plainly what both models share and what they do not: whether the comparison is fair."""
    if isinstance(base, Absent) or isinstance(aligned, Absent):
        return ()
    common = [clip_id for clip_id in base.clips if clip_id in aligned.clips]
    same = sum(base.clips[c].get("seed") == aligned.clips[c].get("seed") for c in common)
    lines = [f"{same} of the {count(len(common), 'clip')} that both models generated start from the same noise."]
    for key, label in (("backbone", "backbone"), ("steps", "number of sampling steps"), ("guidance", "guidance")):
        before, after = base.shared.get(key), aligned.shared.get(key)
        if before == after:
            lines.append(f"Same {label}: {before}.")
        else:
            lines.append(f"Not the same {label}: {before} for the base, {after} for the aligned model.")
    return tuple(lines)
