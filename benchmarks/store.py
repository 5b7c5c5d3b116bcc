"""The store with the metadata of many clips: writing, opening, listing, one clip, streaming, and the size of parts.

Run: python benchmarks/store.py --clips 100000 --out benchmarks/store.md

The clips are generated: captions with markup, two or three mask tracks of 49 frames at 256 x 448 (blobs with wavy
borders that move), boxes, media, provenance. No videos are written. Each measurement runs in a process of its own and
says its largest resident memory, an idle process of this script counted in; files are in the system's cache, as they
were just written.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from interplay.core.files import atomic_write_text
from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.formats.base import LocatedClip
from interplay.records.masks import MaskTrack
from interplay.records.store import parts
from interplay.records.store import writer as writer_module
from interplay.records.store.layout import ROWS_FOLDER, media_path, part_path, video_path
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import CLIPS_PER_PART, StoreWriter

NUM_FRAMES, SIZE_HW, FPS = 49, (256, 448), 8.0
POOL_TRACKS, POOL_FRAMES = 24, 240
LISTED = ["clip_id", "split", "num_frames", "height", "width", "caption", "interactions.verb", "tracks.id"]
VERBS = ("pushes", "pulls", "lifts", "carries", "hands over", "kicks", "opens", "hugs")
NOUNS = ("man", "woman", "child", "cup", "ball", "box", "door", "bag")
# Rows in a part and in its groups, to choose from.
SIZES = ((64, 64), (256, 32), (256, 64), (256, 256), (1024, 64), (4096, 64))


@dataclass(frozen=True)
class Measured:
    """Seconds of one piece of work, its largest memory, and how many clips it touched."""

    seconds: float
    peak_mb: float
    clips: int


# --- clips ------------------------------------------------------------------------------------------------------------


def make_pool() -> list[MaskTrack]:
    """Long tracks; a clip's tracks are windows of them, so that hardly two clips hold the same track."""
    rng = np.random.default_rng(7)
    return [_blob(rng) for _ in range(POOL_TRACKS)]


def _blob(rng: np.random.Generator) -> MaskTrack:
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    center, radius = rng.uniform(0.3, 0.7, 2) * SIZE_HW, rng.uniform(18, 60, 2)
    phases = rng.uniform(0, 2 * np.pi, 4)

    def mask(frame: int) -> np.ndarray[Any, Any]:
        sway = np.sin(frame / 20 + phases[:2]) * 40
        angle = np.arctan2(y - center[0] - sway[0], x - center[1] - sway[1])
        wave = 1 + 0.15 * np.sin(5 * angle + phases[2] + frame / 5) + 0.04 * np.sin(17 * angle + phases[3] + frame / 3)
        inside: np.ndarray[Any, Any] = (
            np.hypot((y - center[0] - sway[0]) / radius[0], (x - center[1] - sway[1]) / radius[1]) < wave
        )
        return inside

    return MaskTrack.from_masks((mask(frame) for frame in range(POOL_FRAMES)), SIZE_HW)


def clip_at(index: int, tracks: list[MaskTrack]) -> Clip:
    rng = np.random.default_rng(index)
    clip_id, ids = f"clip-{index:07d}", [f"id{k + 1}" for k in range(2 + index % 2)]
    nouns, verb = rng.choice(NOUNS, len(ids), replace=False), str(rng.choice(VERBS))
    marked = [f"a <{name}> {noun}" for name, noun in zip(ids, nouns, strict=True)]
    frames = range(2, NUM_FRAMES, 4)
    return Clip(
        clip_id=clip_id,
        video=video_path(clip_id),
        caption=f"{marked[0]} in a red shirt <verb> {verb} </verb> {' next to '.join(marked[1:])}, scene {index}",
        num_frames=NUM_FRAMES,
        size_hw=SIZE_HW,
        fps=FPS,
        split="test" if index % 20 == 0 else "train",
        instances=tuple(Instance(name, str(noun), "in a red shirt") for name, noun in zip(ids, nouns, strict=True)),
        interactions=(Interaction("id1", verb, "id2", start_s=0.5, end_s=5.0, contact=5, dynamism=3),),
        tracks={name: _window(tracks, rng) for name in ids},
        boxes={"face": Boxes({frame: _box(rng) for frame in frames})},
        media={"audio": media_path(clip_id, "audio", ".wav")},
        provenance={"tracks": Provenance("sam2", {"model": "large", "seed": index}, "2026-11-21T04:30:00+00:00")},
    )


def _box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    x, y, side = (float(number) for number in rng.uniform(10, 100, 3).round(1))
    return (x, y, x + side, y + side)


def _window(tracks: list[MaskTrack], rng: np.random.Generator) -> MaskTrack:
    start = int(rng.integers(POOL_FRAMES - NUM_FRAMES))
    return tracks[int(rng.integers(len(tracks)))].select(range(start, start + NUM_FRAMES))


# --- measurements, each in a process of its own -----------------------------------------------------------------------


def write_rows(folder: Path, clips: int, tracks: list[MaskTrack], per_part: int, per_group: int) -> Measured:
    parts.ROWS_PER_GROUP = per_group
    seconds = 0.0
    (folder / ROWS_FOLDER).mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, clips, per_part)):
        made = [clip_at(index, tracks) for index in range(start, min(start + per_part, clips))]
        began = time.perf_counter()
        parts.write_part([parts.encode_row(clip) for clip in made], part_path(folder, number))
        seconds += time.perf_counter() - began
    return Measured(seconds, _peak_mb(), clips)


