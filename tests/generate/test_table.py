"""Prompts in a table: what is read, and what is said about what cannot be."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate import run as stage
from interplay.generate.config import GenerateConfig
from interplay.generate.run import run_prompts
from interplay.generate.table import PromptTable
from interplay.records.media.images import read_image, write_image
from interplay.records.media.video import read_video


def write(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def frames(folder: Path, name: str) -> np.ndarray:
    return read_video(folder / "videos" / f"{name}.mp4").frames


def test_clips_of_several_sizes_with_seeds_of_their_own(
    small: str, adapter: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {"image": str(pictures / "first.png"), "masks": str(pictures / "map.png")}
    table = write(
        tmp_path,
        {"clip_id": "one", "prompt": "the <id1> man <verb> kicks the <id2> ball", "seed": 5, **shown},
        {"clip_id": "wide", "prompt": "a man", "seed": 5, "size": "32x16x9", "fps": 12, "image": shown["image"]},
        {"clip_id": "same", "prompt": "the <id1> man <verb> kicks the <id2> ball", "seed": 5, **shown},
        {"prompt": "the <id1> man kicks a ball", "image": shown["image"]},
    )
    config = GenerateConfig(backbone=small, steps=1, batch_size=2)
    made = run_prompts(config, table, tmp_path / "out", adapter=adapter)
    index = read_json(made.path / "index.json")
    assert [entry["clip_id"] for entry in index["clips"]] == ["one", "wide", "same", "clip-00004"]
    assert np.array_equal(frames(made.path, "one"), frames(made.path, "same"))
    assert frames(made.path, "wide").shape == (9, 16, 32, 3)
    assert [entry["batch"] for entry in index["clips"]] == [
        {"size": 2, "place": 0},
        {"size": 1, "place": 0},
        {"size": 2, "place": 1},
        {"size": 1, "place": 0},
    ]
    assert capsys.readouterr().err.count("2 of 4 clips have no masks and are shown no instance map (wide, ...)") == 1
    assert index["clips"][3]["masks"] is None


def test_a_stopped_batch_goes_on(small: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"prompt": "a man", "image": str(pictures / "first.png")} for _ in range(4)]
    table, config = write(tmp_path, *rows), GenerateConfig(backbone=small, steps=1, batch_size=2)
    whole = run_prompts(config, table, tmp_path / "whole")
    save, saved = stage.Made.save, []

    def stop_in_the_second_batch(self, path, **options) -> None:
        if len(saved) == 3:
            raise KeyboardInterrupt
        saved.append(path)
        save(self, path, **options)

    monkeypatch.setattr(stage.Made, "save", stop_in_the_second_batch)
    with pytest.raises(KeyboardInterrupt):
        run_prompts(config, table, tmp_path / "out")
    monkeypatch.undo()
    partial = tmp_path / "out.partial" / "videos"
    before = {path.name: path.stat().st_mtime_ns for path in partial.glob("*.mp4")}
    made = run_prompts(config, table, tmp_path / "out")
    after = {path.name: path.stat().st_mtime_ns for path in (made.path / "videos").glob("*.mp4")}
    assert {name for name, time in before.items() if after[name] == time} == {"clip-00001.mp4", "clip-00002.mp4"}
    for video in (whole.path / "videos").iterdir():
        assert (made.path / "videos" / video.name).read_bytes() == video.read_bytes()


def test_a_run_that_is_killed_goes_on(small: str, pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "prompts.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "image", "seed", "fps"])
        writer.writerows([["a man", pictures / "first.png", seed, ""] for seed in range(8)])
    out = tmp_path / "out"
    options = {"--prompts": table, "--backbone": small, "--steps": 2, "--batch-size": 2, "--out": out}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-c", "from interplay.cli.main import main; main()", "generate", *words]
    partial = tmp_path / "out.partial" / "videos"
    for complete in (1, 4):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None and len(list(partial.glob("*.json"))) < complete:
                time.sleep(0.002)
            run.send_signal(signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
        assert not out.exists()
    config = GenerateConfig(backbone=small, steps=2, batch_size=2)
    made, whole = (run_prompts(config, table, folder) for folder in (out, tmp_path / "whole"))
    files = [path.relative_to(whole.path) for path in whole.path.rglob("videos/*")]
    assert len(files) == 16
    for file in [*files, Path("index.json")]:
        assert (made.path / file).read_bytes() == (whole.path / file).read_bytes(), file


def test_another_picture_under_the_same_name_is_another_question(pictures: Path, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes((pictures / "first.png").read_bytes())
    table = write(tmp_path, {"prompt": "a man", "image": "p.png"})
    before = PromptTable.read(table).as_input().identity
    picture.write_bytes((pictures / "map.png").read_bytes())
    assert PromptTable.read(table).as_input().identity != before


@pytest.mark.parametrize(
    ("row", "field", "told"),
    [
        ({"prompt": "a man", "sed": 1}, "sed", "did you mean seed"),
        ({"image": "x.png"}, "prompt", "say what is to be seen"),
        ({"prompt": "a <id1 man"}, "prompt", ""),
        ({"prompt": "a man", "seed": "few"}, "seed", "few"),
        ({"prompt": "a man", "size": "32 by 16"}, "size", "width x height x frames"),
        ({"prompt": "a man", "image": "nowhere.png"}, "image", "relative to the table's folder"),
        ({"prompt": "a man", "fps": "inf"}, "fps", "finite"),
        ({"prompt": "a man", "fps": "1e-9"}, "fps", "greater than or equal to 0.1"),
        ({"prompt": "a man", "clip_id": "../up"}, "clip_id", "file name"),
        ({"prompt": "a man", "clip_id": "clip-00001"}, "clip_id", "2 rows have the id"),
    ],
)
def test_a_bad_row_is_named_with_its_field_and_the_cure(
    row: dict[str, object], field: str, told: str, tmp_path: Path
) -> None:
    table = write(tmp_path, {"prompt": "a ball"}, row)
    with pytest.raises(InputError) as caught:
        PromptTable.read(table)
    assert str(table) in caught.value.where
    assert caught.value.where.endswith(f"field {field}")
    assert "row 2" in caught.value.where or field == "clip_id"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"image": "text.png"}, r"row 2, field image, .*text\.png: is not a picture"),
        ({"masks": "first.png"}, r"row 2, field masks, .*first\.png: has pixels of the colour"),
        ({"masks": "empty"}, r"row 2, field masks, .*empty: has no masks; it may hold id1\.png"),
        ({"masks": "small.png"}, r"row 2, field masks: 24x32 pixels .* the image is 48x32; give masks of the image's"),
        ({"prompt": "a <id9> man"}, r"row 2, field prompt: has the marker <id9>, and there are 5 marker tokens"),
    ],
)
def test_files_that_are_of_no_use_are_told_before_the_first_clip_is_made(
    small: str, adapter: Path, pictures: Path, tmp_path: Path, row: dict[str, object], told: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "first.png").write_bytes((pictures / "first.png").read_bytes())
    write_image(tmp_path / "small.png", read_image(pictures / "map.png")[:, ::2].copy())
    good = {"prompt": "a <id1> man kicks a <id2> ball", "image": "first.png"}
    table = write(tmp_path, good, {**good, **row})
    with pytest.raises(InputError, match=told):
        run_prompts(GenerateConfig(backbone=small, steps=1), table, tmp_path / "out", adapter=adapter)
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"masks": None}, r"row 2, field masks: show nobody whom the prompt names, .*; give masks of id1, id2, or set"),
        ({"prompt": "a man kicks a ball"}, r"row 2, field prompt: marks no noun, .*; mark the nouns"),
    ],
)
def test_a_row_that_cannot_be_guided_is_told_before_the_first_clip_is_made(
    small: str, pictures: Path, tmp_path: Path, batch_size: int, changes: dict[str, object], told: str
) -> None:
    good = {
        "prompt": "a <id1> man kicks a <id2> ball",
        "image": str(pictures / "first.png"),
        "masks": str(pictures / "map.png"),
    }
    config = GenerateConfig.model_validate(
        {"backbone": small, "steps": 1, "batch_size": batch_size, "guidance": {"cmg_scale": 1, "cmg_layers": [0]}}
    )
    with pytest.raises(InputError, match=told):
        run_prompts(config, write(tmp_path, good, good | changes), tmp_path / "out")
    assert not (tmp_path / "out.partial").exists()


def test_masks_in_a_table_that_nobody_reads_are_told_once(
    small: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"prompt": "a man", "image": str(pictures / "first.png")}
    table = write(tmp_path, good, {**good, "masks": str(pictures / "map.png")})
    run_prompts(GenerateConfig(backbone=small, steps=1), table, tmp_path / "out")
    told = [line for line in capsys.readouterr().err.splitlines() if "are not read" in line]
    assert len(told) == 1
    assert told[0].startswith("masks of 1 of 2 clips are not read: the model alone is shown no instance map")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": "30x16x9"}, r"row 3, field size, video width: 30 is not a multiple of 8"),
        ({"size": "24x16x8"}, r"row 3, field size, number of frames: 8 is not"),
        ({"image": None}, r"row 3, field image: .* makes videos of pictures, and there is none; give the first frame"),
    ],
)
def test_what_the_model_refuses_is_told_before_a_picture_is_read(
    small: str, pictures: Path, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    good = {"prompt": "a man", "image": str(pictures / "first.png")}
    (tmp_path / "text.png").write_text("no picture")
    table = write(tmp_path, good, {**good, "image": "text.png"}, {**good, **changes})
    with pytest.raises(InputError, match=told):
        run_prompts(GenerateConfig(backbone=small, steps=1), table, tmp_path / "out")
    assert not (tmp_path / "out.partial").exists()
