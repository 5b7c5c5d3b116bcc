"""What observing attention costs, in time and memory, against the plain forward and against materialised attention.

Run: python benchmarks/observation.py --out benchmarks/observation.md

*Scores*: mean pre-softmax scores of three words (two nouns and a verb) over the video, and of the first-frame regions
of their masks. *Mass*: the attention alignment score of the same three terms as ``interplay analyze`` reads it, v2t and
v2v, for every head. *Materialised*: softmax(q k^T) written out in place of the fused kernel, averaged over heads and
then read, as the official analysis does. All are read at every site. The two instances cover about a tenth of each
frame. *Memory* is by how much allocations grow at their peak beyond weights and inputs, the results included. With
gradients, the plain loss is the mean square of the output, and each observation adds its own mean square.

The ways take turns. *Time* is the median over the rounds, the ratio the median of the ratios within a round, and the
range its quartiles. On a CPU, time is that of the process (other work on the machine does not count), one thread,
float32. On a GPU it is wall time in bfloat16.

Goals: scores at most 1.02 times the plain forward in time and memory, mass at most 1.25 times, generation with the full
analysis of every layer and step at most 1.2 times.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from diffusers.models.transformers.transformer_wan import WanTransformerBlock
from experiments.cells import closing
from experiments.costs import Compute, Timing, in_turns, name_of, peak_of, seconds_of
from experiments.numbers import table
from torch import Tensor, nn
from torch.nn import functional

from interplay.analyze.scoring import Scorer
from interplay.analyze.source import Case, Moment
from interplay.attention import Mass, Region, Request, Scores, observe
from interplay.backbones.base import Backbone, Site, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.registry import build_tiny, tiny_names
from interplay.core.files import atomic_write_text
from interplay.core.progress import Progress
from interplay.diffusion.sampling import Conditions, clip_generators, sample
from interplay.records.caption import parse_caption
from interplay.records.store.reader import ClipStore
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

Grid = tuple[int, int, int]
WORDS = ((1, 2), (5,), (8, 9))  # text tokens of two nouns and a verb
BOXES = ((0.2, 0.7, 0.1, 0.3), (0.4, 0.6, 0.5, 0.9))  # top, bottom, left, right: 10 % and 8 % of a frame


@dataclass(frozen=True)
class Subject:
    """Something that attends: ``forward`` runs it once; ``backbone`` is what ``observe`` is given."""

    name: str
    backbone: Any
    layout: Mapping[SiteKind, TokenLayout]
    grid: Grid
    text_length: int
    clips: int
    forward: Callable[[], Tensor]
    device: torch.device
    matrix_bytes: int = 0  # of one attention written out, all heads


# A third matrix of this size would not fit beside the others on a small machine without a GPU.
LARGEST_MATRIX_BYTES = 2**30


@dataclass(frozen=True)
class Cost:
    """Time and bytes, or why there are none."""

    timing: Timing | None = None
    bytes: int = 0
    failed: str = ""


# --- what is observed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """Three words, their masks and their first-frame regions, of every clip of a subject."""

    words: list[Region]
    masks: list[Region]
    firsts: list[Region]

    @classmethod
    def of(cls, subject: Subject) -> Terms:
        """The boxes as masks, their union as the verb's."""
        frames, height, width = subject.grid
        boxes = [torch.zeros(subject.clips, frames, height, width, device=subject.device) for _ in BOXES]
        for mask, (top, bottom, left, right) in zip(boxes, BOXES, strict=True):
            rows = slice(int(top * height), max(int(bottom * height), int(top * height) + 1))
            columns = slice(int(left * width), max(int(right * width), int(left * width) + 1))
            mask[:, :, rows, columns] = 1.0
        masks = [*boxes, torch.maximum(*boxes)]
        words = [Region.text([tokens] * subject.clips, subject.text_length, subject.device) for tokens in WORDS]
        return cls(words, [Region.video(m) for m in masks], [Region.first_frame(m) for m in masks])


def score_requests(subject: Subject) -> list[Request]:
    terms = Terms.of(subject)
    words = [Scores(f"v2t {i}", _sites(subject, "text"), keys=word) for i, word in enumerate(terms.words)]
    return [
        *words,
        *(Scores(f"v2v {i}", _sites(subject, "video"), queries=first) for i, first in enumerate(terms.firsts)),
    ]


