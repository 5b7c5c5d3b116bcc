"""The few lines of Python: one clip, and the same clip once more from the JSON beside it."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import interplay
from contracts import cogvideox_variants
from interplay.backbones.registry import load_backbone
from interplay.core import artifacts
from interplay.core.errors import InputError
from interplay.generate.config import SamplingConfig
from interplay.generate.made import check_name
from interplay.generate.model import Model
from interplay.generate.requests import Request
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.files import write_layers
from interplay.methods.matrix.guidance import Course
from interplay.methods.matrix.layers import Layers
from interplay.records.masks import MaskTrack
from interplay.records.media.images import read_image
from interplay.records.media.video import read_video

PROMPT = "the <id1> man <verb> kicks the <id2> ball"
GUIDED = {"cmg_scale": 0.5, "cmg_layers": [0], "cag_scale": 0.5, "cag_layers": [1]}


@pytest.fixture(scope="module")
def model(small: str, adapter: Path) -> Model:
    return interplay.load(small, adapter=adapter)


def test_a_clip_and_the_same_clip_from_its_json(model: Model, pictures: Path, tmp_path: Path) -> None:
    first = read_image(pictures / "first.png")
    clip = model.generate(
        PROMPT, image=first, masks=pictures / "map.png", seed=7, steps=2, guidance_scale=2.0, guidance=GUIDED
    )
    clip.save(tmp_path / "kick.mp4")
    assert np.array_equal(read_video(tmp_path / "kick.mp4").frames, clip.frames)
    told = json.loads((tmp_path / "kick.json").read_text())
    assert (told["text"], told["seed"]) == ("the <id1> man kicks the <id2> ball", 7)
    again = interplay.reproduce(tmp_path / "kick.json")
    assert np.array_equal(again.frames, clip.frames)


def test_masks_guides_and_the_negative_prompt_are_of_use(model: Model, pictures: Path) -> None:
    given = {"image": pictures / "first.png", "seed": 7, "steps": 2, "guidance_scale": 2.0}
    plain = model.generate(PROMPT, **given)
    others = (
        {"masks": pictures / "map.png"},
        {"guidance": {"cag_scale": 0.5, "cag_layers": [1]}},
        {"negative_prompt": "a dog"},
        {"seed": 8},
    )
    for other in others:
        assert not np.array_equal(model.generate(PROMPT, **given | other).frames, plain.frames), other
    assert np.array_equal(model.generate(PROMPT, **given).frames, plain.frames)


def test_masks_that_overlap_and_of_nobody_in_the_prompt_are_reproduced(
    model: Model, pictures: Path, tmp_path: Path
) -> None:
    masks = {name: np.zeros((32, 48), dtype=bool) for name in ("id1", "id2", "id3", "id8")}
    masks["id1"][:, :40], masks["id2"][8:24, 8:24], masks["id8"][2:, 40:] = True, True, True
    course = Course({name: MaskTrack.from_array(mask[None]) for name, mask in masks.items()})
    request = Request("clip", PROMPT, 1, 9, (16, 24), 8.0, pictures / "first.png", course=course)
    (clip,) = model.make([request], SamplingConfig.model_validate({"steps": 1, "guidance": GUIDED}))
    clip.save(tmp_path / "clip.mp4")
    told = json.loads((tmp_path / "clip.json").read_text())
    assert (told["masks"]["ids"], told["tracks"]) == (["id1", "id2", "id8"], None)
    assert np.array_equal(interplay.reproduce(tmp_path / "clip.json").frames, clip.frames)


def test_a_prompt_without_markup_may_have_masks(model: Model, pictures: Path) -> None:
    given = {"image": pictures / "first.png", "steps": 1}
    with_map = model.generate("a man kicks a ball", masks=pictures / "map.png", **given)
    assert list(with_map.shown.masks) == ["id1", "id2"]
    assert not np.array_equal(with_map.frames, model.generate("a man kicks a ball", **given).frames)


def test_every_clip_of_a_batch_is_reproduced(model: Model, small: str, pictures: Path, tmp_path: Path) -> None:
    requests = [
        Request(f"clip-{seed}", PROMPT, seed, 9, (16, 24), 8.0, pictures / "first.png", pictures / "map.png")
        for seed in (1, 2, 3)
    ]
    made = model.make(requests, SamplingConfig(steps=2))
    made[2].save(tmp_path / "last.mp4")
    again = interplay.reproduce(tmp_path / "last.json")
    assert np.array_equal(again.frames, made[2].frames)


def test_a_folder_of_masks_is_the_same_as_a_painted_map(model: Model, pictures: Path, tmp_path: Path) -> None:
    from interplay.records.media.images import write_image

    painted = read_image(pictures / "map.png")
    for name, channel in (("id1", 0), ("id2", 1)):
        write_image(tmp_path / f"{name}.png", np.repeat(painted[..., channel : channel + 1], 3, axis=2))
    given = {"image": pictures / "first.png", "steps": 1}
    assert np.array_equal(
        model.generate(PROMPT, masks=tmp_path, **given).frames,
        model.generate(PROMPT, masks=pictures / "map.png", **given).frames,
    )
    write_image(tmp_path / "id3.png", painted)
    with pytest.raises(InputError, match=r"id3\.png"):
        model.generate(PROMPT, masks=tmp_path, **given)


@pytest.mark.parametrize(
    ("prompt", "masks", "told"),
    [
        (PROMPT, ("man",), "holds man, and the prompt has no <man>; it may hold id1, id2"),
        (PROMPT, ("id1", "id3"), "holds id3, and the prompt has no <id3>; it may hold id1, id2"),
        ("a man", ("man",), "holds man, and the prompt has no <man>; it may hold id1, id2, ..."),
        (PROMPT, (), "has no masks; it may hold id1, id2"),
    ],
)
def test_masks_by_id_are_of_the_prompts_instances(model: Model, pictures: Path, prompt, masks, told: str) -> None:
    given = {name: np.ones((32, 48), dtype=bool) for name in masks}
    with pytest.raises(InputError, match="field masks") as error:
        model.generate(prompt, image=pictures / "first.png", masks=given, steps=1)
    assert told in str(error.value)


def test_what_nobody_would_read_is_refused(small: str, model: Model, pictures: Path) -> None:
    plain, given = interplay.load(small), {"image": pictures / "first.png", "steps": 1}
    masked = given | {"masks": pictures / "map.png"}
    with pytest.raises(InputError, match=r"clip, field masks: are not read: the model alone .* or leave the masks out"):
        plain.generate(PROMPT, **masked)
    with pytest.raises(InputError, match="field negative_prompt: is not read"):
        plain.generate(PROMPT, **given, negative_prompt="a dog", guidance_scale=1.0)
    with pytest.raises(InputError, match="field negative_prompt: is not read"):  # the model's own scale is 1
        plain.generate(PROMPT, **given, negative_prompt="a dog")
    # Somebody reads the same: the map's channels, or guidance by words.
    model.generate(PROMPT, **masked)
    plain.generate(PROMPT, **masked, guidance={"cmg_scale": 1.0, "cmg_layers": [0]})


def test_a_map_that_nobody_gave_is_told_once(
    small: str, model: Model, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "the clip has no masks and is shown no instance map"
    given = {"image": pictures / "first.png", "steps": 1}
    model.generate(PROMPT, **given)
    assert capsys.readouterr().err.count(told) == 1
    model.generate(PROMPT, **given, masks=pictures / "map.png")
    interplay.load(small).generate(PROMPT, **given)
    assert told not in capsys.readouterr().err


@pytest.mark.parametrize("fps", [0.0, -1.0, 1e-9, 1e9, float("nan"), float("inf")])
def test_a_rate_is_one_that_players_play(model: Model, pictures: Path, fps: float) -> None:
    with pytest.raises(InputError, match=r"field fps: is .*; give 0.1 to 1000 frames per second"):
        model.generate("a man", image=pictures / "first.png", fps=fps)


def test_guidance_is_at_the_layers_that_the_training_aligned(
    small: str, adapter: Path, pictures: Path, tmp_path: Path
) -> None:
    matrix = MatrixConfig(binding="markers", v2t_layers=(1,), v2v_layers=(0,)).model_dump(mode="json")

    def train(folder: Path) -> dict[str, object]:
        shutil.copytree(adapter, folder / "adapter")
        return {}

    config = {"backbone": small, "matrix": matrix}
    training = artifacts.build(tmp_path / "training", kind="training", config=config, inputs={}, make=train)
    given = {"image": pictures / "first.png", "masks": pictures / "map.png", "steps": 1}
    scales = {"cmg_scale": 0.5, "cag_scale": 0.5}
    model = interplay.load(small, adapter=training.path)
    clip = model.generate(PROMPT, **given, guidance=scales)
    named = model.generate(PROMPT, **given, guidance=scales | {"cmg_layers": [1], "cag_layers": [0]})
    assert np.array_equal(clip.frames, named.frames)
    assert clip.facts["guidance"] == scales | {"cmg_layers": [1], "cag_layers": [0]}
    # The layers stand in the JSON: the same weights where nothing says what was aligned give the same clip.
    clip.save(tmp_path / "clip.mp4")
    assert np.array_equal(interplay.reproduce(tmp_path / "clip.json", adapter=adapter).frames, clip.frames)
    with pytest.raises(InputError, match=r"guidance\.cmg_layers: no layer is chosen, .*; name some of 0 to 1"):
        interplay.load(small, adapter=adapter).generate(PROMPT, **given, guidance=scales)
    # An adapter that says so itself knows its layers wherever it lies, and is not the one that does not.
    away = tmp_path / "away"
    shutil.copytree(adapter, away)
    write_layers(away, Layers(v2t=(1,), v2v=(0,)))
    moved = interplay.load(small, adapter=away).generate(PROMPT, **given, guidance=scales)
    assert np.array_equal(moved.frames, clip.frames)
    assert moved.facts["guidance"] == clip.facts["guidance"]
    assert moved.facts["adapter"] != clip.facts["adapter"]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (PROMPT, "clip, field masks: show nobody whom the prompt names, .*; give masks of id1, id2, or set"),
        ("a man kicks a ball", r"clip, field prompt: marks no noun, .*; mark the nouns \(<id1> man\), or set"),
    ],
)
def test_a_clip_without_words_for_its_guidance_is_refused(small: str, pictures: Path, prompt: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        interplay.load(small).generate(prompt, image=pictures / "first.png", steps=1, guidance=GUIDED)


def test_any_size_and_length_that_the_model_takes(model: Model, pictures: Path) -> None:
    clip = model.generate("a man", image=pictures / "first.png", size="32x24x17", fps=12.0, steps=1)
    assert (clip.frames.shape, clip.fps) == ((17, 24, 32, 3), 12.0)
    # The decoder's rule, though 5 frames would do for the transformer: whoever took them would be refused again.
    for frames, neighbours in ((13, "9 or 17"), (6, "1 or 9")):
        told = rf"number of frames: {frames} is not 1 \+ a multiple of 8, which is what .* decodes; use {neighbours}$"
        with pytest.raises(InputError, match=told):
            model.generate("a man", image=pictures / "first.png", size=f"32x24x{frames}")


def test_what_a_model_needs_and_does_not_take(model: Model, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the first frame"):
        model.generate("a man", steps=1)
    cogvideox_variants.text_to_video().save(tmp_path / "t2v")
    blind = interplay.load(str(tmp_path / "t2v"))
    assert blind.generate("a man", steps=1).frames.shape == (9, 32, 48, 3)
    with pytest.raises(InputError, match="makes videos of text"):
        blind.generate("a man", image=pictures / "first.png")
    with pytest.raises(InputError, match="no device of this machine"):
        interplay.load(str(tmp_path / "t2v"), device="warp:1")


def test_a_place_that_cannot_be_written_is_named_before_a_clip_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for folder in ("file", "file/below", "gone"):
        with pytest.raises(InputError, match=r"man\.mp4: cannot be written \(.*\); choose a folder"):
            check_name(tmp_path / folder / "man.mp4", overwrite=False)
    check_name(tmp_path / "new" / "below" / "man.mp4", overwrite=False)
    assert not (tmp_path / "new").exists()


def test_nothing_changed_is_taken_for_the_same(model: Model, small: str, pictures: Path, tmp_path: Path) -> None:
    image = tmp_path / "first.png"
    image.write_bytes((pictures / "first.png").read_bytes())
    model.generate("a man", image=image, steps=1).save(tmp_path / "man.mp4")
    with pytest.raises(InputError, match="exists already"):
        model.generate("a man", image=image, steps=1).save(tmp_path / "man.mp4")
    with pytest.raises(InputError, match="is no name of an mp4"):
        model.generate("a man", image=image, steps=1).save(tmp_path / "man.avi")
    cogvideox_variants.image_to_video().save(tmp_path / "other")
    with pytest.raises(InputError, match="other weights"):
        interplay.reproduce(tmp_path / "man.json", backbone=str(tmp_path / "other"), adapter=None)
    image.write_bytes((pictures / "map.png").read_bytes())
    with pytest.raises(InputError, match=r"first_frame: .*has changed"):
        interplay.reproduce(tmp_path / "man.json")


def test_a_first_frame_that_has_moved(model: Model, pictures: Path, tmp_path: Path) -> None:
    image, record = tmp_path / "first.png", tmp_path / "man.json"
    image.write_bytes((pictures / "first.png").read_bytes())
    clip = model.generate("a man", image=image, steps=1)
    clip.save(tmp_path / "man.mp4")
    image.unlink()
    with pytest.raises(InputError, match=r"man\.json, field first_frame: there is no .*first\.png; put the file back"):
        interplay.reproduce(record)
    assert np.array_equal(interplay.reproduce(record, image=pictures / "first.png").frames, clip.frames)
    with pytest.raises(InputError, match=r"field first_frame: .*has changed"):
        interplay.reproduce(record, image=pictures / "map.png")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("seed", None, '"seed" is missing'),
        ("steps", 0, '"steps" is 0: input should be greater than or equal to 1'),
        ("format", "x", "does not say how a clip was made"),
    ],
)
def test_a_record_that_somebody_changed(
    model: Model, pictures: Path, tmp_path: Path, field: str, value: object, told: str
) -> None:
    model.generate("a man", image=pictures / "first.png", steps=1).save(tmp_path / "man.mp4")
    record = json.loads((tmp_path / "man.json").read_text())
    record = {
        name: content for name, content in (record | {field: value}).items() if content is not None or name != field
    }
    (tmp_path / "man.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=told):
        interplay.reproduce(tmp_path / "man.json")


def test_as_many_threads_as_made_it_make_it_again(model: Model, pictures: Path, tmp_path: Path, monkeypatch) -> None:
    torch.set_num_threads(2)
    try:
        model.generate("a man", image=pictures / "first.png", steps=1).save(tmp_path / "man.mp4")
    finally:
        torch.set_num_threads(1)
    used = []
    sample = Model.sample

    def noted(self, *given):
        used.append(torch.get_num_threads())
        return sample(self, *given)

    monkeypatch.setattr(Model, "sample", noted)
    interplay.reproduce(tmp_path / "man.json")
    assert (used, torch.get_num_threads()) == ([2], 1)


def test_too_little_memory_is_told_with_what_helps(model: Model, pictures: Path, monkeypatch) -> None:
    def full(*given, **named):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(model.backbone.vae, "decode", full)
    with pytest.raises(InputError, match=r"does not fit into the device's memory; use --offload networks"):
        model.generate("a man", image=pictures / "first.png", steps=1)


@pytest.mark.parametrize("offload", ["networks", "blocks"])
def test_offloading_and_tiling_of_one_tile_change_nothing(
    model: Model, small: str, adapter: Path, pictures: Path, offload: str
) -> None:
    placed = interplay.load(small, adapter=adapter, offload=offload, tiling=True)
    given = {"image": pictures / "first.png", "masks": pictures / "map.png", "steps": 1, "guidance_scale": 2.0}
    assert np.array_equal(placed.generate(PROMPT, **given).frames, model.generate(PROMPT, **given).frames)


def test_weights_that_accelerate_keeps_elsewhere_change_nothing(
    model: Model, small: str, adapter: Path, pictures: Path
) -> None:
    import accelerate

    placed = interplay.load(small, adapter=adapter)
    for network in placed.backbone.networks.values():
        accelerate.cpu_offload(network, torch.device("cpu"))
    assert next(placed.backbone.transformer.parameters()).is_meta
    assert placed.backbone.device.type == "cpu"
    given = {"image": pictures / "first.png", "masks": pictures / "map.png", "steps": 1, "guidance_scale": 2.0}
    assert np.array_equal(placed.generate(PROMPT, **given).frames, model.generate(PROMPT, **given).frames)


def test_one_network_at_a_time_is_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from interplay.backbones.placement import place

    backbone = cogvideox_variants.image_to_video()
    names = {module: name for name, module in backbone.networks.items()}
    moves: list[tuple[str, str]] = []

    def noted(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        moves.append((names[module], device.type))
        return module

    for module in names:
        monkeypatch.setattr(type(module), "to", noted)
    # A device of another name than where the weights wait, though all of it is this machine's processor.
    device = torch.device("cpu", 0)
    place(backbone, device, "networks")
    assert backbone.device == device
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    moves.clear()
    first_frame = backbone.first_frame_condition(torch.zeros(1, 3, *backbone.native_size_hw), grid)
    text = backbone.encode_text(["a man"], first_frame)
    latents = torch.zeros(1, backbone.latent_channels, *grid.latent_shape)
    with torch.no_grad():
        backbone.denoise(latents, torch.tensor([5]), text, first_frame)
        backbone.denoise(latents, torch.tensor([5]), text, first_frame)
    backbone.decode_video(latents)
    order = ["autoencoder", "text encoder", "transformer", "autoencoder"]
    assert [name for name, _ in moves] == ["autoencoder", *(n for pair in pairwise(order) for n in pair)]


def test_steps_guidance_and_rate_are_the_models_own(small: str, tmp_path: Path) -> None:
    def own(backbone) -> tuple[int, float, float]:
        sampling = backbone.recommended
        return sampling.steps, sampling.guidance_scale, sampling.fps

    assert own(load_backbone(small)) == own(load_backbone("tiny-cogvideox")) == (20, 1.0, 8.0)
    assert own(cogvideox_variants.text_to_video()) == (50, 6.0, 8.0)
    cogvideox_variants.image_to_video_15().save(tmp_path / "later")
    assert own(load_backbone(str(tmp_path / "later"))) == (50, 6.0, 16.0)
