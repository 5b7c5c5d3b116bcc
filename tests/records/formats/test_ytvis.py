import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from damaged_datasets import huge_png
from interplay.core.errors import InputError
from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.store import StoreFormat, StoreOptions
from interplay.records.formats.ytvis.format import YtvisFormat, YtvisOptions
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video, write_image, write_video
from interplay.records.store.layout import media_path, video_path

NUM_FRAMES, HEIGHT, WIDTH = 4, 24, 32
FRAMES = np.random.default_rng(1).integers(0, 256, (NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)


def blobs():
    masks = np.zeros((2, NUM_FRAMES, HEIGHT, WIDTH), dtype=bool)
    for frame in range(NUM_FRAMES):
        masks[0, frame, 3:11, 2 + frame : 12] = True
        masks[1, frame, 8 : 20 - frame, 15:29] = True
    masks[1, 3] = False
    return masks


def rle(mask):
    told = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(told["size"]), "counts": told["counts"].decode()}


def uncompressed(mask):
    line = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(line)) + 1
    runs = np.diff([0, *edges, line.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *runs] if line[0] else runs}


def polygon(mask):
    rows, columns = np.nonzero(mask)
    x1, x2, y1, y2 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return [[float(v) for v in (x1, y1, x2, y1, x2, y2, x1, y2)]]


def youtube(encode=rle):
    """A set as YouTube-VIS gives it out: two instances in one video of four frame pictures."""
    first, second = blobs()
    return {
        "info": {"year": 2019},
        "licenses": [{"id": 1, "name": "CC BY 4.0"}],
        "videos": [
            {
                "id": 7,
                "width": WIDTH,
                "height": HEIGHT,
                "length": NUM_FRAMES,
                "file_names": [f"0a1b/{5 * frame:05d}.png" for frame in range(NUM_FRAMES)],
                "license": 1,
            }
        ],
        "categories": [{"id": 26, "name": "person", "supercategory": "object"}, {"id": 3, "name": "ball"}],
        "annotations": [
            {
                "id": 11,
                "video_id": 7,
                "category_id": 26,
                "iscrowd": 0,
                "segmentations": [encode(mask) for mask in first],
                "occlusion": "slight",
            },
            {
                "id": 12,
                "video_id": 7,
                "category_id": 3,
                "iscrowd": 0,
                "segmentations": [encode(second[0]), None, encode(second[2]), None],
            },
        ],
    }


@pytest.fixture
def dataset(tmp_path):
    """``dataset(data)`` writes the JSON beside the frame pictures and returns the folder."""

    def make(data, name="instances.json"):
        root = tmp_path / "set"
        for frame, picture in enumerate(FRAMES):
            write_image(root / "JPEGImages" / "0a1b" / f"{5 * frame:05d}.png", picture)
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(data if isinstance(data, str) else json.dumps(data))
        return root

    return make


@pytest.fixture
def located(tmp_path):
    """``located(clip_id="c0", **changes)``: a clip that uses every field, and its files."""

    def make(clip_id="c0", **changes):
        source = tmp_path / "sources" / f"{clip_id}.mp4"
        write_video(source, FRAMES, 8.0)
        sound = source.with_suffix(".wav")
        sound.write_bytes(b"RIFF sound of " + clip_id.encode())
        first, second = blobs()
        fields = {
            "clip_id": clip_id,
            "video": video_path(clip_id),
            "caption": "a <id1> man <verb> pushes a <id2> red ball </id2> to <id3> her",
            "num_frames": NUM_FRAMES,
            "size_hw": (HEIGHT, WIDTH),
            "fps": 8.0,
            "split": "test",
            "instances": (Instance("id1", "man", "in blue", "target"), Instance("id2", "ball"), Instance("id3", "her")),
            "interactions": (Interaction("id1", "pushes", "id2", "id3", start_s=0.25, contact=5),),
            "tracks": {"id1": MaskTrack.from_array(first), "id2": MaskTrack.from_array(second, gaps=[1])},
            "boxes": {"face": Boxes({0: (1.0, 2.0, 3.0, 4.5), 3: None})},
            "media": {"audio": media_path(clip_id, "audio", ".wav")},
            "truth": {"events": [{"verb": "push", "t": 0.5}]},
            "provenance": {"tracks": Provenance("test", {"seed": 3}, "2026-11-21T04:30:00+00:00")},
            "extra": {"tavid": {"index": 4}},
            **changes,
        }
        clip = Clip(**fields)
        return LocatedClip(clip, {clip.video: source} | dict.fromkeys(clip.media.values(), sound))

    return make


