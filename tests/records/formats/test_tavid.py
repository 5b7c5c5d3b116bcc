"""Pictures with masks of their targets: read, refused, written, and read again."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.check import check_clip
from interplay.records.clip import STILL_FPS, Instance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.registry import detect
from interplay.records.formats.tavid.format import TavidFormat, TavidOptions
from interplay.records.media.video import read_video, write_image, write_video
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

HEIGHT, WIDTH = 24, 36
PROMPT = "The woman lifts the target mug. The target mug is white."
BOUND = "The woman lifts the <id1> target mug </id1>. The <id1> target mug </id1> is white."


def read(folder, **options):
    return list(TavidFormat(TavidOptions(**options)).read(folder))


def write(clips, out):
    return list(TavidFormat(TavidOptions()).write(clips, out))


def only(folder, **options):
    (found,) = read(folder, **options)
    return found


def target(shift=0, scale=1):
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[4:10, 5 + shift : 15 + shift] = True
    return mask.repeat(scale, 0).repeat(scale, 1)


def save(path, mask, white=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(mask, np.uint8(white), np.uint8(0))).save(path)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def pair(tmp_path):
    folder = tmp_path / "pairs" / "kitchen"
    write_image(folder / "image.png", picture())
    save(folder / "mask_0.png", target())
    (folder / "prompt.txt").write_text(PROMPT)
    return folder


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_pair_is_a_still_with_one_bound_target(pair):
    assert detect(pair) == detect(pair.parent) == "tavid"
    for source in (pair, pair.parent):
        located = only(source)
        clip = located.clip
        assert (clip.clip_id, clip.num_frames, clip.fps, clip.size_hw) == ("kitchen", 1, STILL_FPS, (HEIGHT, WIDTH))
        assert (clip.caption, clip.instances) == (BOUND, (Instance("id1", "mug", role="target"),))
        assert (clip.tracks["id1"].to_array() == [target()]).all()
        assert located.video == source / "image.png" if source == pair else source / "kitchen/image.png"
        assert (located.notes, clip.extra) == ((), {})
        check_clip(clip, where="x")


def test_several_masks_of_one_target_are_alternatives(pair):
    save(pair / "mask_10.png", target(3))
    save(pair / "mask_2.png", target(6))
    clips = [located.clip for located in read(pair)]
    assert [clip.clip_id for clip in clips] == ["kitchen-mask_0", "kitchen-mask_2", "kitchen-mask_10"]
    assert {clip.caption for clip in clips} == {BOUND}
    assert (clips[1].tracks["id1"].to_array() == [target(6)]).all()


def test_as_many_targets_as_masks_are_one_clip(pair):
    save(pair / "mask_1.png", target(9))
    (pair / "prompt.txt").write_text("the target spoon beside the target mug, the target spoon")
    clip = only(pair).clip
    assert clip.clip_id == "kitchen"
    assert clip.instances == (Instance("id1", "spoon", role="target"), Instance("id2", "mug", role="target"))
    assert (clip.tracks["id2"].to_array() == [target(9)]).all()


def test_more_targets_than_masks_bind_nothing_and_it_is_noted(pair):
    (pair / "prompt.txt").write_text("the target spoon beside the target mug")
    located = only(pair)
    assert located.clip.caption == "the target spoon beside the target mug"
    assert located.clip.instances == (Instance("id1", "", role="target"),)
    assert located.notes[0].problem == "the prompt names 2 targets (spoon, mug) and the folder has 1 masks"


def test_a_prompt_without_a_target_and_no_prompt_are_noted(pair):
    (pair / "prompt.txt").write_text("a woman in a kitchen")
    located = only(pair)
    assert (located.clip.caption, located.notes[0].done) == ("a woman in a kitchen", "the mask is bound to no word")
    (pair / "prompt.txt").unlink()
    located = only(pair)
    assert (located.clip.caption, located.notes[0].problem) == ("", "there is no prompt")


def test_tgt_is_translated_and_noted(pair):
    (pair / "prompt.txt").write_text("she lifts the [TGT] mug\n")
    located = only(pair)
    assert located.clip.caption == "she lifts the <id1> target mug </id1>"
    assert "[TGT]" in located.notes[0].problem
    assert located.clip.extra == {"tavid": {"prompt": "she lifts the [TGT] mug\n"}}


def test_a_mask_at_another_resolution_is_resized_and_noted(pair):
    save(pair / "mask_0.png", target(scale=2))
    located = only(pair)
    assert (located.clip.tracks["id1"].to_array() == [target()]).all()
    assert located.notes[0].problem == "the mask is 72x48 and the picture 36x24"


def test_black_targets_are_read_on_request(pair):
    save(pair / "mask_0.png", ~target())
    assert (only(pair, target="black").clip.tracks["id1"].to_array() == [target()]).all()


def test_masks_of_0_and_1_are_noted_and_a_threshold_decides_about_greys(pair):
    save(pair / "mask_0.png", target(), white=1)
    located = only(pair)
    assert (located.clip.tracks["id1"].to_array() == [target()]).all()
    assert "the value 1" in located.notes[0].problem
    grey = np.where(target(), 200, 90).astype(np.uint8)
    Image.fromarray(grey).save(pair / "mask_0.png")
    assert "stays open" in only(pair).reason
    located = only(pair, masks={"threshold": 128})
    assert (located.clip.tracks["id1"].to_array() == [target()]).all()


@pytest.mark.parametrize(
    ("damage", "where", "told"),
    [
        (lambda pair: save(pair / "mask_0.png", target() & False), "mask_0.png", "the mask is empty"),
        (lambda pair: save(pair / "mask_0.png", target() | True), "mask_0.png", "covers the whole picture"),
        (lambda pair: save(pair / "mask_0.png", target().T), "mask_0.png", "the mask is 24x36 and the picture 36x24"),
        (lambda pair: save(pair / "mask_0.png", np.eye(480, 720, dtype=bool) & (np.arange(720) == 5)), "mask_0.png",
         "nothing of the target is left"),
        (lambda pair: (pair / "mask_0.png").write_bytes(b""), "mask_0.png", "empty"),
        (lambda pair: (pair / "mask_0.png").write_bytes(b"x" * 99), "mask_0.png", "no readable PNG"),
        (lambda pair: (pair / "mask_0.png").rename(pair / "other.png"), "kitchen", "a picture and no mask"),
        (lambda pair: (pair / "image.png").unlink(), "kitchen", "a mask and no image"),
        (lambda pair: (pair / "image.png").write_bytes(b""), "image.png", "empty"),
        (lambda pair: (pair / "image.jpg").write_bytes(b"x"), "kitchen", "2 pictures called image"),
        (lambda pair: (pair / "prompt.txt").write_bytes(b"\xff"), "prompt.txt", "not UTF-8"),
        (lambda pair: (pair / "prompt.txt").write_text("target </id1>"), "prompt.txt", "no <id1> before it"),
    ],
)  # fmt: skip
def test_a_bad_pair_is_rejected_and_the_others_go_on(pair, damage, where, told):
    shutil.copytree(pair, pair.parent / "office")
    damage(pair)
    bad, good = read(pair.parent)
    assert isinstance(bad, Rejected)
    assert bad.where.endswith(where)
    assert told in bad.reason
    assert bad.cure
    assert isinstance(good, LocatedClip)
    assert good.clip.clip_id == "office"


def test_one_bad_mask_of_several_is_one_rejection(pair):
    save(pair / "mask_1.png", target() & False)
    assert [type(one) for one in read(pair)] == [LocatedClip, Rejected]


def test_a_link_out_of_the_source_and_a_pipe_are_refused(pair, tmp_path):
    (pair / "image.png").rename(tmp_path / "out.png")
    (pair / "image.png").symlink_to(tmp_path / "out.png")
    assert "leaves the dataset's folder" in only(pair.parent).reason
    assert isinstance(only(pair.parent, follow_links=True), LocatedClip)
    (pair / "prompt.txt").unlink()
    os.mkfifo(pair / "prompt.txt")
    assert "no regular file" in only(pair.parent, follow_links=True).reason


def test_names_that_meet_in_one_id_are_refused(pair):
    shutil.copytree(pair, pair.parent / "kitchen!")
    pair.rename(pair.parent / "kitchen?")
    assert [type(one) for one in read(pair.parent)] == [LocatedClip, Rejected]


def test_a_folder_without_pairs_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert not TavidFormat.recognises(tmp_path)
    with pytest.raises(InputError, match="holds no picture with a mask"):
        read(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read(tmp_path / "absent")


# --- round trips -----------------------------------------------------------------------------------------------------


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prompt", [PROMPT, "  The [TGT] mug\r\n falls.\n", "no trigger", None])
def test_a_pair_comes_back_as_it_was_also_through_a_store(pair, tmp_path, prompt):
    (pair / "prompt.txt").unlink()
    if prompt is not None:
        (pair / "prompt.txt").write_bytes(prompt.encode())
    first = only(pair)
    with StoreWriter(tmp_path / "store") as writer:
        writer.add_files(first)
    store = ClipStore(tmp_path / "store")
    for number, located in enumerate([first, *(store.located(clip) for clip in store)]):
        (written,) = write([located], tmp_path / f"out{number}")
        assert written.lost == ()
        assert only(tmp_path / f"out{number}").clip == first.clip
        again = tmp_path / f"out{number}" / "kitchen"
        assert files_of(again) == files_of(pair)
        assert all((again / name).read_bytes() == (pair / name).read_bytes() for name in ("image.png",))
        assert prompt is None or (again / "prompt.txt").read_bytes() == prompt.encode()


def test_two_targets_come_back(pair, tmp_path):
    save(pair / "mask_1.png", target(9))
    (pair / "prompt.txt").write_text("the target spoon beside the target mug")
    first = only(pair)
    (written,) = write([first], tmp_path / "out")
    assert written.lost == ()
    assert only(tmp_path / "out").clip == first.clip


def test_alternatives_come_back_as_folders_of_their_own(pair, tmp_path):
    save(pair / "mask_1.png", target(9))
    first = read(pair)
    write(first, tmp_path / "out")
    assert [located.clip for located in read(tmp_path / "out")] == [located.clip for located in first]


def test_a_picture_keeps_its_own_suffix_and_bytes(pair, tmp_path):
    (pair / "image.png").unlink()
    Image.fromarray(picture()).save(pair / "image.jpg")
    write(read(pair), tmp_path / "out")
    assert (tmp_path / "out/kitchen/image.jpg").read_bytes() == (pair / "image.jpg").read_bytes()


@pytest.fixture
def moving(make_clip, frames, tmp_path):
    """A clip of another origin: four frames, two instances, every field in use."""
    write_video(tmp_path / "c0.mp4", frames, 8.0)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    clip = make_clip()
    return LocatedClip(clip, {clip.video: tmp_path / "c0.mp4", "media/c0/audio.wav": tmp_path / "a.wav"})


def test_of_a_moving_clip_the_first_frame_is_kept_and_the_rest_told(moving, frames, tmp_path):
    (written,) = write([moving], tmp_path / "out")
    assert written.lost == (
        "frames 1 to 3: the layout holds one picture",
        "the id id2, which reads back as id1",
        "the caption's own wording: the trigger word was put before the target",
        "the binding of id1 to 'man'",
        "the binding of verb to 'pushes'",
        "the binding of id2 to 'red ball'",
        "of the instances: id1 (man): not kept",
        "1 interaction is not kept",
        "mask track id1: not kept",
        "boxes face: not kept",
        "media audio: not kept",
        "the exact truth of the world is not kept",
        "provenance of tracks: not kept",
    )
    assert (tmp_path / "out/c0/prompt.txt").read_text() == "a man pushes a red target ball"
    located = only(tmp_path / "out")
    assert (read_video(located.video).frames[0] == frames[0]).all()
    assert located.clip.instances == (Instance("id1", "ball", role="target"),)
    assert located.clip.tracks["id1"] == moving.clip.tracks["id2"].select([0])


def test_the_role_says_who_the_target_is_before_the_interactions_do(moving, tmp_path):
    instances = (dataclasses.replace(moving.clip.instances[0], role="target"), moving.clip.instances[1])
    clip = dataclasses.replace(moving.clip, instances=instances)
    write([dataclasses.replace(moving, clip=clip)], tmp_path / "out")
    assert (tmp_path / "out/c0/prompt.txt").read_text() == "a target man pushes a red ball"


def test_targets_that_one_prompt_cannot_tell_apart_lose_all_but_the_first(moving, tmp_path):
    instances = tuple(Instance(name, "ball", role="target") for name in ("id1", "id2"))
    clip = dataclasses.replace(moving.clip, instances=instances, caption="a <id1> ball, a <id2> ball", interactions=())
    (written,) = write([dataclasses.replace(moving, clip=clip)], tmp_path / "out")
    assert "mask track id2: not kept" in written.lost
    assert files_of(tmp_path / "out/c0") == {"image.png", "mask_0.png", "prompt.txt"}
    assert only(tmp_path / "out").clip.instances == (Instance("id1", "ball", role="target"),)


def test_a_clip_without_a_mask_in_its_first_frame_is_rejected_and_nothing_is_written(moving, tmp_path):
    unknown = {name: track.without([0]) for name, track in moving.clip.tracks.items()}
    (told,) = write(
        [dataclasses.replace(moving, clip=dataclasses.replace(moving.clip, tracks=unknown))], tmp_path / "out"
    )
    assert isinstance(told, Rejected)
    assert "no target has a mask in the first frame" in told.reason
    assert not (tmp_path / "out").exists()


def test_writing_again_over_the_same_folder_leaves_nothing_old(pair, tmp_path):
    first = read(pair)
    old = tmp_path / "out/kitchen"
    shutil.copytree(pair, old)
    save(old / "mask_7.png", target())
    write(first, tmp_path / "out")
    assert files_of(old) == {"image.png", "mask_0.png", "prompt.txt"}


# --- the published sample --------------------------------------------------------------------------------------------


def test_the_published_picture_and_masks(samples, tmp_path):
    assert detect(samples / "target_mask") == "tavid"
    first, second = read(samples / "target_mask")
    assert (first.clip.clip_id, second.clip.clip_id) == ("target_mask-mask_0", "target_mask-mask_2")
    assert first.clip.size_hw == (480, 720)
    assert first.clip.tracks["id1"].boxes()[0] == (189.0, 334.0, 284.0, 413.0)
    assert (first.clip.tracks["id1"].areas()[0], second.clip.tracks["id1"].areas()[0]) == (5072, 4432)
    for located, written in zip((first, second), write([first, second], tmp_path), strict=True):
        assert written.lost == ()
        again = tmp_path / located.clip.clip_id
        assert (again / "image.png").read_bytes() == located.video.read_bytes()
        with (
            Image.open(again / "mask_0.png") as image,
            Image.open(samples / f"target_mask/{again.name[-6:]}.png") as own,
        ):
            assert np.array_equal(np.asarray(image), np.asarray(own))
    assert [located.clip for located in read(tmp_path)] == [first.clip, second.clip]


def test_one_pair_among_other_folders_does_not_make_the_whole_a_tavid_dataset(pair):
    for name in ("videos", "notes"):
        (pair.parent / name).mkdir()

    assert not TavidFormat.recognises(pair.parent)
