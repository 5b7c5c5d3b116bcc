"""What is measured on held-out clips, what a run leaves of it, and that the export generates what the run generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from numpy import ndarray
from pydantic import ValidationError
from safetensors.torch import load_file

from interplay.backbones.registry import load_backbone
from interplay.backbones.widen import beside
from interplay.cli.probes import probes_for
from interplay.core.artifacts import Artifact
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.seeds import derive_seed
from interplay.diffusion.sampling import Conditions, clip_generators, sample
from interplay.grid.pixels import to_frames
from interplay.methods.matrix.adapter import load_adapter
from interplay.records.clip import Clip
from interplay.records.media.video import probe_video, read_video
from interplay.records.store.reader import ClipStore
from interplay.train.config import TrainConfig, ValidationConfig
from interplay.train.dataset import chosen_shapes, encode_clips
from interplay.train.parts import unfreeze
from interplay.train.probes import Probes
from interplay.train.run import Surroundings, run

MEASURED = {
    "every": 2,
    "limit": 2,
    "timesteps": [0.3, 0.7],
    "samples": 1,
    "sample_steps": 2,
    "aas": True,
    "judge": "world",
}


def recipe(folder: str, **changes: Any) -> TrainConfig:
    fields = {
        "backbone": folder,
        "matrix": {"v2t_layers": [0], "v2v_layers": [1]},
        "also_train": ["norm_out.*", "time_embedding.linear_1.bias"],
        "steps": 4,
        "batch_size": 1,
        "learning_rate": 1e-2,
        "warmup_steps": 0,
        "precision": "bfloat16",
        "gradient_checkpointing": True,
        "validation": MEASURED,
    }
    return TrainConfig.model_validate({**fields, **changes})


@pytest.fixture(scope="module")
def trained(backbone_folder: str, clips: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("measured")
    config = recipe(backbone_folder)
    return run(config, clips, folder / "out", cache=Cache(folder / "cache"), probes=probes_for(config))


def test_everything_that_was_asked_for_is_measured_before_while_and_after(trained: Artifact) -> None:
    rows = read_json(trained.path / "validation.json")["rows"]
    assert [row["step"] for row in rows] == [0, 2, 4]
    for row in rows:
        assert row["held_out"] == pytest.approx((row["held_out_at_0.3"] + row["held_out_at_0.7"]) / 2)
        assert {"held_out_alignment", "held_out_sga_verb", "held_out_spa_object"} <= row.keys()
        assert {"aas_noun_v2t", "aas_verb_v2t", "aas_noun_v2v", "aas_verb_v2v", "fidelity"} <= row.keys()
    assert rows[-1]["held_out"] < rows[0]["held_out"]


def test_a_run_leaves_samples_a_chart_and_the_best_adapter(trained: Artifact) -> None:
    samples = sorted(path.relative_to(trained.path).as_posix() for path in trained.path.rglob("*.mp4"))
    assert samples == [f"samples/step-{step:08d}/test-00000.mp4" for step in (0, 2, 4)]
    assert (trained.path / "chart.png").read_bytes().startswith(b"\x89PNG")
    # The last weights are the best ones here, so both folders hold the same.
    assert read_json(trained.path / "validation.json")["best_step"] == 4
    for name in ("pytorch_lora_weights", "input_projection", "parts"):
        last, best = (load_file(trained.path / kind / f"{name}.safetensors") for kind in ("adapter", "best"))
        assert all(torch.equal(last[key], best[key]) for key in last)


def test_single_parts_are_trained_saved_and_loaded(trained: Artifact, backbone_folder: str) -> None:
    parts = load_file(trained.path / "adapter" / "parts.safetensors")
    names = {"norm_out.norm.weight", "norm_out.norm.bias", "norm_out.linear.weight", "norm_out.linear.bias"}
    assert parts.keys() == {f"0/{name}" for name in (*names, "time_embedding.linear_1.bias")}
    backbone = load_backbone(backbone_folder)
    before = backbone.transformer.get_parameter("norm_out.linear.weight").detach().clone()
    assert not torch.equal(before, parts["0/norm_out.linear.weight"])
    load_adapter(backbone, trained.path / "adapter")
    for key, value in parts.items():
        assert torch.equal(backbone.transformer.get_parameter(key.removeprefix("0/")), value)


# --- the export ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A probe that keeps the pixels of every sample as a judge is shown them."""

    samples: list[UInt8[ndarray, "p y x 3"]]

    def __call__(self, clip: Clip, video: Path) -> Mapping[str, float]:
        self.samples.append(read_video(video).frames)
        return {}


