"""What a training run will need, part by part, from a rehearsal on the model's skeleton.

    memory = weights + adapter + gradients + optimiser + moving average + max(encoding, step, sample)
    disk   = export + checkpoints + cache

- *weights*: every module of the pipeline, parameters and buffers, in the type that training loads them in.
- *adapter*: all that is trained (LoRA, the method's heads and its input layer, single parts), in float32 whatever the
  precision; parts of the stock model that are trained count here and not among the weights. *gradients*: as much
  again. *optimiser*: AdamW keeps two numbers for each (of one byte in its eight-bit form), Muon one for each of its
  matrices. *moving average*: as much as the adapter, where one is kept.
- *encoding*: the worst moment of turning clips into latents. *step*: the worst moment of one forward and backward pass
  of the recipe's own losses; more parts of a gradient take more time and no memory. *sample*: turning the latents of a
  generated clip into pixels. All are rehearsed (:mod:`.rehearsal`), so they follow the code and no rule of thumb. They
  do not happen at the same time, hence the maximum.
- *export*: the adapter, and the best one where held-out clips decide. *checkpoints*: adapter, optimiser and moving
  average; those that are kept, and one more while it is written. *cache*: what is computed once per clip: latents, the
  first frame's condition, the caption's embedding, the pooled tracks, the instance map.

Processes hold one copy each (DDP); FSDP2 shares the weights among them, which is not taken off here.

``benchmarks/doctor.md`` compares this with measured runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.grid.buckets import Bucket
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig, Role
from interplay.methods.matrix.targets import ClipTargets, Entity
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.doctor.rehearsal import rehearse
from interplay.train.encoding import clips_at_once
from interplay.train.losses import FineTuneLosses
from interplay.train.optimizers import hidden_matrices
from interplay.train.run import add_trained, build_losses, install_method, lora_sites

# AdamW: a moving mean and a moving square for each trained number; Muon: a momentum for each of its matrices.
_ADAMW_COPIES, _MUON_COPIES = 2, 1
# bitsandbytes keeps moments in eight bits only of tensors at least this large, and a scale for every 256 numbers.
_EIGHT_BIT_FROM, _EIGHT_BIT_BLOCK = 4096, 256
# One interaction of two instances. More of them add little: what is observed of each is a vector over the tokens.
_ENTITIES: tuple[tuple[Role, str], ...] = (
    ("subject", "id1"),
    ("object", "id2"),
    ("verb", "verb"),
    ("instance", "id1"),
    ("instance", "id2"),
)


@dataclass(frozen=True)
class Part:
    """A named share of the whole, in bytes, and how it comes about."""

    name: str
    size: int
    because: str


@dataclass(frozen=True)
class Needs:
    """Memory and disk of one run in bytes, and how many numbers it trains; the parts add up."""

    memory: tuple[Part, ...]
    disk: tuple[Part, ...]
    trained: int

    @property
    def memory_bytes(self) -> int:
        """All of the memory at the worst moment."""
        return sum(part.size for part in self.memory)

    @property
    def disk_bytes(self) -> int:
        """All of the disk."""
        return sum(part.size for part in self.disk)


def estimate(config: TrainConfig, skeleton: Backbone, clips: Mapping[Bucket, int]) -> Needs:
    """The needs of a recipe on so many clips of these sizes; the largest bucket decides about memory.

    ``skeleton`` is a backbone on the meta device, in the recipe's precision, and gets what the recipe adds to it. The
    recipe must name its layers.
    """
    weights = {name: _size_of(module) for name, module in skeleton.networks.items()}
    networks = {name: [id(value) for value in module.parameters()] for name, module in skeleton.networks.items()}
    installed = install_method(skeleton, config)
    parts = add_trained(skeleton, config, installed, lora_sites(skeleton, config)).parts.values()
    for name, known in networks.items():
        weights[name] -= sum(_bytes(part) for part in parts if id(part) in known)
    grids = {bucket: skeleton.grid(bucket.frames, bucket.size_hw) for bucket in clips}
    largest = max(clips, key=lambda bucket: grids[bucket].num_tokens)
    losses = build_losses(config, skeleton, _Shapes(skeleton, grids[largest], config), installed)
    adapter = {name: value for name, value in losses.named_parameters() if value.requires_grad}
    trained, optimiser = sum(map(_bytes, adapter.values())), _optimiser_bytes(config, losses, adapter)
    average = trained if config.ema_decay else 0
    cache = sum(count * _cached_bytes(skeleton, grids[bucket], config) for bucket, count in clips.items())
    exports = 1 if config.validation is None else 2
    kept = config.keep_checkpoints + 1
    return Needs(
        memory=(
            *(Part(f"weights of the {name}", size, "parameters and buffers") for name, size in weights.items()),
            Part("adapter", trained, "what is trained"),
            Part("gradients", trained, "as much as the adapter"),
            Part("optimiser", optimiser, _OPTIMISERS[config.optimizer]),
            *([Part("moving average", average, "as much as the adapter")] if average else []),
            _worst_moment(config, skeleton, losses, largest, list(adapter.values())),
        ),
        disk=(
            Part("export", exports * trained, "the adapter" if exports == 1 else "the adapter, and the best one"),
            Part(
                "checkpoints",
                kept * (trained + optimiser + average) + (exports - 1) * trained,
                f"{config.keep_checkpoints} kept, and one more while it is written",
            ),
            Part("cache", cache, f"latents, captions and tracks of {sum(clips.values())} clips"),
        ),
        trained=sum(value.numel() for value in adapter.values()),
    )


_OPTIMISERS = {
    "adamw": "AdamW keeps two numbers for each trained one",
    "adamw8bit": "AdamW keeps two numbers for each trained one, in one byte each where a tensor is large",
    "muon": "Muon keeps one number for each of its matrices, AdamW two for the rest",
}


def _optimiser_bytes(config: TrainConfig, losses: FineTuneLosses, trained: Mapping[str, Tensor]) -> int:
    if config.optimizer == "adamw8bit":
        return sum(map(_eight_bit_bytes, trained.values()))
    matrices = hidden_matrices(losses) if config.optimizer == "muon" else set()
    copies = {name: _MUON_COPIES if name in matrices else _ADAMW_COPIES for name in trained}
    return sum(copies[name] * _bytes(value) for name, value in trained.items())


def _eight_bit_bytes(value: Tensor) -> int:
    count = value.numel()
    if count < _EIGHT_BIT_FROM:
        return _ADAMW_COPIES * torch.float32.itemsize * count
    return _ADAMW_COPIES * (count + torch.float32.itemsize * -(-count // _EIGHT_BIT_BLOCK))


def _size_of(module: nn.Module) -> int:
    return sum(map(_bytes, (*module.parameters(), *module.buffers())))


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


# --- the rehearsals --------------------------------------------------------------------------------------------------


def _worst_moment(
    config: TrainConfig, backbone: Backbone, losses: FineTuneLosses, bucket: Bucket, trained: Sequence[Tensor]
) -> Part:
    """The largest one of a training step, of encoding and of decoding a sample, which come one after the other."""
    for parameter in trained:
        # The rehearsal knows no autocast, so the trained weights stand in the type that the forward computes in.
        parameter.data = parameter.data.to(backbone.dtype)
    gradients = sum(map(_bytes, trained))
    losses.train()  # layers are computed anew in the backward pass, if the recipe says so, only while training
    # The step's count ends with the gradients, which are a part of their own.
    step = rehearse(lambda: losses(torch.Generator().manual_seed(0))["loss"].backward()).peak - gradients
    together = clips_at_once(bucket)
    clips = "1 clip" if config.batch_size == 1 else f"{config.batch_size} clips"
    moments = [
        Part("step", step, f"activations and temporaries of {clips} of {bucket}"),
        Part(
            "encoding",
            rehearse(lambda: _encode(backbone, bucket, together)).peak,
            f"turning clips of {bucket} into latents, {together} at once",
        ),
    ]
    if config.validation is not None and config.validation.samples:
        sample = rehearse(lambda: _decode(backbone, bucket)).peak
        moments.append(Part("sample", sample, f"turning the latents of a sample of {bucket} into pixels"))
    return max(moments, key=lambda part: part.size)


def _encode(backbone: Backbone, bucket: Bucket, clips: int) -> Tensor:
    return backbone.encode_video(torch.empty(clips, 3, bucket.frames, *bucket.size_hw, device=backbone.device))


@torch.no_grad()
def _decode(backbone: Backbone, bucket: Bucket) -> Tensor:
    shape = backbone.grid(bucket.frames, bucket.size_hw).latent_shape
    return backbone.decode_video(
        torch.empty(1, backbone.latent_channels, *shape, device=backbone.device, dtype=backbone.dtype)
    )


class _Shapes(TrainingClips):
    """Clips that have shapes and no content."""

    def __init__(self, backbone: Backbone, grid: TokenGrid, config: TrainConfig) -> None:
        self.groups = [range(config.batch_size)]
        self._backbone, self._grid, self._matrix = backbone, grid, config.matrix
        self._first_frame, self._text = _conditions(backbone, grid)

    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        """Empty tensors on the meta device, and entities that cover every token."""
        backbone, count = self._backbone, len(rows)
        shape = (count, backbone.latent_channels, *self._grid.latent_shape)
        latents = torch.empty(shape, device=backbone.device, dtype=backbone.dtype)
        first_frame, text = self._first_frame.repeated(count), self._text.repeated(count)
        matrix = self._matrix
        if matrix is None:
            return ClipBatch(self._grid, latents, first_frame, text, captions=("",) * count)
        maps = torch.empty(_map_shape(backbone, self._grid, count), device=backbone.device, dtype=backbone.dtype)
        return ClipBatch(
            self._grid,
            latents,
            first_frame,
            text,
            targets=tuple(_targets(self._grid, matrix) for _ in rows),
            maps=maps if matrix.instance_map else None,
            captions=("",) * count,
        )


def _map_shape(backbone: Backbone, grid: TokenGrid, clips: int) -> tuple[int, ...]:
    return (clips, backbone.picture_channels, *grid.latent_shape)


def _targets(grid: TokenGrid, matrix: MatrixConfig) -> ClipTargets:
    track, known = torch.ones(grid.token_shape), torch.ones(grid.token_shape[0], dtype=torch.bool)
    full = torch.ones(_full_shape(grid)) if matrix.pooling.rate == "full" else None
    full_known = None if full is None else torch.ones(len(full), dtype=torch.bool)
    entities = tuple(
        Entity(role, key, (place,), track, known, full, full_known)
        for place, (role, key) in enumerate(_entities(matrix))
    )
    return ClipTargets("rehearsal", entities)


def _entities(matrix: MatrixConfig) -> list[tuple[Role, str]]:
    """Those that the recipe's terms are about."""
    return [(role, key) for role, key in _ENTITIES if role in matrix.roles]