def mass_requests(subject: Subject) -> list[Request]:
    terms = Terms.of(subject)
    words = [word.normalised() for word in terms.words]
    # The third mask is the union of the others, so its rows are all that are needed.
    return [
        Mass("v2t", _sites(subject, "text"), terms.masks[-1], words, "none"),
        Mass("v2v", _sites(subject, "video"), terms.firsts[-1], terms.masks, "none"),
    ]


def _sites(subject: Subject, stream: str) -> tuple[str, ...]:
    return tuple(
        site.address
        for site in subject.backbone.sites()
        if stream in subject.layout[site.kind].keys and "video" in subject.layout[site.kind].queries
    )


@contextmanager
def materialised(subject: Subject) -> Iterator[list[Tensor]]:
    """Attention spelled out, averaged over heads, and read with matrices; the statistics gather in the list."""
    terms, found = Terms.of(subject), []
    text, rows = (torch.stack([r.weights for r in regions], dim=-1) for regions in (terms.words, terms.masks))
    firsts = torch.stack([first.normalised().weights for first in terms.firsts], dim=-1)

    def attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
        scores = query @ key.transpose(-1, -2) * (options.get("scale") or query.shape[-1] ** -0.5)
        if attn_mask is not None:
            masked = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, float("-inf")) if masked else scores + attn_mask
        weights = scores.softmax(dim=-1)
        for layout in subject.layout.values():
            sizes = (max(part.stop for part in side.values()) for side in (layout.queries, layout.keys))
            if tuple(sizes) == tuple(weights.shape[2:]):
                of_video = weights.mean(dim=1)[:, layout.queries["video"]].float()
                if "text" in layout.keys:
                    found.append(torch.einsum("bqk,bqr,bkr->br", of_video[..., layout.keys["text"]], rows, text))
                if "video" in layout.keys:
                    found.append(torch.einsum("bqk,bqr,bkr->br", of_video[..., layout.keys["video"]], firsts, rows))
        attended: Tensor = weights @ value
        return attended

    with mock.patch.object(functional, "scaled_dot_product_attention", attend):
        yield found


# --- how it is run ------------------------------------------------------------------------------------------------

Way = Callable[[Subject], list[Tensor]]


def plain(subject: Subject) -> list[Tensor]:
    return [subject.forward()]


def observed(requests: Callable[[Subject], list[Request]]) -> Way:
    made: dict[int, list[Request]] = {}

    def run(subject: Subject) -> list[Tensor]:
        if id(subject) not in made:
            made[id(subject)] = requests(subject)
        asked = made[id(subject)]
        with observe(subject.backbone, asked, subject.layout) as seen:
            output = subject.forward()
        return [output, *(value for request in asked for value in seen[request.name].values())]

    return run


def spelled_out(subject: Subject) -> list[Tensor]:
    with materialised(subject) as found:
        output = subject.forward()
    return [output, *found]


WAYS: Mapping[str, Way] = {
    "plain": plain,
    "scores": observed(score_requests),
    "mass": observed(mass_requests),
    "materialised": spelled_out,
}


def costs(subject: Subject, rounds: int, *, gradients: bool) -> dict[str, Cost]:
    """Time and peak memory of each way."""
    if gradients:
        for module in subject.backbone.transformers:
            # Gradients of weights are there before, as in the steps of a training that has begun.
            for parameter in module.parameters():
                parameter.grad = torch.zeros_like(parameter)
    found: dict[str, Cost] = {}
    computes: dict[str, Compute] = {}
    for name, way in WAYS.items():
        found[name], compute = _peak(subject, name, way, gradients=gradients)
        if not found[name].failed:
            computes[name] = compute
    timings = in_turns({name: _timed(compute, subject.device) for name, compute in computes.items()}, rounds)
    return {name: replace(cost, timing=timings.get(name)) for name, cost in found.items()}


def _peak(subject: Subject, name: str, way: Way, *, gradients: bool) -> tuple[Cost, Compute]:
    """What a way needs in memory, which is what warms it up, too; and the way, to be timed."""

    def compute() -> None:
        with torch.set_grad_enabled(gradients):
            values = way(subject)
        if gradients:
            sum(value.float().square().mean() for value in values).backward()  # type: ignore[union-attr]

    if name == "materialised" and subject.device.type == "cpu" and subject.matrix_bytes > LARGEST_MATRIX_BYTES:
        return Cost(failed=f"not run: each matrix takes {subject.matrix_bytes / 2**30:.1f} GiB"), compute
    try:
        return Cost(bytes=peak_of(compute, subject.device)), compute
    except torch.OutOfMemoryError:
        return Cost(failed="out of memory"), compute


