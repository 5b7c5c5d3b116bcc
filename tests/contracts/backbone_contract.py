"""What every backbone family must pass: subclass in ``test_<family>.py`` and provide the ``backbone`` fixture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import diffusers
import pytest
import torch
from torch import Tensor

from interplay.attention import Region, Scores, observe
from interplay.backbones.base import Backbone, Site
from interplay.backbones.batch import Batch
from interplay.backbones.registry import load_backbone, load_skeleton
from interplay.backbones.widen import beside, widen_input
from interplay.core.errors import InputError
from interplay.diffusion.sampling import clip_generators
from interplay.diffusion.training import noise_batch
from interplay.grid.pixels import to_tensor
from interplay.grid.token_grid import TokenGrid
from interplay.world.sampling import render_at


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward of two clips with prompts of their own."""

    latents: Tensor
    timesteps: Tensor
    text: Batch
    first_frame: Batch

    def denoise(self, backbone: Backbone, **changes: Tensor | Batch) -> Tensor:
        """The prediction where it means something, for these inputs or changed ones."""
        given = vars(self) | changes
        with torch.no_grad():
            prediction = backbone.denoise(given["latents"], given["timesteps"], given["text"], given["first_frame"])
        return prediction[:, :, backbone.objective.given_frames :]


class BackboneContract:
    """The tests; ``backbone`` is a small untrained instance of the family's real classes."""

    prompts = ("a man", "")
    timesteps = (100, 800)
    # Weights that make clips of pictures and of text are put to both tests: here, whether this is the second.
    text_to_video = False

    def loaded(self, folder: Path) -> Backbone:
        return load_backbone(str(folder), text_to_video=self.text_to_video)

    def grid(self, backbone: Backbone) -> TokenGrid:
        return backbone.grid(backbone.native_frames, backbone.native_size_hw)

    def video(self, backbone: Backbone, seed: int = 0) -> Tensor:
        height, width = backbone.native_size_hw
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(2, 3, backbone.native_frames, height, width, generator=generator) * 2 - 1

    def inputs(self, backbone: Backbone) -> Inputs:
        video = self.video(backbone)
        first_frame = backbone.first_frame_condition(video[:, :, 0], self.grid(backbone))
        text = backbone.encode_text(self.prompts, first_frame)
        return Inputs(backbone.encode_video(video), torch.tensor(self.timesteps), text, first_frame)

    def test_the_grid_describes_the_latents(self, backbone: Backbone) -> None:
        assert tuple(backbone.encode_video(self.video(backbone)).shape[2:]) == self.grid(backbone).latent_shape

    def test_decoding_gives_the_pixels_shape_and_range(self, backbone: Backbone) -> None:
        video = self.video(backbone)
        decoded = backbone.decode_video(backbone.encode_video(video))
        assert decoded.shape == video.shape
        assert decoded.abs().max() <= 1

    def test_a_fitted_scale_gives_latents_of_unit_variance(self, backbone: Backbone) -> None:
        before = backbone.encode_video(self.video(backbone))
        backbone.fit_latent_scale(before)
        after = backbone.encode_video(self.video(backbone))
        assert float(after.std()) == pytest.approx(1.0, abs=0.01)
        backbone.fit_latent_scale(after)  # relative to the scale that is set, so nothing is left to do
        assert torch.allclose(backbone.encode_video(self.video(backbone)), after, atol=1e-3)

    def test_illegal_sizes_are_input_errors(self, backbone: Backbone) -> None:
        with pytest.raises(InputError):
            backbone.grid(backbone.native_frames + 1, backbone.native_size_hw)
        with pytest.raises(InputError):
            backbone.grid(backbone.native_frames, (backbone.native_size_hw[0] + 1, backbone.native_size_hw[1]))

    def test_denoise_keeps_the_shape_and_uses_every_input(self, backbone: Backbone) -> None:
        inputs, grid = self.inputs(backbone), self.grid(backbone)
        plain = inputs.denoise(backbone)
        assert plain.shape == inputs.latents[:, :, backbone.objective.given_frames :].shape
        other = backbone.first_frame_condition(self.video(backbone, seed=1)[:, :, 0], grid)
        for changed in (
            inputs.denoise(backbone, latents=inputs.latents + 1),
            inputs.denoise(backbone, timesteps=inputs.timesteps.flip(0)),
            inputs.denoise(backbone, text=inputs.text.take([1, 0])),
        ):
            assert not torch.allclose(plain, changed, atol=1e-6)
        seen = not torch.allclose(plain, inputs.denoise(backbone, first_frame=other), atol=1e-6)
        assert seen == backbone.sees_first_frame

    def test_a_model_that_is_shown_no_first_frame_has_a_condition_of_nothing(self, backbone: Backbone) -> None:
        condition = backbone.first_frame_condition(self.video(backbone)[:, :, 0], self.grid(backbone))
        weight = sum(tensor.numel() for tensor in condition.tensors.values())
        assert (weight > 0) == backbone.sees_first_frame
        assert len(condition) == 2

    def test_without_a_first_frame_it_is_another_model_of_the_same_networks_or_refused(
        self, backbone: Backbone
    ) -> None:
        if backbone.sees_first_frame and not backbone.first_frame_is_optional:
            with pytest.raises(InputError, match=f"backbone {backbone.name}: .*makes no videos of text alone"):
                backbone.without_first_frame()
            return
        before = (backbone.sees_first_frame, backbone.objective)
        other = backbone.without_first_frame()
        assert (other.sees_first_frame, other.objective.given_frames) == (False, 0)
        assert other.without_first_frame() is other
        assert (backbone.sees_first_frame, backbone.objective) == before
        assert (other is backbone) == (not backbone.sees_first_frame)
        pairs = zip(other.networks.values(), backbone.networks.values(), strict=True)
        assert all(one is same for one, same in pairs)

    def test_what_a_model_predicts_depends_on_every_frame_that_it_is_to_predict(self, backbone: Backbone) -> None:
        inputs, given = self.inputs(backbone), backbone.objective.given_frames
        plain, other = inputs.denoise(backbone), inputs.latents.clone()
        other[:, :, 0] += 1
        assert torch.equal(inputs.denoise(backbone, latents=other), plain) == bool(given)
        batch = noise_batch(backbone, inputs.latents, torch.Generator().manual_seed(0))
        wrong = batch.target.clone()
        wrong[:, :, 0] += 1
        assert bool((batch.loss(wrong) == 0).all()) == bool(given)

    def test_a_widened_input_changes_nothing_at_first_and_is_read_later(self, backbone: Backbone) -> None:
        inputs = self.inputs(backbone)
        plain = inputs.denoise(backbone)
        before = [one.get_submodule(backbone.input_projection).weight.clone() for one in backbone.transformers]
        undo = widen_input(backbone, 3)
        channels = torch.randn(2, 3, *inputs.latents.shape[2:], generator=torch.Generator().manual_seed(2))
        wide = beside(inputs.first_frame, channels)
        assert torch.equal(inputs.denoise(backbone, first_frame=wide), plain)
        assert torch.equal(inputs.denoise(backbone), plain)
        for transformer, old in zip(backbone.transformers, before, strict=True):
            weight = transformer.get_submodule(backbone.input_projection).weight
            assert torch.equal(weight[:, : old.shape[1]], old)
            assert not weight[:, old.shape[1] :].any()
            assert (weight.dtype, weight.device) == (old.dtype, old.device)
            with torch.no_grad():
                weight[:, old.shape[1] :].normal_(generator=torch.Generator().manual_seed(3))
        assert not torch.allclose(inputs.denoise(backbone, first_frame=wide), plain, atol=1e-4)
        undo()
        assert torch.equal(inputs.denoise(backbone), plain)

    def test_a_picture_is_shown_as_the_first_frame_is(self, backbone: Backbone) -> None:
        grid, image = self.grid(backbone), self.video(backbone)[:, :, 0]
        shown = backbone.show_picture(image, grid)
        assert shown.shape == (2, backbone.picture_channels, *grid.latent_shape)
        latents = shown[:, -backbone.latent_channels - 1 :]  # the family's own order of latents and validity
        encoded = backbone.first_frame_condition(image, grid).tensors.get("latents")
        if encoded is not None:
            first = [latents[:, start : start + backbone.latent_channels, 0] for start in (0, 1)]
            assert any(one.shape == encoded[:, :, 0].shape and torch.equal(one, encoded[:, :, 0]) for one in first)

    def test_batch_elements_do_not_mix(self, backbone: Backbone) -> None:
        inputs, one = self.inputs(backbone), slice(1, 2)
        alone = Inputs(inputs.latents[one], inputs.timesteps[one], inputs.text.take(one), inputs.first_frame.take(one))
        assert torch.allclose(inputs.denoise(backbone)[one], alone.denoise(backbone), atol=1e-5)

    def test_the_first_frame_condition_is_made_clip_by_clip(self, backbone: Backbone) -> None:
        images, grid = self.video(backbone)[:, :, 0], self.grid(backbone)
        both, alone = backbone.first_frame_condition(images, grid), backbone.first_frame_condition(images[1:], grid)
        assert len(both) == 2
        for name, tensor in alone.tensors.items():
            assert torch.allclose(both.take([1])[name], tensor, atol=1e-5), name

    def test_target_and_noise_recover_the_clean_latents(self, backbone: Backbone) -> None:
        latents = self.inputs(backbone).latents
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
        timesteps = torch.tensor([500, 500])
        noisy, target = backbone.add_noise(latents, noise, timesteps), backbone.target(latents, noise, timesteps)
        level = (noisy * noise).mean() / (noise * noise).mean()
        # v = s e - n x0 and z = s x0 + n e with s^2 + n^2 = 1 (s signal, n noise), so x0 = s z - n v.
        # flow = e - x0 and z = (1 - n) x0 + n e, so x0 = z - n flow.
        signal = {"v": (1 - level**2).sqrt(), "flow": torch.tensor(1.0)}[backbone.objective.prediction]
        assert torch.allclose(signal * noisy - level * target, latents, atol=0.1)

    def test_drawn_timesteps_are_legal_and_follow_from_the_generator(self, backbone: Backbone) -> None:
        one, two = (backbone.draw_timesteps(64, torch.Generator().manual_seed(3)) for _ in range(2))
        assert torch.equal(one, two)
        assert one.dtype == torch.int64
        assert 0 <= one.min() < one.max() < backbone.objective.num_train_timesteps

    def test_sampling_starts_with_each_clips_own_noise(self, backbone: Backbone) -> None:
        inputs, grid = self.inputs(backbone), self.grid(backbone)
        both = backbone.sampler(3, grid, inputs.first_frame).start(clip_generators([1, 2]))
        alone = backbone.sampler(3, grid, inputs.first_frame.take([1])).start(clip_generators([2]))
        assert both.shape == inputs.latents.shape
        assert torch.allclose(both[1:], alone, atol=1e-5)
        assert not torch.allclose(both[:1], alone, atol=0.1)

    def test_every_site_can_be_observed(self, backbone: Backbone) -> None:
        inputs, grid = self.inputs(backbone), self.grid(backbone)
        layout = backbone.layout(grid, backbone.text_length)
        words = Scores("words", "all", keys=Region.text([[0], [1]], backbone.text_length))
        frames = Scores("frames", "all", queries=Region.all_video(2, grid.num_tokens))
        plain = inputs.denoise(backbone)
        with observe(backbone, [words, frames], layout) as seen:
            assert torch.equal(inputs.denoise(backbone), plain)
        kinds = {"words": ("joint", "cross"), "frames": ("joint", "self")}
        for name, of_kind in kinds.items():
            assert set(seen[name]) == {site.address for site in backbone.sites() if site.kind in of_kind}
            assert all(value.shape[2] == grid.num_tokens for value in seen[name].values())

    def test_a_words_score_changes_with_the_word_and_only_there(self, backbone: Backbone) -> None:
        """The layout's text positions are those of the tokens: another prompt's embedding moves its own scores."""
        inputs, grid = self.inputs(backbone), self.grid(backbone)
        site = next(site for site in backbone.sites() if site.kind in ("joint", "cross"))
        scores = Scores("words", (site.address,), keys=Region.text([[0], [0]], backbone.text_length))
        seen = []
        for text in (inputs.text, inputs.text.take([1, 1])):
            with observe(backbone, [scores], backbone.layout(grid, backbone.text_length)) as observed:
                inputs.denoise(backbone, text=text)
            seen.append(observed["words"][site.address])
        assert not torch.allclose(seen[0][0], seen[1][0], atol=1e-6)
        assert torch.allclose(seen[0][1], seen[1][1], atol=1e-5)

    def test_sites_are_unique_ordered_and_name_real_modules(self, backbone: Backbone) -> None:
        sites = backbone.sites()
        assert len({site.address for site in sites}) == len(sites)
        assert [site.layer for site in sites] == sorted(site.layer for site in sites)
        for transformer in backbone.transformers:
            for site in sites:
                module = transformer.get_submodule(site.module)
                assert all(module.get_submodule(name).weight is not None for name in site.projections)

    def test_a_few_steps_on_the_world_lower_the_loss(self, backbone: Backbone) -> None:
        size = backbone.native_size_hw
        frames = [render_at(0, "train", i, backbone.native_frames, size)[1].frames for i in range(2)]
        video = torch.stack([to_tensor(clip) for clip in frames])
        latents = backbone.encode_video(video)
        backbone.fit_latent_scale(latents)
        first_frame = backbone.first_frame_condition(video[:, :, 0], self.grid(backbone))
        tokens = backbone.tokenize(self.prompts)
        batch = noise_batch(backbone, backbone.encode_video(video), torch.Generator().manual_seed(0))
        modules = (*backbone.transformers, *backbone.text_encoders)
        optimizer = torch.optim.Adam([p for module in modules for p in module.parameters()], lr=2e-3)
        losses = []
        for _ in range(6):
            text = backbone.embed_tokens(tokens, first_frame)
            loss = batch.loss(backbone.denoise(batch.noisy, batch.timesteps, text, first_frame)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.9 * losses[0]
        assert all(any(p.grad is not None for p in module.parameters()) for module in backbone.text_encoders)

    def test_saving_and_loading_gives_the_same_prediction(self, backbone: Backbone, tmp_path: Path) -> None:
        inputs = self.inputs(backbone)
        backbone.save(tmp_path / "pipeline")
        again = self.loaded(tmp_path / "pipeline")
        told = ("native_frames", "native_size_hw", "text_length", "objective", "pipeline_class", "sees_first_frame")
        for name in told:
            assert getattr(again, name) == getattr(backbone, name)
        before = inputs.denoise(backbone, text=backbone.encode_text(self.prompts, inputs.first_frame))
        after = inputs.denoise(again, text=again.encode_text(self.prompts, inputs.first_frame))
        assert torch.equal(before, after)

    def test_the_stock_pipeline_loads_the_saved_folder(self, backbone: Backbone, tmp_path: Path) -> None:
        backbone.save(tmp_path / "pipeline")
        pipeline = getattr(diffusers, backbone.pipeline_class).from_pretrained(str(tmp_path / "pipeline"))
        for ours, stock in zip(backbone.transformer.parameters(), pipeline.transformer.parameters(), strict=True):
            assert torch.equal(ours, stock)

    def test_a_skeleton_has_the_shapes_and_no_memory(self, backbone: Backbone, tmp_path: Path) -> None:
        backbone.save(tmp_path / "pipeline")
        for weights in (tmp_path / "pipeline").rglob("*.safetensors"):
            weights.unlink()
        skeleton = load_skeleton(str(tmp_path / "pipeline"), text_to_video=self.text_to_video)
        for bare, full in zip(skeleton.transformers, backbone.transformers, strict=True):
            shapes = {name: value.shape for name, value in bare.state_dict().items()}
            assert shapes == {name: value.shape for name, value in full.state_dict().items()}
            assert all(value.is_meta for value in bare.state_dict().values())
        images = self.video(backbone)[:, :, 0].to("meta")
        first_frame = skeleton.first_frame_condition(images, self.grid(skeleton))
        tokens = skeleton.tokenize(self.prompts)
        latents = skeleton.encode_video(self.video(backbone).to("meta"))
        text = skeleton.embed_tokens(tokens, first_frame)
        prediction = skeleton.denoise(latents, torch.tensor(self.timesteps, device="meta"), text, first_frame)
        assert prediction.shape == latents.shape

    def test_a_fresh_lora_changes_nothing_and_a_trained_one_travels(self, backbone: Backbone, tmp_path: Path) -> None:
        backbone.save(tmp_path / "pipeline")
        inputs = self.inputs(backbone)
        plain = inputs.denoise(backbone)
        backbone.add_lora(self.adapted(backbone), rank=2, alpha=4.0)
        assert torch.equal(inputs.denoise(backbone), plain)
        for transformer in backbone.transformers:
            trained = [p for p in transformer.parameters() if p.requires_grad]
            assert trained
            for parameter in trained:
                parameter.data.add_(0.05)
        tuned = inputs.denoise(backbone)
        assert not torch.allclose(tuned, plain, atol=1e-4)
        backbone.save_lora(tmp_path / "lora")
        again = self.loaded(tmp_path / "pipeline")
        again.load_lora(tmp_path / "lora")
        assert torch.allclose(inputs.denoise(again), tuned, atol=1e-5)

    def adapted(self, backbone: Backbone) -> tuple[Site, ...]:
        return tuple(site for site in backbone.sites() if site.layer == 0)
