from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from interplay.core.errors import InputError
from interplay.grid.buckets import Bucket, BucketConfig, make_buckets
from interplay.grid.token_grid import TokenGrid

COGVIDEOX = TokenGrid(frames=49, height=480, width=720, temporal_stride=4, spatial_stride=8, patch=(1, 2, 2))


def test_a_bucket_is_written_width_first() -> None:
    bucket = Bucket.parse("480x720x49")
    assert (bucket.width, bucket.height, bucket.frames) == (480, 720, 49)
    assert bucket.size_hw == (720, 480)
    assert str(bucket) == "480x720x49"


@pytest.mark.parametrize("text", ["480x720", "480x720x0", "480*720*49", "axbxc", "", "480x720x49x1", "-1x2x3"])
def test_what_is_no_bucket_is_told_the_order(text: str) -> None:
    with pytest.raises(InputError, match="width x height x frames"):
        Bucket.parse(text)
    with pytest.raises(ValidationError, match="width x height x frames"):
        BucketConfig(sizes=(text,))


def test_listed_buckets_stand_in_their_order_and_once() -> None:
    config = BucketConfig(sizes=("720x480x49", "480x720x17", "720x480x49"))
    assert list(map(str, make_buckets(config, COGVIDEOX))) == ["720x480x49", "480x720x17"]


@pytest.mark.parametrize(
    ("size", "where", "cure"),
    [
        ("720x480x48", "number of frames", "use 45 or 49"),
        ("725x480x49", "video width", "use 720 or 736"),
        ("720x490x49", "video height", "use 480 or 496"),
    ],
)
def test_an_illegal_bucket_names_the_legal_numbers_on_both_sides(size: str, where: str, cure: str) -> None:
    with pytest.raises(InputError) as caught:
        make_buckets(BucketConfig(sizes=(size,)), COGVIDEOX)
    assert caught.value.where == f"bucket {size} (width x height x frames), {where}"
    assert caught.value.cure == cure


def test_without_a_model_listed_buckets_are_taken_as_they_are() -> None:
    assert make_buckets(BucketConfig(sizes=("725x480x48",))) == (Bucket(725, 480, 48),)


def test_generated_buckets_are_the_known_sizes_of_their_area() -> None:
    config = BucketConfig(area=480 * 832, aspects=("16:9", "9:16", "1:1"), frames=(17, 49))
    assert list(map(str, make_buckets(config, COGVIDEOX))) == [
        "832x480x17",
        "832x480x49",
        "480x832x17",
        "480x832x49",
        "624x624x17",
        "624x624x49",
    ]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (BucketConfig(), "listed or generated"),
        (BucketConfig(sizes=("720x480x49",), area=1000), "listed or generated"),
        (BucketConfig(area=1000, frames=(49,)), "an area alone"),
        (BucketConfig(area=1000, aspects=("1:1",)), "an area alone"),
        (BucketConfig(area=100, aspects=("1:1",), frames=(49,)), "no legal size"),
    ],
)
def test_half_a_choice_is_an_error(config: BucketConfig, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        make_buckets(config, COGVIDEOX)


def test_generating_needs_a_model() -> None:
    with pytest.raises(InputError, match="only for a model"):
        make_buckets(BucketConfig(area=1000, aspects=("1:1",), frames=(49,)))


def test_an_aspect_ratio_is_two_numbers() -> None:
    with pytest.raises(ValidationError, match="16:9"):
        BucketConfig(aspects=("1.78",))


@given(
    area=st.integers(16 * 16 * 16, 2_000_000),
    across=st.integers(1, 4),
    down=st.integers(1, 4),
    frames=st.integers(0, 40).map(lambda latents: 4 * latents + 1),
)
def test_generated_buckets_are_legal_within_budget_and_of_their_shape(
    area: int, across: int, down: int, frames: int
) -> None:
    config = BucketConfig(area=area, aspects=(f"{across}:{down}",), frames=(frames,))
    (bucket,) = make_buckets(config, COGVIDEOX)
    TokenGrid(bucket.frames, bucket.height, bucket.width, 4, 8, (1, 2, 2))
    assert bucket.width * bucket.height <= area
    one_unit_off = math.log(1 + 16 / bucket.width) + math.log(1 + 16 / bucket.height)
    assert abs(math.log(bucket.width / bucket.height * down / across)) <= one_unit_off + 1e-9