def read(source, **options):
    return list(YtvisFormat(YtvisOptions(**options)).read(source))


def write(clips, out, **options):
    return list(YtvisFormat(YtvisOptions(**options)).write(clips, out))


@pytest.mark.parametrize("encode", [rle, uncompressed, polygon])
def test_a_youtube_set_is_read_whatever_its_masks_are_encoded_as(dataset, encode):
    (found,) = read(dataset(youtube(encode)))
    clip, (first, second) = found.clip, blobs()
    assert (clip.clip_id, clip.video, clip.num_frames, clip.size_hw) == ("0a1b", "videos/0a1b.mp4", 4, (HEIGHT, WIDTH))
    assert clip.instances == (Instance("id1", "person"), Instance("id2", "ball"))
    assert clip.tracks == {"id1": MaskTrack.from_array(first), "id2": MaskTrack.from_array(second, gaps=[1, 3])}
    assert np.array_equal(read_video(found.video).frames, FRAMES)
    assert clip.fps == 6.0
    assert [note.problem for note in found.notes] == ["says no rate of its frames"]


def test_null_is_a_gap_unless_it_is_said_to_mean_empty(dataset):
    (found,) = read(dataset(youtube()), null="empty")
    track = found.clip.tracks["id2"]
    assert track.known().all()
    assert track.areas()[[1, 3]].tolist() == [0, 0]


def test_the_rate_comes_from_the_options_or_the_entry(dataset):
    data = youtube()
    assert read(dataset(data), fps=30)[0].clip.fps == 30.0
    data["videos"][0]["fps"] = 12.5
    (found,) = read(dataset(data))
    assert (found.clip.fps, found.notes) == (12.5, ())
    data["videos"][0]["fps"] = "fast"
    assert "no rate" in read(dataset(data))[0].reason


def test_what_a_clip_has_no_place_for_is_written_back(dataset, tmp_path):
    data, root = youtube(), dataset(youtube())
    first = read(root)
    assert write(first, tmp_path / "out")[0].lost == ()
    again = json.loads((tmp_path / "out" / "instances.json").read_text())
    for name in ("info", "licenses", "categories"):
        assert again[name] == data[name]
    for before, after in zip(data["videos"], again["videos"], strict=True):
        assert {name: after[name] for name in before} == before
    for before, after in zip(data["annotations"], again["annotations"], strict=True):
        assert {name: after[name] for name in before} == before
    for picture in (root / "JPEGImages" / "0a1b").iterdir():
        assert (tmp_path / "out" / "JPEGImages" / "0a1b" / picture.name).read_bytes() == picture.read_bytes()
    assert [item.clip for item in read(tmp_path / "out")] == [item.clip for item in first]


def test_a_store_and_back_loses_nothing(located, tmp_path):
    store = StoreFormat(StoreOptions())
    list(store.write([located("c0"), located("c1", tracks={}, caption="x", media={})], tmp_path / "store"))
    before = list(store.read(tmp_path / "store"))
    assert [written.lost for written in write(before, tmp_path / "ytvis")] == [(), ()]
    list(store.write(read(tmp_path / "ytvis"), tmp_path / "again"))
    after = list(store.read(tmp_path / "again"))
    assert [item.clip for item in after] == [item.clip for item in before]
    for one, two in zip(before, after, strict=True):
        assert {path: file.read_bytes() for path, file in one.files.items()} == {
            path: file.read_bytes() for path, file in two.files.items()
        }


