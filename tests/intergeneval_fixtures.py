"""A small InterGenEval folder in the layout of the released code, drawn here: a generated video and a first frame."""

import json

import numpy as np
import pytest

from interplay.records.formats.common.mask_files import write_mask
from interplay.records.media.video import write_image, write_video

NUM_FRAMES, HEIGHT, WIDTH = 5, 32, 48
ITEM = {
    "video_text_prompt": "a <id1> man hands a cup to a <id2> woman.",
    "image_text_prompt": "a man with a cup and a woman",
    "interaction_direction": "Unidirectional",
    "num_objects": 2,
    "interaction_type": "contact",
    "objects": [{"class": "man", "appearance": "in a red shirt"}, {"class": "woman", "appearance": "with a hat"}],
}
STILL = {"video_text_prompt": "a dog  runs", "objects": [{"class": "dog", "appearance": "brown"}]}
EVAL_META = {
    "video_id": "000",
    "prompt": "a man hands a cup to a woman.",
    "entity": ["man", "woman"],
    "appearance": ["in a red shirt", "with a hat"],
    "colors": ["red", "green"],
}
QUESTIONS = {
    "items": [
        {"key_interaction": "the man hands a cup to the woman", "questions": [f"Q{k}?" for k in range(1, 11)]},
        {"key_interaction": "<id1> hands a cup to <id2>", "questions": [{"id": k} for k in range(10)]},
    ]
}


def mask(shift=0):
    drawn = np.zeros((HEIGHT, WIDTH), dtype=bool)
    drawn[3 + shift : 9 + shift, 4:20] = True
    return drawn


def frames(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)


WRONG = [None, True, 3, -1, 10**30, 2.5, "", "x", "<id1>", "a <id0>", "\ud83d", [], {}, [[]], [None], {"a": 1}, "\0"]


def spoilt(value, draw):
    """The value with one of its parts replaced by something of another type."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        key = draw.choice(list(value))
        return {**value, key: spoilt(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        index = draw.randrange(len(value))
        return [*value[:index], spoilt(value[index], draw), *value[index + 1 :]]
    return draw.choice(WRONG)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")


@pytest.fixture
def benchmark_folder(tmp_path):
    folder = tmp_path / "benchmark"
    write_text(folder / "meta.json", [ITEM, STILL])
    write_image(folder / "images/000.png", frames()[0])
    write_image(folder / "images/001.png", frames(1)[0])
    write_video(folder / "videos/000.mp4", frames(), 8.0)
    for number, shift in ((1, 0), (2, 12)):
        write_mask(folder / f"masks/000/id{number}.png", mask(shift))
        for frame in range(NUM_FRAMES):
            write_mask(folder / f"tracks/000/id{number}/{frame:03d}.png", mask(shift + frame))
    write_mask(folder / "masks/001/id1.png", mask(5))
    write_text(folder / "eval_metas/000.json", EVAL_META)
    write_text(folder / "questions/000.json", QUESTIONS)
    return folder
