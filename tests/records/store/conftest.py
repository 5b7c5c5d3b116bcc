"""Stores that the tests fill: a clip with its audio file, added to a writer."""

import pytest


@pytest.fixture
def add(make_clip, frames):
    """Adds a clip, and puts the media that it names into their places first."""

    def add_to(writer, clip_id="c0", **changes):
        clip = make_clip(clip_id, **changes)
        for path in clip.media.values():
            place = writer.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"sound of " + clip_id.encode())
        writer.add(clip, frames=frames)
        return clip

    return add_to
