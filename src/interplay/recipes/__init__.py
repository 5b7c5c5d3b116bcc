"""The recipes that ship with the package, by name: ``matrix-tiny-cogvideox`` is ``matrix-tiny-cogvideox.yaml``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from interplay.core.errors import InputError


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def recipe_path(name_or_file: str) -> Path:
    """The file of a shipped recipe, or the given file itself."""
    shipped = _folder() / f"{name_or_file}.yaml"
    if shipped.is_file():
        return shipped
    path = Path(name_or_file)
    if not path.is_file():
        cure = f"give a YAML file or one of {', '.join(recipe_names())}"
        raise InputError("there is no such recipe", where=path, cure=cure)
    return path


def _folder() -> Path:
    return Path(str(files("interplay.recipes")))