Frames = UInt8[ndarray, "p y x 3"]


def exported(backbone_folder: str, clips: Artifact, folder: Path, precision: str) -> tuple[Path, list[Frames]]:
    """LoRA, widened projection and single parts, with the moving average as what is kept; samples of steps 0, 2, 3."""
    seen = Seen([])
    shown = {"every": 1, "sample_every": 2, "limit": 1, "timesteps": [0.5], "samples": 1, "sample_steps": 2}
    changes = {"precision": precision, "gradient_checkpointing": False, "steps": 3, "ema_decay": 0.5}
    config = recipe(backbone_folder, validation=shown, **changes)
    made = run(config, clips, folder / "out", cache=Cache(folder / "cache"), probes=Probes(judge=seen))
    return made.path / "adapter", seen.samples


def again(backbone_folder: str, clips: Artifact, folder: Path, exported_to: Path, dtype: torch.dtype) -> Frames:
    """The sample that the run made last, made of what it left."""
    backbone = load_backbone(backbone_folder, dtype=dtype)
    adapter = load_adapter(backbone, exported_to)
    assert adapter.installed is not None
    config = recipe(backbone_folder, splits=("test",), limit=1)
    kept = {"cache": Cache(folder / "again"), "model": "tiny", "reading": adapter.installed.identity}
    data = encode_clips(backbone, ClipStore(clips.path), config, **kept)  # type: ignore[arg-type]
    shown, empty = data.batch([0], [False]), data.batch([0], [True])
    assert shown.maps is not None
    seen = beside(shown.first_frame, shown.maps)
    latents = sample(
        backbone,
        Conditions(shown.grid, shown.text, empty.text, seen),
        clip_generators([derive_seed(config.seed, "samples", data.clip_id(0))]),
        steps=2,
        guidance_scale=1.0,
    )
    (video,) = backbone.decode_video(latents)
    return to_frames(video.float())


