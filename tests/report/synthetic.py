"""Synthetic artifacts: real clips of the world, invented models. Nasty strings and missing numbers are among them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from interplay.core.artifacts import Artifact, build
from interplay.core.files import atomic_write_text, write_json
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore
from interplay.report.inputs import ReportInputs
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world
from report.synthetic_analysis import make_analysis

NASTY = '<script>alert("caption")</script> & <img src=x onerror=alert(1)>'
STEPS = 20


@dataclass(frozen=True)
class Story:
    folder: Path
    inputs: ReportInputs

    def without(self, *names: str) -> ReportInputs:
        return replace(self.inputs, **dict.fromkeys(names))


def make_story(folder: Path, *, test: int = 6, heldout: int = 5, base_level=0.35, gain=0.2) -> Story:
    world = WorldConfig(test=test, heldout=heldout, num_frames=9, size_hw=(48, 80))
    clips = make_world(world, folder / "world")
    base = make_generation(folder / "base", clips, quality=0.3)
    training = make_training(folder / "train")
    aligned = make_generation(folder / "aligned", clips, quality=0.8, training=training)
    inputs = ReportInputs(
        clips=clips,
        base_generation=base,
        base_evaluation=make_evaluation(folder / "base-scores", base, level=base_level, seed=1),
        analysis=make_analysis(folder / "analysis", clips, words=NASTY),
        training=training,
        aligned_generation=aligned,
        aligned_evaluation=make_evaluation(folder / "aligned-scores", aligned, level=base_level + gain, seed=2),
    )
    return Story(folder, inputs)


def make_generation(
    out: Path, clips: Artifact, *, quality: float, training: Artifact | None = None, nasty: bool = True
) -> Artifact:
    """Videos that follow the dataset's for a while and then stand still, with a little noise."""

    def make(folder: Path) -> dict:
        store = ClipStore(clips.path)
        rng = np.random.default_rng(7)
        entries = []
        for position, clip in enumerate(store):
            frames = store.frames(clip)
            follow = np.minimum(np.arange(len(frames)), round(quality * len(frames)))
            noisy = frames[follow] + rng.normal(0, 6, frames.shape)
            write_video(folder / f"videos/{clip.clip_id}.mp4", np.clip(noisy, 0, 255).astype(np.uint8), clip.fps)
            entries.append(
                {
                    "clip_id": clip.clip_id,
                    "video": f"videos/{clip.clip_id}.mp4",
                    "prompt": NASTY if nasty and position == 1 else clip.caption,
                    "seed": 1000 + position,
                }
            )
        shared = {"backbone": "tiny-cogvideox", "adapter": None, "steps": STEPS, "guidance": 2.0}
        write_json(folder / "index.json", {"clips": entries, **shared})
        return {"clips": len(entries)}

    config = {"backbone": "tiny-cogvideox", "steps": STEPS, "seed": 0, "quality": quality}
    inputs = {"clips": clips} | ({"training": training} if training else {})
    return build(out, kind="generation", config=config, inputs=inputs, make=make)


def make_evaluation(out: Path, generation: Artifact, *, level: float, seed: int, judge: bool = True) -> Artifact:
    """Answers drawn with probability ``level``; the third clip could not be scored."""

    def make(folder: Path) -> dict:
        rng = np.random.default_rng(seed)
        ids = [entry["clip_id"] for entry in json.loads((generation.path / "index.json").read_text())["clips"]]
        scores, ledger = {}, []
        for position, clip_id in enumerate(ids):
            unscored = "not scored: no judge" if not judge else "unparsable" if position == 2 else None
            answers = rng.random(10) < level
            if judge:
                ledger += ledger_rows(clip_id, answers, unscored, position)
            scores[clip_id] = clip_scores(answers, spi=1.0 - 0.5 * rng.random(), state=unscored)
        content = {"clips": scores, "summary": {}, "judge": "exact world judge" if judge else "none"}
        write_json(folder / "scores.json", content)
        atomic_write_text(folder / "ledger.jsonl", "".join(json.dumps(row) + "\n" for row in ledger))
        return {}

    config = {"level": level, "seed": seed, "judge": judge}
    return build(out, kind="evaluation", config=config, inputs={"generation": generation}, make=make)


def clip_scores(answers, spi: float, state: str | None) -> dict:
    if state is not None:
        return {"kisa": None, "sgi": None, "spi": None, "if": None, "state": state}
    kisa, sgi = float(answers[:6].mean()) * spi, float(answers[6:].mean()) * spi
    return {"kisa": kisa, "sgi": sgi, "spi": spi, "if": (kisa + sgi) / 2, "state": "scored"}


def ledger_rows(clip_id: str, answers, unscored: str | None, position: int) -> list[dict]:
    questions = [
        "Is the man in red standing apart from the green ball?",
        "Does the man in red touch the green ball?",
        "Is the green ball moving while touched?",
        "Does the man in red follow it?",
        "Is the green ball ahead of him?",
        "Has the green ball moved to the right?",
        "Does the man in red act?",
        "Is it the man in red, and nobody else, who pushes?",
        f"Is it the green ball that is pushed? {NASTY}" if position == 0 else "Is it the green ball that is pushed?",
        "Is the green ball the one that is moved?",
    ]
    rows = []
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True), start=1):
        rows.append(
            {
                "clip_id": clip_id,
                "question_id": f"Q{number}",
                "question": question,
                "answer": None if unscored else "yes" if answer else "no",
                "state": unscored or "answered",
                "frame_index": None if unscored else number % 9,
            }
        )
    return [*rows, {"clip_id": clip_id, "presence": {"emergent_frames": []}, "state": "answered"}]


def make_training(out: Path, steps: int = 120) -> Artifact:
    def make(folder: Path) -> dict:
        rng = np.random.default_rng(0)
        terms = ("diffusion", "sga_subject", "sga_object", "sga_verb", "spa_subject", "spa_object")
        stream = io.StringIO()
        writer = csv.DictWriter(stream, ["step", "loss", *terms, "learning_rate", "seconds"])
        writer.writeheader()
        for step in range(1, steps + 1):
            values = {t: 0.9 * np.exp(-step / 60) + 0.3 + 0.15 * rng.random() for t in terms}
            values["spa_object"] = "" if step % 7 == 0 else values["spa_object"]
            rate = 1e-4 * (1 + np.cos(np.pi * step / steps)) / 2
            writer.writerow({"step": step, "loss": 1.1, **values, "learning_rate": rate, "seconds": 0.5})
        atomic_write_text(folder / "losses.csv", stream.getvalue())
        measured = [
            {"step": step, "held_out": 0.5 - step / 1000, "fidelity": step / steps, "held_out_at_0.5": 0.4}
            for step in (0, steps // 2, steps)
        ]
        write_json(folder / "validation.json", {"best_step": steps, "rows": measured})
        recipe = "method: matrix\nvariant: paper\nlambda_sga: 0.01  # <source>\nlambda_spa: 0.005\nseed: 3\n"
        atomic_write_text(folder / "recipe.yaml", recipe)
        layers = {"v2t": [1, 2], "v2v": [3]}
        return {"steps": steps, "layers": layers, "trainable_parameters": 24576, "seconds_per_step": 0.51}

    return build(out, kind="training", config={"seed": 3, "steps": steps}, inputs={}, make=make)
