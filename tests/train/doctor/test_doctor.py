"""What a recipe needs: parts that add up, that follow the recipe, and that a real run confirms."""

import json
import shutil

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from contracts.wan_variants import experts
from interplay.backbones.registry import load_backbone, load_skeleton, shipped_folder
from interplay.core.errors import InputError
from interplay.grid.buckets import Bucket
from interplay.train.config import TrainConfig
from interplay.train.doctor.estimate import estimate
from interplay.train.doctor.run import diagnose
from interplay.train.run import DTYPES, run
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

NATIVE = Bucket(80, 48, 17)


def recipe(**changes):
    fields = {
        "backbone": "tiny-cogvideox",
        "matrix": {"v2t_layers": [2], "v2v_layers": [4]},
        "lora": {"rank": 4},
        "steps": 1,
        "batch_size": 2,
        "learning_rate": 1e-3,
    }
    return TrainConfig.model_validate({**fields, **changes})


def part(needs, name):
    return next(part.size for part in (*needs.memory, *needs.disk) if part.name == name)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_world(WorldConfig(train=3), tmp_path_factory.mktemp("doctor") / "clips")


def allocated(compute):
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        compute()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def test_a_real_run_allocates_what_was_foretold(clips, tmp_path):
    config = recipe(batch_size=8)

    foretold = diagnose(config, clips, out=tmp_path).needs.memory_bytes

    assert allocated(lambda: run(config, clips, tmp_path / "training")) == pytest.approx(foretold, rel=0.05)


def test_the_weights_are_those_of_the_loaded_model():
    loaded = load_backbone("tiny-cogvideox").transformer

    needs = estimate(recipe(), load_skeleton("tiny-cogvideox"), {NATIVE: 1})

    assert part(needs, "weights of the transformer") == 4 * sum(value.numel() for value in loaded.parameters())


def test_what_is_trained_is_counted_with_its_gradient_and_two_numbers_of_the_optimiser(clips, tmp_path):
    needs = diagnose(recipe(), clips, out=tmp_path).needs

    trained = run(recipe(), clips, tmp_path / "training").summary["trainable_parameters"]

    assert needs.trained == trained
    assert part(needs, "adapter") == part(needs, "gradients") == 4 * trained
    assert part(needs, "optimiser") == 2 * 4 * trained
    assert needs.memory_bytes == sum(one.size for one in needs.memory)


def test_twice_the_batch_is_twice_the_step():
    one, two = (estimate(recipe(batch_size=size), load_skeleton("tiny-cogvideox"), {NATIVE: 1}) for size in (8, 16))

    assert part(two, "step") == pytest.approx(2 * part(one, "step"), rel=0.02)


def test_the_largest_bucket_decides_about_memory_and_all_of_them_about_the_cache():
    small, both = (
        estimate(recipe(), load_skeleton("tiny-cogvideox"), buckets)
        for buckets in ({NATIVE: 5}, {NATIVE: 5, Bucket(160, 96, 17): 1})
    )

    assert part(both, "step") > 3 * part(small, "step")
    assert part(both, "cache") > part(small, "cache")


def test_lora_on_an_early_layer_needs_more_than_on_a_late_one():
    early, late = (
        estimate(
            recipe(matrix=None, batch_size=16, lora={"layers": [layer]}), load_skeleton("tiny-cogvideox"), {NATIVE: 1}
        )
        for layer in (0, 7)
    )

    assert part(early, "step") > 1.5 * part(late, "step")


