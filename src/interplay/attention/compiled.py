"""Blocks that ``module.compile()`` compiled: run eagerly while something inside them is observed, then as before.

A compiled block has its processor traced into its graph; one compiled with ``fullgraph=True`` could not even stop
there. The compiled code is set aside, not dropped, so nothing is compiled anew afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn


class _Eager:
    """Stands in for a module's compiled forward, as long as it has users."""

    def __init__(self, module: nn.Module, compiled: Callable[..., Any]) -> None:
        self.compiled, self.users = compiled, 0
        self._module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._module._call_impl(*args, **kwargs)


def set_aside(transformer: nn.Module, path: str) -> None:
    """Let every compiled module around the one at ``path`` run eagerly until :func:`put_back`."""
    for module in _around(transformer, path):
        compiled = module._compiled_call_impl
        if compiled is None:
            continue
        if not isinstance(compiled, _Eager):
            compiled = _Eager(module, compiled)
            module._compiled_call_impl = compiled
        compiled.users += 1


def put_back(transformer: nn.Module, path: str) -> None:
    """Undo one :func:`set_aside`."""
    for module in _around(transformer, path):
        eager = module._compiled_call_impl
        if not isinstance(eager, _Eager):
            continue
        eager.users -= 1
        if not eager.users:
            module._compiled_call_impl = eager.compiled


def _around(transformer: nn.Module, path: str) -> Iterator[nn.Module]:
    """The transformer and every module on the way to ``path``, that one included."""
    yield transformer
    names = path.split(".")
    for count in range(1, len(names) + 1):
        yield transformer.get_submodule(".".join(names[:count]))
