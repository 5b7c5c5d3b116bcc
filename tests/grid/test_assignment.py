from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.grid.assignment import Assignment, ClipShape, Drop, as_they_are, assign, assign_all
from interplay.grid.buckets import Bucket, BucketConfig, make_buckets

SIZES = ("832x480x17", "832x480x49", "480x832x17", "480x832x49")


def config(**changes: Any) -> BucketConfig:
    return BucketConfig(**{"sizes": SIZES, "fps": 8.0, **changes})


def shape(height: int = 1080, width: int = 1920, frames: int = 200, fps: float = 25.0) -> ClipShape:
    return ClipShape("clip", (height, width), frames, fps)


def decide(clip: ClipShape, **changes: Any) -> Assignment | Drop:
    settings = config(**changes)
    return assign(clip, make_buckets(settings), settings)


def placed(clip: ClipShape, **changes: Any) -> Assignment:
    found = decide(clip, **changes)
    assert isinstance(found, Assignment)
    return found


def dropped(clip: ClipShape, **changes: Any) -> Drop:
    found = decide(clip, **changes)
    assert isinstance(found, Drop)
    return found


@pytest.mark.parametrize(
    ("clip", "bucket"),
    [
        (shape(1080, 1920), "832x480x49"),
        (shape(1920, 1080), "480x832x49"),
        (shape(1920, 1080, frames=60), "480x832x17"),  # 19 frames at 8 fps
        (shape(700, 1000), "832x480x49"),
    ],
)
def test_a_clip_goes_where_most_of_it_is_shown(clip: ClipShape, bucket: str) -> None:
    assert str(placed(clip).bucket) == bucket


def test_frames_are_those_nearest_in_time_at_the_target_rate() -> None:
    found = placed(shape(frames=200, fps=25.0))
    assert found.frames[:5] == (0, 3, 6, 9, 12)  # 0, 3.125, 6.25, 9.375, 12.5 (the earlier of two)
    assert len(found.frames) == 49
    assert found.unused_s == pytest.approx(200 / 25 - 49 / 8)


def test_the_middle_is_taken_where_it_is_asked_for() -> None:
    found = placed(shape(frames=200, fps=25.0), take="middle")
    start = int((8 - 49 / 8) * 25 / 2)
    assert found.frames[:3] == (start, start + 3, start + 6)


def test_without_a_rate_every_clip_keeps_its_own() -> None:
    assert placed(shape(frames=60), fps=None).frames == tuple(range(49))


def test_ntsc_rates_are_the_rates_they_stand_for() -> None:
    assert placed(shape(fps=30000 / 1001), fps=30.0).frames == tuple(range(49))


def test_a_still_picture_has_no_rate_to_miss() -> None:
    found = placed(shape(frames=1, fps=1.0), sizes=("832x480x1", "832x480x49"))
    assert found.frames == (0,)
    assert str(found.bucket) == "832x480x1"


def test_the_cut_is_the_share_of_the_picture_outside_the_crop() -> None:
    found = placed(shape(1000, 1000), sizes=("800x600x17",))
    assert found.cut == pytest.approx(0.25)
    x1, y1, x2, y2 = found.fit.source_box
    assert (x2 - x1) * (y2 - y1) == pytest.approx(0.75 * 1000 * 1000)


def test_among_equals_the_larger_bucket_wins() -> None:
    assert str(placed(shape(), sizes=("416x240x49", "832x480x49")).bucket) == "832x480x49"
    assert str(placed(shape(300, 520), sizes=("416x240x49", "832x480x49")).bucket) == "416x240x49"


@pytest.mark.parametrize(
    ("clip", "reason", "told"),
    [
        (shape(fps=6.0), "low fps", ("6 frames per second", "8 are wanted", "lower fps to 6")),
        (shape(frames=50), "too short", ("has 16 frames at 8 fps", "wants 17", "at most 16 frames")),
        (shape(1000, 3000), "too much cropped", ("42%", "3000x1000", "max_crop to 0.43 (now 0.25)")),
        (shape(240, 416), "too small", ("416x240", "2.00 times", "max_upscale to 2 (now 1.25)")),
    ],
)
def test_a_drop_says_what_is_the_matter_and_what_would_help(
    clip: ClipShape, reason: str, told: tuple[str, ...]
) -> None:
    drop = dropped(clip)
    assert drop.reason == reason
    assert all(words in f"{drop.problem}; {drop.cure}" for words in told)


