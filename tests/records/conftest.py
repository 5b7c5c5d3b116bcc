"""One small clip that uses every field."""

import numpy as np
import pytest

from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack
from interplay.records.store.layout import video_path


@pytest.fixture
def frames():
    return np.random.default_rng(3).integers(0, 256, (4, 16, 24, 3), dtype=np.uint8)


@pytest.fixture
def make_clip(frames):
    masks = frames[..., 0] > 128

    def make(clip_id="c0", **changes):
        fields = {
            "clip_id": clip_id,
            "video": video_path(clip_id),
            "caption": "a <id1> man <verb> pushes a <id2> red ball </id2>",
            "num_frames": 4,
            "size_hw": (16, 24),
            "fps": 8.0,
            "instances": (Instance("id1", "man", "in blue"), Instance("id2", "ball")),
            "interactions": (Interaction("id1", "pushes", "id2", start_s=0.25, contact=5),),
            "tracks": {"id1": MaskTrack.from_array(masks), "id2": MaskTrack.from_array(~masks, gaps=[2])},
            "boxes": {"face": Boxes({0: (1.0, 2.0, 3.0, 4.5), 3: None})},
            "media": {"audio": f"media/{clip_id}/audio.wav"},
            "truth": {"events": [{"verb": "push", "t": 0.5}]},
            "provenance": {"tracks": Provenance("test", {"seed": 3})},
        }
        return Clip(**{**fields, **changes})

    return make
