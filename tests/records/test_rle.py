"""Counts against pycocotools, and what happens to counts that nobody encoded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from interplay.core.errors import InputError
from interplay.records import rle
from interplay.records.spans import decode
from mask_strategies import Drawn, counts_by_coco, tracks


def test_counts_by_hand() -> None:
    counts, lengths = np.array([1, 40, 3, 2, 54]), np.array([5])
    # 40 = 8 + 1 * 32: chr(48 + 8 + 32) and chr(48 + 1). The fourth is 2 - 40 = -38, the fifth 54 - 3 = 51 (the first
    # is nobody's difference).
    assert rle.encode_counts(counts, lengths) == [b"1X13jNc1"]
    ((decoded, found),) = rle.decode_blocks([b"1X13jNc1"], 100)
    assert (decoded.tolist(), found.tolist()) == ([1, 40, 3, 2, 54], [5])


@pytest.mark.parametrize("pixels", [2**5, 2**15 + 1, 2**25, rle.MAX_PIXELS])
def test_long_runs_need_more_characters(pixels: int) -> None:
    counts = np.array([5, pixels - 16, 2, 1, 0, 8])
    encoded = rle.encode_counts(counts, np.array([6]))
    ((decoded, _),) = rle.decode_blocks(encoded, pixels)
    assert decoded.tolist() == counts.tolist()
    assert coco.area([{"size": [1, pixels], "counts": encoded[0]}]).tolist() == [pixels - 16 + 1 + 8]


def test_many_masks_come_in_blocks() -> None:
    mask = rle.encode_counts(np.tile([1, 2], 300), np.array([600]))[0]
    blocks = list(rle.decode_blocks([mask] * 1000, 900))
    assert len(blocks) > 1
    assert sum(len(lengths) for _, lengths in blocks) == 1000
    assert all((counts.reshape(-1, 2) == (1, 2)).all() for counts, _ in blocks)
    with pytest.raises(InputError, match="mask 990: has runs of 899"):
        rle.check([mask] * 990 + rle.encode_counts(np.array([899]), np.array([1])) + [mask] * 9, 900)


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        (b"", "has no counts"),
        (b"12\x1f", "never written with"),
        (b"12p", "never written with"),
        (b"5\x80", "never written with"),
        (b"5o", "breaks off in the middle"),
        (b"PPPPPPP0", "beyond any picture's size"),
        (b"O=", "negative length"),
        (b"55OO4", "negative length"),
        (b"=", "longer than its 12 pixels"),
        (b"oooooO", "negative length"),
        (b"ooooo?", "longer than its 12 pixels"),
        (b"5", "runs of 5 pixels together and a size of 12"),
        (b"53", "runs of 8 pixels"),
    ],
)
def test_what_is_wrong_is_named(counts: bytes, problem: str) -> None:
    good = b"57"
    rle.check([good, good], 12)
    with pytest.raises(InputError, match=f"mask 1: .*({problem}).*; encode the mask again"):
        rle.check([good, counts, good], 12)


def test_a_size_beyond_all_pictures_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(InputError, match="more than any picture"):
        rle.check([b"0"], rle.MAX_PIXELS + 1)


_WITHIN = st.lists(st.integers(48, 111), max_size=24).map(bytes)
_MUTATIONS = st.tuples(st.sampled_from(["cut", "drop", "set", "add", "swap"]), st.integers(0, 400), st.integers(0, 255))


def _mutated(counts: bytes, mutation: tuple[str, int, int]) -> bytes:
    kind, at, value = mutation
    at %= len(counts) + 1
    rest = {"cut": b"", "drop": counts[at + 1 :], "set": bytes([value]) + counts[at + 1 :]}
    rest |= {"add": bytes([value]) + counts[at:], "swap": counts[at : at + 2][::-1] + counts[at + 2 :]}
    return counts[:at] + rest[kind]


def _look_at(counts: bytes, height: int, width: int) -> None:
    """Refused, or the mask that pycocotools (which trusts what it is given) sees in it."""
    try:
        spans = decode([counts], height * width)
    except InputError:
        return
    by_coco = coco.decode([{"size": [height, width], "counts": counts}])[..., 0]
    assert (spans.painted()[0] == by_coco.T.ravel()).all()


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=24), _WITHIN), min_size=10, max_size=10), st.integers(1, 9))
def test_three_thousand_random_counts(several: list[bytes], width: int) -> None:
    for counts in several:
        _look_at(counts, 7, width)


@settings(max_examples=200)
@given(tracks(num_frames=1, gaps=False), st.lists(_MUTATIONS, min_size=10, max_size=10))
def test_two_thousand_damaged_counts(drawn: Drawn, mutations: list[tuple[str, int, int]]) -> None:
    _, height, width = drawn.masks.shape
    (counts,) = counts_by_coco(drawn.masks)
    rle.check([counts], height * width)
    for mutation in mutations:
        _look_at(_mutated(counts, mutation), height, width)
