import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from damaged_datasets import FPS, HEIGHT, NUM_FRAMES, PROMPT, WIDTH, MatrixFolder, drawn, make_damaged_matrix, mask_png
from interplay.core.errors import InputError
from interplay.records.clip import Clip, Instance, Interaction
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.formats.matrix.format import MatrixFormat
from interplay.records.formats.matrix.layout import MatrixOptions, colour_of
from interplay.records.formats.store import StoreFormat, StoreOptions
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video, write_image, write_video
from interplay.records.store.layout import media_path, video_path

CAPTION = "a <id1> man <verb> pushes a <id2> blue ball </id2>"


def read(folder, **options):
    return list(MatrixFormat(MatrixOptions(**options)).read(folder))


def write(clips, out, **options):
    return list(MatrixFormat(MatrixOptions(**options)).write(clips, out))


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def dataset(tmp_path):
    """A writer of the official layout; nothing of the code under test is in it."""
    return MatrixFolder(tmp_path / "matrix")


@pytest.fixture
def located(tmp_path):
    """``located(clip_id="c0", **changes)``: a clip and its video, as another format or a store gives it."""
    frames, masks = drawn()

    def make(clip_id="c0", gaps=(2,), **changes):
        source = tmp_path / "sources" / f"{clip_id}.mp4"
        write_video(source, frames, FPS)
        fields = {
            "clip_id": clip_id,
            "video": video_path(clip_id),
            "caption": CAPTION,
            "num_frames": NUM_FRAMES,
            "size_hw": (HEIGHT, WIDTH),
            "fps": FPS,
            "instances": (Instance("id1", "man"), Instance("id2", "blue ball")),
            "tracks": {
                "id1": MaskTrack.from_array(masks["id1"]),
                "id2": MaskTrack.from_array(masks["id2"], gaps=list(gaps)),
            },
            **changes,
        }
        return LocatedClip(Clip(**fields), {fields["video"]: source})

    return make


def test_a_good_dataset_is_read_whole(dataset):
    dataset.add("000001")
    dataset.finish()
    (found,) = read(dataset.root)
    clip, masks = found.clip, drawn()[1]
    assert found.notes == ()
    assert (clip.clip_id, clip.num_frames, clip.size_hw, clip.fps) == ("000001", NUM_FRAMES, (HEIGHT, WIDTH), FPS)
    assert clip.caption == PROMPT
    assert clip.instances == (Instance("id1", "man"), Instance("id2", "ball"))
    assert clip.tracks == {name: MaskTrack.from_array(mask) for name, mask in masks.items()}
    assert found.video == dataset.video("000001")
    assert clip.extra == {}


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_each_kind_of_table_there_and_back(dataset, tmp_path, suffix):
    dataset.add("000001", row={"video": "000001.mp4", "prompt": PROMPT, "source": "PE, Video", "score": "3"})
    dataset.add("000002")
    dataset.finish()
    first = read(dataset.root)
    write(first, tmp_path / "out", metadata_format=suffix)
    again = read(tmp_path / "out")
    assert [item.clip for item in again] == [item.clip for item in first]
    assert first[0].clip.extra == {"matrix": {"columns": {"source": "PE, Video", "score": "3"}}}
    assert (tmp_path / "out" / "videos" / "000001.mp4").read_bytes() == dataset.video("000001").read_bytes()


def test_the_pictures_of_masks_come_back_bit_by_bit(dataset, tmp_path):
    dataset.add("000001")
    dataset.finish()
    write(read(dataset.root), tmp_path / "out")
    for path in sorted((dataset.root / "mask_annotation").rglob("*.png")):
        with Image.open(path) as before, Image.open(tmp_path / "out" / path.relative_to(dataset.root)) as after:
            assert (before.mode, after.mode) == ("L", "L")
            assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_store_and_back(located, tmp_path):
    store = StoreFormat(StoreOptions())
    list(store.write([located("c0"), located("c1", gaps=())], tmp_path / "store"))
    before = list(store.read(tmp_path / "store"))
    assert [written.lost for written in write(before, tmp_path / "matrix")] == [(), ()]
    list(store.write(read(tmp_path / "matrix"), tmp_path / "again"))
    after = list(store.read(tmp_path / "again"))
    assert [item.clip for item in after] == [item.clip for item in before]
    assert [item.video.read_bytes() for item in after] == [item.video.read_bytes() for item in before]


