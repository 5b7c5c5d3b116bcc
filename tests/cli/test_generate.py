"""``interplay generate`` as a user meets it: one prompt, the same clip again, and options that mean nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.backbones.registry import load_backbone
from interplay.cli.main import app
from interplay.core import artifacts
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.instance_map import colour_of
from interplay.records.media.images import write_image
from interplay.records.media.video import read_video

CONFIG = TinyCogVideoX(
    num_frames=9, size_hw=(16, 24), layers=2, heads=2, head_dim=16, text_layers=1, text_length=16, text_dim=16
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``model``, ``training`` (a LoRA on it, which aligned words at layer 1), ``first.png`` and ``map.png``."""
    folder = tmp_path_factory.mktemp("generate")
    build(0, CONFIG).save(folder / "model")
    write_image(folder / "first.png", np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8))

    painted = np.zeros((16, 24, 3), dtype=np.uint8)
    painted[:, :8] = colour_of("id1")
    write_image(folder / "map.png", painted)

    def train(made: Path) -> dict[str, object]:
        backbone = load_backbone(str(folder / "model"))
        backbone.add_lora(backbone.sites(), 2, 2.0)
        backbone.save_lora(made / "adapter")
        return {}

    matrix = MatrixConfig(v2t_layers=(1,), v2v_layers=(0,)).model_dump(mode="json")
    config = {"backbone": str(folder / "model"), "matrix": matrix}
    artifacts.build(folder / "training", kind="training", config=config, inputs={}, make=train)
    return folder


def generate(*words: object) -> Result:
    return CliRunner().invoke(app, ["generate", *map(str, words)])


def error_of(*words: object) -> str:
    result = generate(*words)
    assert isinstance(result.exception, InputError)
    return str(result.exception)


def test_one_prompt_with_the_model_of_its_training_and_the_same_clip_again(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    given = ("--prompt", "a <id1> man kicks a ball", "--image", folder / "first.png", "--masks", folder / "map.png")
    settings = ("--set", "steps=2", "--set", "guidance.cmg_scale=1", "--size", "24x16x9")
    made = generate(*given, "--training", folder / "training", "--seed", 3, *settings, "--out", one)
    assert made.exit_code == 0, made.output
    assert str(one) in made.stdout
    assert read_json(tmp_path / "one.json")["guidance"]["cmg_layers"] == [1]
    again = generate("--again", tmp_path / "one.json", "--out", two)
    assert again.exit_code == 0, again.output
    assert np.array_equal(read_video(one).frames, read_video(two).frames)
    assert "exists already" in error_of("--again", tmp_path / "one.json", "--out", two)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing says what to generate"),
        (("--prompt", "a man", "--again", "a.json"), "--prompt and --again exclude each other"),
        (
            ("--prompt", "a man", "--training", "t", "--adapter", "a"),
            "--training and --adapter exclude each other; give one of the two",
        ),
        (("--again", "a.json", "--training", "t", "--adapter", "a"), "--training and --adapter exclude each other"),
        (("--prompts", "a.csv", "--training", "t", "--adapter", "a"), "--training and --adapter exclude each other"),
        (("--again", "a.json", "--seed", "3"), "--seed: means nothing beside --again"),
        (("--again", "a.json", "--set", "steps=3"), "--set: means nothing beside --again"),
        (("--prompt", "a man", "--backbone", "m", "--split", "test"), "--split: means nothing beside --prompt"),
        (("--prompts", "a.csv", "--backbone", "m", "--image", "a.png"), "--image: means nothing beside --prompts"),
        (("--prompt", "a man"), "--backbone: is missing"),
        (("--prompt", "a man", "--backbone", "m", "--steps", "0"), '"steps" is 0'),
        (("--prompt", "a man", "--backbone", "m", "--size", "big"), "width x height x frames"),
        (("--prompt", "a man", "--backbone", "m", "--offload", "all"), "use none, networks or blocks"),
    ],
)
def test_what_makes_no_sense_is_told(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    assert told in error_of(*words, "--out", tmp_path / "out.mp4")
