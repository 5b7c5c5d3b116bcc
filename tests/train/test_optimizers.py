from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from interplay.backbones.registry import build_tiny, tiny_names
from interplay.core.errors import InputError
from interplay.train.optimizers import OptimizerConfig, build_optimizers, check_optimizer, hidden_matrices

RATE = 1e-2


class Layered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(3, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.head = nn.Linear(4, 1)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return dict(module.named_parameters())


def test_hidden_matrices_are_those_of_repeated_layers() -> None:
    assert hidden_matrices(Layered()) == {"blocks.0.weight", "blocks.1.weight"}
    assert hidden_matrices(nn.ModuleList([Layered()])) == {"0.blocks.0.weight", "0.blocks.1.weight"}


def test_projections_of_a_backbone_are_not_hidden() -> None:
    module = nn.ModuleList(build_tiny("tiny-cogvideox", 0).transformers)
    assert not any(
        "proj_out" in name or "text_proj" in name or "time_embedding" in name for name in hidden_matrices(module)
    )


@pytest.mark.parametrize("name", tiny_names())
def test_every_parameter_of_a_backbone_is_trained_once(name: str) -> None:
    backbone = build_tiny(name, 0)
    module = nn.ModuleList(backbone.transformers)
    found = build_optimizers(module, trained(module), OptimizerConfig(name="muon"), RATE)
    held = [p for optimizer in found for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(trained(module))
    matrices = sum(p.numel() for p in found[1].param_groups[0]["params"])
    assert matrices > 0.1 * sum(p.numel() for p in module.parameters())


def test_adamw_alone_holds_everything() -> None:
    module = Layered()
    (only,) = build_optimizers(module, trained(module), OptimizerConfig(weight_decay=0.1), RATE)
    assert isinstance(only, torch.optim.AdamW)
    assert only.param_groups[0]["weight_decay"] == 0.1
    assert sum(p.numel() for p in only.param_groups[0]["params"]) == sum(p.numel() for p in module.parameters())


def test_betas_are_those_of_the_config() -> None:
    module = Layered()
    (only,) = build_optimizers(module, trained(module), OptimizerConfig(betas=(0.9, 0.95)), RATE)
    assert only.param_groups[0]["betas"] == (0.9, 0.95)
    assert OptimizerConfig().betas == (0.9, 0.99)
    with pytest.raises(ValueError, match="betas"):
        OptimizerConfig(betas=(0.9, 1.0))


def test_eight_bits_come_from_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    class AdamW8bit(torch.optim.AdamW):
        pass

    monkeypatch.setitem(sys.modules, "bitsandbytes", SimpleNamespace(optim=SimpleNamespace(AdamW8bit=AdamW8bit)))
    module = Layered()
    settings = OptimizerConfig(name="adamw8bit", weight_decay=0.1, betas=(0.9, 0.95))
    (only,) = build_optimizers(module, trained(module), settings, RATE)
    assert type(only) is AdamW8bit
    group = only.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (RATE, (0.9, 0.95), 0.1)


def test_without_bitsandbytes_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # as if it were not installed
    check_optimizer("muon")
    with pytest.raises(InputError, match=r"adamw8bit needs .*bitsandbytes; install it .* optimizer: adamw"):
        check_optimizer("adamw8bit")


def test_an_update_of_muon_is_orthogonal_and_as_large_as_one_of_adamw() -> None:
    torch.manual_seed(0)
    layer = nn.ModuleDict({"blocks": nn.ModuleList([nn.Linear(64, 64, bias=False)])})
    before = layer["blocks"][0].weight.detach().clone()
    (muon,) = build_optimizers(layer, trained(layer), OptimizerConfig(name="muon"), RATE)
    layer["blocks"][0].weight.grad = torch.randn(64, 64)
    muon.step()
    update = (before - layer["blocks"][0].weight.detach()) / muon.param_groups[0]["lr"]
    singular = torch.linalg.svdvals(update) / (0.2 * 64**0.5)
    # Newton's iteration stops early: singular values end near 1, not at 1.
    assert float(singular.min()) > 0.5
    assert float(singular.max()) < 1.5
    assert float(update.square().mean().sqrt()) == pytest.approx(0.2, rel=0.25)