@pytest.mark.parametrize(
    ("clip", "cure"),
    [
        (shape(fps=6.0), {"fps": 6.0}),
        (shape(frames=50), {"sizes": ("832x480x16",)}),
        (shape(1000, 3000), {"max_crop": 0.43}),
        (shape(240, 416), {"max_upscale": 2.0}),
    ],
)
def test_the_cure_of_a_drop_works(clip: ClipShape, cure: dict[str, Any]) -> None:
    dropped(clip)
    placed(clip, **cure)


def test_the_report_counts_everything_and_is_plain_json() -> None:
    settings = config()
    clips = [shape(), shape(1920, 1080), shape(fps=6.0), shape(frames=3)]
    report = assign_all(clips, make_buckets(settings), settings)
    assert report.total == 4
    assert {str(bucket): count for bucket, count in report.counts.items()} == {
        "832x480x17": 0,
        "832x480x49": 1,
        "480x832x17": 0,
        "480x832x49": 1,
    }
    assert report.reasons == {"low fps": 1, "too short": 1}
    told = json.loads(json.dumps(report.to_json()))
    assert told["clips"] == told["assigned"] + told["dropped"] == 4
    assert [drop["reason"] for drop in told["drops"]] == ["low fps", "too short"]
    lines = report.table().splitlines()
    assert "width x height x frames" in lines[0]
    assert sum(line.strip().startswith("dropped clip") for line in lines) == 2


def test_clips_as_they_are_have_buckets_of_their_own() -> None:
    report = as_they_are([shape(96, 56, 17), shape(48, 80, 9), shape(96, 56, 17)])
    assert report.counts == {Bucket(56, 96, 17): 2, Bucket(80, 48, 9): 1}
    assert report.assigned[1].frames == tuple(range(9))
    assert report.assigned[1].fit.source_hw == report.assigned[1].fit.target_hw == (48, 80)


SHAPES = st.builds(
    ClipShape,
    clip_id=st.just("clip"),
    size_hw=st.tuples(st.integers(1, 2200), st.integers(1, 2200)),
    num_frames=st.integers(1, 400),
    fps=st.sampled_from([1.0, 8.0, 10.0, 12.5, 15.0, 23.976, 24.0, 25.0, 29.97, 30000 / 1001, 60.0]),
)
SETTINGS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.sampled_from([*SIZES, "64x64x1", "96x64x5", "720x480x33"]), min_size=1, max_size=4),
        "fps": st.sampled_from([None, 5.0, 8.0, 15.0, 16.0, 24.0]),
        "max_crop": st.floats(0, 0.9),
        "max_upscale": st.floats(0.1, 4),
        "take": st.sampled_from(["start", "middle"]),
    }
)


@given(SHAPES, SETTINGS)
def test_every_clip_is_assigned_within_the_limits_or_dropped_with_a_reason(
    clip: ClipShape, chosen: dict[str, Any]
) -> None:
    settings = BucketConfig.model_validate(chosen)
    buckets = make_buckets(settings)
    found = assign(clip, buckets, settings)
    assert found == assign(clip, buckets, settings)
    if isinstance(found, Drop):
        assert found.problem
        assert found.cure
        return
    assert found.bucket in buckets
    assert (found.fit.source_hw, found.fit.target_hw) == (clip.size_hw, found.bucket.size_hw)
    assert 0 <= found.cut <= settings.max_crop
    assert len(found.frames) == found.bucket.frames
    assert all(earlier < later for earlier, later in zip(found.frames, found.frames[1:], strict=False))
    assert found.frames[0] >= 0
    assert found.frames[-1] < clip.num_frames
    assert 0 <= found.unused_s < clip.num_frames / clip.fps
