"""Is it learning? Measured on clips that are not trained on, the same way every time.

Training's own loss says little: it depends on the noise level that was drawn more than on the weights. Here each clip
is noised to the same few timesteps with the same noise, so two numbers of one run differ by the weights alone. Beside
it: the alignment terms, the attention alignment score and samples, by the :mod:`.probes` that the command brings.

Every clip is measured by itself, so its numbers do not depend on how many processes share the work.

Shape legend: ``c f h w`` latent channels, frames, height, width; ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.core.seeds import derive_seed
from interplay.diffusion.sampling import Conditions, clip_generators, sample
from interplay.diffusion.training import noise_batch
from interplay.grid.pixels import to_frames
from interplay.records.clip import Clip
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore
from interplay.train.config import ValidationConfig
from interplay.train.dataset import EncodedClips
from interplay.train.losses import FineTuneLosses
from interplay.train.probes import Probes
from interplay.train.processes import Processes
from interplay.train.sharding import is_sharded

HELD_OUT, ALIGNMENT, DIFFUSION = "held_out", "held_out_alignment", "diffusion"
SAMPLES = "samples"
Numbers = dict[str, float]


@dataclass(frozen=True)
class HeldOut:
    """The held-out clips of a run, and how they are measured.

    ``folder`` is where samples are written, ``last`` the step that always has some.
    """

    settings: ValidationConfig
    backbone: Backbone
    losses: FineTuneLosses
    clips: EncodedClips
    store: ClipStore
    probes: Probes
    folder: Path
    last: int
    seed: int
    processes: Processes

    def take(self, step: int) -> Numbers:
        """Everything that the recipe asks for; the same numbers in all processes."""
        rows = list(range(len(self.clips)))
        # Where the weights are shared out, a forward takes all processes, so all do all of the work.
        together = is_sharded(self.losses)
        share = list if together else self.processes.share
        found = [self._losses(row) for row in share(rows)]
        if self.settings.aas:
            found += [self._alignment(row) for row in share(rows)]
        for row in share(self._to_sample(step)):
            latents = self._sampled(row)
            if self.processes.is_main or not together:
                found.append(self._written(row, latents, step))
        return _means([one for its in self.processes.gathered(found) for one in its])

    def _to_sample(self, step: int) -> list[int]:
        """The clips that are generated after this step, from the splits in turn, so that each of them is seen."""
        every = self.settings.sample_every
        if every is not None and step % every and step != self.last:
            return []
        listed = self.store.columns(("clip_id", "split")).to_pydict()
        split_of = dict(zip(listed["clip_id"], listed["split"], strict=True))
        splits = [split_of[self.clips.clip_id(row)] for row in range(len(self.clips))]
        return _in_turn(splits)[: self.settings.samples]

    def _losses(self, row: int) -> Numbers:
        """The objective at every timestep and on average, and the mean of the alignment terms that the clip has."""
        clips, numbers = self.clips.batch([row], [False]), {}
        terms: defaultdict[str, list[float]] = defaultdict(list)
        for fraction, timesteps in self._timesteps():
            values = self.losses.evaluate(clips, timesteps, self._generator(row, fraction))
            for name, value in values.items():
                # A term that a clip does not have is no number.
                if not bool(value.isnan().any()):
                    terms[name].append(float(value.float().mean()))
            numbers[f"{HELD_OUT}_at_{fraction:g}"] = terms[DIFFUSION][-1]
        means = {name: sum(values) / len(values) for name, values in terms.items()}
        numbers[HELD_OUT] = means.pop(DIFFUSION)
        numbers |= {f"{HELD_OUT}_{name}": value for name, value in means.items()}
        return numbers | ({ALIGNMENT: sum(means.values()) / len(means)} if means else {})

    def _alignment(self, row: int) -> Numbers:
        """Attention alignment, as the mean over the timesteps."""
        assert self.probes.alignment is not None
        batch, clip = self.clips.batch([row], [False]), self.store.get(self.clips.clip_id(row))
        seen = []
        for fraction, timesteps in self._timesteps():
            noised = noise_batch(self.backbone, batch.latents, self._generator(row, fraction), timesteps)
            text, first_frame = self.losses.text(batch), self.losses.first_frame(batch)
            forward = partial(self.backbone.denoise, noised.noisy, noised.timesteps, text, first_frame)
            assignment, timestep = self.clips.assignment(row), int(timesteps)
            seen.append(self.probes.alignment(self.backbone, clip, assignment, timestep, forward))
        return _means(seen)

    def _sampled(self, row: int) -> Float[Tensor, "1 c f h w"]:
        """Latents of a clip that is made from its first frame and caption."""
        clip, settings = self.store.get(self.clips.clip_id(row)), self.settings
        shown, empty = self.clips.batch([row], [False]), self.clips.batch([row], [True])
        conditions = Conditions(
            shown.grid, self.losses.text(shown), self.losses.text(empty), self.losses.first_frame(shown)
        )
        generators = clip_generators([derive_seed(self.seed, "samples", clip.clip_id)])
        return sample(
            self.backbone,
            conditions,
            generators,
            steps=settings.sample_steps,
            guidance_scale=settings.guidance_scale,
        )

    def _written(self, row: int, latents: Float[Tensor, "1 c f h w"], step: int) -> Numbers:
        """Decode a sample, write it down so that any player shows it, and ask the judge if there is one."""
        clip, fps = self.store.get(self.clips.clip_id(row)), self.clips.assignment(row).fps
        (video,) = self.backbone.decode_video(latents)
        frames = to_frames(video.float())
        write_video(self.folder / f"step-{step:08d}" / f"{clip.clip_id}.mp4", frames, fps, lossless=False)
        return self._judged(clip, frames, fps)

    def _judged(self, clip: Clip, frames: UInt8[ndarray, "p y x 3"], fps: float) -> Numbers:
        """What the judge says of every pixel as it was made, which no player shows."""
        if self.probes.judge is None:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / f"{clip.clip_id}.mp4"
            write_video(video, frames, fps)
            return dict(self.probes.judge(clip, video))

    def _timesteps(self) -> list[tuple[float, Tensor]]:
        limit = self.backbone.objective.num_train_timesteps
        return [
            (fraction, torch.tensor([min(limit - 1, int(fraction * limit))])) for fraction in self.settings.timesteps
        ]

    def _generator(self, row: int, fraction: float) -> torch.Generator:
        seed = derive_seed(self.seed, HELD_OUT, self.clips.clip_id(row), f"{fraction:g}")
        return torch.Generator().manual_seed(seed)


def _in_turn(splits: Sequence[str]) -> list[int]:
    """Positions of these, the first of each split before the second of any."""
    seen: Counter[str] = Counter()
    turns = []
    for position, split in enumerate(splits):
        turns.append((seen[split], position))
        seen[split] += 1
    return [position for _, position in sorted(turns)]


def _means(rows: list[Mapping[str, Any]]) -> Numbers:
    """The mean of every number over the clips that have it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = {name: [float(row[name]) for row in rows if name in row] for name in names}
    return {name: sum(values) / len(values) for name, values in found.items()}
