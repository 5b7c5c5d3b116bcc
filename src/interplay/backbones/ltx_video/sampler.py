"""Where LTX-Video's noise levels lie: arguments of the scheduler's ``set_timesteps``, and the shift in training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def shifted_levels(config: Any, steps: int, num_tokens: int) -> dict[str, Any]:
    """Evenly spaced, then moved towards noise by the number of video tokens (LTX-Video 0.9 and 0.9.1)."""
    return {"sigmas": np.linspace(1.0, 1 / steps, steps), "mu": _mu(config, num_tokens)}


def linear_quadratic_levels(config: Any, steps: int) -> dict[str, Any]:
    """Small equal steps first, then growing ones (LTX-Video from 0.9.5 on)."""
    from diffusers.pipelines.ltx.pipeline_ltx_condition import linear_quadratic_schedule

    return {"timesteps": linear_quadratic_schedule(steps) * config.num_train_timesteps}


def training_shift(config: Any, num_tokens: int) -> float:
    """How far the scheduler moves noise levels towards noise for clips of this many video tokens."""
    return math.exp(_mu(config, num_tokens)) if config.use_dynamic_shifting else float(config.shift)


def _mu(config: Any, num_tokens: int) -> float:
    """The shift's logarithm, linear in the number of tokens."""
    slope = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
    return config.base_shift + slope * (num_tokens - config.base_image_seq_len)
