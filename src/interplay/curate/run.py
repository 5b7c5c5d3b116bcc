"""The stage itself: every row of a table becomes one clip, with frames, masks and boxes through one transform.

What is locked to the labels frame by frame (structure and pose video) goes through the same choice of frames and the
same resize as the masks and is stored losslessly; what is not (audio, motion video, reference pictures) is copied byte
for byte, and the provenance says from which of the source's frames the clip was made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.artifacts import Artifact, build
from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.core.progress import track
from interplay.curate.binding import Binding, bind, noun_and_appearance, verb_words
from interplay.curate.config import CurateConfig
from interplay.curate.sampling import Times, boxes_at, choose_times
from interplay.records.caption import Caption, parse_caption
from interplay.records.check import check_binding
from interplay.records.clip import Clip, Instance, Interaction, Provenance
from interplay.records.formats.cointeract.boxes import KeyConvention, PartBoxes, latest_frame
from interplay.records.formats.cointeract.rows import REQUIRED_COLUMNS, PathOptions, Row, find_table, read_rows
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo, probe_video, stream_video, write_video
from interplay.records.store.layout import MEDIA_FOLDER, video_path
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from interplay.records.structure.labels import PERSON_ID, PRODUCT_ID, find_lead, lead_settings
from interplay.records.structure.lag import Lead
from interplay.records.structure.tracks import read_tracks

_LOCKED_TO_THE_LABELS = ("structure_video", "pose_video")


@dataclass(frozen=True)
class _Plan:
    """Everything about a row that is decided before its pixels are read."""

    row: Row
    clip_id: str
    binding: Binding
    caption: Caption
    info: VideoInfo
    fit: Fit

    @property
    def box_keys(self) -> KeyConvention | None:
        return self.row.boxes.convention(self.info.num_frames)

    @property
    def boxes(self) -> PartBoxes:
        return self.row.boxes.in_pixel_frames(self.box_keys or "pixel")

    @property
    def boxes_hw(self) -> tuple[int, int]:
        """Where the row does not give the size, the boxes are in the video's own pixels."""
        return self.row.boxes_hw or self.info.size_hw


@dataclass(frozen=True)
class _Made:
    """What was read and measured for one clip."""

    times: Times
    lead: Lead
    tracks: Mapping[str, MaskTrack]
    media: Mapping[str, str]


