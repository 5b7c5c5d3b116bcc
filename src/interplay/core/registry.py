"""Registries: names that users write in recipes and on the command line, bound to code that is imported on demand."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Generic, TypeVar, cast

from interplay.core.errors import InputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one sort (``what``: "backbone", "method", ...), each at a ``module:attribute`` address.

    Nothing is imported before it is asked for, so a plug-in with heavy or missing requirements costs nobody else.
    """

    def __init__(self, what: str, addresses: Mapping[str, str]) -> None:
        for name, address in addresses.items():
            module, colon, attribute = address.partition(":")
            if not (module and colon and attribute):
                raise ValueError(f'the address of {what} "{name}" is not of the form module:attribute: {address!r}')
        self._what = what
        self._addresses = dict(addresses)

    def names(self) -> tuple[str, ...]:
        """All known names, sorted."""
        return tuple(sorted(self._addresses))

    def __contains__(self, name: object) -> bool:
        return name in self._addresses

    def get(self, name: str) -> T:
        """The thing called ``name``; :class:`InputError` for an unknown name or a missing requirement."""
        if name not in self._addresses:
            known = ", ".join(self.names())
            raise InputError(f"is not a known {self._what}", where=f'{self._what} "{name}"', cure=f"known are: {known}")
        module, _, attribute = self._addresses[name].partition(":")
        try:
            return cast(T, getattr(importlib.import_module(module), attribute))
        except ModuleNotFoundError as error:
            raise self._missing_requirement(name, module, error) from error

    def _missing_requirement(self, name: str, module: str, error: ModuleNotFoundError) -> Exception:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == module.partition(".")[0]:
            return error  # the address itself is wrong: our defect, not the user's
        problem = f"needs the package {missing}, which is not installed"
        return InputError(problem, where=f'{self._what} "{name}"', cure=f"pip install {missing}")
