"""Steps per second of our trainer against a plain LoRA training loop, as the training examples of diffusers write it.

Run: python benchmarks/training_speed.py --out benchmarks/training_speed.md

*Plain loop*: the stock pipeline's transformer with a LoRA by peft, a ``DataLoader`` over latents, first frames and text
embeddings that lie in memory, and for each batch: noise, the transformer, the weighted loss of the predicted clean
latents, ``accelerator.backward``, clipping, AdamW, the learning rate's schedule, a progress bar, the loss as a number.
*Interplay, LoRA alone*: the recipe of the same LoRA without ``matrix``, with all that a run does: the cache on disk,
seeds for each draw, the guard, the log. *Interplay, SGA + SPA*: the shipped recipe of MATRIX with the same LoRA, that
is the instance map, three terms of grounding and two of propagation at full frame rate, and their decoders.

All train the same LoRA (query, key, value and output of every layer) of the same backbone on the same clips with the
same batch, in one process and in turns of a few steps; the first turn of each does not count. On a CPU the time is that
of the process, so other work on the machine does not count, with one thread. The table has the median over the turns.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from experiments.cells import closing
from experiments.costs import name_of, seconds_of
from experiments.numbers import table
from peft import LoraConfig
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact
from interplay.core.cache import Cache
from interplay.core.config import load_recipe
from interplay.core.files import atomic_write_text
from interplay.recipes import recipe_path
from interplay.records.store.reader import ClipStore
from interplay.train.config import TrainConfig
from interplay.train.dataset import EncodedClips, encode_clips
from interplay.train.loop import Trainer
from interplay.train.run import add_trained, build_losses, install_method, loop_of, lora_sites, schedule_of
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

RECIPE = "matrix-tiny-cogvideox"
V2T, V2V = (3, 4), (5,)  # any will do: what they cost does not depend on which layers they are
PLAIN, ALONE, ALIGNED = "plain diffusers loop", "Interplay, LoRA alone", "Interplay, SGA + SPA"
Train = Callable[[int], None]  # so many steps more


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/training_speed.md"))
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4, help="steps in a turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        seconds = measure(Path(scratch), options.clips, options.batch, options.turns, options.steps)
    page = render_page(seconds, options.batch, options.steps)
    atomic_write_text(options.out, page)
    print(page)


def measure(folder: Path, count: int, batch: int, turns: int, steps: int) -> dict[str, list[float]]:
    """Seconds per step of each way, turn by turn."""
    clips = make_world(WorldConfig(train=count, test=0, heldout=0), folder / "clips")
    total = (turns + 1) * steps
    ways = {
        PLAIN: PlainLoop(clips, folder, batch, total).advance,
        ALONE: ours(recipe(batch, total, aligned=False), clips, folder / "alone"),
        ALIGNED: ours(recipe(batch, total, aligned=True), clips, folder / "aligned"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, train in ways.items():
            taken = seconds_of(partial(train, steps), device())
            if turn:
                seconds[name].append(taken / steps)
    return seconds


def recipe(batch: int, steps: int, *, aligned: bool) -> TrainConfig:
    """The shipped recipe with the LoRA on every layer; without alignment where that is not wanted."""
    changes = [f"batch_size={batch}", f"steps={steps}", "lora.layers=[0,1,2,3,4,5,6,7]", "save_every=1000000"]
    if aligned:
        changes += [f"matrix.v2t_layers={list(V2T)}", f"matrix.v2v_layers={list(V2V)}"]
    config = load_recipe(recipe_path(RECIPE), TrainConfig, changes)
    return config if aligned else config.model_copy(update={"matrix": None})


def encoded(config: TrainConfig, clips: Artifact, folder: Path) -> tuple[Any, Any, EncodedClips]:
    """A backbone with what the recipe's method installs, and the clips in the cache."""
    backbone = load_backbone(config.backbone, device())
    installed = install_method(backbone, config)
    model = backbone_input(config.backbone).identity
    reading = None if installed is None else installed.identity
    store, cache = ClipStore(clips.path), Cache(folder / "cache")
    return backbone, installed, encode_clips(backbone, store, config, cache=cache, model=model, reading=reading)


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def ours(config: TrainConfig, clips: Artifact, folder: Path) -> Train:
    """The trainer of ``interplay train``, step by step."""
    backbone, installed, data = encoded(config, clips, folder)
    add_trained(backbone, config, installed, lora_sites(backbone, config))
    losses = build_losses(config, backbone, data, installed)
    trainer = Trainer(losses, schedule_of(config), folder, name="train", seed=0, loop=loop_of(config))
    return trainer.advance


