"""Rows: every clip goes there and back, also through Parquet, and what is no clip says where and why."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack
from interplay.records.rows import SCHEMA, from_row, to_row
from records_version_1 import VERSION_1

# Parquet text is UTF-8, which has no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
NAMES = st.text("abcdefghijklmnop_/", min_size=1, max_size=8)
REALS = st.floats(-1e9, 1e9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | REALS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
OPTIONAL_TEXT = st.none() | TEXT


def maybe(strategy):
    return st.none() | strategy


@st.composite
def tracks(draw, num_frames, size_hw):
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    masks = rng.random((num_frames, *size_hw)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return MaskTrack.from_array(masks, gaps=draw(st.lists(st.integers(0, num_frames - 1), max_size=2)))


@st.composite
def clips(draw):
    num_frames = draw(st.integers(1, 5))
    size_hw = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    instances = st.builds(Instance, TEXT, TEXT, TEXT, OPTIONAL_TEXT)
    interactions = st.builds(
        Interaction,
        subject=TEXT,
        verb=TEXT,
        object=OPTIONAL_TEXT,
        recipient=OPTIONAL_TEXT,
        start_s=maybe(REALS),
        end_s=maybe(REALS),
        contact=maybe(st.integers(1, 5)),
        dynamism=maybe(st.integers(1, 5)),
        category=OPTIONAL_TEXT,
        direction=st.sampled_from([None, "unidirectional", "bidirectional"]),
    )
    box = maybe(st.tuples(REALS, REALS, REALS, REALS))
    boxes = st.builds(Boxes, st.dictionaries(st.integers(0, num_frames - 1), box, max_size=3))
    return Clip(
        clip_id=draw(NAMES),
        video="videos/" + draw(NAMES),
        caption=draw(st.text("a bc", max_size=9)),
        num_frames=num_frames,
        size_hw=size_hw,
        fps=draw(st.floats(0.1, 240)),
        split=draw(TEXT),
        instances=tuple(draw(st.lists(instances, max_size=3))),
        interactions=tuple(draw(st.lists(interactions, max_size=3))),
        tracks=draw(st.dictionaries(TEXT, tracks(num_frames, size_hw), max_size=2)),
        boxes=draw(st.dictionaries(TEXT, boxes, max_size=2)),
        media=draw(st.dictionaries(TEXT, st.builds("media/{}".format, NAMES), max_size=2)),
        truth=draw(maybe(OBJECTS)),
        provenance=draw(st.dictionaries(TEXT, st.builds(Provenance, TEXT, OBJECTS, OPTIONAL_TEXT), max_size=2)),
        extra=draw(OBJECTS),
    )


# beartype looks at one random item of a tuple, and a strategy that makes clips runs its checks.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@settings(max_examples=60)
@given(st.lists(clips(), min_size=1, max_size=3))
def test_any_clip_comes_back_through_parquet(several):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([to_row(clip) for clip in several], schema=SCHEMA), sink)
    rows = pq.read_table(pa.BufferReader(sink.getvalue())).to_pylist()
    assert [from_row(row) for row in rows] == several


def test_the_text_of_a_row_is_the_caption_without_its_markup(make_clip):
    assert to_row(make_clip())["text"] == "a man pushes a red ball"


def test_not_finite_numbers_are_no_json(make_clip):
    with pytest.raises(InputError, match="clip c0, extra: holds NaN or infinity"):
        to_row(make_clip(extra={"matrix": {"score": math.nan}}))
    with pytest.raises(InputError, match="clip c0, provenance tracks: holds NaN or infinity"):
        to_row(make_clip(provenance={"tracks": Provenance("test", {"rate": math.inf})}))


# --- versions ---------------------------------------------------------------------------------------------------------


def test_rows_of_version_1_are_read(make_clip):
    row = {**to_row(make_clip()), "record_version": 1}
    old = pa.Table.from_pylist([row], schema=VERSION_1).to_pylist()[0]
    assert "extra" not in old
    assert list(old["interactions"][0])[-1] == "dynamism"
    assert from_row(old) == make_clip()


@pytest.mark.parametrize("version", [0, 3, None])
def test_other_versions_are_refused(make_clip, version):
    with pytest.raises(
        InputError, match=f"clip c0: is a record of version {version}, and .* versions up to 2; use the"
    ):
        from_row({**to_row(make_clip()), "record_version": version})


# --- rows that are no clips -------------------------------------------------------------------------------------------

_TRACK = {"id": "id1", "height": 16, "width": 24, "counts": [None, None, None, None]}
_BOX = {"frame": 0, "box_px": [1.0, 2.0, 3.0, 4.0]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_id": None}, "the column 'clip_id' is empty"),
        ({"caption": None}, "clip c0: the column 'caption' is empty"),
        ({"num_frames": 0}, "clip c0, num_frames: is 0, and must be 1 or more"),
        ({"height": -5}, "height: is -5"),
        ({"fps": 0.0}, "fps: is 0.0, and must be above 0"),
        ({"fps": math.nan}, "fps: is nan"),
        ({"fps": math.inf}, "fps: is inf"),
        ({"video": "../../etc/passwd"}, "clip c0, video: '../../etc/passwd' is no path inside the store"),
        ({"video": "/etc/passwd"}, "video: '/etc/passwd' is no path"),
        ({"video": ""}, "video: '' is no path"),
        ({"media": [{"name": "audio", "path": "media/../../x"}]}, "media audio: 'media/../../x' is no path"),
        ({"media": [{"name": "audio", "path": None}]}, "media audio: None is no path"),
        ({"media": [{"name": None, "path": "x"}]}, "media: an entry has no name"),
        ({"media": [None]}, "media: an entry has no name"),
        ({"truth": "{"}, "clip c0, truth: is not valid JSON"),
        ({"truth": "[1]"}, "clip c0, truth: is no JSON object"),
        ({"truth": '{"a": NaN}'}, "clip c0, truth: is not valid JSON .NaN is no number"),
        ({"truth": '{"a": 1e999}'}, "clip c0, truth: is not valid JSON .1e999 is no number"),
        ({"extra": "[" * 100_000}, "clip c0, extra: is not valid JSON"),
        ({"instances": [{"id": "id1", "noun": None, "appearance": "", "role": None}]}, "instances: .*'noun'"),
        ({"instances": [{"id": "id1", "noun": "man", "hat": "red"}]}, "instances: .*'hat'"),
        ({"interactions": [{"subject": "id1", "verb": "x", "direction": "up"}]}, "interactions: .* 'up'"),
        ({"tracks": [_TRACK, _TRACK]}, "tracks: 'id1' is listed twice"),
        ({"tracks": [{**_TRACK, "height": None}]}, "tracks id1: is None"),
        ({"tracks": [{**_TRACK, "counts": [None, "P"]}]}, "tracks id1, frame 1: breaks off"),
        ({"tracks": [{**_TRACK, "counts": ["0", None]}]}, "tracks id1, frame 0: has runs of 0 pixels"),
        ({"tracks": [{**_TRACK, "counts": ["é"]}]}, "tracks id1, frame 0: has a character"),
        ({"boxes": [{"name": "face", "frames": [_BOX, _BOX]}]}, "boxes face: a frame is empty or listed twice"),
        ({"boxes": [{"name": "face", "frames": [{"frame": 1, "box_px": [1.0]}]}]}, r"boxes face: \[1.0\] is no box"),
        ({"provenance": [{"label": "x", "maker": None, "settings": "{}"}]}, "provenance x: names no maker"),
        ({"provenance": [{"label": "x", "maker": "y", "settings": "no"}]}, "provenance x: is not valid JSON"),
    ],
)
def test_what_is_no_clip(make_clip, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        from_row({**to_row(make_clip()), **changes}, where="clips/part-00003.parquet")
    assert caught.value.where.startswith("clips/part-00003.parquet, clip ")


def test_lists_that_other_tools_left_null_are_empty(make_clip):
    lists = dict.fromkeys(("instances", "interactions", "tracks", "boxes", "media", "provenance"))
    clip = from_row({**to_row(make_clip()), **lists, "extra": None})
    assert (clip.instances, clip.tracks, clip.media, clip.provenance, clip.extra) == ((), {}, {}, {}, {})


def test_settings_and_extra_stand_as_json(make_clip):
    row = to_row(make_clip(extra={"matrix": {"idx": 7}}))
    assert json.loads(row["extra"]) == {"matrix": {"idx": 7}}
    assert json.loads(row["provenance"][0]["settings"]) == {"seed": 3}
