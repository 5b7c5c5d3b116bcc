"""Two experts that share the noise levels (Wan 2.2 A14B): each is aligned, adapted and measured at its own layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contracts.wan_variants import CONFIG as WAN
from contracts.wan_variants import experts
from interplay.backbones.wan.adapter import Wan
from interplay.cli.probes import AttentionAlignment
from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.grid.assignment import ClipShape, own_bucket
from interplay.methods.matrix.adapter import load_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.methods.matrix.layers import LayerLists, Layers
from interplay.methods.matrix.requests import MatrixSites
from interplay.methods.matrix.targets import ClipTargets, Entity
from interplay.records.clip import Clip, Instance, Interaction
from interplay.records.masks import MaskTrack
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import LoraConfig, TrainConfig
from interplay.train.losses import MatrixLosses
from interplay.train.run import add_trained, install_method, lora_sites, with_chosen_layers

NOISY, CLEAN = 950, 100
V2T, V2V = ((0,), (1,)), ((1,), (0,))
SMALL: dict[str, Any] = {"supervision": "latent", "instance_map": False}
EACH = MatrixConfig(v2t_layers=V2T, v2v_layers=V2V, **SMALL)


def of_one(expert: int) -> MatrixConfig:
    """The layers of one expert, for both."""
    return MatrixConfig(v2t_layers=V2T[expert], v2v_layers=V2V[expert], **SMALL)


def recipe(matrix: MatrixConfig, **changes: Any) -> TrainConfig:
    settings = {"backbone": "experts", "steps": 1, "batch_size": 1, "learning_rate": 1e-3, "matrix": matrix}
    return TrainConfig.model_validate({**settings, "lora": LoraConfig(rank=2), **changes})


@pytest.fixture(scope="module")
def backbone() -> Wan:
    """With norms that let the layers attend to something in particular."""
    made, generator = experts(), torch.Generator().manual_seed(1)
    for transformer in made.transformers:
        for name, weight in transformer.named_parameters():
            if ".norm_q." in name or ".norm_k." in name:
                torch.nn.init.normal_(weight, std=1.5, generator=generator)
    return made


class OneClip(TrainingClips):
    groups = ((0,),)

    def __init__(self, backbone: Wan) -> None:
        grid = backbone.grid(WAN.num_frames, WAN.size_hw)
        generator = torch.Generator().manual_seed(7)
        track = torch.zeros(grid.token_shape)
        track[:, :, 0] = 1.0
        entity = Entity("subject", "id1", (1,), track, torch.ones(len(track), dtype=torch.bool))
        first_frame = backbone.first_frame_condition(torch.rand(1, 3, *WAN.size_hw, generator=generator), grid)
        latents = torch.randn(1, backbone.latent_channels, *grid.latent_shape, generator=generator)
        text = backbone.encode_text(["a man pushes a ball"], first_frame)
        self.only = ClipBatch(grid, latents, first_frame, text, (ClipTargets("one", (entity,)),))

    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        return self.only


def aligned(backbone: Wan, matrix: MatrixConfig, timestep: int) -> dict[str, float]:
    """The alignment terms of a forward at this timestep."""
    clips = OneClip(backbone)
    losses = MatrixLosses(backbone, clips, recipe(matrix), matrix, install(backbone, matrix))
    seen = losses.evaluate(clips.only, torch.tensor([timestep]), torch.Generator().manual_seed(0))
    return {name: float(seen[name]) for name in ("sga_subject", "spa_subject")}


@pytest.mark.parametrize(("expert", "timestep"), [(0, NOISY), (1, CLEAN)])
def test_a_step_aligns_its_expert_at_its_own_layers(backbone: Wan, expert: int, timestep: int) -> None:
    seen, other = aligned(backbone, EACH, timestep), aligned(backbone, of_one(1 - expert), timestep)
    assert seen == aligned(backbone, of_one(expert), timestep)
    assert all(seen[name] != other[name] for name in seen)


def test_sites_and_adapters_are_those_of_each_expert(tmp_path: Path) -> None:
    backbone, config = experts(), recipe(EACH)
    each = MatrixSites.of_each(backbone, EACH)
    own = [("blocks.0.cross",), ("blocks.1.self",)], [("blocks.1.cross",), ("blocks.0.self",)]
    assert [[one.v2t, one.v2v] for one in each] == list(own)
    assert MatrixSites.of(backbone, EACH).v2t == ("blocks.0.cross", "blocks.1.cross")
    model = add_trained(backbone, config, install_method(backbone, config), lora_sites(backbone, config))
    adapted = [
        {".".join(name.split(".")[:3]) for name, weight in transformer.named_parameters() if weight.requires_grad}
        for transformer in backbone.transformers
    ]
    assert adapted == [{"blocks.0.attn2", "blocks.1.attn1"}, {"blocks.1.attn2", "blocks.0.attn1"}]
    model.save(tmp_path)
    fresh = experts()
    assert load_adapter(fresh, tmp_path).aligned == Layers(v2t=V2T, v2v=V2V)
    for trained, loaded in zip(backbone.transformers, fresh.transformers, strict=True):
        found = {name.replace(".default_0.", ".default."): weight for name, weight in loaded.state_dict().items()}
        assert all(torch.equal(found[name], weight) for name, weight in trained.state_dict().items())


def test_one_list_is_adapted_in_every_expert() -> None:
    backbone = experts()
    assert lora_sites(backbone, recipe(of_one(0))) == [MatrixSites.of(backbone, of_one(0)).lora_sites(backbone)] * 2
    wide = lora_sites(backbone, recipe(EACH, lora=LoraConfig(layers=(1,))))
    assert [[site.address for site in own] for own in wide] == [["blocks.1.self", "blocks.1.cross"]] * 2


def test_a_lora_may_have_layers_of_its_own_in_each_expert() -> None:
    backbone = experts()
    wide = lora_sites(backbone, recipe(EACH, lora=LoraConfig(layers=((1,), (0, 1)))))
    assert [[site.layer for site in own] for own in wide] == [[1, 1], [0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ((9,), "lora.layers: layer 9 does not exist; choose among 0 to 1"),
        (((0,), ()), "lora.layers: no layer is chosen for expert 1; choose among 0 to 1"),
        (((0,), (1,), (1,)), "lora.layers: lists layers for 3 transformers, and the model has 2"),
    ],
)
def test_layers_of_a_lora_that_do_not_fit_are_refused(backbone: Wan, layers: LayerLists, told: str) -> None:
    with pytest.raises(InputError, match=told):
        lora_sites(backbone, recipe(EACH, lora=LoraConfig(layers=layers)))


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (((0,), ()), "matrix.v2t_layers: no layer is chosen for expert 1; choose among 0 to 1"),
        (((0,), (9,)), "matrix.v2t_layers: layer 9 does not exist; choose among 0 to 1"),
        (((0,), (1,), (1,)), "matrix.v2t_layers: lists layers for 3 transformers, and the model has 2"),
    ],
)
def test_lists_that_do_not_fit_are_refused(backbone: Wan, layers: tuple[tuple[int, ...], ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        MatrixSites.of_each(backbone, MatrixConfig(v2t_layers=layers, v2v_layers=(0,)))


@pytest.mark.parametrize(
    ("experts_chose", "layers"),
    [
        ([[7, 11], [3]], ((7, 11), (3,))),
        ([[7, 3], [7, 3]], (7, 3)),
        ([[7, 3]], (7, 3)),
        ([[7, 3], []], (7, 3)),  # nothing is known of the second one
        ([[7], [3], []], ((7,), (3,), (7, 3))),
        (None, (7, 3)),  # an analysis of before experts were judged apart
    ],
)
def test_each_expert_gets_the_layers_that_the_analysis_chose_for_it(
    experts_chose: list[list[int]] | None, layers: object, tmp_path: Path
) -> None:
    at_all = list(dict.fromkeys(layer for own in experts_chose or [[7, 3]] for layer in own))
    told: dict[str, Any] = {"chosen": {"v2t": at_all, "v2v": [5]}}
    if experts_chose is not None:
        told["experts"] = [{"chosen": {"v2t": own, "v2v": [5]}} for own in experts_chose]
    write_json(tmp_path / "layers.json", told)
    matrix = with_chosen_layers(recipe(MatrixConfig()), Artifact(tmp_path, {})).matrix
    assert matrix is not None
    assert (matrix.v2t_layers, matrix.v2v_layers) == (layers, (5,))


@pytest.mark.parametrize(("expert", "timestep"), [(0, NOISY), (1, CLEAN)])
def test_attention_alignment_is_that_of_the_layers_of_the_expert_that_runs(
    backbone: Wan, expert: int, timestep: int
) -> None:
    masks = np.zeros((WAN.num_frames, *WAN.size_hw), dtype=bool)
    masks[:, :, :16] = True
    clip = Clip(
        clip_id="one",
        video="x.mp4",
        caption="a <id1> man <verb> runs",
        num_frames=WAN.num_frames,
        size_hw=WAN.size_hw,
        fps=8.0,
        instances=(Instance("id1", "man"),),
        interactions=(Interaction("id1", "run"),),
        tracks={"id1": MaskTrack.from_array(masks)},
    )
    given = OneClip(backbone).only
    forward = partial(backbone.denoise, given.latents, torch.tensor([timestep]), given.text, given.first_frame)
    assignment = own_bucket(ClipShape.of(clip))

    def seen(matrix: MatrixConfig | None) -> Any:
        return AttentionAlignment(matrix)(backbone, clip, assignment, timestep, forward)

    found, other = seen(EACH), seen(of_one(1 - expert))
    assert found == seen(of_one(expert))
    assert all(found[name] != other[name] for name in found)
