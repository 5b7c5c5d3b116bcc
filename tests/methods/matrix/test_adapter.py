"""What is saved is what is loaded: by us, by the stock pipelines, and from the released code's checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from contracts.wan_variants import image_tokens
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.registry import build_tiny, load_backbone
from interplay.core.errors import InputError
from interplay.methods.matrix.adapter import load_adapter, save_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.files import read_layers
from interplay.methods.matrix.install import install
from interplay.methods.matrix.instance_map import paint
from interplay.methods.matrix.layers import Layers
from interplay.methods.matrix.released import convert
from interplay.records.masks import MaskTrack

PROMPT = "a <id1> man <verb> pushes a <id2> ball"


def _predicted(backbone: Backbone, adapter, with_map: bool = True) -> torch.Tensor:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    height, width = backbone.native_size_hw
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[:, : height // 2] = True
    picture = paint({"id1": MaskTrack.from_array(mask.numpy())}, frame=0)
    first_frame = backbone.first_frame_condition(torch.zeros(1, 3, height, width), grid)
    shown = adapter.condition(backbone, first_frame, [picture if with_map else None], grid)
    text = backbone.encode_text([adapter.caption(PROMPT).text], first_frame)
    latents = torch.randn(1, backbone.latent_channels, *grid.latent_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return backbone.denoise(latents, torch.tensor([500]), text, shown)


def _trained(backbone: Backbone, config: MatrixConfig):
    """As if after training: LoRA, projection and rows are no longer what they were."""
    installed = install(backbone, config)
    backbone.add_lora(backbone.sites()[:2], 2, 2.0)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for transformer in backbone.transformers:
            for name, weight in transformer.named_parameters():
                if "lora_B" in name:
                    weight.normal_(generator=generator)
        for parameter in installed.trained:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return installed


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Untrained tiny backbones on disk (their weights are stored as half precision)."""
    root, made = tmp_path_factory.mktemp("tiny"), {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = root / name
            build_tiny(name, 0).save(made[name])
        return made[name]

    return folder


@pytest.mark.parametrize("name", ["tiny-cogvideox", "tiny-wan", "tiny-hunyuan-video"])
def test_a_saved_adapter_predicts_as_the_trained_model(folders, name: str, tmp_path: Path) -> None:
    config = MatrixConfig(variant="released", marker_embeddings="trained")
    trained = load_backbone(str(folders(name)))
    installed = _trained(trained, config)
    save_adapter(trained, tmp_path, installed)
    fresh = load_backbone(str(folders(name)))
    adapter = load_adapter(fresh, tmp_path)
    assert adapter.sees_map
    assert adapter.caption(PROMPT).text == "a <id1> man pushes a <id2> ball"
    expected = _predicted(trained, adapter)
    assert torch.equal(_predicted(fresh, adapter), expected)
    assert not torch.equal(_predicted(fresh, adapter, with_map=False), expected)


def test_the_file_says_what_it_is(folders, tmp_path: Path) -> None:
    backbone = load_backbone(str(folders("tiny-wan")))
    save_adapter(backbone, tmp_path, _trained(backbone, MatrixConfig()))
    with safe_open(tmp_path / "input_projection.safetensors", framework="pt") as opened:
        metadata, names = opened.metadata(), set(opened.keys())
    assert names == {"transformer.patch_embedding.weight", "transformer.patch_embedding.bias"}
    assert metadata["channels"] == str(backbone.picture_channels)
    assert json.loads(metadata["palette"])["id2"] == [0, 255, 0]
    assert json.loads(metadata["conditioning"])["binding"] == "words"


def test_stock_pipelines_load_the_lora_and_the_widened_transformer(folders, tmp_path: Path) -> None:
    """The folder as it is for load_lora_weights; the projection fits the stock class with more input channels."""
    from diffusers import CogVideoXImageToVideoPipeline, CogVideoXTransformer3DModel

    backbone = load_backbone(str(folders("tiny-cogvideox")))
    installed = _trained(backbone, MatrixConfig(v2t_layers=(1,), v2v_layers=(0,)))
    save_adapter(backbone, tmp_path, installed)
    assert (tmp_path / "aligned_layers.json").is_file()
    projection = load_file(tmp_path / "input_projection.safetensors")
    pipeline = CogVideoXImageToVideoPipeline.from_pretrained(str(folders("tiny-cogvideox")))
    config = dict(pipeline.transformer.config) | {"in_channels": backbone.transformer.config.in_channels}
    wide = CogVideoXTransformer3DModel.from_config(config)
    weights = pipeline.transformer.state_dict() | {n.removeprefix("transformer."): t for n, t in projection.items()}
    wide.load_state_dict(weights)
    pipeline.transformer = wide
    pipeline.load_lora_weights(str(tmp_path))
    ours, stock = backbone.transformer.state_dict(), pipeline.transformer.state_dict()
    assert {n.replace(".default_0.", ".default.") for n in stock} == set(ours)
    assert all(torch.equal(ours[n.replace(".default_0.", ".default.")], weight) for n, weight in stock.items())


def test_an_adapter_knows_the_layers_that_were_aligned(folders, tmp_path: Path) -> None:
    """Also one without markers and map, which is a plain LoRA otherwise; one that was not aligned says nothing."""
    config = MatrixConfig(v2t_layers=(1, 0), v2v_layers=(0,), spa_roles=(), instance_map=False)
    for name, own in (("aligned", config), ("not", config.model_copy(update={"sga_roles": ()}))):
        backbone = load_backbone(str(folders("tiny-cogvideox")))
        save_adapter(backbone, tmp_path / name, _trained(backbone, own))
    assert [path.name for path in (tmp_path / "not").iterdir()] == ["pytorch_lora_weights.safetensors"]
    file = tmp_path / "aligned" / "aligned_layers.json"
    assert json.loads(file.read_text()) == {"format": "interplay.matrix/1", "v2t": [1, 0], "v2v": []}
    assert read_layers(tmp_path / "aligned") == Layers(v2t=(1, 0))
    assert read_layers(tmp_path / "not") is None
    loaded = load_adapter(load_backbone(str(folders("tiny-cogvideox"))), tmp_path / "aligned")
    assert (loaded.installed, loaded.aligned) == (None, Layers(v2t=(1, 0)))
    for wrong, told in (
        ("[]", "is not of the format"),
        ('{"format": "interplay.matrix/1", "v2": []}', 'unknown key "v2"'),
    ):
        file.write_text(wrong)
        with pytest.raises(InputError, match=rf"aligned_layers\.json: {told}"):
            read_layers(tmp_path / "aligned")


def test_a_plain_lora_is_an_adapter_without_a_map(folders, tmp_path: Path) -> None:
    backbone = load_backbone(str(folders("tiny-cogvideox")))
    backbone.add_lora(backbone.sites()[:1], 2, 2.0)
    save_adapter(backbone, tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["pytorch_lora_weights.safetensors"]
    fresh = load_backbone(str(folders("tiny-cogvideox")))
    adapter = load_adapter(fresh, tmp_path)
    assert not adapter.sees_map
    assert adapter.caption(PROMPT).text == "a man pushes a ball"
    assert _predicted(fresh, adapter).isfinite().all()


def test_parts_that_were_trained_in_full_are_put_in_their_places(folders, tmp_path: Path) -> None:
    backbone = load_backbone(str(folders("tiny-cogvideox")))
    backbone.add_lora(backbone.sites()[:1], 2, 2.0)
    save_adapter(backbone, tmp_path, None)
    weight = torch.full_like(backbone.transformer.transformer_blocks[0].attn1.to_q.weight, 0.5)
    key = "0/transformer_blocks.0.attn1.to_q.weight"
    save_file({key: weight}, tmp_path / "parts.safetensors")
    fresh = load_backbone(str(folders("tiny-cogvideox")))
    load_adapter(fresh, tmp_path)
    assert torch.equal(fresh.transformer.transformer_blocks[0].attn1.to_q.base_layer.weight, weight)
    save_file({"0/nowhere.weight": weight}, tmp_path / "parts.safetensors")
    with pytest.raises(InputError, match=r"holds 0/nowhere.weight"):
        load_adapter(load_backbone(str(folders("tiny-cogvideox"))), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "holds no adapter"),
        ({"format": "other"}, "is of the format other"),
        ({"channels": "7"}, "adds 7 input channels"),
    ],
)
def test_what_is_no_adapter_for_this_model_is_refused(folders, tmp_path: Path, change, said: str) -> None:
    backbone = load_backbone(str(folders("tiny-cogvideox")))
    if change:
        source = tmp_path / "source"
        save_adapter(backbone, source, install(backbone, MatrixConfig()), lora=False)
        with safe_open(source / "input_projection.safetensors", framework="pt") as opened:
            metadata = opened.metadata() | change
        save_file({"x": torch.zeros(1)}, tmp_path / "input_projection.safetensors", metadata=metadata)
    with pytest.raises(InputError, match=said):
        load_adapter(load_backbone(str(folders("tiny-cogvideox"))), tmp_path)


