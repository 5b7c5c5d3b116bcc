"""Folders of the InterGenEval benchmark: prompts, first frames, masks, questions, and generated videos where there are.

What lies where: :mod:`.layout`; what an item says: :mod:`.items`; masks:
:mod:`.masks`. An item without a video is its first frame, a video of one frame. Beside a video, the first
frame is the medium ``first_frame``. Everything that the JSON files say stands in ``extra["intergeneval"]`` as well
(``meta``, ``eval_meta``, ``questions``), and is written back as it was while the clip still says the same.

Scores are no part of the dataset and are not read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.formats.common.naming import Taken, placed
from interplay.records.formats.intergeneval.items import FORMAT, Said, labels_of, said
from interplay.records.formats.intergeneval.layout import (
    EVAL_METAS,
    IMAGES,
    META,
    QUESTIONS,
    VIDEOS,
    Layout,
    looks_like_intergeneval,
    open_layout,
)
from interplay.records.formats.intergeneval.masks import ReadMasks, apart_as_json, read_masks
from interplay.records.formats.intergeneval.writing import FIRST_FRAME, InterGenEvalWriter, item_name
from interplay.records.media.video import probe_video
from interplay.records.store.layout import check_id


class InterGenEvalOptions(Config):
    """How a folder is read: what masks mean, the number of the first item where files leave it open, and links."""

    masks: MaskOptions = MaskOptions()
    first_number: int | None = Field(default=None, ge=0)
    follow_links: bool = False


class InterGenEvalFormat(DatasetFormat[InterGenEvalOptions]):
    """``meta.json`` with ``images``, ``videos``, ``masks``, ``tracks``, ``eval_metas`` and ``questions`` beside it."""

    name: ClassVar[str] = FORMAT
    summary: ClassVar[str] = "InterGenEval: meta.json, images, masks, tracks, eval_metas, questions, videos"
    options_type: ClassVar[type[Config]] = InterGenEvalOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """A ``meta.json`` with one of the layout's folders beside it, or with video prompts in it."""
        return looks_like_intergeneval(source)

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every item of ``meta.json``, then what is filed under numbers of no item."""
        options = self.options
        layout = open_layout(source, first_number=options.first_number, follow_links=options.follow_links)
        taken = Taken()
        for number, raw in enumerate(layout.items, layout.first):
            clip_id = item_name(number)
            try:
                where = f"{layout.root / META}, item {clip_id}"
                item = said(raw, layout.json(EVAL_METAS, number), layout.json(QUESTIONS, number), where=where)
                clip_id = _clip_id(item, clip_id)
                taken.take(clip_id, where)
                yield self._clip(clip_id, item, number, layout)
            except InputError as error:
                yield Rejected.because(clip_id, error)
        yield from layout.leftovers()

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """Number the clips in their order, from 0 or ``first_number``; ``meta.json`` comes last."""
        writer = InterGenEvalWriter(out, self.options.first_number or 0)
        yield from writer.add_each(clips)
        writer.finish()

    def _clip(self, clip_id: str, item: Said, number: int, layout: Layout) -> LocatedClip:
        image, video = layout.entry(IMAGES, number), layout.entry(VIDEOS, number)
        shown = video or image
        if shown is None:
            cure = f"add {IMAGES}/{item_name(number)}.png"
            raise InputError("the item has neither a first frame nor a video", where=item.where, cure=cure)
        labels, info = labels_of(item), probe_video(shown)
        media = {FIRST_FRAME: image} if image is not None and video is not None else {}
        for path in media.values():
            probe_video(path)
        masks = read_masks(layout, number, labels.ids, info, item.beside, self.options.masks)
        video_at, media_at, files = placed(clip_id, shown, media)
        spare = _spare(masks, labels.instances)
        clip = Clip(
            clip_id=clip_id,
            video=video_at,
            caption=labels.caption,
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            instances=(*labels.instances, *(Instance(name, "") for name in spare)),
            interactions=labels.interactions,
            tracks=masks.tracks,
            media=media_at,
            extra={FORMAT: item.extra() | _apart(masks)},
        )
        notes = [Note(item.where, f"no object is given for the masks of {name}", "they are kept") for name in spare]
        return LocatedClip(clip, files, (*layout.notes, *labels.notes, *masks.notes, *notes))


def _clip_id(item: Said, usual: str) -> str:
    named = item.beside.clip_id
    if named is None:
        return usual
    check_id(named, where=item.where)
    return named


def _spare(masks: ReadMasks, instances: Iterable[Instance]) -> list[str]:
    known = {instance.id for instance in instances}
    return [name for name in dict.fromkeys([*masks.tracks, *masks.apart]) if name not in known]


def _apart(masks: ReadMasks) -> dict[str, Any]:
    return {"masks": apart_as_json(masks.apart)} if masks.apart else {}
