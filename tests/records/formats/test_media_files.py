"""Files that a clip names: whether they open, how long they sound, and copies that are made once."""

import pytest

from cointeract_fixtures import draw, write_sound
from interplay.core.errors import InputError
from interplay.records.formats.common.media_files import audio_length_s, check_media, copy_once, copy_video
from interplay.records.media.video import read_video, write_image, write_video


def test_the_length_of_sound(tmp_path):
    write_sound(tmp_path / "a.wav", 1.25)
    assert audio_length_s(tmp_path / "a.wav") == 1.25
    write_video(tmp_path / "a.mp4", draw((1, 2, 3), [20]), 25.0)
    with pytest.raises(InputError, match="holds no sound"):
        audio_length_s(tmp_path / "a.mp4")


def test_every_medium_is_looked_into(tmp_path):
    write_sound(tmp_path / "a.wav", 0.1)
    write_image(tmp_path / "a.png", draw((1, 2, 3), [20])[0])
    write_video(tmp_path / "a.mp4", draw((1, 2, 3), [20]), 25.0)
    good = {"audio": tmp_path / "a.wav", "person_image": tmp_path / "a.png", "pose_video": tmp_path / "a.mp4"}
    check_media(good)
    for name in good:
        (tmp_path / "broken").write_bytes(b"nothing")
        with pytest.raises(InputError, match="broken"):
            check_media({**good, name: tmp_path / "broken"})


def test_a_copy_is_made_once_and_again_when_the_source_changed(tmp_path):
    source, target = tmp_path / "a", tmp_path / "deep" / "b"
    source.write_bytes(b"one")
    copy_once(source, target)
    stamp = target.stat().st_mtime_ns
    copy_once(source, target)
    assert target.stat().st_mtime_ns == stamp
    source.write_bytes(b"two")
    copy_once(source, target)
    assert target.read_bytes() == b"two"


def test_a_video_is_copied_and_pictures_become_one(tmp_path):
    frames = draw((1, 2, 3), [20, 22])
    write_video(tmp_path / "a.mp4", frames, 25.0)
    assert copy_video(tmp_path / "a.mp4", tmp_path / "out", "c", 8.0) == "c.mp4"
    assert (tmp_path / "out" / "c.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()
    for number, frame in enumerate(frames):
        write_image(tmp_path / "frames" / f"{number:03d}.png", frame)
    assert copy_video(tmp_path / "frames", tmp_path / "out", "d", 8.0) == "d.mp4"
    video = read_video(tmp_path / "out" / "d.mp4")
    assert ((video.frames == frames).all(), video.fps) == (True, 8.0)