def _timed(compute: Compute, device: torch.device) -> Callable[[int], float]:
    return lambda number: seconds_of(compute, device)


# --- who is observed ----------------------------------------------------------------------------------------------


class OneBlock(nn.Module):
    """A network of a single block, with what ``observe`` asks of a backbone."""

    def __init__(self, block: nn.Module, sites: tuple[Site, ...]) -> None:
        super().__init__()
        self.block, self._sites = block, sites

    @property
    def transformers(self) -> tuple[nn.Module, ...]:
        """Itself."""
        return (self,)

    def sites(self) -> tuple[Site, ...]:
        """The block's."""
        return self._sites


def cogvideox_block(grid: Grid, heads: int, device: torch.device, dtype: torch.dtype) -> Subject:
    """One block of CogVideoX-5B: heads of 64, 226 text tokens before the video."""
    width, text, video = heads * 64, 226, grid[0] * grid[1] * grid[2]
    with torch.device(device):
        block = CogVideoXBlock(width, heads, 64, time_embed_dim=512, attention_bias=True).to(dtype)
        hidden, prompt = torch.randn(1, video, width, dtype=dtype), torch.randn(1, text, width, dtype=dtype)
        step, rotary = torch.randn(1, 512, dtype=dtype), _rotary(video, 64)
    streams = {"text": slice(0, text), "video": slice(text, text + video)}
    site = Site("blocks.0.joint", 0, "joint", "block.attn1")
    return Subject(
        name=f"CogVideoX-5B, {text + video:,} tokens, {heads} heads x 64",
        backbone=OneBlock(block, (site,)),
        layout={"joint": TokenLayout(streams, streams)},  # type: ignore[arg-type]
        grid=grid,
        text_length=text,
        clips=1,
        forward=lambda: block(hidden, prompt, step, rotary)[0],
        device=device,
        matrix_bytes=heads * (text + video) ** 2 * hidden.element_size(),
    )


