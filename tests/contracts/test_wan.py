"""Wan in every published layout, against the contract and against the stock pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers.pipelines.wan.pipeline_wan as stock_text_module
import diffusers.pipelines.wan.pipeline_wan_i2v as stock_module
import numpy as np
import pytest
import torch
from diffusers import WanPipeline, WanTransformer3DModel
from PIL import Image

from contracts.backbone_contract import BackboneContract
from contracts.wan_variants import (
    BOUNDARY,
    CONFIG,
    TEXT_TO_VIDEO,
    VARIANTS,
    experts,
    image_tokens,
    in_place,
    plain,
    text_to_video,
    text_to_video_experts,
)
from interplay.attention import Mass, Region, observe
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.native import Native
from interplay.backbones.registry import build_tiny, load_backbone
from interplay.backbones.wan.adapter import Wan
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.diffusion.sampling import Conditions, clip_generators, conditions_for, sample
from interplay.diffusion.training import NoisedBatch, noise_batch
from interplay.train.pretrain.denoiser import world_tokens

PROMPT = "a man in red pushes a green ball"
every_variant = pytest.mark.parametrize("variant", VARIANTS)


class TestPlainWan(BackboneContract):
    @pytest.fixture
    def backbone(self) -> Wan:
        return plain()


class TestTwoExperts(BackboneContract):
    timesteps = (100, 800)  # of one expert

    @pytest.fixture
    def backbone(self) -> Wan:
        return experts()


class TestFirstFrameInPlace(BackboneContract):
    @pytest.fixture
    def backbone(self) -> Wan:
        return in_place()


# The stock loader fills in zeros for the image projections that an adapter of the text leaves out; peft remarks on it.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
class TestImageTokens(BackboneContract):
    @pytest.fixture
    def backbone(self) -> Wan:
        return image_tokens()


class TestFirstFrameInPlaceLeftOut(BackboneContract):
    text_to_video = True

    @pytest.fixture
    def backbone(self) -> Backbone:
        return in_place().without_first_frame()


class TestTextToVideo(BackboneContract):
    @pytest.fixture
    def backbone(self) -> Wan:
        return text_to_video()


# --- against the stock pipeline --------------------------------------------------------------------------------------


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*CONFIG.size_hw, 3), dtype=np.uint8)


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1


def conditions(backbone: Backbone, pixels: np.ndarray) -> Conditions:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    return conditions_for(backbone, [PROMPT], as_tensor(pixels), grid)


@every_variant
@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_our_sampling_equals_the_stock_pipeline(
    variant: str, guidance: float, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stock pipeline mends prompts with a package that is no dependency here; this prompt needs no mending.
    monkeypatch.setattr(stock_module, "prompt_clean", str)
    backbone = VARIANTS[variant]()
    backbone.fit_latent_scale(backbone.encode_video(torch.rand(2, 3, 9, *CONFIG.size_hw) * 2 - 1))
    stock = backbone.pipeline(
        image=Image.fromarray(pixels),
        prompt=PROMPT,
        negative_prompt="",
        height=CONFIG.size_hw[0],
        width=CONFIG.size_hw[1],
        num_frames=CONFIG.num_frames,
        num_inference_steps=5,
        guidance_scale=guidance,
        max_sequence_length=backbone.text_length,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
    ).frames
    ours = sample(backbone, conditions(backbone, pixels), clip_generators([7]), steps=5, guidance_scale=guidance)
    assert torch.allclose(ours, stock, atol=1e-4)


def in_place_left_out() -> Wan:
    """Wan 2.2 TI2V as it is published, and as it is loaded for text-to-video."""
    backbone = in_place()
    components = {name: part for name, part in backbone.pipeline.components.items() if not name.startswith("image_")}
    of_text = backbone.without_first_frame()
    assert isinstance(of_text, Wan)
    of_text.pipeline = WanPipeline(**components, expand_timesteps=True)
    return of_text


@pytest.mark.parametrize("build", [*TEXT_TO_VIDEO.values(), in_place_left_out])
@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_text_to_video_equals_the_stock_pipeline(
    build: Callable[[], Wan], guidance: float, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_text_module, "prompt_clean", str)
    backbone = build()
    stock = backbone.pipeline(
        prompt=PROMPT,
        negative_prompt="",
        height=CONFIG.size_hw[0],
        width=CONFIG.size_hw[1],
        num_frames=CONFIG.num_frames,
        num_inference_steps=5,
        guidance_scale=guidance,
        max_sequence_length=backbone.text_length,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
    ).frames
    ours = sample(backbone, conditions(backbone, pixels), clip_generators([7]), steps=5, guidance_scale=guidance)
    assert torch.allclose(ours, stock, atol=1e-4)


def test_a_text_to_video_folder_is_told_from_one_that_makes_both(tmp_path: Path) -> None:
    for build, name, shown in ((text_to_video_experts, "WanPipeline", False), (in_place, "WanPipeline", True)):
        folder = tmp_path / build.__name__
        build().save(folder)
        index = read_json(folder / "model_index.json")
        write_json(folder / "model_index.json", {**index, "_class_name": name})
        assert load_backbone(str(folder)).sees_first_frame == shown
        assert not load_backbone(str(folder), text_to_video=True).sees_first_frame


def test_decoded_pixels_equal_the_stock_pipelines(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_module, "prompt_clean", str)
    backbone = plain()
    backbone.fit_latent_scale(backbone.encode_video(torch.rand(2, 3, 9, *CONFIG.size_hw) * 2 - 1))
    latents = torch.randn(1, CONFIG.latent_channels, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    # One step from pure noise with nothing predicted leaves the latents as they are.
    monkeypatch.setattr(backbone.pipeline.scheduler, "step", lambda prediction, t, sample, return_dict: (sample,))
    stock = backbone.pipeline(
        image=Image.fromarray(pixels),
        prompt=PROMPT,
        height=CONFIG.size_hw[0],
        width=CONFIG.size_hw[1],
        num_frames=CONFIG.num_frames,
        num_inference_steps=1,
        guidance_scale=1.0,
        max_sequence_length=backbone.text_length,
        latents=latents,
        output_type="pt",
    ).frames
    ours = backbone.decode_video(latents).transpose(1, 2)
    assert torch.allclose(ours / 2 + 0.5, stock, atol=1e-5)


# --- what the layouts differ in --------------------------------------------------------------------------------------


def test_the_tiny_wan_has_its_size_and_tokens(tmp_path: Path) -> None:
    backbone = build_tiny("tiny-wan", 0)
    assert sum(value.numel() for value in backbone.transformer.parameters()) < 2.5e6
    assert backbone.grid(17, (48, 80)).num_tokens == 300
    backbone.save(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 12e6


def test_every_caption_of_the_world_fits_the_tiny_wan() -> None:
    backbone = build_tiny("tiny-wan", 0)
    tokens = world_tokens(backbone, seed=0, clips=300)
    assert tokens["mask"].sum(dim=1).max() < backbone.text_length
    assert backbone.tokenizer.unk_token_id not in tokens["ids"]


def test_the_same_seed_gives_the_same_weights() -> None:
    one, same, other = (build_tiny("tiny-wan", seed).transformer.proj_out.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_each_expert_has_its_timesteps_and_a_batch_is_one_experts(pixels: np.ndarray) -> None:
    backbone = experts()
    given = conditions(backbone, pixels)
    text, first_frame = given.text.repeated(2), given.first_frame.repeated(2)
    latents = torch.randn(2, CONFIG.latent_channels, *given.grid.latent_shape)

    def denoise(*timesteps: int) -> torch.Tensor:
        with torch.no_grad():
            return backbone.denoise(latents, torch.tensor(timesteps), text, first_frame)

    noisy, clean = denoise(900, 950), denoise(899, 100)
    backbone.pipeline.transformer_2.proj_out.weight.data.zero_()
    assert torch.equal(denoise(900, 950), noisy)
    assert not torch.equal(denoise(899, 100), clean)
    with pytest.raises(ValueError, match="both sides of the experts' boundary 900"):
        denoise(100, 950)


def test_the_expert_of_a_timestep_is_the_one_that_runs(pixels: np.ndarray) -> None:
    backbone = experts()
    assert backbone.expert_timesteps == (range(900, 1000), range(900))
    given = conditions(backbone, pixels)
    latents, ran = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape), []
    for number, transformer in enumerate(backbone.transformers):
        transformer.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
    for timestep in (1000, 999, 900, 899, 0):
        with torch.no_grad():
            backbone.denoise(latents, torch.tensor([timestep]), given.text, given.first_frame)
        assert ran[-1] == backbone.expert_of(timestep)
    assert ran == [0, 0, 0, 1, 1]
    assert (plain().expert_timesteps, plain().expert_of(1000), plain().expert_of(0)) == ((range(1000),), 0, 0)


def test_batches_are_drawn_for_both_experts_in_the_share_of_their_timesteps() -> None:
    backbone, generator = experts(), torch.Generator().manual_seed(0)
    drawn = torch.stack([backbone.draw_timesteps(4, generator) for _ in range(400)])
    noisy = drawn >= 1000 * BOUNDARY
    assert torch.equal(noisy.any(dim=1), noisy.all(dim=1))
    # With a shift of 3, the levels above 0.9 are those that were above 0.75 before it.
    assert float(noisy.float().mean()) == pytest.approx(0.25, abs=0.06)


def test_timesteps_are_drawn_for_the_expert_that_is_named() -> None:
    backbone, generator = experts(), torch.Generator().manual_seed(0)
    noisy, clean = (backbone.draw_timesteps_of(expert, 200, generator) for expert in (0, 1))
    assert int(noisy.min()) >= 1000 * BOUNDARY > int(clean.max())
    named = {backbone.draw_expert(generator) for _ in range(50)}
    assert named == {0, 1}


def test_drawn_timesteps_are_shifted_towards_noise() -> None:
    drawn = plain().draw_timesteps(4000, torch.Generator().manual_seed(0))
    # The median of shifted levels is the shifted median: 3 * 0.5 / (1 + 2 * 0.5).
    assert float(drawn.float().median()) == pytest.approx(750, abs=20)


@pytest.mark.parametrize(("shift", "median"), [(None, 750), (5.0, 833), (1.0, 500)])
def test_timesteps_are_drawn_with_another_shift(shift: float | None, median: int) -> None:
    drawn = plain().draw_timesteps(4000, torch.Generator().manual_seed(0), shift)
    assert float(drawn.float().median()) == pytest.approx(median, abs=20)


def test_a_shift_moves_timesteps_that_are_drawn_and_none_that_are_given() -> None:
    backbone, latents = plain(), torch.zeros(2, CONFIG.latent_channels, 3, 8, 12)
    fixed = torch.tensor([300, 700])

    def noised(timesteps: torch.Tensor | None, shift: float | None) -> NoisedBatch:
        return noise_batch(backbone, latents, torch.Generator().manual_seed(0), timesteps, shift=shift)

    assert torch.equal(noised(fixed, 5.0).noisy, noised(fixed, None).noisy)
    assert (noised(None, 5.0).timesteps > noised(None, None).timesteps).all()
    assert torch.equal(noised(None, 3.0).timesteps, noised(None, None).timesteps)  # its scheduler's own


def test_another_shift_draws_the_experts_in_another_share() -> None:
    backbone, generator = experts(), torch.Generator().manual_seed(0)
    found = [backbone.draw_expert(generator, 5.0) for _ in range(1000)]
    # With a shift of 5, the levels above 0.9 are those that were above 0.643 before it.
    assert found.count(0) / 1000 == pytest.approx(0.357, abs=0.04)
    drawn = backbone.draw_timesteps_of(1, 1000, generator, 1.0)
    assert float(drawn.float().median()) == pytest.approx(450, abs=40)


def test_an_adapter_of_two_experts_is_two_files_and_both_come_back(pixels: np.ndarray, tmp_path: Path) -> None:
    backbone = experts()
    backbone.save(tmp_path / "pipeline")
    backbone.add_lora(backbone.sites(), rank=2, alpha=4.0)
    for number, transformer in enumerate(backbone.transformers, start=1):
        for parameter in transformer.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.02 * number)
    backbone.save_lora(tmp_path / "lora")
    again = load_backbone(str(tmp_path / "pipeline"))
    again.load_lora(tmp_path / "lora")
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    with torch.no_grad():
        for timestep in (950, 100):
            one, two = (
                b.denoise(latents, torch.tensor([timestep]), given.text, given.first_frame) for b in (backbone, again)
            )
            assert torch.allclose(one, two, atol=1e-5)
    assert len(list((tmp_path / "lora").iterdir())) == 2


def test_what_is_observed_is_the_expert_that_ran(pixels: np.ndarray) -> None:
    backbone = experts()
    # Queries of zero look at all words alike.
    for values in backbone.pipeline.transformer_2.blocks[1].attn2.to_q.parameters():
        values.data.zero_()
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    everywhere, word = Region.all_video(1, given.grid.num_tokens), Region.text([[1]], backbone.text_length)
    request = Mass("mass", ("blocks.1.cross",), everywhere, [word], "none")
    layout = backbone.layout(given.grid, backbone.text_length)
    for timestep, alike in ((950, False), (899, True), (900, False)):
        with torch.no_grad(), observe(backbone, [request], layout) as observed:
            backbone.denoise(latents, torch.tensor([timestep]), given.text, given.first_frame)
        mass = observed["mass"]["blocks.1.cross"]
        assert torch.allclose(mass, torch.tensor(1 / backbone.text_length), atol=1e-6) == alike


def test_image_tokens_are_made_of_the_picture_and_attended_to(pixels: np.ndarray) -> None:
    backbone = image_tokens()
    given, other = (conditions(backbone, picture) for picture in (pixels, pixels[::-1].copy()))
    assert given.first_frame["image_tokens"].shape == (1, 5, 16)  # 2 x 2 patches and the class token
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    exchanged = Batch({**given.first_frame.tensors, "image_tokens": other.first_frame["image_tokens"]})
    with torch.no_grad():
        one, two = (
            backbone.denoise(latents, torch.tensor([500]), given.text, first_frame)
            for first_frame in (given.first_frame, exchanged)
        )
    assert not torch.allclose(one, two, atol=1e-6)


def test_text_attention_beside_image_tokens_is_over_the_text_alone(pixels: np.ndarray) -> None:
    backbone = image_tokens()
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    everywhere = Region.all_video(1, given.grid.num_tokens)
    text = Region.text([range(backbone.text_length)], backbone.text_length)
    request = Mass("mass", "all", everywhere, [text], "none")
    with torch.no_grad(), observe(backbone, [request], backbone.layout(given.grid, backbone.text_length)) as seen:
        backbone.denoise(latents, torch.tensor([500]), given.text, given.first_frame)
    for address in ("blocks.0.cross", "blocks.1.cross"):
        assert torch.allclose(seen["mass"][address], torch.ones(()), atol=1e-5)


def test_image_attention_is_a_site_of_its_own_over_the_image_alone(pixels: np.ndarray) -> None:
    backbone = image_tokens()
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    everywhere = Region.all_video(1, given.grid.num_tokens)
    picture = Region("image", torch.ones(1, 5))
    request = Mass("mass", "all", everywhere, [picture], "none")
    with torch.no_grad(), observe(backbone, [request], backbone.layout(given.grid, backbone.text_length)) as seen:
        backbone.denoise(latents, torch.tensor([500]), given.text, given.first_frame)
    assert set(seen["mass"]) == {"blocks.0.image", "blocks.1.image"}
    assert all(torch.allclose(mass, torch.ones(()), atol=1e-5) for mass in seen["mass"].values())


# As above: zeros for the image projections that an adapter of the text leaves out.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
def test_without_image_tokens_the_model_is_one_that_was_built_without_them(pixels: np.ndarray) -> None:
    """With the same weights in a stock transformer that has no image branch; and nothing stays."""
    backbone = image_tokens()
    settings = {name: value for name, value in backbone.transformer.config.items() if not name.startswith("_")}
    bare = WanTransformer3DModel(**settings | {"image_dim": None, "added_kv_proj_dim": None}).eval()
    shared = {name: weight for name, weight in backbone.transformer.state_dict().items() if name in bare.state_dict()}
    bare.load_state_dict(shared)
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)

    def predicted() -> torch.Tensor:
        with torch.no_grad():
            return backbone.denoise(latents, torch.tensor([500]), given.text, given.first_frame)

    before, weights = predicted(), list(backbone.transformer.state_dict())
    undo = backbone.leave_out_image_tokens()
    shown = torch.cat([latents, backbone.show_picture(as_tensor(pixels), given.grid)], dim=1)
    with torch.no_grad():
        expected = bare(shown, torch.tensor([500]), given.text["embeddings"], return_dict=False)[0]
    assert torch.equal(predicted(), expected)
    assert not torch.equal(expected, before)
    assert {site.kind for site in backbone.sites()} == set(backbone.layout(given.grid, 512)) == {"self", "cross"}
    assert given.first_frame["image_tokens"].equal(conditions(backbone, pixels).first_frame["image_tokens"])
    with pytest.raises(InputError, match="no image tokens"):
        backbone.leave_out_image_tokens()
    request = Mass("mass", "all", Region.all_video(1, given.grid.num_tokens), [Region.text([range(512)], 512)], "none")
    with torch.no_grad(), observe(backbone, [request], backbone.layout(given.grid, 512)) as seen:
        assert torch.equal(predicted(), expected)
    assert torch.allclose(seen["mass"]["blocks.1.cross"], torch.ones(()), atol=1e-5)
    undo()
    undo()
    assert torch.equal(predicted(), before)
    assert list(backbone.transformer.state_dict()) == weights


@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
def test_an_adapter_that_was_trained_without_image_tokens_loads_without_them(
    pixels: np.ndarray, tmp_path: Path
) -> None:
    trained, fresh = image_tokens(), image_tokens()
    for backbone in (trained, fresh):
        backbone.leave_out_image_tokens()
    trained.add_lora(trained.sites(), rank=2, alpha=4.0)
    for parameter in trained.transformer.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.02)
    trained.save_lora(tmp_path)
    fresh.load_lora(tmp_path)
    given = conditions(trained, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    with torch.no_grad():
        one, two = (b.denoise(latents, torch.tensor([500]), given.text, given.first_frame) for b in (trained, fresh))
    assert torch.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("variant", ["plain", "experts", "in_place"])
def test_there_are_no_image_tokens_to_leave_out_where_there_are_none(variant: str) -> None:
    with pytest.raises(InputError, match=r"matrix.image_tokens: .*no image tokens"):
        VARIANTS[variant]().leave_out_image_tokens()


def test_a_frame_in_place_is_left_out_of_the_loss_and_never_changes(pixels: np.ndarray) -> None:
    backbone = in_place()
    given = conditions(backbone, pixels)
    latents = torch.randn(1, CONFIG.latent_channels, *given.grid.latent_shape)
    batch = noise_batch(backbone, latents, torch.Generator().manual_seed(0))
    wrong = batch.target.clone()
    wrong[:, :, 0] += 100
    assert float(batch.loss(wrong)) == 0
    made = sample(backbone, given, clip_generators([1]), steps=3, guidance_scale=1.0)
    assert torch.equal(made[:, :, :1], given.first_frame["latents"])
    with torch.no_grad():
        one, other = (
            backbone.denoise(
                torch.cat([first, latents[:, :, 1:]], dim=2), torch.tensor([500]), given.text, given.first_frame
            )
            for first in (latents[:, :, :1], -latents[:, :, :1])
        )
    assert torch.equal(one, other)


def test_text_padding_is_zero_and_not_seen_by_the_encoder(pixels: np.ndarray) -> None:
    backbone = plain()
    text = conditions(backbone, pixels).text["embeddings"]
    words = int(backbone.tokenize([PROMPT])["mask"].sum())
    assert text[:, words:].abs().max() == 0
    assert (text[:, :words].abs().amax(dim=-1) > 0).all()


def test_in_half_precision_the_sampler_stays_in_float32(pixels: np.ndarray, tmp_path: Path) -> None:
    plain().save(tmp_path)
    backbone = load_backbone(str(tmp_path), dtype=torch.bfloat16)
    # The stock model keeps a few of its weights, the very first among them, in float32.
    assert next(backbone.transformer.parameters()).dtype == torch.float32
    assert backbone.dtype == torch.bfloat16
    given = conditions(backbone, pixels)
    rounded = sample(backbone, given, clip_generators([7]), steps=3, guidance_scale=2.0)
    exact = sample(plain(), conditions(plain(), pixels), clip_generators([7]), steps=3, guidance_scale=2.0)
    assert rounded.dtype == torch.float32
    assert torch.allclose(rounded, exact, atol=0.1)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_pipelines_whose_parts_do_not_fit_are_input_errors() -> None:
    backbone = plain()
    native = backbone.native
    backbone.pipeline.register_to_config(expand_timesteps=True)
    with pytest.raises(InputError, match="reads 20 channels, a first-frame condition of this kind makes 8"):
        Wan(backbone.pipeline, "x", native)
    backbone.pipeline.register_to_config(expand_timesteps=False, boundary_ratio=0.9)
    with pytest.raises(InputError, match="boundary_ratio without a second transformer"):
        Wan(backbone.pipeline, "x", native)
    with pytest.raises(InputError, match=f"beside {CONFIG.text_length} text tokens"):
        Wan(image_tokens().pipeline, "x", native)


def test_an_untrained_autoencoder_codes_a_first_frame_like_any_other() -> None:
    vae = build_tiny("tiny-wan", 0).vae
    frame = torch.randn(1, 3, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents = vae.encode(frame.expand(-1, -1, 9, -1, -1)).latent_dist.mean
        restored = vae.decode(latents).sample
    assert latents.shape[2] == 3
    assert restored.shape[2] == 9
    for still in (latents, restored):
        assert still.std() > 0
        torch.testing.assert_close(still, still[:, :, :1].expand_as(still))


def test_a_scheduler_of_another_objective_is_an_input_error() -> None:
    backbone = plain()
    backbone.pipeline.scheduler.register_to_config(prediction_type="epsilon")
    with pytest.raises(InputError, match="UniPCMultistepScheduler is not set up for flow matching"):
        Wan(backbone.pipeline, "x", backbone.native)


def test_a_folder_that_says_nothing_of_its_clips_is_taken_for_a_released_one(tmp_path: Path) -> None:
    for build, native in (
        (plain, Native(81, (480, 832), 512)),
        (in_place, Native(121, (704, 1280), 512)),
    ):
        build().save(tmp_path / build.__name__)
        (tmp_path / build.__name__ / "interplay.json").unlink()
        loaded = load_backbone(str(tmp_path / build.__name__))
        assert (loaded.native_frames, loaded.native_size_hw, loaded.text_length) == (
            native.num_frames,
            native.size_hw,
            native.text_length,
        )
