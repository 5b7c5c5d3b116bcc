"""What the weights of a pretrained folder went through: the recipe of every run, and what every phase logged.

A run may begin with the weights of another one. The folder it makes holds the recipes of both, ``recipe-1.yaml`` and
``recipe-2.yaml``, and one table of the losses of all phases, so that a base that was trained in several sittings still
says how.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from interplay.core.config import dump_recipe, load_recipe
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text
from interplay.train.history import LOSSES, History, as_csv
from interplay.train.pretrain.config import PretrainConfig

_PHASE = "phase"


@dataclass(frozen=True)
class Lineage:
    """The runs that made some weights, in their order, and the rows that each phase logged, by the phase's name."""

    recipes: tuple[PretrainConfig, ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)

    def then(self, recipe: PretrainConfig, histories: Mapping[str, History]) -> Lineage:
        """This and one more run."""
        return Lineage((*self.recipes, recipe), {**self.histories, **histories})

    def refuse_names_of(self, recipe: PretrainConfig) -> None:
        """:class:`InputError` where a phase of the next run is called like one of these."""
        taken = {phase.name for earlier in self.recipes for phase in earlier.phases}
        for phase in recipe.phases:
            if phase.name in taken:
                cure = "give the phase another name; draws and losses go by it"
                raise InputError("the weights that the run begins with have such a phase", where=phase.name, cure=cure)

    def write(self, folder: Path) -> None:
        """The recipes, and the losses in five digits: the table is shipped with the weights."""
        for number, recipe in enumerate(self.recipes, start=1):
            dump_recipe(recipe, folder / recipe_name(number))
        rows = ({_PHASE: name, **row} for name, history in self.histories.items() for row in history)
        short = ({name: f"{x:.5g}" if isinstance(x, float) else x for name, x in row.items()} for row in rows)
        atomic_write_text(folder / LOSSES, as_csv(short))


def lineage_of(folder: Path) -> Lineage:
    """What a pretrained folder tells of its weights; :class:`InputError` where no run of pretraining made it."""
    recipes: list[PretrainConfig] = []
    while (path := folder / recipe_name(len(recipes) + 1)).is_file():
        recipes.append(load_recipe(path, PretrainConfig))
    if not recipes:
        cure = "begin with a folder that `interplay world pretrain` made, or with a shipped backbone"
        raise InputError(f"there is no {recipe_name(1)}", where=folder, cure=cure)
    return Lineage(tuple(recipes), _read_losses(folder / LOSSES))


def recipe_name(number: int) -> str:
    """The file of the recipe of a folder's first, second, ... run."""
    return f"recipe-{number}.yaml"


def _read_losses(path: Path) -> dict[str, History]:
    histories: dict[str, History] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            logged = {name: float(value) for name, value in row.items() if value and name != _PHASE}
            histories.setdefault(row[_PHASE], []).append(logged)
    return histories
