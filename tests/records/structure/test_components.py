"""Connected patches, counted by hand and against a flood fill."""

import numpy as np

from interplay.records.structure.components import absorb_small_patches, connected_patches, fill_enclosed_patches


def picture(*rows):
    return np.array([[int(character) for character in row] for row in rows], dtype=np.uint8)


def flood_fill(labels):
    patches = np.full(labels.shape, -1)
    for seed in np.ndindex(labels.shape):
        if patches[seed] >= 0:
            continue
        number, stack = patches.max() + 1, [seed]
        while stack:
            y, x = stack.pop()
            inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
            if inside and patches[y, x] < 0 and labels[y, x] == labels[seed]:
                patches[y, x] = number
                stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return patches


def test_connected_patches_against_a_flood_fill():
    rng = np.random.default_rng(0)
    for labels in rng.integers(0, 3, (20, 13, 17), dtype=np.uint8):
        patches, expected = connected_patches(labels), flood_fill(labels)
        pairs = set(zip(patches.ravel().tolist(), expected.ravel().tolist(), strict=True))
        assert len(pairs) == patches.max() + 1 == expected.max() + 1


def test_a_corner_does_not_connect():
    assert connected_patches(picture("10", "01")).max() == 3


def test_small_patches_take_the_label_around_them():
    before = picture("00000", "01110", "01210", "01110", "00002")
    after = picture("00000", "01110", "01110", "01110", "00000")
    assert (absorb_small_patches(before, 2, 3) == after).all()
    assert (absorb_small_patches(before, 1, 3) == before).all()


def test_what_a_label_encloses_becomes_its_own():
    before = picture("00000000", "02222220", "02120020", "02222220", "00000111")
    after = picture("00000000", "02222220", "02222220", "02222220", "00000111")
    assert (fill_enclosed_patches(before, 2, 0.8, 3) == after).all()


def test_the_largest_patch_is_not_turned_inside_out():
    before = picture("22222", "21112", "22222")
    assert (fill_enclosed_patches(before, 2, 0.8, 3) == before).all()
