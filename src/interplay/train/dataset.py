"""A dataset ready to train on: every clip in its bucket, encoded once, with what alignment cannot use listed.

Only names and token positions are held in memory; a step loads the clips that it draws from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.core.progress import track
from interplay.grid.assignment import Assignment, BucketReport, ClipShape, as_they_are, assign_all
from interplay.grid.buckets import Bucket, make_buckets
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.markers import check_markers
from interplay.methods.matrix.requests import Missing, aligns, missing_in
from interplay.methods.matrix.targets import ClipTargets, caption_of, cast_of, targets_of
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.encoding import Encoder, MapSource, MaskSource, Source, digest_of_map, digest_of_tracks
from interplay.train.processes import Processes

_SHAPE_COLUMNS = ("clip_id", "split", "height", "width", "num_frames", "fps")


@dataclass(frozen=True)
class Words:
    """Who is aligned by which text tokens, and the labels that lost tokens to the model's text length."""

    masks: MaskSource
    tokens: Mapping[str, tuple[int, ...]]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A clip of the run: its pixels, its plain caption and, when something is aligned, its words."""

    clip_id: str
    pixels: Source
    text: str
    words: Words | None
    map: MapSource | None = None


class EncodedClips(TrainingClips):
    """The clips of a run, whose encodings come from ``encoder``; see :func:`encode_clips`.

    ``report`` says which bucket each clip is in and which clips are left out, ``missing`` what alignment would use and
    cannot, and ``lost_spans`` names the words that were cut off at the model's text length (``clip: label``).
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: Encoder,
        rows: Sequence[Row],
        grids: Mapping[Bucket, TokenGrid],
        report: BucketReport,
        missing: Sequence[Missing],
    ) -> None:
        self._encoder, self._rows, self._grids, self._device = encoder, rows, grids, backbone.device
        self.groups = [
            [number for number, row in enumerate(rows) if row.pixels.assignment.bucket == bucket] for bucket in grids
        ]
        self.report = report
        self.missing = tuple(missing)
        self.lost_spans = tuple(f"{row.clip_id}: {label}" for row in rows if row.words for label in row.words.lost)

    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        """These clips, which must be of one group; where ``dropped``, with the empty caption (targets keep theirs)."""
        chosen = [self._rows[row] for row in rows]
        pixels = [self._encoder.pixels(row.pixels) for row in chosen]
        texts = ["" if drop else row.text for row, drop in zip(chosen, dropped, strict=True)]
        pairs = zip(texts, chosen, strict=True)
        maps = [row.map for row in chosen if row.map is not None]
        return ClipBatch(
            grid=self._grids[chosen[0].pixels.assignment.bucket],
            latents=torch.stack([latents for latents, _ in pixels]).to(self._device),
            first_frame=Batch.join([first_frame for _, first_frame in pixels]).to(self._device),
            text=Batch.join([self._encoder.text(text, row.pixels) for text, row in pairs]).to(self._device),
            targets=tuple(_targets(row, self._encoder) for row in chosen if row.words),
            maps=torch.stack([self._encoder.map(one) for one in maps]).to(self._device) if maps else None,
            captions=tuple(texts),
        )

    def clip_id(self, row: int) -> str:
        """Which clip of the dataset this is."""
        return self._rows[row].clip_id

    def assignment(self, row: int) -> Assignment:
        """What is done to the frames of this clip."""
        return self._rows[row].pixels.assignment


def encode_clips(
    backbone: Backbone,
    store: ClipStore,
    config: TrainConfig,
    *,
    cache: Cache,
    model: str,
    reading: Mapping[str, Any] | None = None,
    must_align: bool = True,
) -> EncodedClips:
    """Put the clips that ``config`` chooses into buckets and make sure that ``cache`` has all that training needs.

    ``model`` is the digest of the backbone's files, ``reading`` what a method changed of how it reads a text. Where no
    buckets are configured, the clips are taken as they are. Processes share the work. Clips of which none has anything
    to align are an error, if they ``must_align``.
    """
    encoder, processes = Encoder(backbone, store, cache, model, reading), Processes()
    report = in_buckets(backbone, chosen_shapes(store, config), config)
    grids = _grids(backbone, report)
    rows = [
        _row(backbone, encoder, store.get(assignment.clip_id), assignment, grids[assignment.bucket], config.matrix)
        for assignment in track(report.assigned, label="read clips")
    ]
    _prepare(encoder, processes.share(rows))
    processes.wait()
    missing = _missing(encoder, rows, config.matrix) if config.matrix else []
    if config.matrix and must_align and config.matrix.terms():
        _check_aligned(encoder, rows, config.matrix, missing)
    return EncodedClips(backbone, encoder, rows, grids, report, missing)


