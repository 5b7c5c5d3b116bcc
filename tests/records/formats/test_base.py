"""Writing clip by clip: a clip that cannot be written is a verdict, a full disk ends the work."""

import errno

import pytest

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named, is_full_disk
from interplay.records.formats.base import LocatedClip, Rejected, Written, write_each


def test_a_clip_that_cannot_be_written_does_not_stop_the_others(make_clip):
    def add(located):
        if located.clip.clip_id == "c1":
            raise InputError("has no sound", where="clip c1", cure="add it")
        return Written(located.clip.clip_id)

    clips = [LocatedClip(make_clip(name), {}) for name in ("c0", "c1", "c2")]
    assert list(write_each(clips, add)) == [
        Written("c0"),
        Rejected("c1", "clip c1", "has no sound", "add it"),
        Written("c2"),
    ]


def test_a_full_disk_is_no_clips_fault(make_clip, tmp_path):
    def add(located):
        with full_disk_named(tmp_path):
            raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(InputError, match="the disk is full") as caught:
        list(write_each([LocatedClip(make_clip(), {})], add))
    assert is_full_disk(caught.value)
    assert not is_full_disk(InputError("is empty", where="file", cure="replace it"))