def test_the_prompt_is_the_official_one_and_the_sidecar_holds_the_rest(located, tmp_path):
    write([located()], tmp_path)
    with (tmp_path / "metadata.csv").open(newline="") as stream:
        assert list(csv.DictReader(stream)) == [{"video": "c0.mp4", "prompt": "a <id1> man pushes a <id2> blue ball"}]
    told = json.loads((tmp_path / "interplay.json").read_text())
    assert told["clips"] == {"c0": {"caption": CAPTION, "gaps": {"id2": [[2, 3]]}}}
    assert told["palette"] == {"id1": [255, 0, 0], "id2": [0, 255, 0]}


def test_without_the_sidecar_the_official_part_is_left(located, tmp_path):
    write([located()], tmp_path)
    (tmp_path / "interplay.json").unlink()
    (found,) = read(tmp_path)
    assert found.clip.caption == "a <id1> man pushes a <id2> blue ball"
    assert found.clip.tracks["id2"].known().all()
    assert found.clip.tracks["id2"].areas()[2] == 0


def test_an_edited_prompt_wins_over_the_sidecar(located, tmp_path):
    write([located()], tmp_path)
    (tmp_path / "metadata.csv").write_text("video,prompt\nc0.mp4,the <id1> man kicks a <id2> ball\n")
    (found,) = read(tmp_path)
    assert found.clip.caption == "the <id1> man kicks a <id2> ball"
    assert any("sidecar" in note.problem for note in found.notes)


@pytest.mark.parametrize(
    "value", ["[]", '{"version": 9}', '{"version": 1, "clips": {"c0": {"gaps": {"id1": 3}}}}', "{", "[" * 100_000]
)
def test_a_damaged_sidecar_is_one_error(located, tmp_path, value):
    write([located()], tmp_path)
    (tmp_path / "interplay.json").write_text(value)
    with pytest.raises(InputError, match=r"interplay\.json"):
        read(tmp_path)


def test_merged_has_one_colour_per_id(located, tmp_path):
    write([located(gaps=())], tmp_path)
    with Image.open(tmp_path / "mask_annotation" / "c0" / "merged" / "003.png") as image:
        assert image.mode == "P"
        indices, colours = np.asarray(image), np.asarray(image.convert("RGB"))
    masks = drawn()[1]
    assert np.array_equal(indices, masks["id1"][3] * 1 + masks["id2"][3] * 2)
    assert {tuple(colour) for colour in colours.reshape(-1, 3).tolist()} == {(0, 0, 0), (255, 0, 0), (0, 255, 0)}


def test_merged_is_left_out_on_request(located, tmp_path):
    write([located()], tmp_path, write_merged=False)
    assert not (tmp_path / "mask_annotation" / "c0" / "merged").exists()


def test_the_palette_goes_on_without_repeating_itself():
    assert [colour_of(number) for number in (1, 2, 3, 4, 5, 6)] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (255, 0, 255),
        (0, 255, 255),
    ]
    colours = [colour_of(number) for number in range(1, 101)]
    assert len(set(colours)) == 100
    assert (0, 0, 0) not in colours


def test_more_than_five_instances_and_holes_in_the_ids(located, tmp_path):
    masks = drawn()[1]["id1"]
    numbers = (1, 3, 4, 6, 7, 10, 300)
    track = MaskTrack.from_array(masks)
    clip = located(
        caption=" and ".join(f"a <id{number}> man" for number in numbers),
        instances=tuple(Instance(f"id{number}", "man") for number in numbers),
        tracks={f"id{number}": track for number in numbers},
    )
    (written,) = write([clip], tmp_path)
    assert written.lost == ("the official loader reads 5 ids; id10, id300 are written and beyond it",)
    (found,) = read(tmp_path)
    assert found.clip == clip.clip
    told = " ".join(note.problem for note in found.notes)
    assert "has 7 ids; the official loader reads 5" in told
    assert "the ids have holes" in told


def test_max_ids_keeps_the_lowest_and_names_the_others(dataset, located, tmp_path):
    (written,) = write([located()], tmp_path / "out", max_ids=1)
    assert "the tracks id2 are beyond max_ids = 1: not written" in written.lost
    assert sorted(path.name for path in (tmp_path / "out" / "mask_annotation" / "c0").iterdir()) == ["<id1>", "merged"]
    dataset.add("000001")
    dataset.finish()
    (found,) = read(dataset.root, max_ids=1)
    assert list(found.clip.tracks) == ["id1"]
    assert any("id2 were not read" in note.done for note in found.notes)


