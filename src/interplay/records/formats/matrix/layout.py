"""The layout of MATRIX-11K on disk: what lies where, the palette of ``merged``, and our sidecar.

    ROOT/videos/000000.mp4
    ROOT/mask_annotation/000000/<id1>/000.png ...   named so, with the brackets; 0/255, one per frame
    ROOT/mask_annotation/000000/merged/000.png ...  all ids of a frame, one colour per id
    ROOT/metadata.csv | .json | .jsonl              columns video, prompt
    ROOT/interplay.json                             ours: what the layout has no place for

Source: the official README and loader at commit 4ee8698, which leave the palette open; it is the order of colours of
the authors' evaluation here. ``merged`` is made from the tracks and never read: it says nothing that they do not say.
"""

from __future__ import annotations

import colorsys
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, ValidationError

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.records.formats.common.mask_values import Colour, MaskOptions
from interplay.records.formats.common.media_files import VIDEO_SUFFIXES
from interplay.records.formats.common.paths import inside
from interplay.records.formats.common.tables import TABLE_SUFFIXES

VIDEOS, MASKS, MERGED, METADATA, SIDECAR = "videos", "mask_annotation", "merged", "metadata", "interplay.json"
# What the official loader reads of a clip: more is legal here, and said.
OFFICIAL_IDS, OFFICIAL_FRAMES = 5, 81
_COLOURS: tuple[Colour, ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
# Steps of the golden ratio around the circle of hues never come close to each other again.
_GOLDEN_RATIO = 0.6180339887498949
_FURTHER_SATURATION, _FURTHER_VALUES = 0.75, (0.95, 0.7)


class MatrixOptions(Config):
    """Where things lie when they do not lie in the usual place, and what is written.

    Paths are relative to the dataset's folder. ``metadata`` names the table (default: the only ``metadata.csv``,
    ``.json`` or ``.jsonl``), ``video_root`` the folder that its paths start from (``videos``), ``mask_root`` the masks
    (``mask_annotation``). At most ``max_ids`` ids of a clip are read or written, lowest numbers first (default: all).
    ``follow_links`` admits links that lead out of the dataset.

    ``metadata_format`` and ``write_merged`` say which table and whether ``merged`` is written.
    """

    metadata: str | None = None
    video_root: str | None = None
    mask_root: str | None = None
    masks: MaskOptions = MaskOptions()
    max_ids: PositiveInt | None = None
    follow_links: bool = False
    metadata_format: Literal["csv", "json", "jsonl"] = "csv"
    write_merged: bool = True


class ClipSidecar(Config):
    """What the layout has no place for in one clip: the caption in our markup, and the gaps of each track.

    ``gaps`` are ranges ``[first, last + 1]`` of frames whose mask is unknown; their pictures are empty.
    """

    caption: str | None = None
    gaps: dict[str, tuple[tuple[int, int], ...]] = Field(default_factory=dict)

    def frames(self, instance_id: str, num_frames: int) -> set[int]:
        """The gaps of one track, frame by frame."""
        ranges = self.gaps.get(instance_id, ())
        return {frame for first, stop in ranges for frame in range(max(0, first), min(stop, num_frames))}


class Sidecar(Config):
    """What the layout has no place for: the palette of ``merged``, and per clip (by the stem of its video) the rest."""

    version: Literal[1] = 1
    palette: dict[str, Colour] = Field(default_factory=dict)
    clips: dict[str, ClipSidecar] = Field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """A dataset's folder, opened. ``whole``: the table was not chosen by hand, so it should name every clip."""

    root: Path
    table: Path
    videos: Path
    masks: Path
    sidecar: Sidecar
    whole: bool


def open_layout(source: Path, options: MatrixOptions) -> Layout:
    """Find the parts of a dataset; :class:`InputError` when one of them is not there."""
    root = source.parent if source.is_file() else source
    if not root.is_dir():
        raise InputError("there is no such folder", where=source, cure="check the path of the dataset")
    chosen = source if source.is_file() else None if options.metadata is None else root / options.metadata
    return Layout(
        root=root,
        table=chosen or only_table(root),
        videos=_video_root(root, options),
        masks=_mask_root(root, options),
        sidecar=read_sidecar(root / SIDECAR),
        whole=chosen is None,
    )


def tables_in(root: Path) -> list[Path]:
    """The metadata tables that lie in a folder."""
    return [path for suffix in TABLE_SUFFIXES if (path := root / f"{METADATA}{suffix}").is_file()]


def only_table(root: Path) -> Path:
    """The metadata table of a folder; :class:`InputError` unless there is exactly one."""
    tables = tables_in(root)
    if len(tables) != 1:
        names = " and ".join(path.name for path in tables)
        problem = f"holds {names}" if tables else f"holds no {METADATA}.csv, .json or .jsonl"
        raise InputError(problem, where=root, cure="name the table: --set metadata=FILE")
    return tables[0]


def find_video(layout: Layout, named: str, *, where: str, follow_links: bool) -> tuple[Path, str]:
    """The file that a cell means, and the stem that its masks are filed under.

    Paths start from the folder of the videos, as the official loader has it, or from the dataset's folder.
    """
    bases = dict.fromkeys((layout.videos, layout.root))
    base = next((base for base in bases if os.path.lexists(base / named.strip())), layout.videos)
    path = inside(base, named, where=where, follow_links=follow_links)
    if not path.is_file():
        raise InputError(f"{path} is no file", where=where, cure="name a video file")
    return path, stem_of(path, layout)


def named_stem(named: str, layout: Layout) -> str:
    """The stem that a cell means, be the file there or not."""
    path = Path(os.path.normpath(named.strip()))
    below = path.relative_to(layout.videos.name) if path.parts[:1] == (layout.videos.name,) else path
    return below.with_suffix("").as_posix() if below.name else below.as_posix()


def stem_of(path: Path, layout: Layout) -> str:
    """The path of a video below the folder of the videos (or the dataset's), without its suffix."""
    normal = Path(os.path.normpath(path))
    for base in (layout.videos, layout.root):
        if normal.is_relative_to(os.path.normpath(base)):
            return normal.relative_to(os.path.normpath(base)).with_suffix("").as_posix()
    return normal.stem


def videos_in(layout: Layout) -> Iterator[Path]:
    """Every video file below the folder of the videos, in order; links to folders are not entered, so loops end."""
    for folder, names, files in os.walk(layout.videos):
        names[:] = sorted(name for name in names if Path(folder, name) != layout.masks)
        yield from (Path(folder, name) for name in sorted(files) if Path(name).suffix.lower() in VIDEO_SUFFIXES)


def colour_of(number: int) -> Colour:
    """The colour of ``<idN>`` in ``merged``, the same in every clip and every set; ``number`` counts from 1."""
    if number <= len(_COLOURS):
        return _COLOURS[number - 1]
    further = number - len(_COLOURS)
    value = _FURTHER_VALUES[further % len(_FURTHER_VALUES)]
    red, green, blue = colorsys.hsv_to_rgb(further * _GOLDEN_RATIO % 1.0, _FURTHER_SATURATION, value)
    return (round(255 * red), round(255 * green), round(255 * blue))


def read_sidecar(path: Path) -> Sidecar:
    """Our sidecar, an empty one where there is none; :class:`InputError` when it is damaged."""
    if not path.is_file():
        return Sidecar()
    try:
        return Sidecar.model_validate(read_json(path))
    except (ValidationError, RecursionError) as error:
        told = str(error).splitlines()[0] if isinstance(error, ValidationError) else "it is nested too deeply"
        cure = "restore the file, or remove it: gaps then read as empty masks"
        raise InputError(f"is no sidecar of this version ({told})", where=path, cure=cure) from error


def _video_root(root: Path, options: MatrixOptions) -> Path:
    if options.video_root is None:
        return root / VIDEOS if (root / VIDEOS).is_dir() else root
    chosen = root / options.video_root
    if not chosen.is_dir():
        raise InputError("there is no such folder", where=chosen, cure="correct video_root")
    return chosen


def _mask_root(root: Path, options: MatrixOptions) -> Path:
    chosen = root / (options.mask_root or MASKS)
    if not chosen.is_dir():
        cure = "name the folder: --set mask_root=FOLDER, or make an empty one to read the videos without masks"
        raise InputError("there is no such folder of masks", where=chosen, cure=cure)
    return chosen
