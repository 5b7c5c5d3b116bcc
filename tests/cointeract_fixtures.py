"""A small CoInteract dataset in the official layout, drawn here, and the real one where it is present."""

import csv
import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from interplay.records.media.video import write_image, write_video

BEIGE, BLUE = (238, 226, 208), (60, 80, 190)
NUM_FRAMES, HEIGHT, WIDTH = 24, 64, 48
PROMPT = "A woman in a room holds a blue box in her hands."


def draw(background, waving):
    """A body with a waving arm and a product beside it; ``waving`` is the arm's height in every frame."""
    frames = np.empty((len(waving), HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames[:] = background
    for frame, arm in zip(frames, waving, strict=True):
        frame[16:60, 16:28] = BEIGE
        frame[arm : arm + 6, 4:16] = BEIGE
        frame[30:50, 28:40] = BLUE
    return frames


def write_sound(path, length_s, rate=16000):
    """Silence."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(2 * round(length_s * rate)))


def arm_heights(count):
    return np.random.default_rng(5).integers(16, 54, count)


@pytest.fixture
def dataset(tmp_path):
    """``dataset(lead=0, **cells)`` writes one row and its media and returns the folder."""

    def make(lead=0, drop=(), **cells):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        arm = arm_heights(NUM_FRAMES + abs(lead))
        seen = arm[max(0, -lead) :][:NUM_FRAMES]
        labelled = arm[max(0, lead) :][:NUM_FRAMES]
        write_video(folder / "video.mp4", draw((120, 90, 60), seen), 24.0)
        write_video(folder / "structure.mp4", draw((0, 0, 0), labelled), 25.0)
        write_image(folder / "person.png", draw((9, 9, 9), [20])[0])
        write_sound(folder / "sound.wav", NUM_FRAMES / 25)
        record = {
            "prompt": PROMPT,
            "input_video": "video.mp4",
            "hoi_video": "structure.mp4",
            "person_image": "person.png",
            "audio": "sound.wav",
            "face": json.dumps({f"frame_{k}": [16, 16, 28, 26] for k in (2, 6, 22)}),
            "hand_object": "",
            "height": HEIGHT * 2,
            "width": WIDTH * 2,
            **cells,
        }
        with (folder / "data.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, [name for name in record if name not in drop], extrasaction="ignore")
            writer.writeheader()
            writer.writerow(record)
        return folder

    return make


@pytest.fixture(scope="session")
def hoi_training_clip():
    """The published training sample."""
    root = Path(__file__).resolve().parents[1]
    folder = root / os.environ.get("INTERPLAY_SAMPLES", "../shared/samples") / "hoi_training_clip"
    if not folder.is_dir():
        pytest.skip(f"no real media at {folder} (set INTERPLAY_SAMPLES)")
    return folder
