"""Files of weights that broke off on their way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from interplay.backbones.weights import check_weights
from interplay.core.errors import InputError


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_file_that_ends_too_early_is_named(dtype: torch.dtype, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    save_file({"a": torch.zeros(8, dtype=dtype), "b": torch.zeros(3, dtype=dtype)}, whole)
    check_weights([whole])
    content = whole.read_bytes()
    for length in (0, 4, 30, len(content) - 1):
        cut.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.safetensors: is no whole safetensors file \(.*\); copy, download"):
            check_weights([whole, cut])
