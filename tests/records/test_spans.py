"""Spans against the pixels, and their encoder against pycocotools'."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.records import rle
from interplay.records.spans import combined, decode, encode
from mask_strategies import Drawn, counts_by_coco, tracks


@settings(max_examples=150)
@given(tracks(gaps=False))
def test_the_same_bytes_as_pycocotools_and_back(drawn: Drawn) -> None:
    frames, height, width = drawn.masks.shape
    encoded = counts_by_coco(drawn.masks)
    spans = decode(encoded, height * width)
    assert (spans.painted().reshape(frames, width, height).swapaxes(1, 2) == drawn.masks).all()
    assert encode(spans) == encoded
    assert spans.areas().tolist() == drawn.masks.sum(axis=(1, 2)).tolist()


@settings(max_examples=100)
@given(st.data())
def test_union_and_intersection(data: st.DataObject) -> None:
    first = data.draw(tracks(gaps=False))
    frames, height, width = first.masks.shape
    second = data.draw(tracks(size_hw=(height, width), num_frames=frames, gaps=False))
    spans = [decode(counts_by_coco(drawn.masks), height * width) for drawn in (first, second)]
    assert encode(combined(*spans, at_least=1)) == counts_by_coco(first.masks | second.masks)
    assert encode(combined(*spans, at_least=2)) == counts_by_coco(first.masks & second.masks)


def test_no_masks_at_all() -> None:
    spans = decode([], 12)
    assert encode(spans) == []
    assert spans.painted().shape == (0, 12)
    assert spans.areas().shape == (0,)


def test_runs_of_length_zero_vanish() -> None:
    # 2 background, 3 + 0 + 4 foreground with an empty run between, 3 background, 0 foreground.
    spans = decode(rle.encode_counts(np.array([2, 3, 0, 4, 3, 0]), np.array([6])), 12)
    assert (spans.start.tolist(), spans.stop.tolist()) == ([2, 5], [5, 9])
    assert encode(spans) == rle.encode_counts(np.array([2, 7, 3]), np.array([3]))


def test_many_masks_are_one_line() -> None:
    masks = np.random.default_rng(0).random((400, 30, 20)) < 0.5  # more characters than are decoded in one go
    encoded = counts_by_coco(masks)
    spans = decode(encoded, 600)
    assert (spans.painted().reshape(400, 20, 30).swapaxes(1, 2) == masks).all()
    assert encode(spans) == encoded
