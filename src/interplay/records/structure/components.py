"""Connected patches of a label map, and giving the small ones to their surroundings. Plain numpy, no scipy.

Shapes: h and w pixels. A *run* is a stretch of equal labels in one row; runs are the nodes that get connected, of which
there are thousands, where pixels would be hundreds of thousands.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

# A patch can be surrounded by patches that are small themselves; after a few rounds what is left is thin and rare.
_ROUNDS = 3


def connected_patches(labels: UInt8[ndarray, "h w"]) -> Int[ndarray, "h w"]:
    """A number for every pixel: equal for pixels of one label that touch by an edge; numbered from 0 without holes."""
    starts = np.ones(labels.shape, dtype=bool)
    starts[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = np.cumsum(starts).reshape(labels.shape) - 1
    touching = labels[1:] == labels[:-1]
    count = int(runs[-1, -1]) + 1
    pairs = np.unique(runs[:-1][touching] * count + runs[1:][touching])
    roots = _roots(*np.divmod(pairs, count), count)
    _, numbers = np.unique(roots, return_inverse=True)
    patches: Int[ndarray, "h w"] = numbers[runs]
    return patches


def fill_enclosed_patches(labels: UInt8[ndarray, "h w"], into: int, share: float, count: int) -> UInt8[ndarray, "h w"]:
    """Patches that have at least ``share`` of their border with the label ``into`` take it; the picture's edge counts.

    The largest patch of each label stays, so that a thing in front of what it belongs to is not turned inside out.
    """
    patches = connected_patches(labels)
    sizes = np.bincount(patches.ravel())
    own = _own_labels(labels, patches, len(sizes))
    borders = _border_lengths(labels, patches, len(sizes), count)
    around = borders.sum(axis=1) + _edge_lengths(patches, len(sizes))
    enclosed = (borders[:, into] >= share * around) & (around > 0)
    for label in range(count):
        enclosed[np.where(own == label, sizes, 0).argmax()] = False
    new = np.where(enclosed, into, own).astype(np.uint8)
    filled: UInt8[ndarray, "h w"] = new[patches]
    return filled


def absorb_small_patches(labels: UInt8[ndarray, "h w"], smallest: int, count: int) -> UInt8[ndarray, "h w"]:
    """Patches below ``smallest`` pixels take the label (of ``count``) that the longest part of their border has."""
    for _ in range(_ROUNDS):
        patches = connected_patches(labels)
        sizes = np.bincount(patches.ravel())
        if (sizes >= smallest).all() or len(sizes) == 1:
            break
        borders = _border_lengths(labels, patches, len(sizes), count)
        own = _own_labels(labels, patches, len(sizes))
        labels = np.where(sizes < smallest, borders.argmax(axis=1), own).astype(np.uint8)[patches]
    return labels


def _roots(first: Int[ndarray, " pairs"], second: Int[ndarray, " pairs"], count: int) -> Int[ndarray, " runs"]:
    """The smallest run that each of ``count`` runs is connected with, by whatever number of touching pairs."""
    roots = np.arange(count)
    while True:
        one, other = roots[first], roots[second]
        apart = one != other
        if not apart.any():
            return roots
        # The larger root of every pair hangs itself onto a smaller one, and then everybody looks up to the top.
        np.minimum.at(roots, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while (roots[roots] != roots).any():
            roots = roots[roots]


def _own_labels(
    labels: UInt8[ndarray, "h w"], patches: Int[ndarray, "h w"], num_patches: int
) -> UInt8[ndarray, " patches"]:
    own = np.zeros(num_patches, dtype=np.uint8)
    own[patches.ravel()] = labels.ravel()
    return own


def _edge_lengths(patches: Int[ndarray, "h w"], num_patches: int) -> Int[ndarray, " patches"]:
    """How many pixels of every patch lie along the picture's edge (corners count twice)."""
    sides = [patches[0], patches[-1], patches[:, 0], patches[:, -1]]
    return np.bincount(np.concatenate(sides), minlength=num_patches)


def _border_lengths(
    labels: UInt8[ndarray, "h w"], patches: Int[ndarray, "h w"], num_patches: int, count: int
) -> Int[ndarray, "patches labels"]:
    """How many pixel edges every patch shares with every label."""
    lengths = np.zeros(num_patches * count, dtype=np.int64)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        for one, other in ((here, there), (there, here)):
            differ = patches[one] != patches[other]
            keys = patches[one][differ] * count + labels[other][differ]
            lengths += np.bincount(keys, minlength=num_patches * count)
    return lengths.reshape(num_patches, count)
