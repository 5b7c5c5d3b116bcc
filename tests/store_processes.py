"""What the processes do that write into one store at the same time, and those that are killed in the middle."""

import os
import signal

import numpy as np

from interplay.core.additions import extend
from interplay.core.errors import InputError
from interplay.records.clip import Clip
from interplay.records.store import writer as writer_module
from interplay.records.store.layout import video_path
from interplay.records.store.writer import StoreWriter

SIZE_HW, NUM_FRAMES = (16, 16), 2


def small_clip(clip_id):
    return Clip(clip_id, video_path(clip_id), "a street", NUM_FRAMES, SIZE_HW, fps=8.0)


def gray(value):
    return np.full((NUM_FRAMES, *SIZE_HW, 3), value, dtype=np.uint8)


def add_all(folder, clip_ids, value, barrier, outcomes):
    """Add clips whose pixels all are ``value``; tell which were added and what was said about the others."""
    writer_module.CLIPS_PER_PART = 3
    told = {}
    barrier.wait()
    with StoreWriter(folder) as writer:
        for clip_id in clip_ids:
            try:
                writer.add(small_clip(clip_id), frames=gray(value))
                told[clip_id] = None
            except InputError as error:
                told[clip_id] = str(error)
    outcomes.put((value, told))


def add_until_killed(folder, clip_ids, dies_at):
    """Add clips; the process dies, by its own kill -9, just before the rename number ``dies_at``."""
    writer_module.CLIPS_PER_PART = 3
    renames, rename = 0, os.replace

    def counted(source, target):
        nonlocal renames
        if renames == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        renames += 1
        rename(source, target)

    os.replace = counted
    with StoreWriter(folder) as writer:
        for clip_id in clip_ids:
            writer.add(small_clip(clip_id), frames=gray(1))


def grow_until_killed(out, clip_ids):
    """Add clips to a finished artifact; the process dies when it has written one part and one video more."""

    def make(folder):
        writer_module.CLIPS_PER_PART = 3
        with StoreWriter(folder) as writer:
            for count, clip_id in enumerate(clip_ids, 1):
                writer.add(small_clip(clip_id), frames=gray(3))
                if count == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
        return {}

    extend(out, kind="clips", config={"n": 1}, inputs={}, make=make)