def _prepare(encoder: Encoder, rows: Sequence[Row]) -> None:
    """Have the cache make what it lacks of these rows."""
    encoder.prepare([row.pixels for row in rows])
    # The empty caption stands for a dropped one.
    encoder.prepare_texts((text, row.pixels) for row in rows for text in ("", row.text))
    for row in track(rows, label="pool tracks and encode maps"):
        if row.words is not None:
            encoder.masks(row.words.masks)
        if row.map is not None:
            encoder.map(row.map)


def chosen_shapes(store: ClipStore, config: TrainConfig) -> list[ClipShape]:
    """The geometry of the first ``limit`` clips of each of the recipe's splits, without reading their tracks."""
    listed = store.columns(_SHAPE_COLUMNS).to_pylist()
    chosen: list[ClipShape] = []
    for split in config.splits:
        store.select(split, limit=0)  # says which splits there are, where this is none of them
        rows = [row for row in listed if row["split"] == split][: config.limit]
        chosen += [ClipShape(r["clip_id"], (r["height"], r["width"]), r["num_frames"], r["fps"]) for r in rows]
    return chosen


def in_buckets(backbone: Backbone, clips: Sequence[ClipShape], config: TrainConfig) -> BucketReport:
    """The bucket of every clip, or why it has none; an error when none has one."""
    if config.buckets is None:
        return as_they_are(clips)
    like = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    report = assign_all(clips, make_buckets(config.buckets, like), config.buckets)
    if not report.assigned:
        drop = report.dropped[0]
        problem = f"none of the {len(clips)} clips fits a bucket (the first, {drop.clip_id}: {drop.problem})"
        raise InputError(problem, where="recipe, field buckets", cure=drop.cure)
    return report


def _grids(backbone: Backbone, report: BucketReport) -> dict[Bucket, TokenGrid]:
    """The token grid of every bucket that has a clip."""
    first = {assignment.bucket: assignment.clip_id for assignment in reversed(report.assigned)}
    return {bucket: _grid(backbone, bucket, first[bucket]) for bucket, count in report.counts.items() if count}


def _grid(backbone: Backbone, bucket: Bucket, clip_id: str) -> TokenGrid:
    try:
        return backbone.grid(bucket.frames, bucket.size_hw)
    except InputError as error:
        cure = f"{error.cure}, or let the recipe's `buckets` bring clips to legal sizes"
        raise InputError(error.problem, where=f"clip {clip_id}, {error.where}", cure=cure) from error


def _row(
    backbone: Backbone,
    encoder: Encoder,
    clip: Clip,
    assignment: Assignment,
    grid: TokenGrid,
    matrix: MatrixConfig | None,
) -> Row:
    caption = caption_of(clip, matrix) if matrix else parse_caption(clip.caption)
    pixels = encoder.source(clip, assignment)
    if matrix is None:
        return Row(clip.clip_id, pixels, caption.text, None)
    if matrix.binding != "words":
        check_markers(parse_caption(clip.caption).instance_ids, matrix.markers, where=f"clip {clip.clip_id}, caption")
    cast = cast_of(clip, matrix.roles)
    masks = MaskSource(clip.clip_id, cast, digest_of_tracks(clip, cast), assignment, grid, matrix.pooling)
    spans = backbone.token_spans(caption)
    painted = MapSource(clip.clip_id, digest_of_map(clip, assignment), assignment, grid)
    words = Words(masks, spans.tokens, tuple(spans.lost))
    return Row(clip.clip_id, pixels, caption.text, words, painted if matrix.instance_map else None)


def _missing(encoder: Encoder, rows: Sequence[Row], matrix: MatrixConfig) -> list[Missing]:
    """What alignment cannot use of the clips."""
    return [missing for row in rows for missing in missing_in(matrix, _targets(row, encoder))]


def _check_aligned(encoder: Encoder, rows: Sequence[Row], matrix: MatrixConfig, missing: Sequence[Missing]) -> None:
    if any(aligns(matrix, _targets(row, encoder)) for row in rows):
        return
    why = f" ({missing[0].clip_id}: {missing[0].key}, {missing[0].reason})" if missing else ""
    problem = f"none of the {len(rows)} clips has anything to align{why}"
    cure = (
        "mark instances in the captions (`a <id1> man`) or list interactions, with mask tracks of those instances, "
        "or take `matrix` out of the recipe"
    )
    raise InputError(problem, where="recipe, field matrix", cure=cure)


def _targets(row: Row, encoder: Encoder) -> ClipTargets:
    assert row.words is not None
    return targets_of(row.clip_id, row.words.masks.cast, row.words.tokens, encoder.masks(row.words.masks))
