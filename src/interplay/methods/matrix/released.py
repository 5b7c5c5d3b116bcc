"""Checkpoints of MATRIX's released training code (``epoch-3.safetensors``), for Wan 2.1 image-to-video.

They hold, under the names of Wan's own code, the LoRA of a few attention layers (alpha = rank, so a scale of 1; the
released inference merges at 0.5, ours does not), the input layer widened by 20 channels in the order of
:meth:`.Backbone.show_picture`, and ``seg_head``, which training alone needs.
"""

from __future__ import annotations

import re
from pathlib import Path

from safetensors.torch import load_file, save_file

from interplay.core.errors import InputError
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.files import LORA_FILE, write_projection
from interplay.methods.matrix.install import Conditioning

_PREFIX = "pipe.dit."
_LORA = re.compile(
    r"blocks\.(?P<block>\d+)\.(?P<attention>self_attn|cross_attn)\.(?P<projection>[qkvo])"
    r"\.lora_(?P<side>[AB])\.default\.weight"
)
# Wan's own names -> those of diffusers.
_ATTENTION = {"self_attn": "attn1", "cross_attn": "attn2"}
_PROJECTION = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}
_DROPPED = "seg_head."
_VALIDITY = 4  # channels that say where the first frame, and again where the map, is valid


def convert(file: Path, folder: Path) -> None:
    """Write a released checkpoint as a folder that :func:`.load_adapter` and, its LoRA, stock pipelines load."""
    lora, projection, unknown = {}, {}, []
    for name, tensor in load_file(file).items():
        short = name.removeprefix(_PREFIX)
        if found := _LORA.fullmatch(short):
            module = f"blocks.{found['block']}.{_ATTENTION[found['attention']]}.{_PROJECTION[found['projection']]}"
            lora[f"transformer.{module}.lora_{found['side']}.weight"] = tensor.contiguous()
        elif short.startswith("patch_embedding."):
            projection[f"transformer.{short}"] = tensor.contiguous()
        elif not short.startswith(_DROPPED):
            unknown.append(name)
    if unknown or not lora:
        problem = (
            f"has tensors that MATRIX's released code does not save, such as {unknown[0]}" if unknown else "has no LoRA"
        )
        cure = "give an epoch-N.safetensors or step-N.safetensors of the released training code"
        raise InputError(problem, where=file, cure=cure)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(lora, folder / LORA_FILE, metadata={"format": "pt"})
    if projection:
        # [noise | validity, first frame | validity, map], of as many latent channels each.
        latents = (projection["transformer.patch_embedding.weight"].shape[1] - 2 * _VALIDITY) // 3
        # The released code never shows what CLIP sees of the first frame.
        conditioning = Conditioning.of(MatrixConfig(variant="released", image_tokens=False))
        write_projection(folder, projection, conditioning, latents + _VALIDITY)
