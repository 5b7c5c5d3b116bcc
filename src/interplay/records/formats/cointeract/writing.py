"""Clips as CoInteract's training layout: media in the official folders, one table, boxes as JSON in its cells.

Where a clip came out of such a table, its own cells are written back as they stand, so long as they still say what the
clip says (the reader's way from cells to clip is gone again and compared); latent keys become the pixel keys that the
official loader needs. Otherwise cells are made from the clip, and what has no place in them is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.records.clip import Boxes, Clip
from interplay.records.formats.base import LocatedClip, Rejected, Written, write_each
from interplay.records.formats.cointeract.boxes import (
    FACE,
    PARTS,
    KeyConvention,
    WrittenBoxes,
    pixel_key,
    read_box_cells,
    write_box_cells,
)
from interplay.records.formats.cointeract.clip import (
    NAME,
    TABLE_MAKER,
    CoInteractOptions,
    clip_boxes,
)
from interplay.records.formats.cointeract.rows import ALIASES, MEDIA_COLUMNS, boxes_hw_of, filled_cells
from interplay.records.formats.common.losses import lost_of_video, lost_parts
from interplay.records.formats.common.media_files import VIDEO_SUFFIXES, copy_once, copy_video
from interplay.records.formats.common.structure_media import INSTANCES, MAKER, lost_tracks, tracks_are_its_own
from interplay.records.formats.common.tables import parse_json, write_table
from interplay.records.formats.common.written_captions import caption_cell, implied_instances

COLUMNS = (
    "prompt",
    "input_video",
    "motion_video",
    "audio",
    "person_image",
    "product_image",
    "hoi_video",
    "pose_video",
    "face",
    "hand_object",
    "height",
    "width",
)
_BOX_COLUMNS = ("face", "hand_object", "height", "width")


def write_training_set(
    clips: Iterable[LocatedClip], out: Path, options: CoInteractOptions
) -> Iterator[Written | Rejected]:
    """Write clip after clip into ``out``, and the table (``data.csv``, or as the options say) when all are there."""
    rows: list[dict[str, Any]] = []

    def add(located: LocatedClip) -> Written:
        row, lost = _row(located, out, options)
        rows.append(row)
        return Written(located.clip.clip_id, lost)

    yield from write_each(clips, add)
    others = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    write_table(out / f"data.{options.table}", rows, (*COLUMNS, *others))


def _row(located: LocatedClip, out: Path, options: CoInteractOptions) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The table's row for a clip, whose files are copied; and what the layout has no place for."""
    clip, cells = located.clip, _own_cells(located.clip)
    prompt, lost_markers = caption_cell(clip.caption, cells.get("prompt"), options.captions)
    boxes, lost_boxes = _box_cells(clip, cells)
    row = {"prompt": prompt, **_files(located, out, options.fps), **boxes}
    named = {*row, *ALIASES, *MEDIA_COLUMNS.values()}
    row |= {name: cell for name, cell in cells.items() if name not in named}
    return row, (*lost_markers, *lost_boxes, *_lost(located, prompt, options))


def _own_cells(clip: Clip) -> Mapping[str, Any]:
    """The cells that the clip was read from; none when it comes from elsewhere."""
    cells = _own(clip).get("cells")
    return cells if isinstance(cells, Mapping) else {}


def _own(clip: Clip) -> Mapping[str, Any]:
    own = clip.extra.get(NAME)
    return own if isinstance(own, Mapping) else {}


def _files(located: LocatedClip, out: Path, fps: float) -> dict[str, str]:
    clip = located.clip
    cells = {"input_video": f"input_video/{copy_video(located.video, out / 'input_video', clip.clip_id, fps)}"}
    for medium, column in MEDIA_COLUMNS.items():
        if medium in clip.media:
            source = located.files[clip.media[medium]]
            cells[column] = f"{column}/{clip.clip_id}{source.suffix.lower()}"
            copy_once(source, out / cells[column])
    return cells


# --- boxes -----------------------------------------------------------------------------------------------------------


