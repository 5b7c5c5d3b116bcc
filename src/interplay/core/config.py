"""Frozen configs, and the recipes (YAML files) they are read from.

A recipe is read by the rules of YAML 1.2: ``1e-4`` is a number, ``no`` is a word, ``16:9`` is text, a key may occur
only once. ``--set a.b=c`` overrides are parsed by the same rules. Every mistake becomes one line that names the file,
the key and the cure.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import typing
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text
from interplay.core.yaml12 import RecipeDumper, RecipeLoader


class Config(BaseModel):
    """Base of every config: immutable, and closed to keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        coerce_numbers_to_str=True,  # so that `--set name=12` reaches a text field as "12"
    )


ConfigT = TypeVar("ConfigT", bound=Config)


def load_recipe(path: Path, model: type[ConfigT], overrides: Sequence[str] = ()) -> ConfigT:
    """Read the recipe at ``path`` as a ``model``, after applying the ``a.b=c`` overrides in their order."""
    return _resolve(_read_mapping(path), str(path), model, overrides)


def from_overrides(model: type[ConfigT], overrides: Sequence[str], *, where: str) -> ConfigT:
    """A ``model`` with its defaults, changed by ``a.b=c`` overrides; ``where`` names it in messages."""
    return _resolve({}, where, model, overrides)


def from_mapping(
    model: type[ConfigT], data: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str
) -> ConfigT:
    """A ``model`` of these values, changed by ``a.b=c`` overrides; ``where`` names the values in messages."""
    return _resolve(dict(data), where, model, overrides)


def dump_recipe(config: Config, path: Path) -> None:
    """Write ``config`` with all its defaults resolved, so that :func:`load_recipe` gives an equal one."""
    atomic_write_text(path, yaml.dump(jsonable(config), Dumper=RecipeDumper, sort_keys=False, allow_unicode=True))


def digest(value: Any) -> str:
    """16 hex characters that name ``value`` (a config or anything JSON-able): sha256 of its canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=jsonable)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]


def jsonable(config: Any) -> Any:
    """The plain JSON value of a config; ``TypeError`` for anything else that JSON does not know."""
    if isinstance(config, Config):
        return config.model_dump(mode="json")
    if isinstance(config, Mapping):
        return dict(config)
    raise TypeError(f"{type(config).__name__} is neither a config nor JSON-able")


def check_finite(settings: Any, where: str) -> None:
    """:class:`InputError` about the first infinite number in plain JSON values: JSON has none, and so no digest."""
    for key, number in _numbers(settings):
        if not math.isfinite(number):
            raise InputError(f"is {number}", where=f"{where}, field {key}", cure="give a finite number")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every fraction inside a plain JSON value, with its key (``guidance.cmg_scale``)."""
    if isinstance(value, float):
        yield key, value
    elif isinstance(value, Mapping | list):
        for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(part, f"{key}.{name}" if key else str(name))


# --- reading -----------------------------------------------------------------------------------------------------


def _resolve(data: dict[str, Any], origin: str, model: type[ConfigT], overrides: Sequence[str]) -> ConfigT:
    for override in overrides:
        _apply(override, data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explain(error, origin, model, data, overrides) from error


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=RecipeLoader)
    except FileNotFoundError as error:
        raise InputError("there is no such recipe", where=path, cure="check the path") from error
    except IsADirectoryError as error:
        raise InputError("is a folder, not a recipe", where=path, cure="name the YAML file inside it") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid YAML ({error})", where=path, cure="mend the file") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"holds a {type(data).__name__}", where=path, cure="write `key: value` lines") from None
    return data


def _apply(override: str, data: MutableMapping[str, Any]) -> None:
    key, value = _split_override(override)
    *groups, last = key.split(".")
    for group in groups:
        # `setdefault` also covers a group that stands in the recipe as `group:` with nothing below it
        inner = data.setdefault(group, {})
        if inner is None:
            inner = data[group] = {}
        if not isinstance(inner, dict):
            raise InputError(f"{group} is a value, not a group of keys", where=f"--set {override}", cure="fix the key")
        data = inner
    data[last] = value


def _split_override(override: str) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        cure = "write it like --set train.steps=100"
        raise InputError("is not of the form key=value", where=f"--set {override}", cure=cure)
    try:
        return key, yaml.load(text, Loader=RecipeLoader)
    except yaml.YAMLError as error:
        cure = "quote the value, e.g. --set 'caption=\"a: b\"'"
        raise InputError(f"the value is not valid YAML ({error})", where=f"--set {override}", cure=cure) from error


# --- explaining ---------------------------------------------------------------------------------------------------


def _explain(
    error: ValidationError, origin: str, model: type[Config], data: Mapping[str, Any], overrides: Sequence[str]
) -> InputError:
    # A key that does not exist explains why another one is missing, so it is told first.
    first, *others = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    key = ".".join(_path_in_data(first["loc"], data, model))
    more = f" (and {len(others)} more)" if others else ""
    problem, cure = _problem_and_cure(first, key, model)
    return InputError(problem + more, where=_origin(key, origin, overrides), cure=cure)


def _problem_and_cure(detail: ErrorDetails, key: str, model: type[Config]) -> tuple[str, str]:
    if detail["type"] == "extra_forbidden":
        return f'unknown key "{key}"', _spelling_cure(str(detail["loc"][-1]), _keys_at(detail["loc"][:-1], model))
    if detail["type"] == "missing":
        return f'the required key "{key}" is missing', "add it"
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    given = json.dumps(detail["input"], default=str, ensure_ascii=False)
    return f'key "{key}" is {given}: {message[:1].lower()}{message[1:]}', "correct the value"


def _spelling_cure(wrong: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(wrong, valid, n=1, cutoff=0.5)
    listing = f"valid keys here: {', '.join(sorted(valid))}" if valid else "no key is valid here"
    return f'did you mean "{near[0]}"? ({listing})' if near else listing


def _origin(key: str, origin: str, overrides: Sequence[str]) -> str:
    for override in reversed(overrides):
        named = override.partition("=")[0].strip()
        if key == named or key.startswith(named + "."):
            return f"--set {override}"
    return origin


def _path_in_data(loc: Sequence[str | int], data: Any, model: type[Config]) -> Iterator[str]:
    """The keys of ``loc`` as they stand in the file: pydantic also puts the names of union members into it."""
    for position, part in enumerate(loc):
        if _holds(data, part):
            data = data[part]
        elif position < len(loc) - 1 or part not in _keys_at(loc[:-1], model):
            continue
        yield str(part)


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _keys_at(loc: Sequence[str | int], model: type[Config]) -> list[str]:
    """The keys that are valid below ``loc``."""
    models = [model]
    for part in loc:
        fields = [m.model_fields[part] for m in models if isinstance(part, str) and part in m.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return [name for m in models for name in m.model_fields]


def _models_in(annotation: Any) -> Iterator[type[Config]]:
    """The config classes inside ``X | None``, ``list[X]``, ``dict[str, X]``, ``Annotated[X, ...]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
