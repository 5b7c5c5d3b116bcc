"""How far the exact world judge can be trusted: agreement on true clips, and faults found, by how worn the pixels are.

Run: python benchmarks/world_judge.py --out benchmarks/world_judge.md
Look: python benchmarks/world_judge.py --clips 40 --faulty 0 --verbs push,kick --levels clean --seed 7 --backbone ""

*Agreement*: of the ten answers about every event and the two checks of presence of a true clip (all yes, nothing
emerges, nothing vanishes), how many the judge gives. *Found*: every answer that the fault makes false is "no", and for
faults of presence at least three quarters of the frames in question carry the flag. *Nothing else*: all answers that
the fault leaves true are still "yes", and no other frame carries a flag. Of an answer of which a fault leaves open
whether it is true, nothing is asked. A fault that a scene has no room for is not planted. An autoencoder smears a
change over groups of four frames: there flags may be up to four frames early, and those of a swap as late.

*Unseen* counts the clips that had room for a fault but were rejected because its own pixels (the true masks, not the
judge) do not show it: who should be out of touch is less than 0.07 stage units from what it should not touch, or what
is not handed over from who should get it; who vanishes, or trades places, is not half in sight from then on, or those
who trade are less than 0.22 apart; who takes part in another's place is not half in sight at the end, or of who looks
the head is not; who touches the wrong one, or is the wrong one who touches, ends within 0.05 of something else too, and
so does the hand or gripper of who waves or points in another's place or to somebody else, and what somebody else was
given, of who should have got it; who takes part in the other event is hidden, in a frame since that began, so that less
than half is left of what the true clip shows of it, or so is, at the end, who is held back. A grown-up is 0.58 high.

*Tracks*: intersection over union of a member's true and recovered pixels, all frames of a clip together. *Contacts*:
the true ones are pairs of who touches whom; a pair is found if the judge names it too, and an extra one only the judge
names. In frames, precision is the share of those in which the judge sees a pair touch that are true, and recall the
share of the true ones that it sees; onset is by how many frames its first one is beside the true first one (negative:
before it; what touches from the start is left out); bearing is right if the judge says of a found pair, too, whether
the one bears the other. In a picture outlines meet before the hand is where it goes, so one frame early is all there
is to see.

The judge gets the frames, and of the scene only what the first frame and the prompt say: where events are headed, when
they happen and who talks is left out before it sees it. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from interplay.core.estimates import share_interval
from interplay.core.files import atomic_write_text
from interplay.core.progress import Progress
from interplay.core.seeds import derive_seed
from interplay.world.judge import Verdict, judge, known
from interplay.world.judge.agreement import Agreement, agreement
from interplay.world.judge.faults import FAULTS, Planted, Unplanted, answers_of, plant
from interplay.world.judge.faults.wear import LEVELS, Frames, Wear, worn
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from interplay.world.splits import Split

TRUE, DECODED = "true clip", "autoencoder"
WHOLE = ""
FOUND_SHARE = 0.75
# An autoencoder smears what changes over so many frames, before and after.
SMEARED = 4
# A fault for which there is seldom room is looked for in so many times as many scenes as clips are wanted.
MOST_SCENES = 60
Restore = Callable[[Frames], Frames]


@dataclass
class Tally:
    """Counts of one kind of clip at one level of wear.

    ``wrong`` lists wrong answers, ``no`` counts the clips by what was answered no or flagged.
    """

    clips: int = 0
    found: int = 0
    unchanged: int = 0
    answers: int = 0
    agreed: int = 0
    wrong: list[str] = field(default_factory=list)
    no: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what another tally has counted too."""
        self.clips += other.clips
        self.found += other.found
        self.unchanged += other.unchanged
        self.answers += other.answers
        self.agreed += other.agreed
        self.wrong += other.wrong
        self.no += other.no


# Kind of clip (a true one, or a fault's name), verb ("" for whole clips), level.
Tallies = dict[tuple[str, str, str], Tally]
# What was recovered of the true clips, by kind and level.
Recovered = dict[tuple[str, str], list[Agreement]]