def _full_shape(grid: TokenGrid) -> tuple[int, ...]:
    """A track at full rate: all frames, at the latents' height and width."""
    return (grid.frames, *grid.latent_shape[1:])


def _conditions(backbone: Backbone, grid: TokenGrid) -> tuple[Batch, Batch]:
    """First frame and text of one clip."""
    image = torch.empty(1, 3, grid.height, grid.width, device=backbone.device)
    first_frame = backbone.first_frame_condition(image, grid)
    return first_frame, backbone.encode_text([""], first_frame)


def _cached_bytes(backbone: Backbone, grid: TokenGrid, config: TrainConfig) -> int:
    """What the cache keeps of one clip; where a caption is read with the picture in view, the empty one too."""
    latents = backbone.latent_channels * prod(grid.latent_shape) * backbone.dtype.itemsize
    first_frame, text = (sum(map(_bytes, batch.tensors.values())) for batch in _conditions(backbone, grid))
    captions = 2 if backbone.text_sees_first_frame else 1
    kept = latents + first_frame + captions * text
    if config.matrix is None:
        return kept
    positions = grid.num_tokens + (prod(_full_shape(grid)) if config.matrix.pooling.rate == "full" else 0)
    shown = prod(_map_shape(backbone, grid, 1)) * backbone.dtype.itemsize if config.matrix.instance_map else 0
    return kept + len(_entities(config.matrix)) * positions * torch.float32.itemsize + shown
