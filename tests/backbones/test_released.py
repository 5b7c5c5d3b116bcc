"""Every released configuration on the ``meta`` device: the code that would load it, without a byte of weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch

from backbones import released_configs
from interplay.attention import Region, Scores, observe
from interplay.backbones.base import Backbone, TokenLayout
from interplay.backbones.registry import load_skeleton
from interplay.backbones.widen import beside, own_channels, widen_input
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.published import all_published, published_for

EXTRA = 20  # what MATRIX adds to Wan's input: the latents of a mask picture, and a mask of 4 channels


@pytest.fixture(params=released_configs.NAMES)
def release(request: pytest.FixtureRequest) -> dict[str, Any]:
    return released_configs.read(request.param)


@pytest.fixture
def backbone(release: dict[str, Any], tmp_path: Path) -> Backbone:
    released_configs.lay_out(release, tmp_path)
    return load_skeleton(str(tmp_path), torch.bfloat16)


def native_grid(backbone: Backbone, release: dict[str, Any]) -> TokenGrid:
    return backbone.grid(release["clip"]["frames"], tuple(release["clip"]["size_hw"]))


def test_a_release_has_its_grid_sites_layout_and_input(backbone: Backbone, release: dict[str, Any]) -> None:
    expected, grid = release["expected"], native_grid(backbone, release)
    check_grid(backbone, release, grid)
    check_sites(backbone, expected)
    check_layout(backbone, expected, grid)
    check_input(backbone, expected)
    check_published(backbone, release["repository"])
    if release["same_networks_as"] is None:
        check_forward(backbone, grid)


def check_grid(backbone: Backbone, release: dict[str, Any], grid: TokenGrid) -> None:
    expected, assumed = release["expected"], release["assumed"]
    assert grid.latent_shape == tuple(expected["latent_shape"])
    assert grid.token_shape == tuple(expected["token_shape"])
    # What is assumed of a folder that does not say what its model was trained on.
    assert (backbone.native_frames, list(backbone.native_size_hw)) == (assumed["frames"], assumed["size_hw"])
    assert backbone.text_length == expected["text_length"]
    # The autoencoder that the config describes has these strides.
    side = grid.spatial_stride * grid.patch[1]
    small = replace(grid, frames=1 + grid.temporal_stride * grid.patch[0], height=2 * side, width=3 * side)
    video = torch.empty(1, 3, small.frames, small.height, small.width, device="meta")
    assert backbone.encode_video(video).shape[2:] == small.latent_shape


def check_sites(backbone: Backbone, expected: dict[str, Any]) -> None:
    sites = backbone.sites()
    assert Counter(site.kind for site in sites) == expected["sites"]
    assert len(backbone.transformers) == expected.get("experts", 1)
    # Frozen here; it is the nominal size of each release to a digit (Wan 2.1 I2V has 2 billion more, for the image).
    parameters = sum(parameter.numel() for parameter in backbone.transformer.parameters())
    assert parameters / 1e9 == pytest.approx(expected["billions"], abs=0.006)
    layers = max(expected["sites"].values())
    for kind in expected["sites"]:
        assert [site.address for site in sites if site.kind == kind] == [f"blocks.{k}.{kind}" for k in range(layers)]
    for transformer in backbone.transformers:
        for site in sites:
            module = transformer.get_submodule(site.module)
            assert all(module.get_submodule(name).weight.is_meta for name in site.projections)


def check_layout(backbone: Backbone, expected: dict[str, Any], grid: TokenGrid) -> None:
    layout, tokens = backbone.layout(grid, backbone.text_length), prod(expected["token_shape"])
    assert layout.keys() == expected["sites"].keys()
    lengths = {"video": tokens, "text": expected["text_length"], "image": expected.get("image_tokens")}
    for one in layout.values():
        for axis in (one.queries, one.keys):
            assert all(part.stop - part.start == lengths[stream] for stream, part in axis.items())
    if "joint" in layout:
        found = sorted(layout["joint"].keys.items(), key=lambda item: item[1].start)
        order = ("text", "video") if "CogVideoX" in backbone.pipeline_class else ("video", "image", "text")
        assert [stream for stream, _ in found] == [stream for stream in order if lengths[stream]]
        assert all(one[1].stop == two[1].start for one, two in pairwise(found))


def check_input(backbone: Backbone, expected: dict[str, Any]) -> None:
    before = tuple(expected["input"]["weight"])
    for transformer in backbone.transformers:
        assert transformer.config.in_channels == expected["input"]["channels"]
        assert tuple(transformer.get_submodule(backbone.input_projection).weight.shape) == before
    widen_input(backbone, EXTRA)
    per_channel = before[1] // expected["input"]["channels"]
    for transformer in backbone.transformers:
        weight = transformer.get_submodule(backbone.input_projection).weight
        assert tuple(weight.shape) == (before[0], before[1] + EXTRA * per_channel, *before[2:])
        assert (weight.dtype, weight.is_meta) == (torch.bfloat16, True) or weight.dtype == torch.float32


def check_published(backbone: Backbone, repository: str) -> None:
    """Layers were published for those that were analysed, and for no relative of them; widening does not hide which."""
    known = next((entry for entry in all_published() if repository in entry.hub), None)
    assert published_for(backbone) == known
    assert own_channels(backbone) == backbone.transformer.config.in_channels - EXTRA


def check_forward(backbone: Backbone, grid: TokenGrid) -> None:
    """The widened model's attention has the tokens that the layout names, at the first site of each kind."""
    image = torch.empty(1, 3, grid.height, grid.width, device="meta")
    first_frame = backbone.first_frame_condition(image, grid)
    text = backbone.embed_tokens(backbone.tokenize(["a man"]), first_frame)
    shape = (1, backbone.latent_channels, *grid.latent_shape)
    latents = torch.empty(shape, device="meta", dtype=torch.bfloat16)
    wide = beside(first_frame, latents.new_empty(1, EXTRA, *grid.latent_shape))
    layout = backbone.layout(grid, backbone.text_length)
    first = [next(site for site in backbone.sites() if site.kind == kind) for kind in layout]
    everywhere = Region.all_video(1, grid.num_tokens, "meta")
    requests = [Scores(site.kind, (site.address,), **other_side(layout[site.kind], everywhere)) for site in first]
    with torch.no_grad(), observe(backbone, requests, layout) as seen:
        prediction = backbone.denoise(latents, torch.empty(1, device="meta"), text, wide)
    assert prediction.shape == latents.shape
    for site in first:
        assert seen[site.kind][site.address].shape[2] == grid.num_tokens