class PlainLoop:
    """The training loop of diffusers' example for LoRA on CogVideoX image-to-video, its encodings in memory."""

    def __init__(self, clips: Artifact, folder: Path, batch: int, total: int) -> None:
        self.config = config = recipe(batch, total, aligned=False)
        backbone, _, data = encoded(config, clips, folder)
        assert config.lora is not None
        self.pipeline, self.size_hw = backbone.pipeline, backbone.native_size_hw
        self.scheduler, transformer = backbone.pipeline.scheduler, backbone.pipeline.transformer
        transformer.requires_grad_(False)
        transformer.add_adapter(
            LoraConfig(
                r=config.lora.rank,
                lora_alpha=config.lora.alpha,
                init_lora_weights=True,
                target_modules=["to_k", "to_q", "to_v", "to_out.0"],
            )
        )
        transformer.train()
        self.accelerator = Accelerator(gradient_accumulation_steps=1)
        self.trained = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(self.trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        rate = get_scheduler("cosine", optimizer, num_warmup_steps=config.warmup_steps, num_training_steps=total)
        loader: Any = DataLoader(items_of(data), batch_size=batch, shuffle=True)  # type: ignore[arg-type]
        prepared = self.accelerator.prepare(transformer, optimizer, loader, rate)
        self.transformer, self.optimizer, loader, self.rate = prepared
        self.alphas = self.scheduler.alphas_cumprod.to(self.accelerator.device)
        self.drawn = endless(loader)
        self.bar = tqdm(total=total, disable=True)

    def advance(self, steps: int) -> None:
        """Train so many steps more."""
        for _ in range(steps):
            loss = self._step(*next(self.drawn))
            self.bar.update(1)
            self.bar.set_postfix(loss=loss.detach().item(), lr=self.rate.get_last_lr()[0])

    def _step(self, latents: Tensor, image_latents: Tensor, text: Tensor) -> Tensor:
        with self.accelerator.accumulate(self.transformer):
            timesteps = torch.randint(0, self.scheduler.config.num_train_timesteps, (len(latents),)).to(latents.device)
            noisy = self.scheduler.add_noise(latents, torch.randn_like(latents), timesteps)
            output = self.transformer(
                hidden_states=torch.cat([noisy, image_latents], dim=2),
                encoder_hidden_states=text,
                timestep=timesteps,
                image_rotary_emb=self.pipeline._prepare_rotary_positional_embeddings(
                    *self.size_hw, latents.shape[1], latents.device
                )
                if self.transformer.config.use_rotary_positional_embeddings
                else None,
                return_dict=False,
            )[0]
            predicted = self.scheduler.get_velocity(output, noisy, timesteps)
            weights = (1 / (1 - self.alphas[timesteps])).reshape(-1, 1, 1, 1, 1)
            loss: Tensor = (weights * (predicted - latents) ** 2).reshape(len(latents), -1).mean(dim=1).mean()
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_norm_(self.trained, self.config.clip_grad_norm)
            self.optimizer.step()
            self.rate.step()
            self.optimizer.zero_grad()
        return loss


def items_of(data: EncodedClips) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Latents, those of the first frame with zeros behind, and text embedding of every clip; frames come first."""
    items = []
    for row in range(len(data)):
        clip = data.batch([row], [False])
        latents, image = (tensor[0].transpose(0, 1) for tensor in (clip.latents, clip.first_frame["latents"]))
        padding = torch.zeros(len(latents) - 1, *image.shape[1:], device=image.device)
        items.append((latents.contiguous(), torch.cat([image, padding]), clip.text["embeddings"][0]))
    return items


def endless(loader: Any) -> Iterator[Any]:
    """Its batches, epoch after epoch."""
    while True:
        yield from loader


def render_page(seconds: dict[str, list[float]], batch: int, steps: int) -> str:
    """The table: steps per second, and the time of a step against the plain loop's."""
    lines = ["# Training speed, measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
    lines += [
        f"Batches of {batch} clips (80x48x17) on tiny-cogvideox, {len(seconds[PLAIN])} turns of {steps} steps.",
        "",
    ]
    base = median(seconds[PLAIN])
    rows = []
    for name, its in seconds.items():
        middle = median(its)
        spread = f"{min(its) / base:.2f}x to {max(its) / base:.2f}x"
        rows.append([name, f"{1 / middle:.2f}", f"{middle / base:.3f}x", spread])
    lines.append(table(["way", "steps per second", "time of a step", "from the fastest turn to the slowest"], rows))
    aligned = median(one / other for one, other in zip(seconds[ALIGNED], seconds[ALONE], strict=True))
    lines += ["", f"SGA + SPA against our own LoRA alone, turn by turn: {aligned:.3f}x.", ""]
    return "\n".join([*lines, closing(Path(__file__).name, name_of(device())), ""])


if __name__ == "__main__":
    main()
