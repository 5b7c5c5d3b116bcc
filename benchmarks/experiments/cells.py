"""The folder of an experiment: its settings, its clips, and its cells (one arm with one seed).

Everything in it is an artifact of a stage, so a run that was killed goes on where it was: finished artifacts are read,
unfinished ones continued. What the settings say may not change under way; the seeds and arms that are made may.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from interplay.backbones.registry import backbone_input
from interplay.core.artifacts import Artifact
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

SPLITS = ("test", "heldout")
SETTINGS, CELLS = "settings.json", "cells"


class Room(Protocol):
    """What the cells of an experiment share, made once."""

    def make(self, arm: str, seed: int) -> object:
        """Make one cell."""


def common_options(parser: argparse.ArgumentParser, *, seeds: Iterable[int], work: Path) -> None:
    """The options that every experiment has."""
    parser.add_argument("--work", type=Path, default=work, help="folder of the experiment; the same one goes on")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds), help="what is made now")
    parser.add_argument("--backbone", default="tiny-cogvideox", help="name or pipeline folder")
    parser.add_argument("--cache", type=Path, default=None, help='what training keeps; default: "cache" in --work')
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--table", action="store_true", help="make nothing; write the page of what is there")
    parser.add_argument(
        "--out", type=Path, default=None, help="write the page to this file too, and pictures beside it"
    )


def settings_of(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """What defines the experiment: these options, and the weights behind the name of the backbone."""
    chosen = {name: getattr(arguments, name) for name in names}
    return chosen | {"backbone": arguments.backbone, "weights": backbone_input(arguments.backbone).identity}


def hold_to(work: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings down, or make sure that they are those that the folder was begun with."""
    path = work / SETTINGS
    if not path.is_file():
        write_json(path, dict(settings))
        return
    begun = read_json(path)
    other = [name for name in settings if begun.get(name) != settings[name]]
    if other:
        told = ", ".join(f"{name} {begun.get(name)}, now {settings[name]}" for name in other)
        raise InputError(f"was begun with {told}", where=work, cure="give another --work, or the options of then")


def clips_of(work: Path, *, seed: int, train: int, held: int, size: tuple[int, tuple[int, int]]) -> Artifact:
    """Clips of the world: so many to train on, and so many of each of the two splits that are scored."""
    frames, size_hw = size
    config = WorldConfig(seed=seed, train=train, test=held, heldout=held, num_frames=frames, size_hw=size_hw)
    return make_world(config, work / "clips")


def cache_of(arguments: argparse.Namespace) -> Cache:
    """What is computed once for all cells."""
    return Cache(arguments.cache or arguments.work / "cache")


def cell(work: Path, arm: str, seed: int) -> Path:
    """The folder of a cell."""
    return work / CELLS / f"{arm}-seed{seed}"


def cells_of(work: Path, arm: str, last: str) -> dict[int, Path]:
    """The complete cells of an arm by seed: those that have the file that is written last."""
    folders = (work / CELLS).glob(f"{arm}-seed*")
    found = {int(folder.name.rpartition("-seed")[2]): folder for folder in folders if (folder / last).is_file()}
    return dict(sorted(found.items()))


def each_cell(
    work: Path, arms: Iterable[str], seeds: Iterable[int], make: Callable[[str, int], object], *, last: str
) -> None:
    """Make the cells that are not complete, seed by seed, so that what is there after a while compares all arms."""
    wanted = [(arm, seed) for seed in seeds for arm in arms]
    for number, (arm, seed) in enumerate(wanted):
        if not (cell(work, arm, seed) / last).is_file():
            print(f"[{number + 1}/{len(wanted)}] {arm}, seed {seed}", file=sys.stderr, flush=True)
            make(arm, seed)


def experiment(
    arguments: argparse.Namespace,
    settings: Sequence[str],
    room_of: Callable[[argparse.Namespace], Room],
    write: Callable[[argparse.Namespace], str],
    *,
    last: str,
) -> None:
    """Make what is wanted cell by cell, and write the page after each; with ``--table``, the page alone.

    ``settings`` name the options that make it another experiment, ``last`` the file that a complete cell has.
    """
    torch.set_num_threads(arguments.threads)
    hold_to(arguments.work, settings_of(arguments, settings))
    if not arguments.table:
        room = room_of(arguments)

        def make(arm: str, seed: int) -> None:
            room.make(arm, seed)
            write(arguments)

        each_cell(arguments.work, arguments.arms, arguments.seeds, make, last=last)
    print(write(arguments))


def closing(script: str, device: str) -> str:
    """The command, and what it ran on."""
    given = [word for word in sys.argv[1:] if word != "--table"]
    command = " ".join(["python", f"benchmarks/{script}", *given])
    return (
        f"`{command}` ({platform.machine()}, {device}, {torch.get_num_threads()} threads, torch {torch.__version__})."
    )
