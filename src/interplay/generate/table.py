"""Prompts in a table (CSV, JSON or JSON Lines): one clip per row, checked as a whole before a model is loaded."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from interplay.backbones.base import Backbone
from interplay.core.artifacts import External
from interplay.core.config import Config, digest
from interplay.core.errors import InputError
from interplay.core.manifest import sha256_on_disk
from interplay.generate.config import GenerateConfig, checked_size
from interplay.generate.requests import Request, clip_seed
from interplay.grid.buckets import Bucket
from interplay.records.caption import parse_caption
from interplay.records.formats.common.tables import read_table
from interplay.records.rates import FrameRate
from interplay.records.store.layout import check_id


class PromptRow(Config):
    """A row: ``prompt`` alone is needed. Paths are relative to the table's folder.

    ``image`` is a picture, or a video whose first frame counts; ``masks`` a picture in the palette's colours or a
    folder of ``<id>.png``. ``size`` is width x height x frames. Seeds and ids are counted where they are not given.
    """

    prompt: str
    clip_id: str | None = None
    image: str | None = None
    masks: str | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    size: str | None = None
    fps: FrameRate | None = None

    @field_validator("size")
    @classmethod
    def _is_a_size(cls, size: str | None) -> str | None:
        return checked_size(size)


@dataclass(frozen=True)
class PromptTable:
    """The rows of ``path``, and which clip each becomes."""

    path: Path
    rows: Mapping[str, PromptRow]
    places: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> PromptTable:
        """Read and check every row; :class:`InputError` with the row, the field and the cure."""
        found = [(f"{path}, row {number}", cells) for number, cells in enumerate(read_table(path), start=1)]
        if not found:
            raise InputError("holds no prompts", where=path, cure="give it a row per clip")
        rows = [_row(cells, where) for where, cells in found]
        names = [row.clip_id or f"clip-{number:05d}" for number, row in enumerate(rows, start=1)]
        for name, count in Counter(names).items():
            if count > 1:
                raise InputError(f"{count} rows have the id {name}", where=f"{path}, field clip_id", cure="rename one")
        places = {name: where for name, (where, _) in zip(names, found, strict=True)}
        table = cls(path, dict(zip(names, rows, strict=True)), places)
        table._check()
        return table

    def file(self, name: str, field: str) -> Path | None:
        """The file that a row names in ``image`` or ``masks``."""
        value = getattr(self.rows[name], field)
        return None if value is None else self.path.parent / value

    def as_input(self) -> External:
        """The table as an input of a stage: other prompts, pictures or masks are another input."""
        files = {
            f"{name}, {field}": _content(path)
            for name in self.rows
            for field in ("image", "masks")
            if (path := self.file(name, field)) is not None
        }
        return External(self.path, digest([{name: row.model_dump() for name, row in self.rows.items()}, files]))

    def requests(self, config: GenerateConfig, backbone: Backbone, limit: int | None = None) -> list[Request]:
        """The rows as requests of this model: its own size and rate where nobody says otherwise."""
        names = list(self.rows)[:limit]
        return [self._request(name, config, backbone) for name in names]

    def _request(self, name: str, config: GenerateConfig, backbone: Backbone) -> Request:
        row = self.rows[name]
        num_frames, size_hw = geometry(row.size or config.size, backbone)
        image = self.file(name, "image")
        if image is not None and not backbone.sees_first_frame:
            raise refused_picture(backbone, f"{self.places[name]}, field image")
        return Request(
            clip_id=name,
            prompt=row.prompt,
            seed=clip_seed(config.seed, name) if row.seed is None else row.seed,
            num_frames=num_frames,
            size_hw=size_hw,
            fps=row.fps or config.fps or backbone.recommended.fps,
            image=image,
            masks=self.file(name, "masks"),
            where=self.places[name],
        )

    def _check(self) -> None:
        for name, row in self.rows.items():
            where = self.places[name]
            check_id(name, where=f"{where}, field clip_id")
            parse_caption(row.prompt, where=f"{where}, field prompt")
            for field in ("image", "masks"):
                path = self.file(name, field)
                if path is not None and not path.exists():
                    cure = "correct the path (it is relative to the table's folder) or add the file"
                    raise InputError(f"there is no {path}", where=f"{where}, field {field}", cure=cure)


def geometry(size: str | None, backbone: Backbone) -> tuple[int, tuple[int, int]]:
    """Frames, and height and width, of ``width x height x frames``; the model's own where nothing is said."""
    if size is None:
        return backbone.native_frames, backbone.native_size_hw
    bucket = Bucket.parse(size)
    return bucket.frames, bucket.size_hw


def refused_picture(backbone: Backbone, where: str) -> InputError:
    """What to tell somebody who gives a first frame to a model that is shown none."""
    problem = f"{backbone.name} makes videos of text and is shown no picture"
    other = "leave text_to_video out" if backbone.first_frame_is_optional else "use an image-to-video model"
    return InputError(problem, where=where, cure=f"leave the image out, or {other}")


def _row(cells: Mapping[str, Any], where: str) -> PromptRow:
    given = {name: cell for name, cell in cells.items() if cell not in (None, "")}
    unknown = [name for name in cells if name not in PromptRow.model_fields]
    if unknown:
        raise InputError("is no column that is known", where=f"{where}, field {unknown[0]}", cure=_spelling(unknown[0]))
    if "prompt" not in given:
        raise InputError("is empty", where=f"{where}, field prompt", cure="say what is to be seen")
    try:
        return PromptRow.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        problem = f"is {first['input']!r}: {message[:1].lower()}{message[1:]}"
        raise InputError(problem, where=f"{where}, field {first['loc'][0]}", cure="correct the value") from error


def _spelling(name: str) -> str:
    known: Sequence[str] = list(PromptRow.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    listed = f"the columns are {', '.join(known)}"
    return f"did you mean {near[0]}? ({listed})" if near else f"take it out ({listed})"


def _content(path: Path) -> str:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return digest([[one.name, sha256_on_disk(one)] for one in files])
