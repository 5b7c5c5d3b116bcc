"""What the machine at hand has: memory, accelerators, disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Device:
    """Something that a model can be put on, and its memory in bytes: all of it, and what is free now."""

    name: str
    total: int
    free: int
    processor: bool = False


def compute_device() -> Device:
    """The first accelerator, else the processor with the machine's memory."""
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Device(torch.cuda.get_device_name(), total, free)
    total, free = _memory()
    return Device(f"CPU with {os.cpu_count()} cores", total, free, processor=True)


def free_disk(folder: Path) -> int:
    """Free bytes on the disk that ``folder`` is or will be on."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def _memory() -> tuple[int, int]:
    """Total and available bytes of main memory, no more than the control group of a container allows."""
    memory = psutil.virtual_memory()
    limit = _cgroup_limit()
    return (
        (memory.total, memory.available) if limit is None else (min(memory.total, limit), min(memory.available, limit))
    )


def _cgroup_limit() -> int | None:
    path = Path("/sys/fs/cgroup/memory.max")
    text = path.read_text(encoding="ascii").strip() if path.is_file() else "max"
    return None if text == "max" else int(text)
