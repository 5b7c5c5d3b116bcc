"""YAML by the rules of version 1.2, on top of PyYAML, which follows 1.1.

By 1.1 the word ``no`` is False, ``16:9`` is 969, ``2024-01-01`` is a date and ``1e-4`` is text; each of them has cost
somebody a training run. Here only ``true``/``false`` are booleans, numbers look like numbers, and a repeated key is an
error instead of a silent loss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import yaml

# The core schema of YAML 1.2.2, section 10.3.2, without octal and hexadecimal numbers.
_FLOAT = r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
_NOT_FINITE = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_SCALARS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("tag:yaml.org,2002:float", rf"^(?:{_FLOAT}|{_NOT_FINITE})$", "-+.0123456789"),
)
_Resolver: TypeAlias = tuple[str, re.Pattern[str]]


class RecipeLoader(yaml.SafeLoader):
    """A safe loader with the scalars of YAML 1.2 and unique keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of ``node``; a key that occurs twice is a ``ConstructorError``."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _key_error(f"the key {key!r} is not text", key_node)
            if key in seen:
                raise _key_error(f'the key "{key}" occurs twice', key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _key_error(problem: str, key_node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)


class RecipeDumper(yaml.SafeDumper):
    """A safe dumper that quotes whatever either version of YAML would read as something else than text."""


def _resolvers(start: Mapping[str, Sequence[_Resolver]]) -> dict[str, list[_Resolver]]:
    """``start`` and behind it ours, by the first character of a scalar ("" for the empty one)."""
    table = {first: list(entries) for first, entries in start.items()}
    for tag, pattern, first_characters in _SCALARS:
        for first in first_characters:
            table.setdefault(first, []).append((tag, re.compile(pattern)))
    return table


RecipeLoader.yaml_implicit_resolvers = _resolvers({})
RecipeDumper.yaml_implicit_resolvers = _resolvers(yaml.SafeDumper.yaml_implicit_resolvers)