def test_marker_without_masks_and_masks_without_marker(dataset):
    dataset.add("000001", prompt="a <id1> man gives a <id3> cup away")
    dataset.finish()
    (found,) = read(dataset.root)
    assert found.clip.instances == (Instance("id1", "man"), Instance("id2", ""), Instance("id3", "cup"))
    assert list(found.clip.tracks) == ["id1", "id2"]
    told = [note.problem for note in found.notes]
    assert "the marker <id3> has no masks" in told
    assert "the masks <id2> have no marker in the prompt" in told


def test_a_clip_without_masks_has_no_tracks(dataset):
    dataset.add("000001")
    shutil.rmtree(dataset.root / "mask_annotation" / "000001")
    dataset.finish()
    (found,) = read(dataset.root)
    assert found.clip.tracks == {}
    assert [note.problem for note in found.notes] == ["there is no such folder of masks"]


def test_more_frames_than_the_official_loader_reads(tmp_path):
    folder = MatrixFolder(tmp_path / "matrix")
    folder.add("000001")
    write_video(folder.video("000001"), np.zeros((90, HEIGHT, WIDTH, 3), dtype=np.uint8), FPS)
    for frame in range(90):
        (folder.masks("000001") / f"{frame:03d}.png").write_bytes(mask_png(drawn()[1]["id1"][0]))
    shutil.rmtree(folder.masks("000001", "id2"))
    folder.finish()
    (found,) = read(folder.root)
    assert len(found.clip.tracks["id1"]) == 90
    assert any("the official loader reads 81" in note.problem for note in found.notes)


def test_folders_without_brackets_and_other_folders(dataset):
    dataset.add("000001")
    dataset.masks("000001").rename(dataset.root / "mask_annotation" / "000001" / "id1")
    (dataset.root / "mask_annotation" / "000001" / "<person>").mkdir()
    dataset.finish()
    (found,) = read(dataset.root)
    assert list(found.clip.tracks) == ["id1", "id2"]
    assert any("<person>" in note.problem for note in found.notes)
    shutil.copytree(dataset.root / "mask_annotation" / "000001" / "id1", dataset.masks("000001"))
    (verdict,) = read(dataset.root)
    assert "two folders for id1" in verdict.reason


def test_masks_are_chosen_and_gaps_allowed_by_options(dataset):
    dataset.add("000001", picture=lambda mask: mask_png(mask))
    (dataset.masks("000001") / "002.png").unlink()
    dataset.finish()
    (found,) = read(dataset.root, masks=MaskOptions(missing="gap"))
    assert found.clip.tracks["id1"].gaps() == [range(2, 3)]


def test_other_folders_by_option(dataset):
    dataset.add("000001")
    dataset.finish()
    (dataset.root / "videos").rename(dataset.root / "final_videos_16fps")
    (dataset.root / "mask_annotation").rename(dataset.root / "masks")
    with pytest.raises(InputError, match="mask_root"):
        read(dataset.root)
    options = {"video_root": "final_videos_16fps", "mask_root": "masks", "metadata": "metadata.jsonl"}
    (found,) = read(dataset.root, **options)
    assert list(found.clip.tracks) == ["id1", "id2"]


def test_paths_may_start_from_the_dataset_and_are_written_back(dataset, tmp_path):
    dataset.add("000001", row={"video": "videos/000001.mp4", "prompt": PROMPT})
    dataset.finish()
    (found,) = read(dataset.root)
    assert found.clip.clip_id == "000001"
    write([found], tmp_path / "out", metadata_format="jsonl")
    assert (tmp_path / "out" / "metadata.jsonl").read_text() == (dataset.root / "metadata.jsonl").read_text()


def test_videos_in_folders_keep_their_names(dataset, tmp_path):
    dataset.add("a b", row={"video": "part 1/a b.mp4", "prompt": PROMPT})
    for kind, name in (("videos", "a b.mp4"), ("mask_annotation", "a b")):
        (dataset.root / kind / "part 1").mkdir()
        (dataset.root / kind / name).rename(dataset.root / kind / "part 1" / name)
    dataset.finish()
    (found,) = read(dataset.root)
    assert found.clip.clip_id == "part-1-a-b"
    assert list(found.clip.tracks) == ["id1", "id2"]
    write([found], tmp_path / "out", metadata_format="jsonl")
    (again,) = read(tmp_path / "out")
    assert again.clip == found.clip
    assert (tmp_path / "out" / "videos" / "part 1" / "a b.mp4").is_file()