def test_others_can_read_what_is_written(located, tmp_path):
    write([located()], tmp_path)
    data = json.loads((tmp_path / "instances.json").read_text())
    (video,), (first, second) = data["videos"], data["annotations"]
    assert (video["width"], video["height"], video["length"]) == (WIDTH, HEIGHT, NUM_FRAMES)
    assert {item["id"]: item["name"] for item in data["categories"]} == {1: "man", 2: "ball"}
    for item, masks in zip((first, second), blobs(), strict=True):
        assert item["video_id"] == video["id"]
        for frame, told in enumerate(item["segmentations"]):
            if told is None:
                assert (item["bboxes"][frame], item["areas"][frame]) == (None, None)
                continue
            assert np.array_equal(coco.decode(told).astype(bool), masks[frame])
            assert item["areas"][frame] == coco.area(told) == masks[frame].sum()
            assert item["bboxes"][frame] == coco.toBbox(told).tolist()
    assert [told is None for told in second["segmentations"]] == [False, True, False, False]
    assert second["areas"][3] == 0  # an empty mask is an encoding without pixels, and no null


def test_frames_as_pictures(located, tmp_path):
    item = located()
    (written,) = write([item], tmp_path, pictures=True)
    assert written.lost == ("the file c0.mp4: its frames are written as pictures",)
    names = json.loads((tmp_path / "instances.json").read_text())["videos"][0]["file_names"]
    assert names == [f"c0/{frame:05d}.png" for frame in range(NUM_FRAMES)]
    (found,) = read(tmp_path)
    assert found.clip == item.clip
    assert np.array_equal(read_video(found.video).frames, FRAMES)


def test_writing_again_gives_the_same_bytes(located, tmp_path):
    def tree():
        return {str(path): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    write([located("c0"), located("c1")], tmp_path / "out", pictures=True)
    first = tree()
    write([located("c0"), located("c1")], tmp_path / "out", pictures=True)
    assert tree() == first


def test_edits_of_others_count(located, tmp_path):
    write([located()], tmp_path)
    path = tmp_path / "instances.json"
    data = json.loads(path.read_text())
    first, second = data["annotations"]
    first["segmentations"][0] = rle(np.ones((HEIGHT, WIDTH)))
    data["annotations"] = [first, {**second, "id": 99}]
    path.write_text(json.dumps(data))
    (found,) = read(tmp_path)
    assert found.clip.tracks["id1"].areas()[0] == HEIGHT * WIDTH
    assert sorted(found.clip.tracks) == ["id1", "id4"]  # id2 lost its annotation, and a new one came
    assert found.clip.instances[-1] == Instance("id4", "ball")
    told = [note.problem for note in found.notes]
    assert told == ["was added by another tool", "the annotation of id2 is gone"]


def test_a_clip_that_cannot_be_written_is_rejected_and_leaves_no_annotation(located, tmp_path):
    gone, odd = located("gone"), located("odd", num_frames=3)
    gone.video.unlink()
    outcomes = write([located("c0"), gone, odd, located("c0")], tmp_path / "out")
    assert [isinstance(outcome, Rejected) for outcome in outcomes] == [False, True, True, True]
    assert [item.clip.clip_id for item in read(tmp_path / "out")] == ["c0"]


def coco_style():
    """The same set with one image per frame and one annotation per mask, in no particular order."""
    data = youtube()
    images = [
        {"id": 100 + frame, "video_id": 7, "frame_id": frame, "file_name": name, "height": HEIGHT, "width": WIDTH}
        for frame, name in enumerate(data["videos"][0]["file_names"])
    ]
    items = [
        {"id": 1000 + 10 * frame + track["id"], "image_id": 100 + frame, "category_id": track["category_id"]}
        | {"track_id": track["id"], "segmentation": mask, "bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 0}
        for track in data["annotations"]
        for frame, mask in enumerate(track["segmentations"])
        if mask is not None
    ]
    return {"images": images[::-1], "annotations": items, "categories": data["categories"]}


@pytest.mark.parametrize(
    "name", ["train.json", "annotations/instances_train_sub.json", "annotations/youtube_vis_2019_train.json"]
)
def test_the_part_that_the_name_of_the_json_tells_holds_the_frames(dataset, name):
    alone = read(dataset(youtube()))[0].clip
    root = dataset(youtube(), name)
    (root / "instances.json").unlink()
    (root / "train").mkdir()
    (root / "JPEGImages").rename(root / "train" / "JPEGImages")
    assert read(root)[0].clip == alone


def test_a_pipe_is_refused_and_not_waited_for(dataset):
    root = dataset(youtube())
    os.mkfifo(root / "pipe.json")
    with pytest.raises(InputError, match="is no regular file"):
        read(root, annotations="pipe.json")


@pytest.mark.parametrize("listed", [True, False])
def test_a_coco_style_set_is_read(dataset, listed):
    data = coco_style() | ({"videos": [{"id": 7, "name": "film one"}]} if listed else {})
    root = dataset(data, "annotations/train.json")
    (found,) = read(root)
    assert read(root, media_root="../JPEGImages")[0].clip == found.clip
    assert found.clip.tracks == read(dataset(youtube()), annotations="instances.json")[0].clip.tracks
    assert found.clip.instances == (Instance("id1", "person"), Instance("id2", "ball"))
    assert found.clip.clip_id == "0a1b"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["annotations"][0].pop("track_id"), "no instance_id or track_id"),
        (lambda data: data["annotations"].append(data["annotations"][0]), "two masks in one image"),
        (lambda data: data["annotations"][0].update(category_id=3), "changes its category"),
        (lambda data: data["images"][0].pop("frame_id"), "no frame numbers"),
        (lambda data: data["images"][0].update(frame_id=0), "share one"),
        (lambda data: data["images"].pop(), "there is no frame|holds 4 pictures|not listed"),
    ],
)
def test_faults_of_a_coco_style_set(dataset, change, told):
    data = coco_style()
    change(data)
    verdicts = read(dataset(data), media_root="JPEGImages")
    assert all(isinstance(verdict, Rejected) for verdict in verdicts)
    assert any(part in verdict.reason for verdict in verdicts for part in told.split("|"))