@dataclass(frozen=True)
class Settings:
    """What is measured, and ``kind``, what its true clips are called.

    ``restore`` encodes and decodes a clip; it is slow, so that only some clips go through it: so many true ones as
    ``decoded`` says, and ``decoded_faulty`` of every fault.
    """

    seed: int
    splits: tuple[Split, ...]
    verbs: frozenset[str]
    num_frames: int
    size_hw: tuple[int, int]
    levels: Mapping[str, Wear | None]
    restore: Restore | None
    decoded: int
    decoded_faulty: int
    kind: str = TRUE

    def shown(self, frames: Frames, rng: np.random.Generator, *, decode: bool) -> Iterator[tuple[str, Frames]]:
        """The clip at every level, with ``decode`` also as the autoencoder leaves it."""
        for level, wear in self.levels.items():
            yield level, worn(frames, wear, rng)
        if self.restore is not None and decode:
            yield DECODED, self.restore(frames)


def main() -> None:
    arguments = parse()
    settings = settings_of(arguments)
    started = time.perf_counter()
    tallies: Tallies = {}
    recovered: Recovered = {}
    seconds = measure_true(settings, arguments.clips, tallies, recovered)
    others = [at_size(settings, size) for size in arguments.also.split(",") if size]
    for other in others:
        measure_true(other, arguments.clips // 2, tallies, recovered)
    unseen = measure_faults(settings, arguments.faulty, arguments.faults, tallies)
    levels = [*settings.levels, *([DECODED] if settings.restore is not None else [])]
    lines = ["# The exact world judge, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += ["Levels of wear: " + ", ".join(_wear(*level) for level in settings.levels.items()) + "."]
    if settings.restore is not None:
        lines[-1] += f" {DECODED}: encoded and decoded by the VAE of {arguments.backbone}."
    kinds = [TRUE, *(other.kind for other in others)]
    lines += [*true_table(tallies, kinds, levels), *recovery_table(recovered, kinds, levels)]
    lines += [*verb_table(tallies, levels), *fault_table(tallies, levels, unseen), *confusion_tables(tallies, levels)]
    lines += closing(settings, seconds, time.perf_counter() - started)
    if arguments.list:
        list_wrong(tallies)
    page = "\n".join(lines)
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=150, help="true clips of each split")
    parser.add_argument("--faulty", type=int, default=20, help="clips of each split with every fault")
    parser.add_argument("--seed", type=int, default=730519, help="root seed of the scenes")
    parser.add_argument("--splits", default="test,heldout", help="splits of the world: train, test, heldout, solo")
    parser.add_argument("--verbs", default="", help="only clips with one of these verbs")
    parser.add_argument("--faults", default=",".join(FAULTS), help="only these faults")
    parser.add_argument("--levels", default=",".join(LEVELS), help="only these levels of wear")
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--size", default="48x80", help="height x width in pixels")
    parser.add_argument("--also", default="64x64", help="sizes at which half as many true clips are judged too")
    parser.add_argument(
        "--backbone", default="tiny-cogvideox", help='clips also go through its autoencoder; "" leaves that out'
    )
    parser.add_argument("--decoded", type=int, default=80, help="true clips that go through the autoencoder")
    parser.add_argument("--decoded-faulty", type=int, default=20, help="clips with every fault that do")
    parser.add_argument("--no-list", dest="list", action="store_false", help="do not list wrong answers")
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    arguments.faults = [fault for fault in arguments.faults.split(",") if fault]
    return arguments


def settings_of(arguments: argparse.Namespace) -> Settings:
    return Settings(
        seed=arguments.seed,
        splits=tuple(arguments.splits.split(",")),
        verbs=frozenset(verb for verb in arguments.verbs.split(",") if verb),
        num_frames=arguments.frames,
        size_hw=_size(arguments.size),
        levels={level: LEVELS[level] for level in arguments.levels.split(",") if level},
        restore=autoencoder(arguments.backbone) if arguments.backbone else None,
        decoded=arguments.decoded,
        decoded_faulty=arguments.decoded_faulty,
    )


def at_size(settings: Settings, size: str) -> Settings:
    """The same at another size, without the autoencoder."""
    return replace(settings, size_hw=_size(size), restore=None, kind=f"{TRUE}, {size}")


def _size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


def autoencoder(backbone: str) -> Restore:
    """Clips through the VAE of a backbone and back."""
    import torch

    from interplay.backbones.registry import load_backbone
    from interplay.grid.pixels import to_frames, to_tensor

    torch.set_num_threads(1)
    loaded = load_backbone(backbone)

    def restore(frames: Frames) -> Frames:
        return to_frames(loaded.decode_video(loaded.encode_video(to_tensor(frames)[None]))[0])

    return restore


# --- measuring ------------------------------------------------------------------------------------------------------


def scenes(settings: Settings, split: Split, count: int) -> Iterator[tuple[str, Scene]]:
    """``count`` scenes of a split, with one of the wanted verbs if any are named."""
    aspect = settings.size_hw[1] / settings.size_hw[0]
    found, index = 0, 0
    while found < count:
        scene = scene_at(settings.seed, split, index, aspect)
        if not settings.verbs or settings.verbs & {event.verb for event in scene.events}:
            found += 1
            yield f"{split}-{index}", scene
        index += 1


def measure_true(settings: Settings, count: int, tallies: Tallies, recovered: Recovered) -> list[float]:
    """Judge true clips; how many seconds every clip took."""
    seconds: list[float] = []
    with Progress(f"{settings.kind}s", len(settings.splits) * count) as progress:
        for split in settings.splits:
            for number, (name, scene) in enumerate(scenes(settings, split, count)):
                rng = np.random.default_rng(derive_seed(settings.seed, "benchmark", name))
                rendering = render(scene, settings.num_frames, settings.size_hw)
                truth = Planted(rendering.frames, kept=answers_of(scene))
                decode = number < settings.decoded / len(settings.splits)
                for level, frames in settings.shown(truth.frames, rng, decode=decode):
                    before = time.process_time()
                    verdict = judge(frames, known(scene))
                    seconds.append(time.process_time() - before)
                    note(tallies, settings.kind, level, name, scene, truth, verdict)
                    recovered.setdefault((settings.kind, level), []).append(agreement(verdict, rendering))
                progress.advance()
    return seconds


def measure_faults(settings: Settings, count: int, faults: Sequence[str], tallies: Tallies) -> Counter[str]:
    """Plant every fault into the first ``count`` clips of each split that show it; how many would not, by fault."""
    unseen: Counter[str] = Counter()
    with Progress("planted faults", len(faults) * len(settings.splits) * count) as progress:
        for fault in faults:
            for split in settings.splits:
                for number, (name, scene, planted, rng) in enumerate(faulty(settings, fault, split, count, unseen)):
                    decode = number < settings.decoded_faulty / len(settings.splits)
                    for level, frames in settings.shown(planted.frames, rng, decode=decode):
                        note(tallies, fault, level, name, scene, planted, judge(frames, known(scene)))
                    progress.advance()
    return unseen


def faulty(
    settings: Settings, fault: str, split: Split, count: int, unseen: Counter[str]
) -> Iterator[tuple[str, Scene, Planted, np.random.Generator]]:
    """Clips of a split with a fault, as many as are wanted or are found in so many scenes."""
    found = 0
    for name, scene in scenes(settings, split, MOST_SCENES * count):
        rng = np.random.default_rng(derive_seed(settings.seed, "benchmark", fault, name))
        planted = plant(fault, scene, settings.num_frames, settings.size_hw, rng)
        if isinstance(planted, Planted):
            found += 1
            yield name, scene, planted, rng
        else:
            unseen[fault] += planted is Unplanted.UNSEEN
        if found == count:
            return


def note(tallies: Tallies, kind: str, level: str, name: str, scene: Scene, planted: Planted, verdict: Verdict) -> None:
    """Count one verdict."""
    found = {(f.interaction, f.name): f.yes for f in verdict.findings}
    assert set(found) == set(answers_of(scene)), f"{name}: the judge answers {sorted(found)}"
    yes = {answer for answer, value in found.items() if value}
    verbs = " + ".join(event.verb for event in scene.events) or "nothing"
    wrong = [f"{name} {kind} {level}: {_verb(scene, e)} {q} should be no" for e, q in sorted(planted.denied & yes)]
    changed = [f"{name} {kind} {level}: {_verb(scene, e)} {q} should be yes" for e, q in sorted(planted.kept - yes)]
    for what, since, flags in (
        ("emergence", planted.emergent_since, set(verdict.presence.emergent_frames)),
        ("disappearance", planted.vanished_since, set(verdict.presence.vanished_frames)),
    ):
        slack = SMEARED if level == DECODED else 0
        if since is not None and not marked(since, flags, planted, slack):
            wrong.append(f"{name} {kind} {level} ({verbs}): {what} since {since} is flagged in {sorted(flags)}")
        early = {frame for frame in flags if since is None or frame < since - slack}
        if early:
            changed.append(f"{name} {kind} {level} ({verbs}): {what} is flagged in {sorted(early)}")
    counted = Tally(1, not wrong, not changed, len(planted.denied | planted.kept) + 2, 0, wrong + changed)
    counted.agreed = counted.answers - len(counted.wrong)
    counted.no.update({q for (e, q), value in found.items() if not value})
    counted.no.update(["emergence"] * bool(verdict.presence.emergent_frames))
    counted.no.update(["disappearance"] * bool(verdict.presence.vanished_frames))
    tallies.setdefault((kind, WHOLE, level), Tally()).add(counted)
    for number, event in enumerate(scene.events):
        denied, kept = ({a for a in answers if a[0] == number} for answers in (planted.denied, planted.kept))
        agreed = len(denied - yes) + len(kept & yes)
        its = Tally(1, denied.isdisjoint(yes), kept <= yes, len(denied | kept), agreed)
        tallies.setdefault((kind, event.verb, level), Tally()).add(its)


def _verb(scene: Scene, number: int) -> str:
    return f"{number}:{scene.events[number].verb}"


def marked(since: int, flags: set[int], planted: Planted, slack: int) -> bool:
    """Whether the frames from ``since`` on carry the flag, or this one (give or take ``slack``) if that is all."""
    if not planted.lasting:
        return any(abs(frame - since) <= slack for frame in flags)
    wanted = set(range(since, len(planted.frames)))
    return len(wanted & flags) >= FOUND_SHARE * len(wanted)


# --- tables ---------------------------------------------------------------------------------------------------------


def pooled(tallies: Tallies, kind: str, level: str | None) -> Tally:
    """The counts of a kind of clip at one level or all."""
    total = Tally()
    for (its_kind, verb, its_level), tally in tallies.items():
        if its_kind == kind and level in (None, its_level) and verb == WHOLE:
            total.add(tally)
    return total


def true_table(tallies: Tallies, kinds: Sequence[str], levels: Sequence[str]) -> list[str]:
    lines = ["", "## True clips", "", "| clip | wear | clips | answers that agree | clips without a wrong answer |"]
    lines += ["|---|---|---|---|---|"]
    for kind, level in product(kinds, levels):
        tally = pooled(tallies, kind, level)
        good = tally.clips - len({line.split(" ")[0] for line in tally.wrong})
        if tally.clips:
            agree, clean = _share(tally.agreed, tally.answers), _between(good, tally.clips)
            lines.append(f"| {kind} | {level} | {tally.clips} | {agree} | {clean} |")
    return lines


def recovery_table(recovered: Recovered, kinds: Sequence[str], levels: Sequence[str]) -> list[str]:
    heads = (
        "clip", "wear", "track IoU, mean", "19 of 20 are above", "contacts found", "extra", "precision", "recall",
        "onset, mean (within 1 frame)", "bearing right",
    )  # fmt: skip
    lines = ["", "Tracks and contacts that were recovered:", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for kind, level in product(kinds, levels):
        if (kind, level) in recovered:
            lines.append(f"| {kind} | {level} | {' | '.join(_recovered(recovered[kind, level]))} |")
    return lines


def _recovered(clips: Sequence[Agreement]) -> tuple[str, ...]:
    ious = [iou for clip in clips for iou in clip.ious.values()]
    onsets = np.array([onset for clip in clips for onset in clip.onsets])
    found, missed, extra, held, both, unseen, unreal = (
        sum(getattr(clip, name) for clip in clips)
        for name in ("found", "missed", "extra", "held", "both", "unseen", "unreal")
    )
    onset = f"{onsets.mean():+.1f} ({_share(int((abs(onsets) <= 1).sum()), onsets.size)})" if onsets.size else "-"
    return (
        f"{np.mean(ious):.3f}", f"{np.quantile(ious, 0.05):.3f}", f"{found} of {found + missed}", str(extra),
        _share(both, both + unreal), _share(both, both + unseen), onset, f"{held} of {found}",
    )  # fmt: skip


def verb_table(tallies: Tallies, levels: Sequence[str]) -> list[str]:
    verbs = sorted({verb for kind, verb, _ in tallies if kind == TRUE and verb != WHOLE})
    lines = ["", "Answers that agree, by verb:", "", "| verb | events | " + " | ".join(levels) + " |"]
    lines += ["|---|---|" + "---|" * len(levels)]
    for verb in verbs:
        found = [tallies.get((TRUE, verb, level), Tally()) for level in levels]
        shares = " | ".join(_share(tally.agreed, tally.answers) for tally in found)
        lines.append(f"| {verb} | {found[0].clips} | {shares} |")
    return lines


def fault_table(tallies: Tallies, levels: Sequence[str], unseen: Counter[str]) -> list[str]:
    lines = ["", "## Planted faults", ""]
    lines += ["Each cell: found / nothing else changed, in %, with the interval (clips, if fewer).", ""]
    lines += ["| fault | clips | unseen | " + " | ".join(levels) + " |", "|---|---|---|" + "---|" * len(levels)]
    for fault in FAULTS:
        found = [pooled(tallies, fault, level) for level in levels]
        if any(tally.clips for tally in found):
            cells = [_cell(tally, found[0].clips) for tally in found]
            lines.append(f"| {fault} | {found[0].clips} | {unseen[fault]} | " + " | ".join(cells) + " |")
    return lines


def _cell(tally: Tally, clips: int) -> str:
    """Found and unchanged, and of how many clips where that is another number than of the first level."""
    other = f" ({tally.clips})" if tally.clips not in (0, clips) else ""
    return f"{_between(tally.found, tally.clips)} / {_between(tally.unchanged, tally.clips)}{other}"


def confusion_tables(tallies: Tallies, levels: Sequence[str]) -> list[str]:
    """What is said to what, at all levels together and, to be unfolded, at each."""
    lines = ["", "## What the judge says to what", ""]
    lines += ["Clips in which the answer about an event is no, or a frame carries the flag: share at all levels", ""]
    lines[-2] += " together, and below by level, in clips."
    lines += confusion_table(tallies, None)
    for level in levels:
        lines += ["", f"<details><summary>{level}</summary>", "", *confusion_table(tallies, level), "", "</details>"]
    return lines


def confusion_table(tallies: Tallies, level: str | None) -> list[str]:
    checks = [*(f"Q{number}" for number in range(1, 11)), "emergence", "disappearance"]
    lines = ["| clip | clips | " + " | ".join(checks) + " |", "|---|---|" + "---|" * len(checks)]
    for kind in (TRUE, *FAULTS):
        tally = pooled(tallies, kind, level)
        cells = [_share(tally.no[c], tally.clips) if level is None else str(tally.no[c]) for c in checks]
        if tally.clips:
            lines.append(f"| {kind} | {tally.clips} | {' | '.join(cells)} |")
    return lines


def closing(settings: Settings, seconds: Sequence[float], took: float) -> list[str]:
    lines = [""]
    if seconds:
        size = "x".join(str(n) for n in (settings.num_frames, *settings.size_hw))
        lines += [f"Judging a clip of {size} takes {1e3 * float(np.median(seconds)):.0f} ms of one core (median).", ""]
    command = shlex.join(["python", "benchmarks/world_judge.py", *sys.argv[1:]])
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"
    return [*lines, f"`{command}` on one core ({machine}), {took:.0f} s.", ""]


def list_wrong(tallies: Tallies) -> None:
    """Every wrong answer, and which are the most frequent."""
    wrong = [line for tally in tallies.values() for line in tally.wrong]
    for line in sorted(wrong):
        print(line)
    kinds: Counter[str] = Counter(line.split(" ", 1)[1].split(" since ")[0].split(" is flagged")[0] for line in wrong)
    print()
    for line, count in kinds.most_common(40):
        print(f"{count:5d} {line}")
    print()


def _wear(name: str, wear: Wear | None) -> str:
    return name if wear is None else f"{name} (blur {wear.sigma * 48:.1f} px of 48 rows, noise {wear.noise:.0f} of 255)"


def _between(part: int, whole: int) -> str:
    """A share in percent, and in brackets the interval; numbers alone, for tables of many."""
    if whole == 0:
        return "-"
    low, high = share_interval(part, whole)
    return f"{100 * part / whole:.1f} ({100 * low:.0f}-{100 * high:.0f})"


def _share(part: int, whole: int) -> str:
    return "-" if whole == 0 else f"{100 * part / whole:.1f} %"


if __name__ == "__main__":
    main()
