"""What a training run will need, part by part, from a rehearsal on the model's skeleton.

    memory = weights + adapter + gradients + optimiser + max(encoding, step)
    disk   = export + 2 x checkpoint + cache

- *weights*: every module of the pipeline, parameters and buffers, in the type that training loads them in.
- *adapter*: all that is trained (the LoRA and the method's heads). *gradients*: as much again. *optimiser*: AdamW keeps
  two numbers for each.
- *encoding*: the worst moment of turning clips into latents. *step*: the worst moment of one forward and backward pass
  of the recipe's own losses. Both are rehearsed (:mod:`.rehearsal`), so they follow the code and no rule of thumb. They
  do not happen at the same time, hence the maximum.
- *export*: the adapter. *checkpoint*: adapter and optimiser, twice on disk while one replaces the other. *cache*: what
  is computed once per clip: latents, the first frame's condition, the caption's embedding, the pooled tracks.

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
from interplay.methods.matrix.config import Role
from interplay.methods.matrix.targets import ClipTargets, Entity
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.doctor.rehearsal import rehearse
from interplay.train.encoding import clips_at_once
from interplay.train.losses import FineTuneLosses, MatrixLosses
from interplay.train.run import lora_sites

# AdamW: a moving mean and a moving square for each trained number.
_OPTIMISER_COPIES = 2
# One interaction of two instances. More of them add little: what is observed of each is a vector over the tokens.
_ENTITIES: tuple[tuple[Role, str], ...] = (("subject", "id1"), ("object", "id2"), ("verb", "verb"))


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

    ``skeleton`` is a backbone on the meta device and gets the recipe's adapter. The recipe must name its layers.
    """
    weights = {name: _size_of(module) for name, module in skeleton.networks.items()}
    skeleton.add_lora(lora_sites(skeleton, config), config.lora.rank, config.lora.alpha)
    grids = {bucket: skeleton.grid(bucket.frames, bucket.size_hw) for bucket in clips}
    largest = max(clips, key=lambda bucket: grids[bucket].num_tokens)
    losses = _losses(config, skeleton, grids[largest])
    adapter = [value for value in losses.parameters() if value.requires_grad]
    trained = sum(map(_bytes, adapter))
    optimiser = _OPTIMISER_COPIES * trained
    cache = sum(count * _cached_bytes(skeleton, grids[bucket], config) for bucket, count in clips.items())
    return Needs(
        memory=(
            *(Part(f"weights of the {name}", size, "parameters and buffers") for name, size in weights.items()),
            Part("adapter", trained, "what is trained"),
            Part("gradients", trained, "as much as the adapter"),
            Part("optimiser", optimiser, "AdamW keeps two numbers for each trained one"),
            _worst_moment(config, skeleton, losses, largest, trained),
        ),
        disk=(
            Part("export", trained, "the adapter"),
            Part("checkpoint", 2 * (trained + optimiser), "adapter and optimiser, twice while one replaces the other"),
            Part("cache", cache, f"latents, captions and tracks of {sum(clips.values())} clips"),
        ),
        trained=sum(value.numel() for value in adapter),
    )


def _size_of(module: nn.Module) -> int:
    return sum(map(_bytes, (*module.parameters(), *module.buffers())))


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


# --- the rehearsals --------------------------------------------------------------------------------------------------


def _worst_moment(
    config: TrainConfig, backbone: Backbone, losses: FineTuneLosses, bucket: Bucket, trained: int
) -> Part:
    """The larger one of a training step and of encoding, which do not happen at the same time."""
    step = rehearse(lambda: losses(torch.Generator().manual_seed(0))["loss"].backward())
    together = clips_at_once(bucket)
    encoding = rehearse(lambda: _encode(backbone, bucket, together))
    # The step's count ends with the adapter's gradients, which are a part of their own.
    if step.peak - trained >= encoding.peak:
        clips = "1 clip" if config.batch_size == 1 else f"{config.batch_size} clips"
        return Part("step", step.peak - trained, f"activations and temporaries of {clips} of {bucket}")
    return Part("encoding", encoding.peak, f"turning clips of {bucket} into latents, {together} at once")


def _losses(config: TrainConfig, backbone: Backbone, grid: TokenGrid) -> FineTuneLosses:
    data = _Shapes(backbone, grid, config.batch_size)
    return (
        MatrixLosses(backbone, data, config, config.matrix) if config.matrix else FineTuneLosses(backbone, data, config)
    )


def _encode(backbone: Backbone, bucket: Bucket, clips: int) -> Tensor:
    return backbone.encode_video(torch.empty(clips, 3, bucket.frames, *bucket.size_hw, device=backbone.device))


class _Shapes(TrainingClips):
    """Clips that have shapes and no content."""

    def __init__(self, backbone: Backbone, grid: TokenGrid, clips: int) -> None:
        self.groups = [range(clips)]
        self._backbone, self._grid = backbone, grid
        self._first_frame, self._text = _conditions(backbone, grid)

    def batch(self, rows: Sequence[int], dropped: Sequence[bool]) -> ClipBatch:
        """Empty tensors on the meta device, and entities that cover every token."""
        backbone, count = self._backbone, len(rows)
        shape = (count, backbone.latent_channels, *self._grid.latent_shape)
        latents = torch.empty(shape, device=backbone.device, dtype=backbone.dtype)
        first_frame, text = self._first_frame.repeated(count), self._text.repeated(count)
        return ClipBatch(self._grid, latents, first_frame, text, tuple(_targets(self._grid) for _ in rows))


def _targets(grid: TokenGrid) -> ClipTargets:
    track, known = torch.ones(grid.token_shape), torch.ones(grid.token_shape[0], dtype=torch.bool)
    entities = tuple(Entity(role, key, (place,), track, known) for place, (role, key) in enumerate(_ENTITIES))
    return ClipTargets("rehearsal", entities)


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
    tracks = len(_ENTITIES) * grid.num_tokens * torch.float32.itemsize if config.matrix else 0
    return latents + first_frame + captions * text + tracks