def write_one_by_one(folder: Path, clips: int, tracks: list[MaskTrack], writers: int) -> Measured:
    """What a store costs per clip besides its media: ``add_files`` of files that lie in their places already."""
    made = [clip_at(index, tracks) for index in range(clips)]
    located = [LocatedClip(clip, {path: _touched(folder / path) for path in _paths(clip)}) for clip in made]
    began = time.perf_counter()
    several = [StoreWriter(folder) for _ in range(writers)]
    for index, one in enumerate(located):
        several[index % writers].add_files(one)
    for writer in several:
        writer.close()
    return Measured(time.perf_counter() - began, _peak_mb(), clips)


def open_store(folder: Path) -> Measured:
    return _measured(lambda: len(ClipStore(folder)))


def list_store(folder: Path) -> Measured:
    return _measured(lambda: ClipStore(folder).columns(LISTED).num_rows)


def get_some(folder: Path, clips: int) -> Measured:
    store = ClipStore(folder)
    ids = [store.ids[k] for k in np.random.default_rng(1).integers(len(store), size=clips)]
    return _measured(lambda: sum(len(store.get(clip_id).clip_id) > 0 for clip_id in ids))


def stream(folder: Path, shards: int) -> Measured:
    shard = ClipStore(folder).shard(shards // 2, shards)
    return _measured(lambda: sum(1 for _ in shard))


def read_whole_tables(folder: Path) -> Measured:
    return _measured(lambda: int(pq.read_table(folder / ROWS_FOLDER).num_rows))


def _measured(work: Callable[[], int]) -> Measured:
    began = time.perf_counter()
    clips = work()
    return Measured(time.perf_counter() - began, _peak_mb(), clips)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def _paths(clip: Clip) -> Iterator[str]:
    yield from (clip.video, *clip.media.values())


def _touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def alone(function: Callable[..., Measured], *arguments: Any) -> Measured:
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(function, arguments)


# --- the page ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000, help="rows of the large store")
    parser.add_argument("--few", type=int, default=10_000, help="rows of the stores that sizes are compared with")
    parser.add_argument("--out", type=Path, default=None, help="write the tables to this file too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = render(Path(folder), arguments.clips, arguments.few)
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def render(folder: Path, clips: int, few: int) -> str:
    large, adds, tracks = folder / "large", 2_000, make_pool()
    rows = [
        ("write all rows", alone(write_rows, large, clips, tracks, CLIPS_PER_PART, parts.ROWS_PER_GROUP)),
        ("open: ids, splits, frames, sizes, rates", alone(open_store, large)),
        ("open and list: captions, verbs and tracked ids too", alone(list_store, large)),
        ("one clip at random", alone(get_some, large, 300)),
        ("stream whole clips, one share of ten, every mask checked", alone(stream, large, 10)),
        ("for comparison: read all columns of all rows", alone(read_whole_tables, large)),
        ("add one by one, one writer, without the media", alone(write_one_by_one, folder / "one", adds, tracks, 1)),
        ("add in turns, two writers, without the media", alone(write_one_by_one, folder / "two", adds, tracks, 2)),
    ]
    lines = [
        f"| {name} | {m.clips} | {m.seconds:.2f} | {1e3 * m.seconds / m.clips:.3f} | {m.peak_mb:.0f} |"
        for name, m in rows
    ]
    return PAGE.format(
        command=" ".join(["python", "benchmarks/store.py", *sys.argv[1:]]),
        machine=f"{platform.machine()}, {multiprocessing.cpu_count()} cores, Python {platform.python_version()}",
        size=f"{_bytes(large) / 1e6:.0f} MB in {len(list((large / ROWS_FOLDER).iterdir()))} parts",
        rows="\n".join(lines),
        sizes="\n".join(_size_line(folder, few, tracks, *size) for size in SIZES),
        few=few,
        chosen=f"{writer_module.CLIPS_PER_PART} and {parts.ROWS_PER_GROUP}",
    )


def _size_line(folder: Path, clips: int, tracks: list[MaskTrack], per_part: int, per_group: int) -> str:
    store = folder / f"{per_part}-{per_group}"
    written = alone(write_rows, store, clips, tracks, per_part, per_group)
    opened, listed, got = alone(open_store, store), alone(list_store, store), alone(get_some, store, 200)
    cells = [
        f"{_bytes(store) / clips / 1e3:.2f}",
        f"{1e3 * written.seconds / clips:.2f}",
        f"{1e3 * opened.seconds:.0f}",
        f"{1e3 * listed.seconds:.0f}",
        f"{1e3 * got.seconds / got.clips:.1f}",
    ]
    return f"| {per_part} | {per_group} | {' | '.join(cells)} |"


def _bytes(store: Path) -> int:
    return sum(path.stat().st_size for path in (store / ROWS_FOLDER).iterdir())


PAGE = """# The store, measured

    {command}

{machine}. Rows: {size}.

Opening and listing read the columns they need and no mask. Reading all columns is what opening did when the rows were
one table in memory. Whole clips cost more than their columns because every mask's encoding is checked on the way.

| what | clips | seconds | ms per clip | peak MB |
|---|---|---|---|---|
{rows}

## Rows per part and per group

{few} clips. Chosen: {chosen}.

A clip is read with its group, so groups are small, down to where short columns no longer compress. Larger parts open
hardly faster, and a writer that is killed loses more of them: joining parts afterwards would not pay.

| rows per part | per group | kB per clip | ms to write a clip | ms to open | ms to list | ms for one clip at random |
|---|---|---|---|---|---|---|
{sizes}
"""


if __name__ == "__main__":
    main()
