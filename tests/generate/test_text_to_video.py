"""A model whose weights make videos of pictures and of text: a clip without an image is made of text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import interplay
from contracts.ltx_variants import SMALL, first
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate.config import GenerateConfig
from interplay.generate.model import Model
from interplay.generate.run import run_prompts
from interplay.records.media.video import read_video

PROMPT = "a man in red pushes a green ball"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("ltx") / "pipeline"
    first().save(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(folder: str) -> Model:
    return interplay.load(folder)


def test_without_an_image_the_clip_is_made_of_text_and_made_again(
    model: Model, folder: str, pictures: Path, tmp_path: Path
) -> None:
    clip = model.generate(PROMPT, seed=3, steps=2)
    of_text = interplay.load(folder, text_to_video=True).generate(PROMPT, seed=3, steps=2)
    assert clip.frames.shape == (SMALL.num_frames, *SMALL.size_hw, 3)
    assert np.array_equal(clip.frames, of_text.frames)
    shown = model.generate(PROMPT, image=pictures / "first.png", seed=3, steps=2)
    assert not np.array_equal(clip.frames, shown.frames)
    clip.save(tmp_path / "clip.mp4")
    assert json.loads((tmp_path / "clip.json").read_text())["first_frame"] is None
    assert np.array_equal(interplay.reproduce(tmp_path / "clip.json").frames, clip.frames)


def test_an_image_is_refused_where_text_alone_was_asked_for(folder: str, pictures: Path) -> None:
    with pytest.raises(InputError, match=r"is shown no picture.*leave text_to_video out"):
        interplay.load(folder, text_to_video=True).generate(PROMPT, image=pictures / "first.png")


def test_a_model_that_needs_an_image_does_not_make_videos_of_text(small: str) -> None:
    with pytest.raises(InputError, match=r"makes no videos of text alone.*leave text_to_video out"):
        interplay.load(small, text_to_video=True)


def test_rows_with_and_without_images_are_made_apart_and_told(
    folder: str, model: Model, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"clip_id": "text", "prompt": PROMPT, "seed": 3}, {"clip_id": "more", "prompt": "a cup", "seed": 4}]
    rows.insert(1, {"clip_id": "shown", "prompt": PROMPT, "seed": 3, "image": str(pictures / "first.png")})
    table = tmp_path / "prompts.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = run_prompts(GenerateConfig(backbone=folder, steps=2, batch_size=4), table, tmp_path / "out").path
    entries = {entry["clip_id"]: entry for entry in read_json(made / "index.json")["clips"]}
    assert {name: entry["batch"]["size"] for name, entry in entries.items()} == {"text": 2, "shown": 1, "more": 2}
    assert {name for name, entry in entries.items() if entry["first_frame"] is None} == {"text", "more"}
    told = capsys.readouterr().err
    assert told.count("2 of 3 clips have no first frame and are made of text alone (text, ...)") == 1
    shown = model.generate(PROMPT, image=pictures / "first.png", seed=3, steps=2)
    assert np.array_equal(read_video(made / "videos" / "shown.mp4").frames, shown.frames)
