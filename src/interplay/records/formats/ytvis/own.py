"""What of a clip stands in our own key of a video's entry: everything but its masks, as a row of the store."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa
from pydantic import ValidationError

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.check import check_clip
from interplay.records.clip import Clip
from interplay.records.rows import SCHEMA, from_row, to_row
from interplay.records.store.layout import check_id

KEY = "interplay"


class _Value(Config):
    """The value of the key: the clip as a row without tracks, and the annotation of each instance that has one."""

    version: Literal[1] = 1
    row: dict[str, Any]
    tracks: dict[str, int | str]


@dataclass(frozen=True)
class Own:
    """A clip without its tracks, and which instance each annotation is of."""

    clip: Clip
    instance_of: Mapping[Hashable, str]


def own_value(clip: Clip, annotation_of: Mapping[str, int | str]) -> dict[str, Any]:
    """The value of our key for a clip whose tracks are written as these annotations."""
    row = {name: value for name, value in to_row(replace(clip, tracks={})).items() if value not in (None, [])}
    return _Value(row=row, tracks=dict(annotation_of)).model_dump(mode="json")


def own_of(value: Any, where: str) -> Own | None:
    """What our key says, ``None`` where it is absent; :class:`InputError` when somebody broke it."""
    if value is None:
        return None
    where = f"{where}, {KEY}"
    try:
        told = _Value.model_validate(value)
        typed = pa.Table.from_pylist([told.row], schema=SCHEMA).to_pylist()[0]
    except (ValidationError, pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        cure = "restore it, or remove the key: masks and categories are read without it"
        raise InputError(f"is no record of this version ({error})", where=where, cure=cure) from error
    clip = from_row(typed, where=where)
    check_id(clip.clip_id, where=where)
    check_clip(clip, where=where)
    return Own(clip, {annotation: instance_id for instance_id, annotation in told.tracks.items()})
