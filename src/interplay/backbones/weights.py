"""Whether files of weights are whole: a copy or a download that broke off is told as that, and not as a defect."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from interplay.core.errors import InputError


def check_weights(files: Iterable[Path]) -> None:
    """:class:`InputError` about the first file that is no safetensors file or ends too early; reads headers alone."""
    for file in files:
        try:
            # Opening compares what the header says with the file's size.
            with safe_open(file, framework="np"):
                pass
        except SafetensorError as error:
            cure = "copy, download or make it again"
            raise InputError(f"is no whole safetensors file ({error})", where=file, cure=cure) from error
