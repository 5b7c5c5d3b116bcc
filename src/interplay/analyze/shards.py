"""Sharing out the scoring among processes, and taking over scores that are there already.

``--shard 2/4`` scores every fourth batch, from the second on (neighbours go to different processes), into an artifact
of its own beside the analysis (``ANALYSIS.shard-2-of-4``). The analysis itself takes over what the shards have scored,
and scores the rest. In the same way it takes over the scores of an earlier analysis, so that another rule, another
measure or other labels cost no forward. Batches are the same in every way of doing it, and so are the numbers.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.table import as_scores, part_path, write_part
from interplay.core.artifacts import Artifact, External, open_artifact
from interplay.core.errors import InputError
from interplay.core.manifest import MANIFEST

KIND, PARTS = "analysis-shard", "parts"
_NOTATION = re.compile(r"([1-9][0-9]*)/([1-9][0-9]*)")

Inputs = Mapping[str, Artifact | External]


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (from 1) of ``count``: every ``count``-th batch."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that ``2/4`` means; ``env`` takes RANK and WORLD_SIZE as launchers of processes set them."""
        if text == "env":
            rank, size = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
            if not (rank.isdigit() and size.isdigit()):
                cure = "start it with `accelerate launch` or `torchrun`, or write --shard 2/4"
                raise InputError("RANK and WORLD_SIZE are not set", where="--shard env", cure=cure)
            text = f"{int(rank) + 1}/{size}"
        match = _NOTATION.fullmatch(text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or shard.number > shard.count:
            raise InputError("is no shard", where=f"--shard {text}", cure="write which of how many, such as 2/4")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def out(self, analysis: Path) -> Path:
        """Where this shard of an analysis is written."""
        return analysis.with_name(f"{analysis.name}.shard-{self.number}-of-{self.count}")


def own_device(device: str, shard: str | None, environ: Mapping[str, str]) -> str:
    """The device of this process: under ``--shard env``, plain ``cuda`` is the GPU that its launcher means it to take.

    Launchers of processes say which by LOCAL_RANK; without it, and with a number of one's own (``cuda:1``), the device
    is as it was named.
    """
    local = environ.get("LOCAL_RANK", "")
    if device != "cuda" or shard != "env" or not local:
        return device
    if not local.isdigit():
        cure = "start it with `accelerate launch` or `torchrun`, or name the device, such as --device cuda:1"
        raise InputError(f"LOCAL_RANK is {local!r} and no number", where="--shard env", cure=cure)
    return f"cuda:{int(local)}"


def finished_shards(analysis: Path) -> list[Artifact]:
    """The finished shards that lie beside an analysis."""
    analysis = Path(os.path.abspath(analysis))
    if not analysis.parent.is_dir():
        return []
    found = sorted(
        path
        for path in analysis.parent.iterdir()
        if re.fullmatch(re.escape(analysis.name) + r"\.shard-\d+-of-\d+", path.name) and (path / MANIFEST).is_file()
    )
    return [open_artifact(path, KIND) for path in found]


def moving(names: Collection[str], config: AnalyzeConfig) -> list[str]:
    """The inputs that scores depend on: labels move none, and an evaluation only where the masks are its own."""
    masks_of_evaluation = config.mode == "replay" and "tracks" not in names
    moves = {"clips", "backbone", "generation", "tracks"} | ({"evaluation"} if masks_of_evaluation else set())
    return [name for name in names if name in moves]


def scored_with(config: AnalyzeConfig, inputs: Inputs) -> dict[str, object]:
    """What scores depend on: settings, and the inputs by identity."""
    return {
        "scoring": config.scoring(),
        "inputs": {name: inputs[name].identity for name in moving(inputs, config)},
    }


def check_scored_alike(source: Artifact, wanted: Mapping[str, object]) -> None:
    """:class:`InputError` when a shard or an earlier analysis scored with other settings or inputs than ``wanted``."""
    if source.kind not in (KIND, "analysis"):
        cure = "name analyses, or shards of one"
        raise InputError(f'is an artifact of the kind "{source.kind}"', where=source.path, cure=cure)
    found = _told_by(source)
    for name in ("scoring", "inputs"):
        if found[name] != wanted[name]:
            difference = _first_difference(found[name], wanted[name])
            problem = f"was scored with another {difference}"
            raise InputError(problem, where=source.path, cure="analyse with the same settings and inputs, or move it")


def take_over(source: Artifact, parts: Path, clip_ids: Collection[str]) -> int:
    """Copy what a shard or an earlier analysis scored of these clips to ``parts``; how many were not there yet."""
    missing = [clip_id for clip_id in clip_ids if not part_path(parts, clip_id).is_file()]
    return (_take_parts if source.kind == KIND else _take_table)(source, parts, missing)


def _told_by(source: Artifact) -> Mapping[str, Mapping[str, object]]:
    told = source.config if source.kind == "analysis" else source.config["analysis"]
    config, inputs = AnalyzeConfig.model_validate(told), source.manifest["inputs"]
    identities = {name: inputs[name]["identity"] for name in moving(inputs, config)}
    return {"scoring": config.scoring(), "inputs": identities}


def _first_difference(found: object, wanted: object) -> str:
    assert isinstance(found, Mapping)
    assert isinstance(wanted, Mapping)
    return next(str(name) for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name))


def _take_parts(source: Artifact, parts: Path, wanted: Collection[str]) -> int:
    found = [path for name in wanted if (path := part_path(source.path / PARTS, name)).is_file()]
    parts.mkdir(parents=True, exist_ok=True)
    for path in found:
        as_scores(pq.read_table(path), source.path)
        temporary = parts / f".{path.name}.{os.getpid()}.tmp"
        shutil.copyfile(path, temporary)
        os.replace(temporary, parts / path.name)
    return len(found)


def _take_table(source: Artifact, parts: Path, wanted: Collection[str]) -> int:
    path = source.path / "scores.parquet"
    scored = set(pq.read_table(path, columns=["clip_id"])["clip_id"].unique().to_pylist())
    found = [name for name in wanted if name in scored]
    for name in found:
        write_part(parts, name, as_scores(pq.read_table(path, filters=[("clip_id", "=", name)]), source.path))
    return len(found)