def test_a_name_from_a_store_does_not_lead_out_of_the_folder(located, tmp_path):
    for named in ("../../c0.mp4", "/c0.mp4", "videos/../../c0.mp4", 5, ""):
        out = tmp_path / "out" / "deep"
        write([located(extra={"matrix": {"video": named}})], out)
        assert (out / "videos" / "c0.mp4").is_file()
        assert not list(tmp_path.glob("c0.mp4"))
        assert not list((tmp_path / "out").glob("c0.mp4"))


def test_two_rows_of_one_name(dataset):
    dataset.add("000001")
    dataset.rows.append({"video": "./000001.mp4", "prompt": "another <id1> caption"})
    dataset.finish()
    good, bad = read(dataset.root)
    assert good.clip.clip_id == "000001"
    assert "already" in bad.reason


def test_a_table_that_was_chosen_is_a_choice_of_clips(dataset):
    dataset.add("000001")
    dataset.add("000002")
    dataset.finish()
    (dataset.root / "val.csv").write_text(f"video,prompt\n000002.mp4,{PROMPT}\n", encoding="utf-8-sig")
    for found in (read(dataset.root / "val.csv"), read(dataset.root, metadata="val.csv")):
        assert [item.clip.clip_id for item in found] == ["000002"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("metadata.json", "{", "not valid JSON"),
        ("metadata.json", '{"video": 1}', "not a list"),
        ("metadata.csv", "", "no rows"),
        ("metadata.jsonl", "", "no rows"),
    ],
)
def test_a_table_that_is_none(dataset, name, text, told):
    dataset.finish()
    (dataset.root / "metadata.jsonl").unlink()
    (dataset.root / name).write_text(text)
    with pytest.raises(InputError, match=told):
        read(dataset.root)


def test_cells_of_csv_and_json(dataset):
    for name in ("a", "b", "c"):
        dataset.add(name)
    dataset.finish()
    (dataset.root / "metadata.jsonl").unlink()
    table = dataset.root / "metadata.csv"
    table.write_text(f'video,prompt\na.mp4,{PROMPT}\nb.mp4,\nc.mp4,"x",too many\n', encoding="utf-8-sig")
    good, empty, many, unnamed = read(dataset.root)
    assert good.clip.caption == PROMPT
    assert "the cell is empty" in empty.reason
    assert "more cells than the header" in many.reason
    assert (unnamed.clip_id, "has no row" in unnamed.reason) == ("c", True)  # nobody knows that the bad row meant it
    table.unlink()
    (dataset.root / "metadata.json").write_text(
        '[{"video": "a.mp4", "prompt": NaN}, {"video": NaN, "prompt": "b"}, 7, {"video": "c.mp4", "prompt": "c"}]'
    )
    found = read(dataset.root)
    assert [isinstance(item, Rejected) for item in found] == [True, True, True, False, True]
    assert found[4].clip_id == "b"  # the video of a row that could not be read has no row


def test_two_tables_need_a_choice(dataset):
    dataset.add("000001")
    dataset.finish()
    (dataset.root / "metadata.csv").write_text("video,prompt\n")
    with pytest.raises(InputError, match=r"metadata\.csv and metadata\.jsonl"):
        read(dataset.root)
    with pytest.raises(InputError, match="second table"):
        write([], dataset.root, metadata_format="json")


def test_what_the_layout_has_no_place_for_is_named(located, tmp_path):
    audio = media_path("c0", "audio", ".wav")
    item = located(
        split="test",
        instances=(Instance("id2", "ball", "blue"), Instance("id1", "man", role="target"), Instance("id5", "dog")),
        interactions=(Interaction("id1", "pushes", "id2"),),
        media={"audio": audio},
        truth={"a": 1},
        extra={"tavid": {"x": 1}},
        fps=16.0,
    )
    (written,) = write([item], tmp_path)
    told = " | ".join(written.lost)
    for part in (
        "the split 'test'",
        "the noun 'ball' of id2",
        "the appearance of id2",
        "the role of id1",
        "id5 (dog)",
        "1 interaction is",
        "media audio",
        "the exact truth",
        "tavid",
        "order of the instances",
        "the rate 16 is not kept: the video file says 8",
    ):
        assert part in told
    assert len(written.lost) == 8