def test_what_the_export_generates_is_what_the_run_generated(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    adapter, (before, _, after) = exported(backbone_folder, clips, tmp_path, "float32")
    made = again(backbone_folder, clips, tmp_path, adapter, torch.float32)
    assert np.array_equal(made, after)
    assert not np.array_equal(made, before)


def test_in_bfloat16_it_is_that_up_to_rounding(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    """What is trained is float32 in a run and bfloat16 in what loads it, so single operations round otherwise."""
    adapter, (before, _, after) = exported(backbone_folder, clips, tmp_path, "bfloat16")
    made = again(backbone_folder, clips, tmp_path, adapter, torch.bfloat16)
    assert _grey_levels(made, after) < 0.1 * _grey_levels(made, before)


def _grey_levels(one: Frames, other: Frames) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_the_stock_pipeline_computes_with_the_adapter_what_ours_computes(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    from diffusers import CogVideoXImageToVideoPipeline

    changes = {"matrix": None, "also_train": (), "validation": None, "precision": "float32", "steps": 2}
    artifact = run(recipe(backbone_folder, **changes), clips, tmp_path / "out")
    ours, plain = load_backbone(backbone_folder), load_backbone(backbone_folder)
    load_adapter(ours, artifact.path / "adapter")
    stock = CogVideoXImageToVideoPipeline.from_pretrained(backbone_folder)
    stock.load_lora_weights(str(artifact.path / "adapter"))
    grid = ours.grid(9, (32, 48))
    torch.manual_seed(0)
    latents = torch.randn(1, ours.latent_channels, *grid.latent_shape)
    first_frame = ours.first_frame_condition(torch.rand(1, 3, 32, 48), grid)
    text, timesteps = ours.encode_text(["a man kicks a ball"], first_frame), torch.tensor([500])
    expected = ours.denoise(latents, timesteps, text, first_frame)
    ours.pipeline.transformer = ours.transformer = stock.transformer  # type: ignore[attr-defined]
    assert torch.equal(ours.denoise(latents, timesteps, text, first_frame), expected)
    assert not torch.equal(plain.denoise(latents, timesteps, text, first_frame), expected)


def test_a_pattern_that_fits_nothing_names_some_that_would(backbone_folder: str) -> None:
    with pytest.raises(InputError, match=r"no parameter fits norm_uot\.\*; names look like .*norm_out"):
        unfreeze(load_backbone(backbone_folder), ["norm_uot.*"])


def test_splits_that_are_not_there_are_named_with_the_way_out(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    config = recipe(backbone_folder, validation={"splits": ["validation"]})
    told = r"field validation.splits .*no clip is in the split 'validation'; use one of: .*or .*--set validation=null"
    with pytest.raises(InputError, match=told):
        run(config, clips, tmp_path / "out")


def test_samples_play_at_the_rate_of_the_clips_that_are_trained_on(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    """Buckets may take every other frame: what the model makes then has half as many in a second."""
    own = ClipStore(clips.path).select("test")[0]
    size = f"{own.size_hw[1]}x{own.size_hw[0]}x{(own.num_frames - 1) // 2 + 1}"
    shown = {"limit": 1, "timesteps": [0.5], "samples": 1, "sample_steps": 1}
    plain = {"matrix": None, "also_train": (), "precision": "float32", "gradient_checkpointing": False, "steps": 1}
    slow = recipe(backbone_folder, validation=shown, buckets={"sizes": [size], "fps": own.fps / 2}, **plain)
    made = run(slow, clips, tmp_path / "out")
    sample_of = made.path / "samples" / "step-00000001" / f"{own.clip_id}.mp4"
    told = probe_video(sample_of)
    assert (told.fps, told.num_frames) == (own.fps / 2, (own.num_frames - 1) // 2 + 1)


def test_samples_of_a_length_that_is_not_decoded_are_refused_before_encoding(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    """CogVideoX is trained on 5 frames, and its autoencoder would make 8 of them."""
    height, width = ClipStore(clips.path).select("test")[0].size_hw
    config = recipe(backbone_folder, buckets={"sizes": [f"{width}x{height}x5"]})
    told = r"field validation.samples, number of frames: 5 is not 1 \+ a multiple of 8.*use 1 or 9, or sample nothing"
    with pytest.raises(InputError, match=told):
        run(config, clips, tmp_path / "out", cache=Cache(tmp_path / "cache"), probes=probes_for(config))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_held_out_clips_must_be_others(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    config = recipe(backbone_folder, validation={"splits": ["train"]})
    with pytest.raises(InputError, match="clip train-00000 is trained on too"):
        run(config, clips, tmp_path / "out")


def test_limits_count_per_split_and_samples_are_of_each(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    shown = {"splits": ["test", "heldout"], "limit": 2, "timesteps": [0.5], "samples": 2, "sample_steps": 1}
    plain = {"matrix": None, "also_train": (), "precision": "float32", "gradient_checkpointing": False, "steps": 1}
    both = recipe(backbone_folder, splits=("train", "heldout"), limit=2, **plain)
    assert [one.clip_id for one in chosen_shapes(ClipStore(clips.path), both)] == [
        "train-00000",
        "train-00001",
        "heldout-00000",
    ]
    measured = recipe(backbone_folder, validation=shown | {"sample_every": 100}, **plain)
    made = run(measured, clips, tmp_path / "out")
    # Of two test clips and a held-out one.
    samples = sorted((made.path / "samples" / "step-00000001").iterdir())
    assert [path.stem for path in samples] == ["heldout-00000", "test-00000"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"samples": 9}, r"samples: 9 are more than the clips that limit leaves \(8 of each split, 8 in all\)"),
        ({"samples": 5, "limit": 2, "splits": ["test", "heldout"]}, r"\(2 of each split, 4 in all\)"),
        ({"splits": []}, "at least 1 item"),
        ({"timesteps": [0.5, -0.5]}, "greater than or equal to 0"),
        ({"timesteps": [2.0]}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ValidationConfig.model_validate(given)
    ValidationConfig.model_validate({"samples": 4, "limit": 2, "splits": ["test", "heldout"], "timesteps": [0, 1]})


def test_a_probe_that_nobody_brought_is_named(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"validation\.aas: needs a probe"):
        run(recipe(backbone_folder), clips, tmp_path / "out", probes=Probes())


def test_a_tracker_that_is_not_installed_is_named(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    config = recipe(backbone_folder, validation=None)
    with pytest.raises(InputError, match=r"--tracker tensorbored: is no tracker; choose among .*tensorboard"):
        run(config, clips, tmp_path / "out", surroundings=Surroundings(trackers=("tensorbored",)))
