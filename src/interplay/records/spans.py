"""The foreground of many masks of one size as intervals on one line: what set operations and areas are counted on.

Shapes: k masks, s spans, n counts. The *line* is all pixels of all k masks, one mask after the other, each column by
column; a *span* is a run of foreground on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from interplay.records import rle


@dataclass(frozen=True)
class Spans:
    """Foreground of ``num_masks`` masks of ``pixels`` pixels each, on their line: ``start`` to ``stop`` (exclusive).

    Spans ascend, are not empty, do not overlap and end at the border of their mask; they may touch.
    """

    pixels: int
    num_masks: int
    start: Int[ndarray, " s"]
    stop: Int[ndarray, " s"]

    def areas(self) -> Int[ndarray, " k"]:
        """Foreground pixels of each mask."""
        edges = np.searchsorted(self.start, np.arange(self.num_masks + 1) * self.pixels)
        until = np.concatenate(([0], np.cumsum(self.stop - self.start)))
        areas: Int[ndarray, " k"] = np.diff(until[edges])
        return areas

    def painted(self) -> Bool[ndarray, "k pixels"]:
        """Every pixel of every mask, in the order of the line."""
        edges = np.stack((self.start, self.stop), axis=1).ravel()
        counts = np.diff(edges, prepend=0, append=self.pixels * self.num_masks)
        line: Bool[ndarray, " line"] = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return line.reshape(self.num_masks, self.pixels)


def decode(masks: Sequence[bytes], pixels: int, name: rle.Namer = "mask {}".format) -> Spans:
    """The spans of compressed counts; an :class:`~interplay.core.errors.InputError` as in :func:`rle.decode_blocks`."""
    starts, stops, done = [_NONE], [_NONE], 0
    for counts, lengths in rle.decode_blocks(masks, pixels, name):
        stop = np.cumsum(counts) + done * pixels
        foreground = np.flatnonzero((rle.places(lengths) & 1) & (counts > 0))
        stops.append(stop[foreground])
        starts.append(stops[-1] - counts[foreground])
        done += len(lengths)
    return Spans(pixels, len(masks), np.concatenate(starts), np.concatenate(stops))


def encode(spans: Spans) -> list[bytes]:
    """The compressed counts of each mask, byte for byte those of pycocotools."""
    start, stop = _merged(spans)
    borders = np.arange(spans.num_masks + 1) * spans.pixels
    per_mask = np.diff(np.searchsorted(start, borders))
    # The edges of a mask are its border, start and stop of its spans, and its other border; counts are what is between.
    begin = rle.firsts(2 * per_mask + 2)
    end = begin + 2 * per_mask + 1
    edges = np.empty(2 * len(start) + 2 * spans.num_masks, dtype=np.int64)
    at = 2 * np.arange(len(start)) + 2 * np.repeat(np.arange(spans.num_masks), per_mask) + 1
    edges[at], edges[at + 1], edges[begin], edges[end] = start, stop, borders[:-1], borders[1:]
    counts = np.diff(edges, append=0)
    filled_up = (per_mask > 0) & (counts[end - 1] == 0)  # the last span ends at the border: no background follows
    kept = np.ones(len(counts), dtype=bool)
    kept[end], kept[end[filled_up] - 1] = False, False
    return rle.encode_counts(counts[kept], 2 * per_mask + 1 - filled_up)


def combined(first: Spans, second: Spans, *, at_least: int) -> Spans:
    """What is covered by ``at_least`` of two tracks of the same size: 1 is the union, 2 the intersection."""
    edges, which = np.unique(np.concatenate((first.start, second.start, first.stop, second.stop)), return_inverse=True)
    steps = np.repeat([1.0, -1.0], len(first.start) + len(second.start))
    depth = np.cumsum(np.bincount(which, steps, len(edges)))[:-1]
    kept = depth >= at_least
    return Spans(first.pixels, first.num_masks, edges[:-1][kept], edges[1:][kept])


_NONE = np.zeros(0, dtype=np.int64)


def _merged(spans: Spans) -> tuple[Int[ndarray, " m"], Int[ndarray, " m"]]:
    """Start and stop of the spans, those that touch inside one mask joined into one."""
    apart = (spans.stop[:-1] != spans.start[1:]) | (spans.start[1:] % spans.pixels == 0)
    opens, closes = np.append(True, apart), np.append(apart, True)
    return spans.start[opens[: len(spans.start)]], spans.stop[closes[: len(spans.stop)]]
