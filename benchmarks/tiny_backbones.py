"""What the shipped tiny backbones can do: the exact judge's scores on test and held-out clips, and a strip of samples.

Run: python benchmarks/tiny_backbones.py --clips 200 --out benchmarks/tiny_backbones.md
With --backbones, the sections of other backbones on the page stay as they are, so that each may be measured by itself.

*Present*: the share of frames in which nobody of the first frame is missing. A base is good when that is at least 95 %
and the interaction fidelity on test clips lies between 0.3 and 0.8: able, with room to improve. *Ceiling*: the scores
of the true clips themselves after encoding and decoding, which no generation through this autoencoder can hope to beat.
All intervals are 95 %, by bootstrap over clips.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from experiments.cells import closing
from experiments.numbers import shown, table

from interplay.backbones.base import Backbone
from interplay.backbones.registry import load_backbone, pipeline_folder, shipped_names
from interplay.core.artifacts import Artifact
from interplay.core.estimates import Estimate, estimate
from interplay.core.files import atomic_write_text, read_json
from interplay.core.manifest import MANIFEST
from interplay.core.progress import Progress
from interplay.evaluate import run as evaluation
from interplay.evaluate.config import EvaluateConfig
from interplay.evaluate.protocol import Answer, Presence, Question, State
from interplay.evaluate.scores import ClipScore, score_clip
from interplay.generate import run as generation
from interplay.generate.config import GenerateConfig
from interplay.grid.pixels import to_frames, to_tensor
from interplay.records.media.video import read_video, write_image
from interplay.records.store.reader import ClipStore
from interplay.train.pretrain.card import relist
from interplay.world.judge import judge
from interplay.world.judge.verdict import VERSION
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world
from interplay.world.scene import Scene

SPLITS = ("test", "heldout")
METRICS = ("kisa_raw", "sgi_raw", "spi", "if")
RESAMPLES = 2000
CEILING_CLIPS = 48
STRIP_CLIPS, STRIP_FRAMES, STRIP_GAP = 8, 6, 2
CARD, CARD_HEADING, CARD_SAMPLES = "README.md", "## Scores", "samples.png"


@dataclass(frozen=True)
class Scored:
    """Estimates of every metric, and of the share of frames in which nobody is missing."""

    metrics: Mapping[str, Estimate]
    present: Estimate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=None, help="names or folders (default: all that are shipped)")
    parser.add_argument("--clips", type=int, default=200, help="clips of each split")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument(
        "--seed", type=int, default=1, help="root seed of scenes and noise; other scenes than in pretraining"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--strips", type=Path, default=None, help="folder for a picture of samples per backbone")
    parser.add_argument("--cards", action="store_true", help="write scores and samples into the model cards")
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    made_by = closing(Path(__file__).name, "cpu")
    for name in arguments.backbones or shipped_names():
        rows, seconds = measure(name, arguments)
        if arguments.cards:
            write_into_card(pipeline_folder(name), scores_of(rows), made_by)
        said = f"{section(rows, seconds, arguments)}\n\n{made_by}"
        print(f"## {Path(name).name}\n\n{said}\n", flush=True)
        if arguments.out is not None:
            write_section(arguments.out, Path(name).name, said)


def measure(name: str, arguments: argparse.Namespace) -> tuple[dict[str, Scored], float]:
    """Scores by row of the table, and seconds per generated clip."""
    backbone = load_backbone(name)
    geometry = {"num_frames": backbone.native_frames, "size_hw": backbone.native_size_hw}
    with TemporaryDirectory() as folder:
        work = Path(folder)
        config = WorldConfig(seed=arguments.seed, test=arguments.clips, heldout=arguments.clips, **geometry)
        clips = make_world(config, work / "clips")
        settings = GenerateConfig(
            backbone=name,
            splits=SPLITS,
            steps=arguments.steps,
            guidance_scale=arguments.guidance,
            seed=arguments.seed,
        )
        started = time.perf_counter()
        made = generation.run(settings, clips, work / "generated")
        seconds = (time.perf_counter() - started) / (2 * arguments.clips)
        judged = evaluation.run(EvaluateConfig(judge="world"), clips, made, work / "scores")
        if arguments.strips is not None:
            write_strip(arguments.strips / f"{Path(name).name}.png", clips, made)
        if arguments.cards:
            write_strip(pipeline_folder(name) / CARD_SAMPLES, clips, made)
        rows = {split: scored(clips, judged, split) for split in SPLITS}
        rows["ceiling (test)"] = ceiling(backbone, clips)
    return rows, seconds


def scored(clips: Artifact, judged: Artifact, split: str) -> Scored:
    """Estimates over the clips of a split that have an interaction."""
    scores = read_json(judged.path / evaluation.SCORES)["clips"]
    vanished = _vanished_frames(judged)
    chosen = [clip for clip in ClipStore(clips.path).select(split=split) if clip.interactions]
    rows = [scores[clip.clip_id] for clip in chosen]
    present = [1.0 - vanished[clip.clip_id] / (clip.num_frames - 1) for clip in chosen]
    return _estimates({metric: [row[metric] for row in rows] for metric in METRICS}, present)


def _vanished_frames(judged: Artifact) -> dict[str, int]:
    lines = (judged.path / evaluation.LEDGER).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["clip_id"]: len(row["presence"]["vanished_frames"]) for row in rows if "presence" in row}


@torch.no_grad()
def ceiling(backbone: Backbone, clips: Artifact) -> Scored:
    """Scores of true test clips that went through the autoencoder."""
    store = ClipStore(clips.path)
    chosen = [clip for clip in store.select(split="test") if clip.interactions][:CEILING_CLIPS]
    scores, present = [], []
    with Progress("ceiling", len(chosen)) as progress:
        for clip in chosen:
            assert clip.truth is not None
            latents = backbone.encode_video(to_tensor(store.frames(clip))[None])
            verdict = judge(to_frames(backbone.decode_video(latents)[0]), Scene.from_json(clip.truth["scene"]))
            scores.append(_score(verdict).to_json())
            present.append(1.0 - len(verdict.presence.vanished_frames) / verdict.presence.compared_frames)
            progress.advance()
    return _estimates({metric: [row[metric] for row in scores] for metric in METRICS}, present)


def _score(verdict: Any) -> ClipScore:
    answered = [
        (
            Question(finding.interaction, finding.name, "", ""),
            Answer(State.ANSWERED, "yes" if finding.yes else "no", finding.frame),
        )
        for finding in verdict.findings
    ]
    seen = verdict.presence
    presence = Presence(State.ANSWERED, seen.emergent_frames, seen.vanished_frames, seen.compared_frames)
    return score_clip(answered, presence)


def _estimates(metrics: Mapping[str, Sequence[float | None]], present: Sequence[float]) -> Scored:
    found = {name: estimate(values, seed=0, resamples=RESAMPLES) for name, values in metrics.items()}
    return Scored(found, estimate(present, seed=0, resamples=RESAMPLES))


def write_strip(path: Path, clips: Artifact, made: Artifact) -> None:
    """Frames of true clips, each above what was made of its first frame and caption."""
    store = ClipStore(clips.path)
    chosen = [clip for split in SPLITS for clip in store.select(split=split, limit=STRIP_CLIPS // 2)]
    rows = []
    for clip in chosen:
        generated = read_video(made.path / "videos" / f"{clip.clip_id}.mp4").frames
        for frames in (store.frames(clip), generated):
            shown = np.linspace(0, len(frames) - 1, STRIP_FRAMES).round().astype(int)
            padded = [np.pad(frames[i], ((0, 0), (0, STRIP_GAP), (0, 0)), constant_values=255) for i in shown]
            rows.append(np.concatenate(padded, axis=1))
        rows.append(np.full((2 * STRIP_GAP, rows[-1].shape[1], 3), 255, np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.concatenate(rows).repeat(2, axis=0).repeat(2, axis=1))


# --- the page -------------------------------------------------------------------------------------------------------


def section(rows: Mapping[str, Scored], seconds: float, arguments: argparse.Namespace) -> str:
    sampling = f"{arguments.steps} steps, guidance {arguments.guidance:g}, {seconds:.2f} s per clip"
    return f"{sampling}; judged by version {VERSION} of the judge.\n\n{scores_of(rows)}"


def write_section(path: Path, name: str, section: str) -> None:
    """Put a backbone's section on the page, in the place of its older one; backbones come in the order of their names.

    The page is read when it is written, and that takes no time: measurements at the same time keep each other's.
    """
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, *pieces = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    sections = dict(zip(pieces[::2], (text.strip() for text in pieces[1::2]), strict=True)) | {name: section}
    head = f"# The tiny backbones, measured\n\n{(__doc__ or '').split(chr(10) * 2, 2)[2].strip()}"
    atomic_write_text(path, "\n\n".join([head, *(f"## {one}\n\n{sections[one]}" for one in sorted(sections))]) + "\n")


def scores_of(rows: Mapping[str, Scored]) -> str:
    cells = [
        [name, f"{row.present.n}", _share(row.present), *(shown(row.metrics[metric]) for metric in METRICS)]
        for name, row in rows.items()
    ]
    return table(["clips", "n", "present", "KISA raw", "SGI raw", "SPI", "IF"], cells)


def _share(found: Estimate) -> str:
    if found.mean is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.mean:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def write_into_card(folder: Path, scores: str, made_by: str) -> None:
    """Replace the card's section of scores, or add it; the folder's manifest lists card and samples anew."""
    path = folder / CARD
    text = re.split(rf"^{CARD_HEADING}$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[0].rstrip()
    about = "The exact judge of the world on new scenes (`present`: frames in which nobody is missing):"
    samples = f"The first clips, not chosen; above each, the true one:\n\n![Samples]({CARD_SAMPLES})"
    atomic_write_text(path, f"{text}\n\n{CARD_HEADING}\n{about}\n\n{scores}\n\n{made_by}\n\n{samples}\n")
    if (folder / MANIFEST).is_file():
        relist(folder, (CARD, CARD_SAMPLES))


if __name__ == "__main__":
    main()
