"""Blocks that ``module.compile()`` compiled: run eagerly while something inside them is observed, then as before.

A compiled block has its processor traced into its graph; one compiled with ``fullgraph=True`` could not even stop
there. The compiled code is set aside, not dropped, so nothing is compiled anew afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn


class _Eager:
    """Stands in for a module's compiled forward, as long as it has users."""

    def __init__(self, module: nn.Module, compiled: Callable[..., Any]) -> None:
        self.compiled, self.users = compiled, 0
        self._module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._module._call_impl(*args, **kwargs)


def around(transformer: nn.Module, paths: Iterable[str]) -> list[nn.Module]:
    """The transformer and every module on the way to any of these paths, those at their ends included; each once."""
    found = {"": transformer}
    for path in paths:
        module, on_the_way = transformer, ""
        for name in path.split("."):
            on_the_way = f"{on_the_way}.{name}"
            if on_the_way not in found:
                found[on_the_way] = module.get_submodule(name)
            module = found[on_the_way]
    return list(found.values())


def set_aside(modules: Iterable[nn.Module]) -> None:
    """Let those of the modules that are compiled run eagerly until :func:`put_back`."""
    for module in modules:
        compiled = module._compiled_call_impl
        if compiled is None:
            continue
        if not isinstance(compiled, _Eager):
            compiled = _Eager(module, compiled)
            module._compiled_call_impl = compiled
        compiled.users += 1


def put_back(modules: Iterable[nn.Module]) -> None:
    """Undo one :func:`set_aside`."""
    for module in modules:
        eager = module._compiled_call_impl
        if not isinstance(eager, _Eager):
            continue
        eager.users -= 1
        if not eager.users:
            module._compiled_call_impl = eager.compiled
