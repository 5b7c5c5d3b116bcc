"""Mask tracks in a store against the official MATRIX layout: bytes on disk, time to token-grid masks, peak memory.

Run: python benchmarks/mask_tracks.py --clips 64 --repeats 5 --out benchmarks/mask_tracks.md

The same tracks lie on disk twice: in the layout of a MATRIX dataset (one PNG of 0/255 per frame and instance, and per
frame one more of all instances, ``merged``; saved by Pillow as it does by default) and as rows of a store (COCO counts
in Parquet). *Bytes* are those of the PNG files, and of the column ``tracks`` of the store; *allocated* is what files
take up in blocks, all columns of the store included. As a yardstick the length of a *context code* is computed: what an
ideal adaptive coder of the JBIG2 kind, which does without run lengths and sees one mask at a time, needs for the same.

*Time* is from the files, in the page cache, to every track's shares of the tokens (rule ``area``, latent rate); the
ways take turns, the best of the repeats counts, and that all give the same numbers is checked. *Frame by frame*: Pillow
decodes a PNG and takes the nearest pixels, numpy pools them, the next one follows; *stacked*: the same, with a track's
masks pooled at once by ``pool_masks``. *Clip by clip*: rows of the store become clips, all counts checked, and
``pool_tracks`` gets the tracks of one clip at a time; *at once*: of all of them. *Memory* is by how much the resident
set of a process grows at its peak, after one small clip was loaded the same way (the first use of Arrow alone takes
some 50 MB, once).

The real clip is the training sample of CoInteract, 81 frames of 1080x1920, for a model of 480x720 (cover; all width by
height), 16 pixels a token and 4 frames a latent. Its tracks are read out of its structure video twice: at every pixel,
with the codec's fringe in their outlines, and as ``interplay curate`` reads them, at a third of the size, scaled up.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import lgamma, log, pi
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor

from interplay.core.files import atomic_write_text
from interplay.grid.pooling import pool_masks, pool_tracks
from interplay.grid.token_grid import TokenGrid
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo, probe_video, stream_video
from interplay.records.store.layout import ROWS_FOLDER, video_path
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.tracks import PERSON, PRODUCT, label_frame, read_tracks
from interplay.world.make import WorldConfig, clip_at

SAMPLES = Path(os.environ.get("INTERPLAY_SAMPLES", "../shared/samples"))
GOAL_SMALLER, GOAL_FASTER = 50, 10
MASKS, MERGED = "mask_annotation", "merged"
# (x, y) of the pixels before a pixel that predict it: the nearest 16, four of its own row.
NEIGHBOURS = [(x, 0) for x in range(-4, 0)] + [(x, -1) for x in range(-3, 4)] + [(x, -2) for x in range(-2, 3)]
BASELINE = "PNGs, frame by frame"
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
Pooled = dict[tuple[str, str], Tensor]


@dataclass(frozen=True)
class Case:
    """Tracks that lie on disk both ways, and the grid that they are brought to."""

    name: str
    tree: Path
    store: Path
    grid: TokenGrid
    fit: Fit | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=64, help="clips of the world")
    parser.add_argument("--repeats", type=int, default=5, help="how often each way is timed")
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    command = " ".join(["python", "benchmarks/mask_tracks.py", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        warm_up = world_case(Path(folder) / "warm-up", 1)
        cases = [*real_cases(Path(folder)), world_case(Path(folder) / "world", arguments.clips)]
        page = render_page(command, [measured(case, warm_up, arguments.repeats) for case in cases])
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


# --- the two datasets ------------------------------------------------------------------------------------------------


def real_cases(folder: Path) -> Iterator[Case]:
    source = SAMPLES / "hoi_training_clip"
    video, structure = source / "input_video/000.mp4", source / "hoi_video/000.mp4"
    info = probe_video(video)
    grid = TokenGrid(info.num_frames, 720, 480, temporal_stride=4, spatial_stride=8, patch=(1, 2, 2))
    for name, tracks in (("every pixel", every_pixel(structure, info)), ("as curated", as_curated(structure, info))):
        fit = Fit(info.size_hw, (grid.height, grid.width))
        case = Case(f"real clip, {name}", folder / name / MASKS, folder / name / "store", grid, fit)
        clip = Clip(
            clip_id="real",
            video=video_path("real"),
            caption="a <id1> woman <verb> holds a <id2> sweater",
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            split="train",
            instances=(Instance("id1", "woman", ""), Instance("id2", "sweater", "")),
            tracks=tracks,
        )
        with StoreWriter(case.store) as writer:
            writer.add_files(LocatedClip(clip, {clip.video: video}))
        yield with_tree(case)


def every_pixel(structure: Path, info: VideoInfo) -> dict[str, MaskTrack]:
    frames = stream_video(structure, range(info.num_frames))
    labels = [label_frame(frame, StructureVideoConfig()) for frame in frames]
    masks = {"id1": (of == PERSON for of in labels), "id2": (of == PRODUCT for of in labels)}
    return {name: MaskTrack.from_masks(of_name, info.size_hw) for name, of_name in masks.items()}


def as_curated(structure: Path, info: VideoInfo) -> dict[str, MaskTrack]:
    frames = stream_video(structure, range(info.num_frames))
    small = read_tracks(frames, StructureVideoConfig(), where=str(structure))
    fit = Fit(small.person.size_hw, info.size_hw)
    return {"id1": fit.track(small.person), "id2": fit.track(small.product)}


def world_case(folder: Path, count: int) -> Case:
    config = WorldConfig(train=count, test=0, heldout=0)
    size_hw = config.size_hw
    grid = TokenGrid(config.num_frames, *size_hw, temporal_stride=4, spatial_stride=4, patch=(1, 2, 2))
    case = Case(f"{count} clips of the world", folder / MASKS, folder / "store", grid, None)
    with StoreWriter(case.store) as writer:
        for index in range(count):
            clip, rendering = clip_at(config, "train", index)
            writer.add(clip, frames=rendering.frames)
    return with_tree(case)


def with_tree(case: Case) -> Case:
    for clip in ClipStore(case.store):
        merged = np.zeros((clip.num_frames, *clip.size_hw, 3), dtype=np.uint8)
        for (name, track), colour in zip(clip.tracks.items(), COLOURS, strict=False):
            masks = track.to_array()
            merged[masks] = colour
            save_pngs(case.tree / clip.clip_id / f"<{name}>", masks.astype(np.uint8) * 255)
        save_pngs(case.tree / clip.clip_id / MERGED, merged)
    return case


def save_pngs(folder: Path, pictures: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index:03d}.png")


# --- from disk to the token grid -------------------------------------------------------------------------------------


def frame_by_frame(case: Case) -> Pooled:
    return {key: pooled_one_by_one(paths, case) for key, paths in pngs(case)}


def stacked(case: Case) -> Pooled:
    return {key: pooled_stack(paths, case) for key, paths in pngs(case)}


def pngs(case: Case) -> Iterator[tuple[tuple[str, str], list[Path]]]:
    for folder in sorted(case.tree.glob("*/*")):
        if folder.name != MERGED:
            yield (folder.parent.name, folder.name.strip("<>")), sorted(folder.iterdir())


def pooled_one_by_one(paths: Sequence[Path], case: Case) -> Tensor:
    frames, height, width = case.grid.token_shape
    shares = np.empty((case.grid.frames, height, width), dtype=np.float32)
    for share, path in zip(shares, paths, strict=True):
        mask = read_png(path, case.fit)
        share[:] = mask.reshape(height, mask.shape[0] // height, width, -1).mean(axis=(1, 3))
    groups = [case.grid.pixel_frames_of_token(frame) for frame in range(frames)]
    return torch.from_numpy(np.stack([shares[group.start : group.stop].mean(axis=0) for group in groups]))


def pooled_stack(paths: Sequence[Path], case: Case) -> Tensor:
    masks = torch.from_numpy(np.stack([read_png(path, case.fit) for path in paths]))
    return pool_masks(masks[None], case.grid, rule="area", rate="latent")[0]


def read_png(path: Path, fit: Fit | None) -> np.ndarray:
    with Image.open(path) as image:
        nearest = Image.Resampling.NEAREST
        seen = image if fit is None else image.resize(fit.target_hw[::-1], nearest, box=fit.source_box)
        return np.asarray(seen) > 127


def clip_by_clip(case: Case) -> Pooled:
    """Clip by clip, as a training stage reads them."""
    pooled: Pooled = {}
    for clip in ClipStore(case.store):
        pooled |= on_grid({(clip.clip_id, name): track for name, track in clip.tracks.items()}, case)
    return pooled


def at_once(case: Case) -> Pooled:
    """All tracks in one call, as a cache is filled."""
    clips = list(ClipStore(case.store))
    return on_grid({(clip.clip_id, name): track for clip in clips for name, track in clip.tracks.items()}, case)


def on_grid(tracks: Mapping[tuple[str, str], MaskTrack], case: Case) -> Pooled:
    pooled = pool_tracks(list(tracks.values()), case.grid, rule="area", rate="latent", fit=case.fit)
    return dict(zip(tracks, pooled, strict=True))


WAYS: Mapping[str, Callable[[Case], Pooled]] = {
    BASELINE: frame_by_frame,
    "PNGs, stacked": stacked,
    "store, clip by clip": clip_by_clip,
    "store, at once": at_once,
}


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnDisk:
    """Bytes of some files, and the blocks that they take up."""

    size: int
    allocated: int


@dataclass(frozen=True)
class Measured:
    """Everything about one case; seconds and peak bytes by way of loading."""

    case: Case
    tracks: int
    masks: int
    context_coded: float
    pngs: OnDisk
    merged: OnDisk
    store: OnDisk
    seconds: Mapping[str, float]
    peak: Mapping[str, int]


def measured(case: Case, warm_up: Case, repeats: int) -> Measured:
    masks = [path for path in case.tree.glob("*/*/*.png") if path.parent.name != MERGED]
    parts = sorted((case.store / ROWS_FOLDER).iterdir())
    tracks = [track for clip in ClipStore(case.store) for track in clip.tracks.values()]
    return Measured(
        case=case,
        tracks=len(tracks),
        masks=len(masks),
        context_coded=context_coded_bytes(tracks),
        pngs=on_disk(masks),
        merged=on_disk(case.tree.glob(f"*/{MERGED}/*.png")),
        store=OnDisk(sum(map(column_bytes, parts)), on_disk(parts).allocated),
        seconds=best_seconds(case, repeats),
        peak={name: peak_in_a_fresh_process(case, warm_up, name) for name in WAYS},
    )


def on_disk(paths: Iterable[Path]) -> OnDisk:
    found = [path.stat() for path in paths]
    return OnDisk(sum(about.st_size for about in found), sum(about.st_blocks * 512 for about in found))


def column_bytes(part: Path) -> int:
    about = pq.ParquetFile(part).metadata
    groups = [about.row_group(index) for index in range(about.num_row_groups)]
    columns = [group.column(index) for group in groups for index in range(group.num_columns)]
    return sum(column.total_compressed_size for column in columns if column.path_in_schema.startswith("tracks."))


def context_coded_bytes(tracks: Iterable[MaskTrack]) -> float:
    """What an ideal coder needs that predicts each pixel from 16 neighbours, as JBIG2 does, and learns as it goes.

    The length of an adaptive code depends only on how often either value followed each neighbourhood: with Krichevsky
    and Trofimov's estimate it is -log2(Beta(ones + 1/2, zeros + 1/2) / pi).
    """
    seen, ones = np.zeros(2 ** len(NEIGHBOURS)), np.zeros(2 ** len(NEIGHBOURS))
    for track in tracks:
        for frame in range(len(track)):
            mask = track.select([frame]).to_array()[0]
            contexts = neighbourhoods(mask).ravel()
            seen += np.bincount(contexts, minlength=len(seen))
            ones += np.bincount(contexts[mask.ravel()], minlength=len(seen))
    pairs = zip(ones[seen > 0].tolist(), (seen - ones)[seen > 0].tolist(), strict=True)
    nats = sum(log(pi) + lgamma(a + b + 1) - lgamma(a + 0.5) - lgamma(b + 0.5) for a, b in pairs)
    return nats / log(2) / 8


def neighbourhoods(mask: np.ndarray) -> np.ndarray:
    """For each pixel the values of its neighbours, as one number."""
    (height, width), edge = mask.shape, 4
    padded = np.pad(mask, edge).astype(np.int64)
    numbers = np.zeros(mask.shape, dtype=np.int64)
    for place, (x, y) in enumerate(NEIGHBOURS):
        numbers |= padded[edge + y : edge + y + height, edge + x : edge + x + width] << place
    return numbers


def best_seconds(case: Case, repeats: int) -> dict[str, float]:
    expected = frame_by_frame(case)
    for load in WAYS.values():
        found = load(case)
        assert found.keys() == expected.keys()
        assert all(torch.allclose(found[key], expected[key], atol=1e-6) for key in expected)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        for name, load in WAYS.items():
            before = time.perf_counter()
            load(case)
            seconds[name].append(time.perf_counter() - before)
    return {name: min(of) for name, of in seconds.items()}


def peak_in_a_fresh_process(case: Case, warm_up: Case, way: str) -> int:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=send_peak, args=(case, warm_up, way, theirs))
    process.start()
    growth: int = ours.recv()
    process.join()
    return growth


def send_peak(case: Case, warm_up: Case, way: str, pipe: Connection) -> None:
    torch.set_num_threads(1)
    WAYS[way](warm_up)
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux; 5 sets the peak to the present
    reset.write_text("5")
    before = peak_bytes(status.read_text())
    WAYS[way](case)
    pipe.send(peak_bytes(status.read_text()) - before)


def peak_bytes(status: str) -> int:
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


# --- the page --------------------------------------------------------------------------------------------------------


def render_page(command: str, results: list[Measured]) -> str:
    lines = ["# Mask tracks: a store against one PNG per frame and instance", ""]
    lines += [(__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += [f"The goals were {GOAL_SMALLER} times smaller and {GOAL_FASTER} times faster.", "", "## On disk", ""]
    lines += ["| tracks | masks | PNGs | with `merged` | allocated | store | allocated | smaller | by allocation |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    lines += [disk_row(result) for result in results]
    lines += ["", *(floor(result) for result in results), "", "## From disk to the token grid", ""]
    lines += ["| tracks | way | time | times as fast | peak memory |", "|---|---|---|---|---|"]
    lines += [time_row(result, way) for result in results for way in WAYS]
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"
    lines += ["", f"`{command}` on one core ({machine}, Pillow {version('pillow')}).", ""]
    return "\n".join(lines)


def disk_row(result: Measured) -> str:
    pngs, merged, store = result.pngs, result.merged, result.store
    cells = [f"{result.case.name}, {result.tracks} tracks", str(result.masks)]
    cells += [kilobytes(count) for count in (pngs.size, pngs.size + merged.size, pngs.allocated)]
    cells += [kilobytes(count) for count in (store.size, store.allocated)]
    cells += [f"{pngs.size / store.size:.1f}", f"{pngs.allocated / store.allocated:.1f}"]
    return f"| {' | '.join(cells)} |"


def time_row(result: Measured, way: str) -> str:
    faster = result.seconds[BASELINE] / result.seconds[way]
    measures = f"{1e3 * result.seconds[way]:.1f} ms | {faster:.1f} | {result.peak[way] / 1e6:.1f} MB"
    return f"| {result.case.name} | {way} | {measures} |"


def floor(result: Measured) -> str:
    goal, code = kilobytes(result.pngs.size / GOAL_SMALLER), kilobytes(result.context_coded)
    return f"- *{result.case.name}*: {GOAL_SMALLER} times smaller than the PNGs is {goal}; a context code takes {code}."


def kilobytes(count: float) -> str:
    return f"{count / 1000:.1f} kB"


if __name__ == "__main__":
    main()
