"""Loading and saving stock models without their progress bars and remarks: the stages say themselves what goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# Whenever a model is saved, accelerate imports DeepSpeed where that is installed, which remarks that there is no GPU.
_DEEPSPEED = logging.getLogger("DeepSpeed")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence diffusers, transformers and DeepSpeed below errors; their settings are as before afterwards."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    levels = [log.get_verbosity() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    # A filter and no level: DeepSpeed sets its level itself as it is imported.
    _DEEPSPEED.addFilter(_is_error)
    try:
        yield
    finally:
        _DEEPSPEED.removeFilter(_is_error)
        for log, level in zip(logs, levels, strict=True):
            log.set_verbosity(level)
            log.enable_progress_bar()


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
