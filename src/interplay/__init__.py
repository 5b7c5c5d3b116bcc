"""Interplay: train, analyze and evaluate video diffusion transformers that get *who does what to whom* right.

Importing the package is fast and imports no torch; each command imports what it needs when it runs.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
