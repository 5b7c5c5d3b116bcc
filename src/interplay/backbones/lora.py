"""Low-rank adapters of any stock transformer, through peft and in the format that stock pipelines read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from interplay.backbones.base import Site


def add_adapters(transformer: nn.Module, sites: Sequence[Site], rank: int, alpha: float) -> None:
    """Freeze a diffusers transformer and add trainable adapters to the projections of these sites."""
    from peft import LoraConfig

    targets = [f"{site.module}.{name}" for site in sites for name in site.projections]
    transformer.requires_grad_(False)
    add: Any = transformer.add_adapter  # every diffusers transformer that stock pipelines load adapters into has it
    add(LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets))


def adapter_layers(transformer: nn.Module) -> dict[str, Tensor]:
    """The adapters' weights, as a stock pipeline's ``save_lora_weights`` wants them."""
    from peft import get_peft_model_state_dict

    layers: dict[str, Tensor] = get_peft_model_state_dict(transformer)
    return layers


def adapter_settings(transformer: nn.Module) -> dict[str, Any]:
    """The adapters' settings, which travel as metadata beside the weights."""
    configs: Any = transformer.peft_config
    settings = configs["default"].to_dict()
    # Sets have another order in every process; sorted, the same weights give the same file.
    return {key: sorted(value) if isinstance(value, set) else value for key, value in settings.items()}
