"""What a training computes in, and which of it the machine at hand is made for."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]

# The processors' instructions for it: AVX-512's and AMX on x86, the extension of that name on ARM.
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


def native_precision() -> Precision:
    """bfloat16 where this machine computes in it; float32 where it would only imitate it, which is slower."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has = torch.cpu.get_capabilities()
    return "bfloat16" if any(has.get(name) for name in _BFLOAT16) else "float32"