def other_side(layout: TokenLayout, everywhere: Region) -> dict[str, Region]:
    """Video looks at all video where it can, else at whatever the keys are."""
    if "video" in layout.keys:
        return {"queries": everywhere}
    ((stream, part),) = layout.keys.items()
    return {"keys": Region(stream, torch.ones(1, part.stop - part.start, device="meta"))}


def test_releases_whose_weights_make_both_are_the_ones_that_say_so(release: dict[str, Any], tmp_path: Path) -> None:
    """LTX-Video and Wan 2.2 TI2V; without a first frame their attention has the same tokens."""
    released_configs.lay_out(release, tmp_path)
    shown = load_skeleton(str(tmp_path), torch.bfloat16)
    both = release["family"] == "ltx_video" or bool(release["settings"].get("expand_timesteps"))
    assert shown.first_frame_is_optional == both
    if both:
        of_text = load_skeleton(str(tmp_path), torch.bfloat16, text_to_video=True)
        assert (shown.sees_first_frame, of_text.sees_first_frame) == (True, False)
        if release["same_networks_as"] is None:
            widen_input(of_text, EXTRA)
            check_forward(of_text, native_grid(of_text, release))
    elif shown.sees_first_frame:
        with pytest.raises(InputError, match="makes no videos of text alone"):
            load_skeleton(str(tmp_path), text_to_video=True)


def test_a_step_distilled_release_is_refused(tmp_path: Path) -> None:
    release = released_configs.read("hunyuan-video-1.5-480p-i2v-distilled")
    release["networks"]["transformer"]["use_meanflow"] = True
    released_configs.lay_out(release, tmp_path)
    with pytest.raises(InputError, match="use_meanflow"):
        load_skeleton(str(tmp_path))


def test_releases_of_the_same_networks_have_the_same_configs() -> None:
    for name in released_configs.NAMES:
        one = released_configs.read(name)
        if one["same_networks_as"] is not None:
            assert one["networks"] == released_configs.read(one["same_networks_as"])["networks"]


def test_every_release_says_where_its_values_are_from() -> None:
    for name in (*released_configs.NAMES, "shared"):
        values = released_configs.read(name)
        assert values["sources"]
        assert isinstance(values["unconfirmed"], list)
