from __future__ import annotations

import pytest

from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid

COGVIDEOX = TokenGrid(frames=49, height=480, width=720, temporal_stride=4, spatial_stride=8, patch=(1, 2, 2))


def test_the_published_sizes_of_cogvideox() -> None:
    assert COGVIDEOX.latent_shape == (13, 60, 90)
    assert COGVIDEOX.token_shape == (13, 30, 45)
    assert COGVIDEOX.tokens_per_frame == 1350
    assert COGVIDEOX.num_tokens == 17550


def test_the_published_sizes_of_wan() -> None:
    grid = TokenGrid(frames=81, height=480, width=832, temporal_stride=4, spatial_stride=8, patch=(1, 2, 2))
    assert grid.latent_shape == (21, 60, 104)
    assert grid.token_shape == (21, 30, 52)


def test_the_first_latent_frame_holds_the_first_pixel_frame_alone() -> None:
    assert [COGVIDEOX.pixel_frames_of(f) for f in (0, 1, 2, 12)] == [
        range(1),
        range(1, 5),
        range(5, 9),
        range(45, 49),
    ]


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_pixel_and_latent_frames_are_inverse(stride: int) -> None:
    grid = TokenGrid(
        frames=1 + 3 * stride, height=8, width=8, temporal_stride=stride, spatial_stride=8, patch=(1, 1, 1)
    )
    groups = [grid.pixel_frames_of(f) for f in range(grid.latent_shape[0])]
    assert [p for group in groups for p in group] == list(range(grid.frames))
    for latent_frame, group in enumerate(groups):
        assert {grid.latent_frame_of(p) for p in group} == {latent_frame}


def test_a_temporal_patch_groups_latent_frames() -> None:
    grid = TokenGrid(frames=13, height=16, width=16, temporal_stride=4, spatial_stride=8, patch=(2, 2, 2))
    assert grid.token_shape == (2, 1, 1)
    assert [grid.pixel_frames_of_token(f) for f in (0, 1)] == [range(5), range(5, 13)]


def test_a_first_latent_that_stands_twice_makes_a_token_of_the_first_frame_alone() -> None:
    """CogVideoX 1.5: 81 frames are 21 latents, of which the first is doubled, and 11 tokens deep."""
    grid = TokenGrid(81, 768, 1360, temporal_stride=4, spatial_stride=8, patch=(2, 2, 2), first_latents=2)
    assert grid.latent_shape == (22, 96, 170)
    assert grid.token_shape == (11, 48, 85)
    assert [grid.pixel_frames_of(f) for f in (0, 1, 2, 21)] == [range(1), range(1), range(1, 5), range(77, 81)]
    assert [grid.pixel_frames_of_token(f) for f in (0, 1, 10)] == [range(1), range(1, 9), range(73, 81)]
    assert [grid.latent_frame_of(p) for p in (0, 1, 4, 5, 80)] == [1, 2, 2, 3, 21]
    with pytest.raises(InputError, match="1 \\+ a multiple of 8"):
        TokenGrid(85, 768, 1360, temporal_stride=4, spatial_stride=8, patch=(2, 2, 2), first_latents=2)


def test_frames_outside_the_clip_are_refused() -> None:
    for bad in (-1, 13):
        with pytest.raises(IndexError):
            COGVIDEOX.pixel_frames_of(bad)
    for bad in (-1, 49):
        with pytest.raises(IndexError):
            COGVIDEOX.latent_frame_of(bad)


@pytest.mark.parametrize(
    ("frames", "height", "width", "patch", "said"),
    [
        (48, 64, 64, (1, 2, 2), "number of frames: 48 is not 1 + a multiple of 4; use 45 or 49"),
        (50, 64, 64, (1, 2, 2), "use 49 or 53"),
        (0, 64, 64, (1, 2, 2), "use 1"),
        (1, 64, 64, (2, 2, 2), "number of frames: 1 is not 5 + a multiple of 8; use 5"),
        (9, 64, 64, (2, 2, 2), "use 5 or 13"),
        (49, 500, 64, (1, 2, 2), "video height: 500 is not a multiple of 16; use 496 or 512"),
        (49, 64, 7, (1, 2, 2), "video width: 7 is not a multiple of 16; use 16"),
    ],
)
def test_an_illegal_size_names_the_legal_ones_on_both_sides(
    frames: int, height: int, width: int, patch: tuple[int, int, int], said: str
) -> None:
    with pytest.raises(InputError) as error:
        TokenGrid(frames, height, width, temporal_stride=4, spatial_stride=8, patch=patch)
    assert str(error.value).endswith(said)
