"""Interplay: train, analyze and evaluate video diffusion transformers that get *who does what to whom* right.

Importing the package is fast and imports no torch; each command imports what it needs when it runs. So do the names
that Python users want: :func:`load` gives a model that makes clips, :func:`reproduce` a clip once more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interplay.generate.model import load as load
    from interplay.generate.reproduce import reproduce as reproduce

__all__ = ["__version__", "load", "reproduce"]

__version__ = "0.1.0"

# Name -> where it lives.
_LAZY = {"load": "interplay.generate.model", "reproduce": "interplay.generate.reproduce"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
