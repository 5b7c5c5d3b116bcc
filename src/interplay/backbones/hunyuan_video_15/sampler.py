"""The noise levels that HunyuanVideo-1.5 is sampled at (arguments of the scheduler's ``set_timesteps``)."""

from __future__ import annotations

from typing import Any

import numpy as np


def even_levels(steps: int) -> dict[str, Any]:
    """Evenly spaced from pure noise on; the scheduler shifts them."""
    return {"sigmas": np.linspace(1.0, 0.0, steps + 1)[:-1]}
