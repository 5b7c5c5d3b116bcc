from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.methods.matrix.instance_map import BACKGROUND, colour_of, masks_of, paint, read_map, shown_maps
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.media.images import write_image


def _track(*frames: tuple[slice, slice] | None) -> MaskTrack:
    """A track of 8 x 12 pixels; each frame a rectangle, or a gap."""
    masks = np.zeros((len(frames), 8, 12), dtype=bool)
    for mask, part in zip(masks, frames, strict=True):
        if part is not None:
            mask[part] = True
    return MaskTrack.from_array(masks, gaps=[index for index, part in enumerate(frames) if part is None])


LEFT, RIGHT, ALL = (slice(0, 8), slice(0, 4)), (slice(0, 8), slice(8, 12)), (slice(0, 8), slice(0, 12))
NOWHERE = (slice(0, 0), slice(0, 0))


def test_six_colours_in_the_order_of_the_evaluation_and_others_of_their_own() -> None:
    first = [colour_of(f"id{number}") for number in range(1, 7)]
    assert first == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)]
    many = [colour_of(f"id{number}") for number in range(1, 61)]
    assert len({*many, BACKGROUND}) == 61


def test_instances_are_painted_where_they_are_in_the_first_frame() -> None:
    picture = paint({"id1": _track(LEFT, RIGHT), "id3": _track(RIGHT, LEFT)}, frame=0)
    assert (picture[:, :4] == (255, 0, 0)).all()
    assert (picture[:, 4:8] == BACKGROUND).all()
    assert (picture[:, 8:] == (0, 0, 255)).all()
    later = paint({"id1": _track(LEFT, RIGHT), "id3": _track(RIGHT, LEFT)}, frame=1)
    assert np.array_equal(later, picture[:, ::-1])


def test_what_is_held_before_somebody_stays_in_sight() -> None:
    for held, holding in (("id2", "id1"), ("id1", "id2")):
        picture = paint({holding: _track(ALL), held: _track(LEFT)}, frame=0)
        assert (picture[:, :4] == colour_of(held)).all()
        assert (picture[:, 4:] == colour_of(holding)).all()


def test_gaps_and_empty_masks_are_not_painted_and_nothing_known_is_no_map() -> None:
    picture = paint({"id1": _track(None), "id2": _track(NOWHERE), "id3": _track(LEFT)}, frame=0)
    assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [[0, 0, 0], [0, 0, 255]]
    assert paint({"id1": _track(None), "id2": _track(NOWHERE)}, frame=0) is None
    assert paint({}, frame=0) is None


def test_a_map_follows_the_fit_of_its_video_without_mixing_colours() -> None:
    tracks = {f"id{n + 1}": _track((slice(0, 8), slice(n, n + 1))) for n in range(12)}
    fit = Fit((8, 12), (5, 5))
    picture = paint(tracks, frame=0, fit=fit)
    assert picture.shape == (5, 5, 3)
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert colours <= {colour_of(f"id{n}") for n in range(1, 13)}
    for name, track in tracks.items():
        assert np.array_equal((picture == colour_of(name)).all(axis=2), fit.track(track).to_array()[0])


def test_a_painted_map_reads_back_as_its_masks(tmp_path: Path) -> None:
    tracks = {"id1": _track(LEFT), "id2": _track(RIGHT)}
    picture = paint(tracks, frame=0)
    found = masks_of(picture, ["id1", "id2", "id3", "verb"], where="map")
    assert {name: track.frames for name, track in tracks.items()} == {n: found[n].frames for n in ("id1", "id2")}
    assert not found["id3"].to_array().any()
    assert "verb" not in found
    noisy = picture.astype(np.int16) + np.random.default_rng(0).integers(-30, 31, picture.shape)
    write_image(tmp_path / "map.png", noisy.clip(0, 255).astype(np.uint8))
    assert np.array_equal(read_map(tmp_path / "map.png", ["id1", "id2"], size_hw=(8, 12)), picture)


def test_a_map_of_another_size_or_palette_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "map.png", paint({"id2": _track(LEFT)}, frame=0))
    with pytest.raises(InputError, match="12x8 pixels"):
        read_map(tmp_path / "map.png", ["id2"], size_hw=(8, 8))
    with pytest.raises(InputError, match=r"the colour \(0, 255, 0\) \(33.3% of the picture\)"):
        read_map(tmp_path / "map.png", ["id1"], size_hw=(8, 12))


def test_a_clip_without_a_map_has_zeros(backbone: Backbone, grid) -> None:
    picture = paint({"id1": MaskTrack.from_array(np.ones((1, 16, 24), dtype=bool))}, frame=0)
    channels = shown_maps(backbone, [None, picture], grid)
    assert channels.shape == (2, backbone.picture_channels, *grid.latent_shape)
    assert not channels[0].any()
    red = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(1, 3, 16, 24)
    assert torch.equal(channels[1:], backbone.show_picture(red, grid))
    assert not shown_maps(backbone, [None, None], grid).any()