def test_boxes_without_masks_are_kept_as_boxes(dataset):
    data = youtube()
    data["annotations"][1] |= {"segmentations": [None] * 4, "bboxes": [[1, 2, 3, 4], None, [0, 0, 5, 5], None]}
    (found,) = read(dataset(data))
    assert list(found.clip.tracks) == ["id1"]
    assert found.clip.boxes == {"id2": Boxes({0: (1.0, 2.0, 4.0, 6.0), 2: (0.0, 0.0, 5.0, 5.0)})}
    assert "its boxes are kept" in found.notes[-1].done


def test_a_set_without_annotations_and_with_a_caption(dataset):
    data = youtube()
    data["annotations"] = None
    data["videos"][0]["caption"] = "a <id1> man runs"
    (found,) = read(dataset(data))
    assert (found.clip.caption, found.clip.tracks) == ("a <id1> man runs", {})
    assert found.clip.instances == (Instance("id1", "man"),)


def set_mask(value):
    return lambda data: data["annotations"][0]["segmentations"].__setitem__(1, value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_mask({"size": [3, 3], "counts": "0"}), "its size is [3, 3] and the video"),
        (set_mask({"size": [HEIGHT, WIDTH], "counts": [5, 5]}), "pixels"),
        (set_mask({"size": [HEIGHT, WIDTH], "counts": "~~~"}), "counts"),
        (set_mask({"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]}), "run lengths"),
        (set_mask({"size": [HEIGHT, WIDTH]}), "counts"),
        (set_mask("mask"), "no mask"),
        (set_mask([[1, 2, 3]]), "three corners"),
        (set_mask([[0, 0, 1e9, 0, 1e9, 1e9]]), "far outside"),
        (set_mask([[0, 0, "x", 0, 5, 5]]), "far outside"),
        (lambda data: data["annotations"][0]["segmentations"].pop(), "has 3 masks and the video 4 frames"),
        (lambda data: data["annotations"][0].update(segmentations="x"), "no list with one entry per frame"),
        (lambda data: data["annotations"][0].pop("id"), "missing"),
        (lambda data: data["videos"][0].update(height=5), "is 5, and the video has 24"),
        (lambda data: data["videos"][0].update(length=9), "is 9, and the video has 4"),
        (lambda data: data["videos"][0].update(file_names="x"), "no list of file names"),
        (lambda data: data["videos"][0].update(file_names=[]), "names no files"),
        (lambda data: data["videos"][0].update(file_names=["../../x.png"]), "leaves the dataset"),
        (lambda data: data["videos"][0].update(file_names=["/etc/passwd"]), "no path inside"),
        (lambda data: data["videos"][0]["file_names"].pop(), "lists 3 frames"),
        (lambda data: data["videos"][0]["file_names"].append("0a1b/00020.png"), "there is no frame"),
        (lambda data: data["videos"][0]["file_names"].reverse(), "another order"),
        (lambda data: data["videos"][0]["file_names"].append("b/00020.png"), "several folders"),
        (lambda data: data["videos"][0].update(interplay={"version": 1, "row": {}, "tracks": {}}), "record"),
        (lambda data: data["videos"][0].update(interplay=[]), "no record of this version"),
    ],
)
def test_each_fault_rejects_its_video(dataset, change, told):
    data = youtube()
    change(data)
    (verdict,) = read(dataset(data))
    assert isinstance(verdict, Rejected)
    assert told in verdict.reason


def test_faulty_entries_do_not_stop_the_others(dataset):
    data = youtube()
    data["videos"] += [5, {"id": [1]}, {"id": 7, "file_names": []}, {"id": 8, "file_names": ["nowhere/0.png"]}]
    data["annotations"] += ["x", {"id": 1}, {"id": 2, "video_id": 99}]
    good, *bad = read(dataset(data))
    assert good.clip.clip_id == "0a1b"
    assert all(isinstance(verdict, Rejected) for verdict in bad)
    reasons = " | ".join(verdict.reason for verdict in bad)
    for told in ("is no object", "neither a number nor text", "is taken already", "there is no file", "not listed"):
        assert told in reasons
    assert len(bad) == 4 + 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "no JSON object"),
        ("{", "not valid JSON"),
        ("{}", "holds no videos"),
        ('{"videos": 5}', "is no list"),
        ('{"videos": [{"id": 1}], "categories": [{"id": 1}]}', "is no text"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_file_that_is_none(dataset, text, told):
    with pytest.raises(InputError, match=told):
        read(dataset(text), annotations="instances.json")


def test_a_picture_that_lies_about_its_size(dataset):
    root = dataset(youtube())
    (root / "JPEGImages" / "0a1b" / "00005.png").write_bytes(huge_png())
    (verdict,) = read(root)
    assert isinstance(verdict, Rejected)


def test_links_that_lead_out(dataset, tmp_path):
    root = dataset(youtube())
    frame = root / "JPEGImages" / "0a1b" / "00005.png"
    shutil.move(frame, tmp_path / "elsewhere.png")
    frame.symlink_to(tmp_path / "elsewhere.png")
    (verdict,) = read(root)
    assert "link that leaves" in verdict.reason
    assert isinstance(read(root, follow_links=True)[0], LocatedClip)
    frame.unlink()
    frame.symlink_to(frame.name)
    assert isinstance(read(root)[0], Rejected)


def test_it_is_recognised_by_a_look(dataset, tmp_path):
    root = dataset(youtube())
    assert YtvisFormat.recognises(root)
    assert YtvisFormat.recognises(root / "instances.json")
    assert not YtvisFormat.recognises(root / "JPEGImages")
    (tmp_path / "meta.json").write_text('[{"video_id": 1}]')
    assert not YtvisFormat.recognises(tmp_path)
    (root / "more.json").write_text(json.dumps(youtube()))
    with pytest.raises(InputError, match=r"instances\.json, more\.json"):
        read(root)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 3000) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "id", "name"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(data=st.data())
def test_no_value_in_any_place_gives_another_error(tmp_path_factory, data):
    told = youtube()
    if data.draw(st.booleans()):
        told["annotations"][1]["segmentations"][0] = data.draw(JSON)
    target = data.draw(st.sampled_from([told["videos"][0], told["annotations"][0], told["categories"][0], told]))
    target[data.draw(st.sampled_from(sorted({*target, "interplay", "bboxes", "fps", "caption", "images"})))] = (
        data.draw(JSON)
    )
    root = tmp_path_factory.getbasetemp() / "fuzzed"
    if not root.is_dir():
        for frame, picture in enumerate(FRAMES):
            write_image(root / "JPEGImages" / "0a1b" / f"{5 * frame:05d}.png", picture)
    (root / "instances.json").write_text(json.dumps(told))
    with suppress(InputError):  # about the whole file
        assert all(isinstance(item, LocatedClip | Rejected) for item in read(root, annotations="instances.json"))