def test_what_does_not_fit_says_which_batch_would(tmp_path):
    roomy = diagnose(recipe(batch_size=16), None, out=tmp_path)
    tight = diagnose(recipe(batch_size=16), None, out=tmp_path, memory_bytes=roomy.needs.memory_bytes // 2)
    hopeless = diagnose(recipe(), None, out=tmp_path, memory_bytes=1000)

    assert (roomy.fits, roomy.batch_that_fits) == (True, None)
    assert not tight.fits
    assert tight.batch_that_fits in (4, 8)
    assert hopeless.batch_that_fits == 0


def test_open_layers_and_a_missing_dataset_are_named_as_assumptions(tmp_path):
    diagnosis = diagnose(recipe(matrix={}), None, out=tmp_path)

    assert any("layers" in line for line in diagnosis.assumed)
    assert any("no dataset" in line for line in diagnosis.assumed)
    assert json.dumps(diagnosis.to_json())


def test_a_folder_without_weights_will_do(tmp_path):
    shutil.copytree(shipped_folder("tiny-cogvideox"), tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))

    bare = estimate(recipe(), load_skeleton(str(tmp_path / "m")), {NATIVE: 1})

    assert bare == estimate(recipe(), load_skeleton("tiny-cogvideox"), {NATIVE: 1})


def needs_of(**changes):
    config = recipe(**changes)
    return estimate(config, load_skeleton("tiny-cogvideox", DTYPES[config.precision]), {NATIVE: 3})


def test_every_option_is_in_the_sum():
    plain = needs_of()
    trained = part(plain, "adapter")
    average, eight = needs_of(ema_decay=0.99), needs_of(optimizer="adamw8bit")
    assert part(average, "moving average") == trained
    assert average.memory_bytes - plain.memory_bytes == trained
    assert trained / 2 < part(eight, "optimiser") < part(plain, "optimiser") == 2 * trained
    assert part(needs_of(optimizer="muon"), "optimiser") < part(plain, "optimiser")
    assert needs_of(gradient_checkpointing=True).memory_bytes < plain.memory_bytes
    assert needs_of(gradient_accumulation=4).memory == plain.memory
    assert part(needs_of(keep_checkpoints=5), "checkpoints") == 2 * part(plain, "checkpoints")
    best = needs_of(validation={"every": 1})
    assert part(best, "export") == 2 * part(plain, "export")
    half = needs_of(precision="bfloat16")
    weights = "weights of the transformer"
    assert part(half, weights) == pytest.approx(part(plain, weights) / 2, rel=0.01)
    assert part(half, "adapter") == trained


def test_parts_that_are_trained_count_once():
    plain, parts = needs_of(matrix=None), needs_of(matrix=None, also_train=["norm_out.*"])
    more = part(parts, "adapter") - part(plain, "adapter")
    assert more > 0
    assert part(plain, "weights of the transformer") - part(parts, "weights of the transformer") == more
    scratch = needs_of(matrix=None, lora=None, weights="random")
    assert part(scratch, "adapter") == part(plain, "weights of the transformer")
    assert part(scratch, "weights of the transformer") < 0.01 * part(scratch, "adapter")


def test_of_experts_that_are_aligned_apart_the_one_that_needs_most_counts(tmp_path):
    """The clean expert here, whose adapter is in the first layer; the other has it in the last."""
    experts().save(tmp_path / "m")

    def needs(v2t, v2v):
        matrix = {"v2t_layers": v2t, "v2v_layers": v2v, "instance_map": False}
        asked = recipe(backbone=str(tmp_path / "m"), matrix=matrix, batch_size=32)  # a step needs more than encoding
        return diagnose(asked, None, out=tmp_path).needs

    each, noisy, clean = needs([[1], [0]], [[1], [0]]), needs([1], [1]), needs([0], [0])
    assert noisy.memory_bytes < clean.memory_bytes
    assert each == clean


def test_a_layer_that_the_model_does_not_have_is_named(tmp_path):
    with pytest.raises(InputError, match="layer 99 does not exist"):
        diagnose(recipe(matrix={"v2t_layers": [99], "v2v_layers": [1]}), None, out=tmp_path)


def test_nothing_is_computed_with_numbers():
    skeleton = load_skeleton("tiny-cogvideox")

    assert all(value.is_meta for value in skeleton.transformer.parameters())
    assert skeleton.encode_video(torch.empty(1, 3, 17, 48, 80, device="meta")).is_meta
