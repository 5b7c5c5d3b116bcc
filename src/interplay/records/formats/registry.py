"""The dataset formats by name, and which of them a folder is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.registry import Registry
from interplay.records.formats.base import DatasetFormat

FORMATS: Registry[type[DatasetFormat[Any]]] = Registry(
    "dataset format",
    {
        "store": "interplay.records.formats.store:StoreFormat",
        "matrix": "interplay.records.formats.matrix.format:MatrixFormat",
        "cointeract": "interplay.records.formats.cointeract.training:CoInteractFormat",
        "cointeract-inference": "interplay.records.formats.cointeract.inference:CoInteractInferenceFormat",
        "cogeneration": "interplay.records.formats.cogeneration:CogenerationFormat",
        "tavid": "interplay.records.formats.tavid.format:TavidFormat",
        "intergeneval": "interplay.records.formats.intergeneval.format:InterGenEvalFormat",
        "ytvis": "interplay.records.formats.ytvis.format:YtvisFormat",
        "videos": "interplay.records.formats.videos:VideosFormat",
    },
)
# The most telling layouts first; a plain folder of videos is what is left when nothing else fits.
_ORDER = (
    "store",
    "matrix",
    "intergeneval",
    "cointeract",
    "cointeract-inference",
    "ytvis",
    "tavid",
    "cogeneration",
    "videos",
)


def detect(source: Path) -> str:
    """The name of the format that ``source`` is in; :class:`InputError` when it is in none of them."""
    if not source.exists():
        raise InputError("there is no such file or folder", where=source, cure="check the path")
    for name in _ORDER:
        if FORMATS.get(name).recognises(source):
            return name
    cure = f"name the format yourself, one of: {', '.join(FORMATS.names())}"
    raise InputError("is in no dataset format that is known", where=source, cure=cure)