def wan_block(grid: Grid, heads: int, device: torch.device, dtype: torch.dtype) -> Subject:
    """One block of Wan-14B: self-attention and cross-attention to 512 text tokens, heads of 128."""
    width, text, video = heads * 128, 512, grid[0] * grid[1] * grid[2]
    with torch.device(device):
        block = WanTransformerBlock(width, width * 27 // 10, heads, cross_attn_norm=True).to(dtype)
        hidden, prompt = torch.randn(1, video, width, dtype=dtype), torch.randn(1, text, width, dtype=dtype)
        cos, sin = _rotary(video, 128)
        rotary, step = (cos[None, :, None], sin[None, :, None]), torch.randn(1, 6, width)
    streams = {"video": slice(0, video)}
    return Subject(
        name=f"Wan-14B, {video:,} tokens, {heads} heads x 128",
        backbone=OneBlock(
            block,
            (Site("blocks.0.self", 0, "self", "block.attn1"), Site("blocks.0.cross", 0, "cross", "block.attn2")),
        ),
        layout={
            "self": TokenLayout(streams, streams),  # type: ignore[arg-type]
            "cross": TokenLayout(streams, {"text": slice(0, text)}),  # type: ignore[arg-type]
        },
        grid=grid,
        text_length=text,
        clips=1,
        forward=lambda: block(hidden, prompt, step, rotary),
        device=device,
        matrix_bytes=heads * video**2 * hidden.element_size(),
    )


def _rotary(tokens: int, width: int) -> tuple[Tensor, Tensor]:
    """Some rotation of each token; what it costs does not depend on the angles."""
    angles = torch.rand(tokens, width // 2).repeat_interleave(2, dim=1)
    return angles.cos(), angles.sin()


def blocks(device: torch.device) -> list[Subject]:
    """Both blocks at their real shapes on a GPU; on a CPU small ones, and one with the real tokens and one head."""
    if device.type == "cuda":
        return [
            cogvideox_block((13, 30, 45), 48, device, torch.bfloat16),
            wan_block((21, 30, 52), 40, device, torch.bfloat16),
        ]
    return [
        cogvideox_block((13, 10, 14), 5, device, torch.float32),
        wan_block((21, 8, 12), 3, device, torch.float32),
        cogvideox_block((13, 30, 45), 1, device, torch.float32),
    ]


@dataclass(frozen=True)
class Generation:
    """A tiny backbone with random weights, two clips of the embedded world, and what is shown to generate them."""

    backbone: Backbone
    cases: list[Case]
    conditions: Conditions
    steps: int

    @classmethod
    def of(cls, name: str, steps: int, cases: list[Case]) -> Generation:
        """Build it, and encode the captions and pictures of noise."""
        backbone = build_tiny(name, 0)
        clip = cases[0].clip
        grid = backbone.grid(clip.num_frames, clip.size_hw)
        image = torch.rand(2, 3, *clip.size_hw, generator=torch.Generator().manual_seed(0)) * 2 - 1
        first_frame = backbone.first_frame_condition(image, grid)
        prompts = [parse_caption(case.clip.caption).text for case in cases]
        text, empty = (backbone.encode_text(of_half, first_frame) for of_half in (prompts, [""] * len(prompts)))
        return cls(backbone, cases, Conditions(grid, text, empty, first_frame), steps)

    def one_forward(self) -> Subject:
        """A single forward of the two clips, without guidance."""
        grid, conditions = self.conditions.grid, self.conditions
        latents = torch.randn(2, self.backbone.latent_channels, *grid.latent_shape)
        return Subject(
            name=self.backbone.name,
            backbone=self.backbone,
            layout=self.backbone.layout(grid, self.backbone.text_length),
            grid=grid.token_shape,
            text_length=self.backbone.text_length,
            clips=2,
            forward=lambda: self.backbone.denoise(
                latents, torch.tensor([500, 500]), conditions.text, conditions.first_frame
            ),
            device=latents.device,
        )

    def run(self, scorer: Scorer | None) -> None:
        """Generate once, every forward scored where there is a scorer, and the scores made into tables."""

        def denoise(step: int, latents: Tensor, timesteps: Tensor, text: Batch, first_frame: Batch) -> Tensor:
            assert scorer is not None
            moment = Moment(0, step, int(timesteps[0]))
            return scorer(moment, lambda: self.backbone.denoise(latents, timesteps, text, first_frame))

        sample(
            self.backbone,
            self.conditions,
            clip_generators([1, 2]),
            steps=self.steps,
            guidance_scale=3.0,
            denoise=None if scorer is None else denoise,
        )
        if scorer is not None:
            scorer.tables()

    def costs(self, rounds: int) -> dict[str, Timing]:
        """Of generating, plain and as ``interplay analyze`` scores it, its preparations included."""
        computes: Mapping[str, Compute] = {
            "plain": lambda: self.run(None),
            "analysed": lambda: self.run(Scorer(self.backbone, self.cases, "max")),
        }
        return in_turns({name: _timed(compute, torch.device("cpu")) for name, compute in computes.items()}, rounds)


def two_cases() -> list[Case]:
    """Two clips of the embedded world with their exact masks."""
    with tempfile.TemporaryDirectory() as folder:
        make_world(WorldConfig(train=2), Path(folder) / "clips")
        return [Case(clip, clip.tracks) for clip in ClipStore(Path(folder) / "clips").select()]


# --- the verdict --------------------------------------------------------------------------------------------------

# Goal -> the largest ratio to the plain forward or generation that meets it.
GOALS = {"scores, time": 1.02, "scores, memory": 1.02, "mass, time": 1.25, "generation": 1.20}


@dataclass(frozen=True)
class Ratio:
    """A number of the page that a goal is about."""

    goal: str
    subject: str
    value: float


def ratios_of(subject: str, found: Mapping[str, Cost]) -> list[Ratio]:
    """What the goals say about the costs of a subject; nothing of a way that did not run."""
    base = found["plain"]
    if base.failed:
        return []
    numbers = [
        Ratio(f"{way}, {what}", subject, value)
        for way, cost in found.items()
        if cost.timing is not None
        for what, value in (("time", cost.timing.ratio), ("memory", cost.bytes / base.bytes))
    ]
    return [ratio for ratio in numbers if ratio.goal in GOALS]


def verdict(ratios: Sequence[Ratio]) -> list[str]:
    """For each goal who meets it and who misses it, by how much."""
    lines = ["| goal | at most | met by | missed by |", "|---|---|---|---|"]
    for goal, largest in GOALS.items():
        own = [ratio for ratio in ratios if ratio.goal == goal]
        # As printed in the tables, so that no reader finds another verdict there.
        sides = [[r for r in own if (round(r.value, 3) <= largest) is met] for met in (True, False)]
        told = ["; ".join(f"{ratio.subject} ({ratio.value:.3f})" for ratio in side) or "none" for side in sides]
        lines.append(f"| {goal} | {largest:.2f} | {' | '.join(told)} |")
    return lines


# --- the page -----------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="timed runs of each way")
    parser.add_argument("--steps", type=int, default=4, help="steps of a generation")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=None, help="write the tables to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    page = f"{measure(device, arguments.rounds, arguments.steps)}\n{closing(Path(__file__).name, name_of(device))}\n"
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


def measure(device: torch.device, rounds: int, steps: int) -> str:
    names = tiny_names()
    forward: list[list[str]] = []
    generation: list[list[str]] = []
    ratios: list[Ratio] = []
    cases = two_cases()
    with Progress("tiny backbones", len(names)) as progress:
        for name in names:
            model = Generation.of(name, steps, cases)
            found = costs(model.one_forward(), rounds, gradients=False)
            forward += _rows(name, found)
            ratios += ratios_of(name, found)
            plain, analysed = model.costs(rounds).values()
            ratios.append(Ratio("generation", name, analysed.ratio))
            seconds = (f"{timing.seconds:.2f} s" for timing in (plain, analysed))
            generation.append([name, *seconds, f"{analysed.ratio:.3f}", analysed.spread])
            progress.advance()
    of_blocks = []
    subjects = blocks(device)
    with Progress("blocks", 2 * len(subjects)) as progress:
        for subject in subjects:
            for gradients in (False, True):
                title = f"{subject.name}, {'forward and backward' if gradients else 'forward'}"
                found = costs(subject, rounds, gradients=gradients)
                of_blocks += _rows(title, found)
                ratios += ratios_of(title, found)
                progress.advance()
    return _page(forward, generation, of_blocks, verdict(ratios), device)


def _rows(title: str, found: Mapping[str, Cost]) -> list[list[str]]:
    base = found["plain"]
    rows = []
    for name, cost in found.items():
        if cost.timing is None or base.failed:
            rows.append([title, name, cost.failed or "-", "", "", "", ""])
            continue
        timing = cost.timing
        time = [f"{1e3 * timing.seconds:.1f} ms", f"{timing.ratio:.3f}", timing.spread]
        rows.append([title, name, *time, f"{cost.bytes / 2**20:.1f} MiB", f"{cost.bytes / base.bytes:.3f}"])
        title = ""
    return rows


def _page(
    forward: list[list[str]],
    generation: list[list[str]],
    of_blocks: list[list[str]],
    judged: list[str],
    device: torch.device,
) -> str:
    heads = ["what", "way", "time", "of plain", "quartiles", "peak memory", "of plain"]
    scale = (
        "At the models' real shapes."
        if device.type == "cuda"
        else "**At reduced size, for want of a GPU**: about a ninth (CogVideoX) and a sixteenth (Wan) of the real "
        "tokens (17,776 and 32,760) and of the real width (48 heads x 64 and 40 heads x 128), so that attention has "
        "its real share of a block's work; and a block with all of CogVideoX's tokens and a single head."
    )
    tiny = "## Tiny backbones on a CPU\n\nA forward of two clips, every site observed.\n"
    guided = (
        "\nTwo clips of the embedded world generated with guidance (a batch of four), plain and scored by what "
        "`interplay analyze` uses: the alignment score of every layer, head and step, into its tables.\n"
    )
    parts = ["# The cost of observation\n", (__doc__ or "").split("\n\n", 2)[2].strip() + "\n"]
    parts += [tiny, table(heads, forward), guided]
    parts += [table(["backbone", "plain", "analysed", "of plain", "quartiles"], generation)]
    parts += ["\n## One block, random weights\n", scale + "\n", table(heads, of_blocks)]
    return "\n".join([*parts, "\n## Verdict\n", "Of the numbers of this run.\n", *judged, ""])


if __name__ == "__main__":
    main()