def run(config: CurateConfig, source: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Curate the table at ``source`` (or in that folder) into clips; every row is checked before any work."""
    # A hard stop at the first bad row, and not a list of rejected ones: a stage makes the whole of what it was asked
    # for or nothing. `interplay data check` lists every bad row.
    plans = [_plan(row, config) for row in read_rows(source, PathOptions(follow_links=config.follow_links))]
    _check_overrides(config, plans, source)
    table = find_table(source, REQUIRED_COLUMNS)
    identity = {**config.model_dump(mode="json"), "source": _fingerprint(table, plans)}

    def make(folder: Path) -> Mapping[str, Any]:
        with StoreWriter(folder) as writer:
            for plan in track(plans, label="curate"):
                if plan.clip_id not in writer.done:
                    _add(plan, config, writer)
        shifted = {clip.clip_id: frames for clip in ClipStore(folder) if (frames := lead_of(clip)) != 0}
        return {"clips": len(plans), "source": str(source.resolve()), "labels_lead": shifted}

    return build(out, kind="clips", config=identity, inputs={}, make=make, overwrite=overwrite)


def lead_of(clip: Clip) -> int:
    """By how many source frames a curated clip's labels ran ahead of its video before they were brought together."""
    return int(clip.provenance["tracks"].settings["lead"]["frames"])


# --- before any work -------------------------------------------------------------------------------------------------


def _plan(row: Row, config: CurateConfig) -> _Plan:
    clip_id = f"clip-{row.index:05d}"
    where = f"{row.where}, field prompt"
    binding = bind(row.prompt, clip_id, config, where=where)
    caption = parse_caption(binding.markup, where=where)
    check_binding(caption.instance_ids, (PERSON_ID, PRODUCT_ID), where=where)
    info = probe_video(row.video)
    given = 0 if config.labels_lead == "measure" else config.labels_lead
    choose_times(info.num_frames, given, config, where=str(row.video))
    plan = _Plan(row, clip_id, binding, caption, info, Fit(info.size_hw, config.target_hw, config.fit))
    _check_companions(row, info)
    _check_boxes(plan)
    return plan


def _check_companions(row: Row, info: VideoInfo) -> None:
    if "structure_video" not in row.media:
        problem = "names no structure video, and the mask tracks are read from it"
        cure = "add a column hoi_video (or depth_video) with its path"
        raise InputError(problem, where=f"{row.where}, field hoi_video", cure=cure)
    own = Fit(info.size_hw, info.size_hw)
    for name in _LOCKED_TO_THE_LABELS:
        if name in row.media:
            companion = probe_video(row.media[name])
            own.for_source(companion.size_hw, where=str(row.media[name]))
            if companion.num_frames != info.num_frames:
                problem = f"has {companion.num_frames} frames, and the video {row.video} has {info.num_frames}"
                raise InputError(problem, where=row.media[name], cure="cut both to the same frames")


def _check_boxes(plan: _Plan) -> None:
    row, info = plan.row, plan.info
    if plan.box_keys is None:
        return
    Fit(info.size_hw, info.size_hw).for_source(plan.boxes_hw, where=f"{row.where}, fields height and width")
    latest = latest_frame(plan.boxes)
    if latest >= info.num_frames:
        problem = f"a box is at frame {latest} and the video {row.video} has {info.num_frames} frames"
        cure = "key boxes by pixel frames (2, 6, 10, ...) or all by latent frames (0 to 19)"
        raise InputError(problem, where=f"{row.where}, fields face and hand_object", cure=cure)


def _check_overrides(config: CurateConfig, plans: Sequence[_Plan], source: Path) -> None:
    known = {plan.clip_id for plan in plans}
    for clip_id in config.captions:
        if clip_id not in known:
            cure = f"use one of {min(known)} to {max(known)}"
            raise InputError(f"{source} has no clip {clip_id!r}", where="config, field captions", cure=cure)


def _fingerprint(table: Path, plans: Sequence[_Plan]) -> dict[str, Any]:
    """What names the source in the artifact's identity: the table's text, and name and size of every file."""
    files = [path for plan in plans for path in (plan.row.video, *plan.row.media.values())]
    sizes = {os.path.relpath(path, table.parent): path.stat().st_size for path in files}
    return {"table": digest(table.read_text(encoding="utf-8-sig")), "files": digest(sizes)}


# --- one clip --------------------------------------------------------------------------------------------------------


def _add(plan: _Plan, config: CurateConfig, writer: StoreWriter) -> None:
    lead = find_lead(plan.row.video, _structure_video(plan), config.labels_lead)
    times = choose_times(plan.info.num_frames, lead.frames, config, where=str(plan.row.video))
    made = _Made(times, lead, _tracks(plan, times, config), _store_media(plan, times, config, writer.folder))
    writer.add(_clip(plan, made, config), frames=_fitted(plan.row.video, times.video, plan.fit))


def _structure_video(plan: _Plan) -> Path:
    return plan.row.media["structure_video"]


def _fitted(path: Path, indices: Sequence[int], fit: Fit) -> UInt8[ndarray, "f th tw 3"]:
    frames = (frame[None] for frame in stream_video(path, indices))
    return np.concatenate([fit.for_source(frame.shape[1:3], where=str(path)).frames(frame) for frame in frames])


def _tracks(plan: _Plan, times: Times, config: CurateConfig) -> dict[str, MaskTrack]:
    path = _structure_video(plan)
    measured = read_tracks(stream_video(path, times.labels), config.structure, where=str(path))
    fit = plan.fit.for_source(measured.person.size_hw, where=str(path))
    pairs = {PERSON_ID: measured.person, PRODUCT_ID: measured.product}
    return {name: fit.track(mask_track) for name, mask_track in pairs.items()}


def _store_media(plan: _Plan, times: Times, config: CurateConfig, folder: Path) -> dict[str, str]:
    media = {}
    for name, path in plan.row.media.items():
        locked = name in _LOCKED_TO_THE_LABELS
        media[name] = f"{MEDIA_FOLDER}/{plan.clip_id}/{name}{'.mp4' if locked else path.suffix}"
        target = folder / media[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        if locked:
            write_video(target, _fitted(path, times.labels, plan.fit), config.fps)
        else:
            with full_disk_named(target.parent):
                shutil.copyfile(path, target)
    return media


def _clip(plan: _Plan, made: _Made, config: CurateConfig) -> Clip:
    return Clip(
        clip_id=plan.clip_id,
        video=video_path(plan.clip_id),
        caption=plan.binding.markup,
        num_frames=config.num_frames,
        size_hw=config.target_hw,
        fps=config.fps,
        split=config.split,
        instances=tuple(_instance(plan.caption, instance_id) for instance_id in (PERSON_ID, PRODUCT_ID)),
        interactions=_interactions(plan.caption),
        tracks=made.tracks,
        boxes=boxes_at(plan.boxes, made.times.labels, plan.fit.for_source(plan.boxes_hw, where=plan.row.where)),
        media=made.media,
        provenance=_provenance(plan, made, config),
    )


def _instance(caption: Caption, instance_id: str) -> Instance:
    noun, appearance = noun_and_appearance(caption.words(instance_id)[0])
    return Instance(instance_id, noun, appearance)


def _interactions(caption: Caption) -> tuple[Interaction, ...]:
    verb = verb_words(caption)
    return () if verb is None else (Interaction(PERSON_ID, verb, PRODUCT_ID),)


def _provenance(plan: _Plan, made: _Made, config: CurateConfig) -> dict[str, Provenance]:
    row, table = plan.row, "cointeract table"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    video = {
        "file": str(row.video),
        "frames": list(made.times.video),
        "fps": config.source_fps,
        "tagged_fps": plan.info.fps,
        "size_hw": list(plan.info.size_hw),
        "fit": config.fit,
    }
    tracks = {
        "file": str(_structure_video(plan)),
        "frames": list(made.times.labels),
        "lead": lead_settings(made.lead, config.labels_lead),
        **config.structure.model_dump(mode="json"),
    }
    provenance = {
        "video": Provenance(table, video),
        "caption": Provenance("curate.binding", {"prompt": row.prompt, **plan.binding.decided_by}, now),
        "tracks": Provenance("curate.structure_video", tracks, now),
        "media": Provenance(table, {name: str(path) for name, path in row.media.items()} | {"scale": row.scale}),
    }
    if plan.boxes:
        provenance["boxes"] = Provenance(table, {"keys": plan.box_keys, "size_hw": list(plan.boxes_hw)})
    return provenance