def _box_cells(clip: Clip, cells: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The four cells of the boxes: the clip's own ones while they still say the same, else new ones."""
    convention = _agreeing_convention(clip, cells)
    if convention is not None:
        own = {name: cells[name] for name in _BOX_COLUMNS if name in cells}
        return {name: _with_pixel_keys(cell) if convention == "latent" else cell for name, cell in own.items()}, ()
    lead = _own(clip).get("labels_lead", 0)
    written = write_box_cells(boxes_of_one(clip), lead if isinstance(lead, int) else 0)
    size = dict(zip(("height", "width"), clip.size_hw, strict=True))
    texts = {name: json.dumps(cell) if cell else None for name, cell in _named(written)}
    lost = {
        f"{_boxes(written.left_out)} beside the latents' centres, or of another part: not kept": written.left_out,
        f"{_boxes(written.moved)}: written at the centre of its latent, up to two frames away": written.moved,
    }
    return {**texts, **size}, tuple(sentence for sentence, number in lost.items() if number)


def boxes_of_one(clip: Clip) -> Mapping[str, Boxes]:
    """The clip's boxes under the names of the layout, which knows one person and one product.

    Where parts name their owner (``face/id1``), the owner is the first subject (of an object: the first object) of an
    interaction that has such boxes, or else the first instance; the boxes of all others keep their names.
    """
    acting = [i.subject for i in clip.interactions]
    acted_on = [i.object for i in clip.interactions if i.object is not None]
    found = dict(clip.boxes)
    for part in (FACE, *PARTS.values()):
        owners = [*(acted_on if part == PARTS["obj"] else acting), *(instance.id for instance in clip.instances)]
        owner = next((owner for owner in owners if f"{part}/{owner}" in found), None)
        if part not in found and owner is not None:
            found[part] = found.pop(f"{part}/{owner}")
    return found


def _named(written: WrittenBoxes) -> tuple[tuple[str, Any], ...]:
    return (("face", written.face), ("hand_object", written.hand_object))


def _boxes(number: int) -> str:
    return f"{number} box{'' if number == 1 else 'es'}"


def _agreeing_convention(clip: Clip, cells: Mapping[str, Any]) -> KeyConvention | None:
    """How the keys of the clip's own cells are read, if reading them gives the boxes that the clip has."""
    own, record = _own(clip), filled_cells(cells)
    lead, convention = own.get("labels_lead"), own.get("box_keys")
    if not isinstance(lead, int) or convention not in ("pixel", "latent", None):
        return None
    try:
        boxes_hw = boxes_hw_of(record, "cells") or clip.size_hw
        read = read_box_cells(record, "cells")
        said, _ = clip_boxes(read, boxes_hw, convention or "pixel", clip.size_hw, lead, clip.num_frames, "cells")
    except InputError:
        return None
    return (convention or "pixel") if said == clip.boxes else None


def _with_pixel_keys(cell: Any) -> Any:
    """A cell of boxes under latent keys, under the pixel keys that they stand for; any other cell as it is."""
    value = parse_json(cell, "cells") if isinstance(cell, str) and cell.lstrip().startswith("{") else cell
    if not isinstance(value, dict):
        return cell
    named = {f"frame_{pixel_key(int(key.removeprefix('frame_')))}": boxes for key, boxes in value.items()}
    return json.dumps(named) if isinstance(cell, str) else named


# --- what is lost ----------------------------------------------------------------------------------------------------


def _lost(located: LocatedClip, prompt: str, options: CoInteractOptions) -> Iterator[str]:
    clip = located.clip
    if located.video.suffix.lower() not in VIDEO_SUFFIXES:  # a video's own rate does not count here
        yield from lost_of_video(located)
    yield from lost_tracks(clip)
    if others := [name for name in clip.media if name not in MEDIA_COLUMNS]:
        yield f"media {', '.join(others)}: not kept"
    if foreign := [name for name, made in clip.provenance.items() if made.maker not in (TABLE_MAKER, MAKER)]:
        yield f"provenance of {', '.join(foreign)}: not kept"
    if not prompt.strip():
        yield "nothing, but the caption is empty, and readers of the layout want a prompt"
    if clip.split != options.split:
        yield f"the split {clip.split!r}: not kept"
    if clip.fps != options.fps:
        yield f"the rate of {clip.fps:g} fps: the layout is read as {options.fps:g}"
    yield from lost_parts(
        clip,
        holds={"split", "tracks", "gaps", "boxes", "media", "provenance"},
        own=NAME,
        instances=implied_instances(prompt, INSTANCES if tracks_are_its_own(clip) else ()),
    )
