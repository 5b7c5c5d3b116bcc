"""A dataset ready to train on: every clip in its bucket, encoded once, with what alignment cannot use listed.

Only names and token positions are held in memory; a step loads the clips that it draws from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from interplay.methods.matrix.requests import Missing, aligns, missing_in
from interplay.methods.matrix.targets import ClipTargets, caption_of, cast_of, targets_of
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.encoding import Encoder, MaskSource, Source, digest_of_tracks

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
        return ClipBatch(
            grid=self._grids[chosen[0].pixels.assignment.bucket],
            latents=torch.stack([latents for latents, _ in pixels]).to(self._device),
            first_frame=Batch.join([first_frame for _, first_frame in pixels]).to(self._device),
            text=Batch.join([self._encoder.text(text, row.pixels) for text, row in pairs]).to(self._device),
            targets=tuple(_targets(row, self._encoder) for row in chosen if row.words),
        )


def encode_clips(
    backbone: Backbone, store: ClipStore, config: TrainConfig, *, cache: Cache, model: str
) -> EncodedClips:
    """Put the clips that ``config`` chooses into buckets and make sure that ``cache`` has all that training needs.

    ``model`` is the digest of the backbone's files. Where no buckets are configured, the clips are taken as they are.
    """
    encoder = Encoder(backbone, store, cache, model)
    report = in_buckets(backbone, chosen_shapes(store, config), config)
    grids = _grids(backbone, report)
    rows = [
        _row(backbone, encoder, store.get(assignment.clip_id), assignment, grids[assignment.bucket], config.matrix)
        for assignment in track(report.assigned, label="read clips")
    ]
    encoder.prepare([row.pixels for row in rows])
    # The empty caption stands for a dropped one.
    encoder.prepare_texts((text, row.pixels) for row in rows for text in ("", row.text))
    missing = _missing(encoder, rows, config.matrix) if config.matrix else []
    return EncodedClips(backbone, encoder, rows, grids, report, missing)


def chosen_shapes(store: ClipStore, config: TrainConfig) -> list[ClipShape]:
    """The geometry of the clips that the recipe's splits and limit choose, without reading their tracks."""
    listed = store.columns(_SHAPE_COLUMNS).to_pylist()
    chosen: list[ClipShape] = []
    for split in config.splits:
        store.select(split, limit=0)  # says which splits there are, where this is none of them
        rows = [row for row in listed if row["split"] == split]
        chosen += [ClipShape(r["clip_id"], (r["height"], r["width"]), r["num_frames"], r["fps"]) for r in rows]
    return chosen[: config.limit]


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
    cast = cast_of(clip)
    masks = MaskSource(clip.clip_id, cast, digest_of_tracks(clip, cast), assignment, grid, matrix.pool)
    spans = backbone.token_spans(caption)
    return Row(clip.clip_id, pixels, caption.text, Words(masks, spans.tokens, tuple(spans.lost)))


def _missing(encoder: Encoder, rows: Sequence[Row], matrix: MatrixConfig) -> list[Missing]:
    """Pool the tracks that the cache does not have; what alignment cannot use of them."""
    missing: list[Missing] = []
    aligned = 0
    for row in track(rows, label="pool tracks"):
        targets = _targets(row, encoder)
        missing += missing_in(matrix, targets)
        aligned += aligns(matrix, targets)
    if not aligned:
        why = f" ({missing[0].clip_id}: {missing[0].key}, {missing[0].reason})" if missing else ""
        problem = f"none of the {len(rows)} clips has anything to align{why}"
        cure = "give captions with markers, mask tracks and interactions, or take `matrix` out of the recipe"
        raise InputError(problem, where="recipe, field matrix", cure=cure)
    return missing


def _targets(row: Row, encoder: Encoder) -> ClipTargets:
    assert row.words is not None
    return targets_of(row.clip_id, row.words.masks.cast, row.words.tokens, *encoder.masks(row.words.masks))