def test_frames_and_pictures_become_lossless_videos(located, tmp_path):
    frames = drawn()[0]
    folder = tmp_path / "frames"
    for index, frame in enumerate(frames):
        write_image(folder / f"{index}.png", frame)
    clip = located().clip
    (written,) = write([LocatedClip(clip, {clip.video: folder})], tmp_path / "out")
    assert written.lost == ("the picture files of frames (their pixels stand in a lossless video)",)
    assert np.array_equal(read_video(tmp_path / "out" / "videos" / "c0.mp4").frames, frames)
    (again,) = read(tmp_path / "out")
    assert again.clip == clip


def test_writing_again_gives_the_same_bytes(located, tmp_path):
    write([located("c0"), located("c1")], tmp_path / "out")
    first = tree(tmp_path / "out")
    (tmp_path / "out" / "mask_annotation" / "c0" / "<id9>").mkdir()  # of an earlier run with more instances
    (tmp_path / "out" / "mask_annotation" / ".c1.123.tmp").mkdir()  # of a run that was killed
    write([located("c0"), located("c1")], tmp_path / "out")
    assert tree(tmp_path / "out") == first
    assert sorted(path.name for path in (tmp_path / "out" / "mask_annotation").iterdir()) == ["c0", "c1"]


def test_a_clip_that_cannot_be_written_leaves_nothing_and_the_others_go_on(located, tmp_path):
    track = MaskTrack.from_array(drawn()[1]["id1"])
    gone = located("gone")
    odd = located("odd", caption="a man", instances=(Instance("me", "man"),), tracks={"me": track})
    gone.video.unlink()
    outcomes = write([located("c0"), gone, odd, located("c0"), located("c1")], tmp_path / "out")
    assert [isinstance(outcome, Rejected) for outcome in outcomes] == [False, True, True, True, False]
    assert "'me' cannot have a folder" in outcomes[2].reason
    assert [item.clip.clip_id for item in read(tmp_path / "out")] == ["c0", "c1"]


def test_a_clip_without_a_caption_has_no_place_here(located, tmp_path):
    (verdict,) = write([located(caption=" ", tracks={}, instances=())], tmp_path)
    assert isinstance(verdict, Rejected)
    assert "has no caption" in verdict.reason


def test_an_escaped_caption_comes_back(located, tmp_path):
    item = located(caption="a <id1> man says <lt>b> or <lt>id7> to a <id2> blue ball </id2>")
    write([item], tmp_path)
    (found,) = read(tmp_path)
    assert found.clip == item.clip


def test_every_defect_has_its_own_verdict_and_the_numbers_add_up(damaged_matrix):
    found = read(damaged_matrix.folder)
    good = {item.clip.clip_id: item for item in found if isinstance(item, LocatedClip)}
    bad = {item.clip_id: item for item in found if isinstance(item, Rejected)}
    assert len(found) == damaged_matrix.found == len(good) + len(bad)
    assert good.keys() == damaged_matrix.read.keys()
    assert bad.keys() == damaged_matrix.rejected.keys()
    for clip_id, word in damaged_matrix.read.items():
        problems = [note.problem for note in good[clip_id].notes]
        assert (not problems) if word is None else all(word in problem for problem in problems)
        assert good[clip_id].clip.tracks == {name: MaskTrack.from_array(masks) for name, masks in drawn()[1].items()}
    for clip_id, word in damaged_matrix.rejected.items():
        assert word in bad[clip_id].reason
        assert bad[clip_id].cure
        assert bad[clip_id].where


def test_links_may_be_allowed(tmp_path):
    make_damaged_matrix(tmp_path / "matrix")
    found = {
        getattr(item, "clip_id", None) or item.clip.clip_id: item
        for item in read(tmp_path / "matrix", follow_links=True)
    }
    assert isinstance(found["link-outside"], LocatedClip)
    assert isinstance(found["video-loop"], Rejected)
    assert isinstance(found["masks-loop"], Rejected)


def test_it_is_recognised_by_names(dataset, tmp_path):
    assert not MatrixFormat.recognises(dataset.root)
    assert not MatrixFormat.recognises(tmp_path)
    dataset.add("000001")
    dataset.finish()
    assert MatrixFormat.recognises(dataset.root)
    assert MatrixFormat.recognises(dataset.root / "metadata.jsonl")
    shutil.rmtree(dataset.root / "mask_annotation")
    assert MatrixFormat.recognises(dataset.root)  # videos, and a table of videos and prompts
    (dataset.root / "metadata.jsonl").write_text('{"file_name": "000001.mp4"}')
    assert not MatrixFormat.recognises(dataset.root)
    assert not MatrixFormat.recognises(tmp_path / "absent")
