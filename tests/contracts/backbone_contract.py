"""What every backbone family must pass: subclass in ``test_<family>.py`` and provide the ``backbone`` fixture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from interplay.attention import Region, Scores, observe
from interplay.backbones.base import Backbone
from interplay.backbones.registry import load_backbone
from interplay.core.errors import InputError


class BackboneContract:
    """The tests; ``backbone`` is a small untrained instance of the family's real classes."""

    def video(self, backbone: Backbone, batch: int = 2) -> torch.Tensor:
        height, width = backbone.native_size_hw
        generator = torch.Generator().manual_seed(0)
        return torch.rand(batch, 3, backbone.native_frames, height, width, generator=generator) * 2 - 1

    def inputs(self, backbone: Backbone, batch: int = 2) -> tuple[torch.Tensor, ...]:
        video = self.video(backbone, batch)
        latents = backbone.encode_video(video)
        condition = backbone.first_frame_condition(video[:, :, 0], latents.shape[2])
        return latents, torch.tensor([100, 800])[:batch], backbone.encode_text(["a man", ""])[:batch], condition

    def test_the_grid_describes_the_latents(self, backbone: Backbone) -> None:
        grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
        assert tuple(backbone.encode_video(self.video(backbone)).shape[2:]) == grid.latent_shape

    def test_decoding_gives_the_pixels_shape_and_range(self, backbone: Backbone) -> None:
        video = self.video(backbone)
        decoded = backbone.decode_video(backbone.encode_video(video))
        assert decoded.shape == video.shape
        assert decoded.abs().max() <= 1

    def test_illegal_sizes_are_input_errors(self, backbone: Backbone) -> None:
        with pytest.raises(InputError):
            backbone.grid(backbone.native_frames + 1, backbone.native_size_hw)
        with pytest.raises(InputError):
            backbone.grid(backbone.native_frames, (backbone.native_size_hw[0] + 1, backbone.native_size_hw[1]))

    def test_the_condition_depends_on_the_first_frame_alone_and_is_zero_behind_it(self, backbone: Backbone) -> None:
        latents, _, _, condition = self.inputs(backbone)
        assert condition.shape == latents.shape
        assert condition[:, :, 1:].abs().max() == 0
        assert condition[:, :, 0].abs().max() > 0

    def test_denoise_keeps_the_shape_and_uses_every_input(self, backbone: Backbone) -> None:
        latents, timesteps, text, condition = self.inputs(backbone)
        with torch.no_grad():
            plain = backbone.denoise(latents, timesteps, text, condition)
            assert plain.shape == latents.shape
            for changed in (
                backbone.denoise(latents + 1, timesteps, text, condition),
                backbone.denoise(latents, timesteps.flip(0), text, condition),
                backbone.denoise(latents, timesteps, text.flip(0), condition),
                backbone.denoise(latents, timesteps, text, condition * 2),
            ):
                assert not torch.allclose(plain, changed, atol=1e-6)

    def test_batch_elements_do_not_mix(self, backbone: Backbone) -> None:
        latents, timesteps, text, condition = self.inputs(backbone)
        with torch.no_grad():
            both = backbone.denoise(latents, timesteps, text, condition)
            alone = backbone.denoise(latents[1:], timesteps[1:], text[1:], condition[1:])
        assert torch.allclose(both[1:], alone, atol=1e-5)

    def test_target_and_noise_recover_the_clean_latents(self, backbone: Backbone) -> None:
        latents = self.inputs(backbone)[0]
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
        timesteps = torch.tensor([500, 500])
        noisy, target = backbone.add_noise(latents, noise, timesteps), backbone.target(latents, noise, timesteps)
        assert backbone.objective.prediction == "v"
        # v = s e - n x0 and z = s x0 + n e with s^2 + n^2 = 1 (s signal, n noise), so x0 = s z - n v.
        noise_part = (noisy * noise).mean() / (noise * noise).mean()
        signal_part = (1 - noise_part**2).sqrt()
        assert torch.allclose(signal_part * noisy - noise_part * target, latents, atol=0.1)

    def test_every_site_can_be_observed(self, backbone: Backbone) -> None:
        latents, timesteps, text, condition = self.inputs(backbone)
        grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
        layout = backbone.layout(grid, backbone.text_length)
        request = Scores("words", "all", keys=Region.text([[0], [1]], backbone.text_length))
        with torch.no_grad(), observe(backbone, [request], layout) as seen:
            backbone.denoise(latents, timesteps, text, condition)
        assert set(seen["words"]) == {site.address for site in backbone.sites() if site.kind in ("joint", "cross")}
        assert all(value.shape[2] == grid.num_tokens for value in seen["words"].values())

    def test_sites_are_unique_ordered_and_name_real_modules(self, backbone: Backbone) -> None:
        sites = backbone.sites()
        assert len({site.address for site in sites}) == len(sites)
        assert [site.layer for site in sites] == sorted(site.layer for site in sites)
        for site in sites:
            module = backbone.transformer.get_submodule(site.module)
            for projection in site.projections:
                assert module.get_submodule(projection).weight is not None

    def test_saving_and_loading_gives_the_same_prediction(self, backbone: Backbone, tmp_path: Path) -> None:
        latents, timesteps, text, condition = self.inputs(backbone)
        backbone.save(tmp_path / "pipeline")
        again = load_backbone(str(tmp_path / "pipeline"))
        with torch.no_grad():
            text = backbone.encode_text(["a man", ""])
            before = backbone.denoise(latents, timesteps, text, condition)
            after = again.denoise(latents, timesteps, again.encode_text(["a man", ""]), condition)
        assert torch.equal(before, after)

    def test_a_fresh_lora_changes_nothing_and_a_trained_one_travels(self, backbone: Backbone, tmp_path: Path) -> None:
        backbone.save(tmp_path / "pipeline")
        latents, timesteps, text, condition = self.inputs(backbone)
        with torch.no_grad():
            plain = backbone.denoise(latents, timesteps, text, condition)
            backbone.add_lora(backbone.sites()[:1], rank=2, alpha=4.0)
            assert torch.equal(backbone.denoise(latents, timesteps, text, condition), plain)
            trained = [p for p in backbone.transformer.parameters() if p.requires_grad]
            assert trained
            for parameter in trained:
                parameter.add_(0.05)
            tuned = backbone.denoise(latents, timesteps, text, condition)
            assert not torch.allclose(tuned, plain, atol=1e-4)
            backbone.save_lora(tmp_path / "lora")
            again = load_backbone(str(tmp_path / "pipeline"))
            again.load_lora(tmp_path / "lora")
            assert torch.allclose(again.denoise(latents, timesteps, text, condition), tuned, atol=1e-5)
