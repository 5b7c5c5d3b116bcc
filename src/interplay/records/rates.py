"""The frame rates that a video of ours may be written at."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# Frames per second. A rate outside of these is a slip of the pen, and players make nothing of it.
SLOWEST, FASTEST = 0.1, 1000.0

FrameRate = Annotated[float, Field(ge=SLOWEST, le=FASTEST, allow_inf_nan=False)]
