"""What latents are like for a denoiser: how much they change, how much noise on them shows, and what they leave out.

Run: python benchmarks/latents.py --out benchmarks/latents.md

*Change*: half the mean square of the difference of neighbours in time, down and across, of the channel's variance, mean
over channels; 1 where neighbours have nothing in common. *Still clip*: the same for the first two latent frames of a
clip that repeats its first frame, which an even code would hold to be the same. *Noise*: by how many grey levels pixels
move when noise of a tenth of a channel's deviation is added to its latents. *Error*: that of the clips after encoding
and decoding, in grey levels, on pixels that move and on those that do not.
"""

from __future__ import annotations

import argparse
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from experiments.cells import closing
from experiments.numbers import table
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.registry import load_backbone, shipped_names
from interplay.core.files import atomic_write_text
from interplay.grid.pixels import to_tensor
from interplay.train.pretrain.autoencoder import moving_pixels
from interplay.world.sampling import render_at

GREY_LEVELS = 127.5  # of one unit of [-1, 1]
NOISE = 0.1
BATCH = 8
TIME, DOWN, ACROSS = 2, 3, 4
HEADS = ("time", "down", "across", "still clip", "noise", "error, moving", "error, still")


@dataclass(frozen=True)
class Latents:
    """One autoencoder's, in the order of the table."""

    time: float
    down: float
    across: float
    still_clip: float
    noise: float
    error_moving: float
    error_still: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=None, help="names or folders (default: all that are shipped)")
    parser.add_argument("--clips", type=int, default=48, help="test clips")
    parser.add_argument("--seed", type=int, default=1, help="root seed of scenes and noise; pretraining used 0")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.backbones or shipped_names():
        found = measured(load_backbone(name), arguments.clips, arguments.seed)
        rows.append([Path(name).name, *(f"{value:.3g}" for value in astuple(found))])
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    lines = ["# Latents, measured", "", about, "", table(["backbone", *HEADS], rows)]
    page = "\n".join([*lines, "", closing(Path(__file__).name, "cpu"), ""])
    print(page)
    if arguments.out is not None:
        atomic_write_text(arguments.out, page)


@torch.no_grad()
def measured(backbone: Backbone, clips: int, seed: int) -> Latents:
    """All numbers of one backbone's autoencoder."""
    size = backbone.native_frames, backbone.native_size_hw
    videos = torch.stack([to_tensor(render_at(seed, "test", index, *size)[1].frames) for index in range(clips)])
    latents = encoded(backbone, videos)
    variance = latents.var(dim=(0, TIME, DOWN, ACROSS), keepdim=True)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    restored = decoded(backbone, latents)
    disturbed = decoded(backbone, latents + NOISE * variance.sqrt() * noise)
    first_two = encoded(backbone, videos[:, :, :1].expand_as(videos))[:, :, :2]
    error = GREY_LEVELS * (restored - videos).abs()
    moving = moving_pixels(videos).bool().expand_as(error)
    return Latents(
        time=change(latents, TIME, variance),
        down=change(latents, DOWN, variance),
        across=change(latents, ACROSS, variance),
        still_clip=change(first_two, TIME, variance),
        noise=float(GREY_LEVELS * (disturbed - restored).abs().mean()),
        error_moving=float(error[moving].mean()),
        error_still=float(error[~moving].mean()),
    )


def change(latents: Float[Tensor, "n c f h w"], axis: int, variance: Float[Tensor, "1 c 1 1 1"]) -> float:
    """Half the mean square of the difference of neighbours, of the variance."""
    return float((latents.diff(dim=axis).square() / (2 * variance)).mean())


def encoded(backbone: Backbone, videos: Float[Tensor, "n 3 p y x"]) -> Float[Tensor, "n c f h w"]:
    return torch.cat([backbone.encode_video(batch) for batch in videos.split(BATCH)])


def decoded(backbone: Backbone, latents: Float[Tensor, "n c f h w"]) -> Float[Tensor, "n 3 p y x"]:
    return torch.cat([backbone.decode_video(batch) for batch in latents.split(BATCH)])


if __name__ == "__main__":
    main()