def test_a_damaged_adapter_is_named(folders, tmp_path: Path) -> None:
    backbone, lora = load_backbone(str(folders("tiny-cogvideox"))), tmp_path / "pytorch_lora_weights.safetensors"
    lora.write_bytes(b"a picture, or whatever else somebody named by mistake")
    for named in (tmp_path, lora):
        with pytest.raises(InputError, match=r"lora_weights\.safetensors: is no whole safetensors file"):
            load_adapter(backbone, named)


@pytest.fixture(scope="module")
def wan_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A very small Wan 2.1 image-to-video: with a CLIP image encoder."""
    folder = tmp_path_factory.mktemp("wan") / "image-tokens"
    image_tokens().save(folder)
    return str(folder)


def _without_image_tokens(wan: Backbone) -> bool:
    """Whether nothing that it predicts depends on what the image encoder sees."""
    grid = wan.grid(wan.native_frames, wan.native_size_hw)
    first_frame = wan.first_frame_condition(torch.zeros(1, 3, *wan.native_size_hw), grid)
    other = Batch({**first_frame.tensors, "image_tokens": first_frame["image_tokens"] + 1})
    text, latents = wan.encode_text(["a man"], first_frame), torch.zeros(1, wan.latent_channels, *grid.latent_shape)
    with torch.no_grad():
        one, two = (wan.denoise(latents, torch.tensor([500]), text, shown) for shown in (first_frame, other))
    return torch.equal(one, two)


# The stock loader fills in zeros for the image projections that an adapter of the text leaves out; peft remarks on it.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
@pytest.mark.parametrize("instance_map", [True, False])
def test_an_adapter_says_whether_it_was_trained_without_image_tokens(
    wan_folder: str, tmp_path: Path, instance_map: bool
) -> None:
    config = MatrixConfig(image_tokens=False, instance_map=instance_map)
    trained, fresh = load_backbone(wan_folder), load_backbone(wan_folder)
    save_adapter(trained, tmp_path, _trained(trained, config))
    assert not _without_image_tokens(fresh)
    adapter = load_adapter(fresh, tmp_path)
    assert _without_image_tokens(fresh)
    assert torch.equal(_predicted(fresh, adapter), _predicted(trained, adapter))
    adapter.installed.remove()
    assert not _without_image_tokens(fresh)


def test_an_adapter_of_before_there_was_a_choice_shows_them(wan_folder: str, tmp_path: Path) -> None:
    wan = load_backbone(wan_folder)
    save_adapter(wan, tmp_path, install(wan, MatrixConfig()), lora=False)
    file = tmp_path / "input_projection.safetensors"
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    told = json.loads(metadata["conditioning"])
    assert told.pop("image_tokens") is True
    save_file(load_file(file), file, metadata=metadata | {"conditioning": json.dumps(told)})
    fresh = load_backbone(wan_folder)
    load_adapter(fresh, tmp_path)
    assert not _without_image_tokens(fresh)


# The stock loader, as above.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
class TestReleased:
    """A checkpoint with the released code's names, for a very small Wan 2.1 image-to-video."""

    @pytest.fixture
    def checkpoint(self, wan_folder: str, tmp_path: Path) -> Path:
        wan = load_backbone(wan_folder)
        generator = torch.Generator().manual_seed(1)
        tensors = {"seg_head.decoder.weight": torch.zeros(3)}
        for block, attention in ((1, "cross_attn"), (0, "self_attn")):
            for projection in "qkvo":
                width = wan.transformer.blocks[block].attn1.to_q.in_features
                for side, shape in (("A", (2, width)), ("B", (width, 2))):
                    name = f"blocks.{block}.{attention}.{projection}.lora_{side}.default.weight"
                    tensors[name] = torch.randn(shape, generator=generator)
        layer = wan.transformer.patch_embedding
        more = torch.randn(layer.weight.shape[0], wan.picture_channels, 1, 2, 2, generator=generator)
        tensors["patch_embedding.weight"] = torch.cat([layer.weight.detach(), more], dim=1)
        tensors["patch_embedding.bias"] = layer.bias.detach() + 1
        save_file(tensors, tmp_path / "epoch-4.safetensors")
        return tmp_path / "epoch-4.safetensors"

    def test_it_loads_at_full_strength_with_its_projection_and_markers(self, wan_folder: str, checkpoint: Path) -> None:
        wan = load_backbone(wan_folder)
        adapter = load_adapter(wan, checkpoint)
        saved = load_file(checkpoint)
        assert torch.equal(wan.transformer.patch_embedding.weight, saved["patch_embedding.weight"])
        attention = wan.transformer.blocks[1].attn2.to_out[0]
        own = attention.base_layer.weight
        name = "blocks.1.cross_attn.o.lora_{}.default.weight"
        expected = own + saved[name.format("B")] @ saved[name.format("A")]
        torch.testing.assert_close(own + attention.get_delta_weight(attention.active_adapters[0]), expected)
        assert adapter.sees_map
        assert adapter.caption(PROMPT).text == "a <id1> man pushes a <id2> ball"
        assert _predicted(wan, adapter).isfinite().all()
        assert _without_image_tokens(wan)  # as the released code has it

    def test_a_model_that_never_had_image_tokens_is_refused(self, folders, checkpoint: Path) -> None:
        with pytest.raises(InputError, match="no image tokens"):
            load_adapter(load_backbone(str(folders("tiny-wan"))), checkpoint)

    def test_a_tensor_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        save_file({"blocks.0.ffn.0.weight": torch.zeros(1)}, tmp_path / "x.safetensors")
        with pytest.raises(InputError, match=r"does not save, such as blocks.0.ffn.0.weight"):
            convert(tmp_path / "x.safetensors", tmp_path / "out")
        assert not (tmp_path / "out").exists()
