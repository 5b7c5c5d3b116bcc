"""Each code on the smallest clip that has it, and on nothing else; a whole clip has none."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_fixtures import FRAMES, HEIGHT, WIDTH, MakeClip, moving, square
from interplay.core.errors import InputError
from interplay.data.check import Checker, check
from interplay.data.codes import CODES, Finding
from interplay.data.config import CheckConfig
from interplay.grid.buckets import BucketConfig
from interplay.records.clip import Boxes, Instance, Interaction
from interplay.records.formats.base import LocatedClip, Note, Rejected
from interplay.records.masks import MaskTrack
from interplay.records.media.video import write_video
from media_files import encode

FIRST, SECOND = MaskTrack.from_array(moving(2, 4)), MaskTrack.from_array(moving(40, 36))


def findings(located: LocatedClip, **settings: object) -> tuple[Finding, ...]:
    return Checker(CheckConfig.model_validate(settings)).one(located)


def codes(located: LocatedClip, **settings: object) -> list[str]:
    return [finding.code for finding in findings(located, **settings)]


def test_a_whole_clip_has_no_findings(make_located: MakeClip) -> None:
    assert codes(make_located(), decode=True, fps=8) == []


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"fps": 0.0, "interactions": ()}, "fps-absent", "is 0.0"),
        ({"fps": math.nan}, "fps-absent", "is nan"),
        ({"fps": 8.3}, "fps-odd", "is 8.3"),
        ({"fps": 600.0, "interactions": ()}, "fps-odd", "is 600"),
        ({"tracks": {"id1": FIRST}}, "marker-no-track", "the marker <id2> has no mask track"),
        ({"caption": "a <id1> man"}, "track-no-marker", "has no marker in the caption"),
        ({"caption": "a <id1> man, a <id2> box, <id3> dog"}, "marker-no-instance", "<id3> is none of the instances"),
        ({"instances": (Instance("id1", "man"),) * 2 + (Instance("id2", "box"),)}, "instance-twice", "id1 is listed 2"),
        ({"interactions": (Interaction("id1", "gives", "id9"),)}, "role-unknown", "id9 is none of the instances"),
        ({"interactions": (Interaction("id1", "a", end_s=9.0),)}, "span-outside", "is 0 s to 9 s, and the clip is"),
        ({"interactions": (Interaction("id1", "a", start_s=0.5, end_s=0.5),)}, "span-outside", "is 0.5 s to 0.5 s"),
        ({"boxes": {"face": Boxes({0: (-9.0, 0, 5, 5)})}}, "box-outside", "beyond the picture in frame 0"),
        ({"boxes": {"face": Boxes({0: (4.0, 4, 4, 9)})}}, "box-degenerate", "without area in frame 0"),
        ({"boxes": {"face": Boxes({0: (9.0, 4, 4, 9)})}}, "box-broken", "no (x1, y1, x2, y2) in frame 0"),
        ({"boxes": {"face": Boxes({0: None, 9: None, 77: None})}}, "box-beyond-end", "has boxes in frames 9, 77, and"),
    ],
)
def test_records(make_located: MakeClip, changes: dict[str, object], code: str, words: str) -> None:
    found = findings(make_located(**changes))
    assert [finding.code for finding in found] == [code]
    assert words in found[0].problem
    assert found[0].severity == CODES[code].severity
    assert found[0].clip_id == "c0"


def test_an_id_that_is_no_file_name(make_located: MakeClip) -> None:
    assert codes(make_located("../c0")) == ["id-unsafe"]


def test_captions(make_located: MakeClip) -> None:
    plain = {"tracks": {}, "instances": (), "interactions": ()}
    assert codes(make_located(caption=" ", **plain)) == ["caption-empty"]
    assert codes(make_located(caption="a <id1>", **plain)) == ["caption-malformed"]


def test_a_track_without_instance(make_located: MakeClip) -> None:
    located = make_located(instances=(Instance("id1", "man"),), caption="a <id1> man", interactions=())
    assert codes(located) == ["track-no-instance"]


@pytest.mark.parametrize(
    ("track", "code", "words"),
    [
        (MaskTrack.from_array(np.zeros((FRAMES, HEIGHT, WIDTH), dtype=bool)), "track-empty", "is empty in every frame"),
        (MaskTrack((HEIGHT, WIDTH), (None,) * FRAMES), "track-empty", "is unknown in every frame"),
        (MaskTrack.from_array(moving(40, 36), gaps=[2, 3, 7]), "track-gaps", "is unknown in frames 2-3, 7 of 9"),
        (MaskTrack.from_array(moving(40, 36), gaps=[0]), "track-gaps", "is unknown in frame 0 of 9"),
        (
            MaskTrack.from_array(moving(40, 36, side=6)),
            "mask-tiny",
            "fewer than 256 pixels in frames 0-8 (as few as 36)",
        ),
        (MaskTrack.from_array(np.ones((FRAMES, HEIGHT, WIDTH), dtype=bool)), "mask-full", "over 95% of the picture in"),
        (SECOND.select(range(5)), "mask-frames", "has 5 frames, and the video has 9"),
        (MaskTrack.from_array(np.ones((FRAMES, 32, 48), dtype=bool) & square(2, 2)[:32, :48]), "mask-size", "is 48x32"),
        (MaskTrack((HEIGHT, WIDTH), (b"zzzz",) * FRAMES), "track-damaged", "frame 0"),
    ],
)
def test_tracks_by_themselves(make_located: MakeClip, track: MaskTrack, code: str, words: str) -> None:
    found = findings(make_located(tracks={"id1": FIRST, "id2": track}))
    assert found[0].code == code
    assert words in found[0].problem
    assert {finding.code for finding in found[1:]} <= {"track-late", "track-overlap"}


def test_an_instance_that_comes_late(make_located: MakeClip) -> None:
    masks = moving(40, 36)
    masks[:3] = False
    found = findings(make_located(tracks={"id1": FIRST, "id2": MaskTrack.from_array(masks)}))
    assert [(finding.code, finding.problem) for finding in found] == [
        ("track-late", "the instance is first seen in frame 3")
    ]


def test_two_tracks_of_one_thing(make_located: MakeClip) -> None:
    assert codes(make_located(tracks={"id1": FIRST, "id2": FIRST})) == ["track-duplicate"]
    shifted = MaskTrack.from_array(np.roll(moving(2, 4), 4, axis=1))
    found = findings(make_located(tracks={"id1": FIRST, "id2": shifted}))
    assert [finding.code for finding in found] == ["track-overlap"]
    assert "overlap by up to 0.71 (intersection over union) in frames 0-8" in found[0].problem
    assert codes(make_located(tracks={"id1": FIRST, "id2": shifted}), overlap=0.8) == []


@pytest.mark.parametrize("seen_again", [5, 7])
def test_tracks_that_change_places(make_located: MakeClip, seen_again: int) -> None:
    first, second = moving(2, 4), moving(40, 36)
    hidden = range(5, seen_again)
    one, other = (
        MaskTrack.from_array(np.concatenate([before[:5], after[5:]]), gaps=list(hidden))
        for before, after in ((first, second), (second, first))
    )
    found = [finding for finding in findings(make_located(tracks={"id1": one, "id2": other})) if "swap" in finding.code]
    assert [(finding.where, finding.problem) for finding in found] == [
        ("tracks id1 and id2", f"change places between frames 4 and {seen_again}")
    ]
    assert found[0].cure == f"track again from frame {seen_again} on"


def test_tracks_that_pass_each_other_keep_their_places(make_located: MakeClip) -> None:
    to_the_right = MaskTrack.from_array(moving(2, 20, step=5))
    to_the_left = MaskTrack.from_array(moving(2, 20, step=5)[::-1])
    found = codes(make_located(tracks={"id1": to_the_right, "id2": to_the_left}))
    assert "track-swap" not in found


def test_size_frames_and_rate_rules_are_settings(make_located: MakeClip) -> None:
    assert codes(make_located(), multiple=64) == ["size-multiple"]
    assert codes(make_located(), temporal_stride=5) == ["frames-rule"]
    assert findings(make_located(), temporal_stride=5)[0].cure == "use 6 or 11 frames"
    assert codes(make_located(), fps=24) == ["fps-unexpected"]
    assert codes(make_located(fps=30000 / 1001, interactions=()), fps=29.97) == []


# --- files -----------------------------------------------------------------------------------------------------------


def at(located: LocatedClip, **files: Path) -> LocatedClip:
    return LocatedClip(located.clip, {**located.files, **files})


def test_missing_files(make_located: MakeClip, tmp_path: Path) -> None:
    located = make_located(media={"audio": "media/c0/audio.wav"})
    gone = at(located, **{"media/c0/audio.wav": tmp_path / "no.wav"})
    assert codes(gone) == ["media-missing"]
    assert codes(LocatedClip(located.clip, {})) == ["media-missing", "media-missing"]


def test_a_video_that_is_something_else(make_located: MakeClip, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert codes(at(make_located(), **{"videos/c0.mp4": tmp_path / "text.mp4"})) == ["video-unreadable"]
    write_video(tmp_path / "short.mp4", np.zeros((5, HEIGHT, WIDTH, 3), dtype=np.uint8), 8.0)
    found = findings(at(make_located(), **{"videos/c0.mp4": tmp_path / "short.mp4"}))
    assert [finding.code for finding in found] == ["video-differs"]
    assert found[0].problem == "holds 5 frames of 96x64, and the clip says 9 frames of 96x64"


def test_frames_that_are_not_evenly_spaced(make_located: MakeClip, tmp_path: Path) -> None:
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    encode(tmp_path / "varies.mp4", frames, times=[0, 100, 200, 900, 1000, 1100, 1200, 1300, 1400])
    found = findings(at(make_located(), **{"videos/c0.mp4": tmp_path / "varies.mp4"}))
    assert [finding.code for finding in found] == ["fps-varies"]


def test_pixels_that_are_not_square(make_located: MakeClip, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for _ in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = findings(at(make_located(), **{"videos/c0.mp4": tmp_path / "wide.mp4"}))
    assert [(finding.code, finding.problem) for finding in found] == [
        ("pixels-not-square", "has pixels that are 2 times as wide as high")
    ]


def test_damage_inside_a_video_is_found_by_decoding(make_located: MakeClip, one_video: Path, tmp_path: Path) -> None:
    with av.open(str(one_video)) as container:
        packet = list(container.demux(video=0))[5]
        assert packet.pos is not None
        start, end = packet.pos + 5, packet.pos + packet.size  # behind the length and the type of the unit
    data = bytearray(one_video.read_bytes())
    data[start:end] = bytes(end - start)
    (tmp_path / "damaged.mp4").write_bytes(data)
    damaged = at(make_located(), **{"videos/c0.mp4": tmp_path / "damaged.mp4"})
    assert codes(damaged) == []
    assert codes(damaged, decode=True) == ["video-unreadable"]


# --- what training makes of it ---------------------------------------------------------------------------------------


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_captions_that_are_too_long_name_what_is_lost(make_located: MakeClip, tokenizer: Path) -> None:
    found = findings(make_located(), tokenizer=tokenizer, max_tokens=4)
    assert [(finding.code, finding.problem) for finding in found] == [
        ("caption-long", "has 8 tokens, of which 4 are read; id2 lost")
    ]
    assert codes(make_located(), tokenizer=tokenizer / "tokenizer.json", max_tokens=8) == []


def test_a_tokenizer_that_cannot_be_used(tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{}")
    for settings, words in (
        ({"tokenizer": tmp_path / "none", "max_tokens": 3}, "there is no such tokenizer"),
        ({"tokenizer": tmp_path / "broken.json", "max_tokens": 3}, "is not a readable tokenizer"),
        ({"max_tokens": 3}, "needs a tokenizer"),
    ):
        with pytest.raises(InputError, match=words):
            Checker(CheckConfig.model_validate(settings))


def test_clips_that_no_bucket_takes(make_located: MakeClip) -> None:
    config = CheckConfig(buckets=BucketConfig(sizes=("96x64x9",)))
    report = check([make_located(), make_located("short", num_frames=5)], config)
    dropped = [finding for finding in report.findings if finding.code == "bucket-drop"]
    assert [finding.clip_id for finding in dropped] == ["short"]
    assert dropped[0].problem.startswith("too short: ")
    assert report.survey["buckets"] == {"96x64x9": 1, "dropped": 1}


# --- the dataset as a whole ------------------------------------------------------------------------------------------


def test_the_report_counts_everything(make_located: MakeClip) -> None:
    noted = make_located("c2", notes=(Note("table, row 3", "keys are latent", "turned into frames"),))
    rejected = Rejected("c9", "data.csv, row 9", "there is no file", "add it")
    report = check([make_located("c1"), noted, rejected], CheckConfig())
    assert (report.found, report.checked, report.rejected) == (3, 2, 1)
    assert {code: len(found) for code, found in report.by_code().items()} == {"rejected": 1, "repaired": 1}
    assert report.by_code()["repaired"][0].problem == "keys are latent: turned into frames"
    assert not report.passes()
    told = json.loads(json.dumps(report.to_json()))
    assert told["clips"] == {"found": 3, "checked": 2, "rejected": 1}
    assert told["survey"]["sizes"] == {"96x64": 2}
    assert told["findings"][1]["where"] == "data.csv, row 9"


def test_what_clips_have_in_common(make_located: MakeClip) -> None:
    same = "one <id1> man, one <id2> box"
    report = check(
        [make_located("a", caption=same), make_located("b", caption=same, fps=4.0, interactions=()), make_located("a")],
        CheckConfig(),
    )
    told = {finding.code: finding for finding in report.findings}
    assert set(told) == {"id-duplicate", "caption-duplicate", "fps-mixed"}
    assert told["caption-duplicate"].problem == "2 clips have one caption: a, b"
    assert told["fps-mixed"].problem == "there are 2: 8.0 (2 clips), 4.0 (1 clip)"
    assert not report.passes()


def test_warnings_fail_only_a_strict_check(make_located: MakeClip) -> None:
    report = check([make_located(fps=8.3)], CheckConfig())
    assert report.passes()
    assert not report.passes(strict=True)


def test_clean_world_clips_have_no_swaps_and_no_errors(tmp_path: Path) -> None:
    from interplay.world.make import WorldConfig, clip_at

    config = WorldConfig()
    clips = [clip_at(config, "train", index)[0] for index in range(10)]
    found = [finding for clip in clips for finding in Checker(CheckConfig(token_px=1)).one(LocatedClip(clip, {}))]
    assert {finding.code for finding in found} == {"media-missing"}
