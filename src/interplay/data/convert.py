"""Converting a dataset from one format into another, clip by clip.

Every clip that the source names ends in one of two places: written, or in ``quarantine.jsonl`` with where the trouble
is and what to do. The same list says what was repaired on the way, and ``losses.jsonl`` what the new layout has no
place for. A conversion that was killed goes on when the same command runs again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interplay.core.additions import extend
from interplay.core.artifacts import ADDING, Artifact, build
from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.progress import Progress
from interplay.data.config import ConvertConfig
from interplay.data.ledger import Ledger, Verdict
from interplay.data.origins import with_origins
from interplay.data.source import STORE, Source, check_apart, fingerprint, make_format
from interplay.records.formats.base import LocatedClip, Rejected, Written
from interplay.records.store.reader import ClipStore

_KIND_OF_STORE = "clips"


@dataclass
class Counts:
    """Clips of a conversion: ``found`` is ``written`` plus ``quarantined``; ``repaired`` and ``lossy`` are of those."""

    found: int = 0
    written: int = 0
    quarantined: int = 0
    repaired: int = 0
    lossy: int = 0


@dataclass(frozen=True)
class Conversion:
    """What came of it: the artifact, and this conversion's counts and lists (paths in the artifact, "" for none)."""

    artifact: Artifact
    told: Mapping[str, Any]


def convert(config: ConvertConfig, source: Source, out: Path, *, overwrite: bool = False) -> Conversion:
    """Write ``source`` into ``out`` in the target's format: kind ``clips`` for the store, ``dataset`` for any other."""
    check_apart(source.path, out)
    artifact = build(
        out,
        kind=_KIND_OF_STORE if config.target.name == STORE else "dataset",
        config=_identity(config, source),
        inputs={},
        make=lambda folder: _write(config, source, folder),
        overwrite=overwrite,
    )
    return Conversion(artifact, artifact.summary)


def append(config: ConvertConfig, source: Source, out: Path, *, overwrite: bool = False) -> Conversion:
    """Add ``source`` to the finished store ``out``; an id that is there already must mean the same clip.

    ``overwrite`` permits dropping what another conversion has half added.
    """
    check_apart(source.path, out)
    if config.target.name != STORE:
        raise InputError("clips can be added to a store only", where="--append", cure="leave out --append or --to")
    identity = _identity(config, source)
    step = digest(identity)

    def make(folder: Path) -> Mapping[str, Any]:
        told = _write(config, source, folder, addition=step)
        before = read_json(folder / ADDING)["manifest"]["summary"]
        additions = {**before.get("additions", {}), step: told}
        return {**before, "additions": additions, "clips_in_all": len(ClipStore(folder))}

    artifact = extend(out, kind=_KIND_OF_STORE, config=identity, inputs={}, make=make, overwrite=overwrite)
    return Conversion(artifact, artifact.summary["additions"][step])


def in_words(conversion: Conversion) -> list[str]:
    """What a conversion did, in a few lines: the counts, where the lists lie, and the folder."""
    told, folder = conversion.told, conversion.artifact.path
    clips = "clip" if told["found"] == 1 else "clips"
    lines = [f"{told['found']} {clips} found: {told['written']} written, {told['quarantined']} left out"]
    if told["quarantine"]:
        lines.append(
            f"why clips were left out, and what was repaired (in {told['repaired']}): {folder / told['quarantine']}"
        )
    if told["losses"]:
        lines.append(f"what the format cannot hold (of {told['lossy']}): {folder / told['losses']}")
    return [*lines, str(folder)]


def _identity(config: ConvertConfig, source: Source) -> Mapping[str, Any]:
    return {**config.model_dump(mode="json"), "content": fingerprint(source.path)}


def _write(config: ConvertConfig, source: Source, folder: Path, addition: str = "") -> Mapping[str, Any]:
    counts = Counts()
    with Ledger(folder, addition) as ledger, Progress("convert", source.count()) as progress:
        clips = _usable(source, counts, ledger, progress)
        for outcome in make_format(config.target).write(clips, folder):
            _settle(outcome, counts, ledger)
    if counts.found == 0:
        raise InputError("names no clips", where=source.path, cure="check that --from names the right format")
    if counts.found != counts.written + counts.quarantined:
        raise RuntimeError(f"the format {config.target.name} did not answer for every clip: {counts}")
    return {
        **asdict(counts),
        "source": str(source.path.resolve()),
        "from": source.choice.name,
        "to": config.target.name,
        "quarantine": ledger.quarantine.name if ledger.quarantine.is_file() else "",
        "losses": ledger.losses.name if ledger.losses.is_file() else "",
    }


def _usable(source: Source, counts: Counts, ledger: Ledger, progress: Progress) -> Iterator[LocatedClip]:
    for item in source:
        counts.found += 1
        progress.advance()
        if isinstance(item, Rejected):
            _settle(item, counts, ledger)
            continue
        for note in item.notes:
            ledger.note(Verdict.of_note(item.clip.clip_id, note))
        counts.repaired += bool(item.notes)
        yield with_origins(item, source)


def _settle(outcome: Written | Rejected, counts: Counts, ledger: Ledger) -> None:
    if isinstance(outcome, Rejected):
        counts.quarantined += 1
        ledger.note(Verdict.of(outcome))
    else:
        counts.written += 1
        counts.lossy += bool(outcome.lost)
        ledger.lose(outcome)
