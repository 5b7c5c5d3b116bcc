"""What is asked for: one request per clip, made from a dataset or from a table of prompts (:mod:`.table`).

Shape legend: ``y x`` pixel height and width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.core.seeds import derive_seed
from interplay.generate.config import GenerateConfig
from interplay.grid.buckets import Bucket
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.adapter import Adapter
from interplay.methods.matrix.guidance import Course
from interplay.methods.matrix.instance_map import masks_of
from interplay.methods.matrix.showing import Shown, missing_picture, shown_at
from interplay.records.caption import Caption
from interplay.records.clip import Clip
from interplay.records.formats.common.mask_files import read_mask
from interplay.records.masks import MaskTrack
from interplay.records.media.images import is_picture, read_image
from interplay.records.media.video import read_video
from interplay.records.store.reader import ClipStore

# What a painted map may hold when the prompt does not say: the colours that have names.
_PAINTABLE = tuple(f"id{number}" for number in range(1, 7))
_INSTANCE = re.compile(r"id[1-9]\d*")

# A file (of a video, the first frame counts), or pixels.
Picture = Path | UInt8[ndarray, "y x 3"]
# A picture in the palette's colours, a folder of <id>.png, or masks of one frame by instance id.
Masks = Picture | Mapping[str, MaskTrack]


@dataclass(frozen=True)
class Request:
    """One clip to make. ``prompt`` may carry markup; ``where`` names the request in messages.

    ``image`` is the first frame, of any size: it is scaled until the clip is full and cut at its middle. ``masks`` of
    its instances go with it, if they have the image's size, or have the clip's size already.

    ``course`` is what a dataset or a record knows beyond what somebody gave by hand: its first masks are the clip's
    where ``masks`` are not given, and they may be of people whom the prompt does not name.
    """

    clip_id: str
    prompt: str
    seed: int
    num_frames: int
    size_hw: tuple[int, int]
    fps: float
    image: Picture | None = None
    masks: Masks | None = None
    course: Course | None = None
    where: str = "clip"

    def grid(self, backbone: Backbone) -> TokenGrid:
        """The clip's token grid; :class:`InputError` about the request when the model does not take its size."""
        with self._about("size"):
            backbone.check_decodes(self.num_frames)
            return backbone.grid(self.num_frames, self.size_hw)

    def check_fits(self, backbone: Backbone) -> None:
        """:class:`InputError` when the model does not take the clip's size, or has to be shown a first frame."""
        self.grid(backbone)
        if self.image is None and backbone.sees_first_frame and not backbone.first_frame_is_optional:
            raise missing_picture(backbone, f"{self.where}, field image")

    def caption(self, adapter: Adapter) -> Caption:
        """The prompt as the adapter reads it."""
        return adapter.caption(self.prompt, where=f"{self.where}, field prompt")

    def shown(self, adapter: Adapter) -> Shown:
        """What the model is given, at the clip's size."""
        caption = self.caption(adapter)
        with self._about("image"):
            image = None if self.image is None else _pixels(self.image)
        with self._about("masks"):
            masks = self._first_masks(caption)
        return shown_at(self.size_hw, caption, image, masks, where=self.where, course=self.course)

    def _first_masks(self, caption: Caption) -> dict[str, MaskTrack]:
        if self.masks is not None:
            return _read_masks(self.masks, caption.instance_ids)
        return {} if self.course is None else self.course.first

    @contextmanager
    def _about(self, field: str) -> Iterator[None]:
        """Let errors say which field of which request they are about."""
        try:
            yield
        except InputError as error:
            where = f"{self.where}, field {field}, {error.where}"
            raise InputError(error.problem, where=where, cure=error.cure) from error


def requests_of_clips(config: GenerateConfig, store: ClipStore, *, sees_first_frame: bool) -> list[Request]:
    """The chosen clips of a dataset again, from their first frame, caption and tracks."""
    bucket = None if config.size is None else Bucket.parse(config.size)
    found = []
    for clip in choose_clips(store, config.splits, config.limit):
        num_frames, fps = clip.num_frames if bucket is None else bucket.frames, config.fps or clip.fps
        found.append(
            Request(
                clip_id=clip.clip_id,
                prompt=clip.caption,
                seed=clip_seed(config.seed, clip.clip_id),
                num_frames=num_frames,
                size_hw=clip.size_hw if bucket is None else bucket.size_hw,
                fps=fps,
                image=store.folder / clip.video if sees_first_frame else None,
                course=Course.of(clip, num_frames=num_frames, fps=fps),
                where=f"{store.folder}, clip {clip.clip_id}",
            )
        )
    return found


def choose_clips(store: ClipStore, splits: Sequence[str], limit: int | None) -> list[Clip]:
    """The first ``limit`` clips of each split, or of the whole dataset when no split is named."""
    if not splits:
        return store.select(limit=limit)
    return [clip for split in splits for clip in store.select(split=split, limit=limit)]


def clip_seed(root: int, clip_id: str) -> int:
    """The seed of a clip's noise under a root seed, unless somebody chose it: the same for every model."""
    return derive_seed(root, "generate", clip_id)


def batches_of(requests: Sequence[Request], config: GenerateConfig, backbone: Backbone) -> list[list[Request]]:
    """The requests in batches of one geometry, all of them with an image or none, in the order in which they come.

    Batches follow from all requests, not from those that are still to do, so that a run which goes on makes the
    batches that it would have made.
    """
    alike: dict[tuple[TokenGrid, bool], list[Request]] = {}
    for request in requests:
        alike.setdefault((request.grid(backbone), request.image is None), []).append(request)
    batches = []
    for (grid, _), same in alike.items():
        size = config.batch_size_for(grid.num_tokens)
        batches += [same[start : start + size] for start in range(0, len(same), size)]
    return batches


def _pixels(image: Picture) -> UInt8[ndarray, "y x 3"]:
    if isinstance(image, Path):
        return read_image(image) if is_picture(image) else read_video(image, indices=[0]).frames[0]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        problem = f"is an array of {image.dtype} and shape {list(image.shape)}"
        raise InputError(problem, where="pixels", cure="give uint8 pixels of the shape [height, width, 3]")
    return image


def _read_masks(masks: Masks, ids: Sequence[str]) -> dict[str, MaskTrack]:
    """Masks by instance id; a prompt without markers may have any."""
    if isinstance(masks, Mapping):
        _check_names({name: name for name in masks}, ids, "", where="mapping")
        return dict(masks)
    if isinstance(masks, Path) and masks.is_dir():
        return _masks_of_folder(masks, ids)
    return masks_of(_pixels(masks), ids or _PAINTABLE, where=str(masks) if isinstance(masks, Path) else "pixels")


def _masks_of_folder(folder: Path, ids: Sequence[str]) -> dict[str, MaskTrack]:
    files = {path.stem: path for path in sorted(folder.iterdir()) if is_picture(path)}
    _check_names({name: path.name for name, path in files.items()}, ids, ".png", where=folder)
    return {name: MaskTrack.from_array(read_mask(path)[0][None]) for name, path in files.items()}


def _check_names(names: Mapping[str, str], ids: Sequence[str], suffix: str, *, where: str | Path) -> None:
    """Refuse masks of nobody in the prompt; a prompt without markers may have any. Values are names as they stand."""
    unknown = [name for name in names if not (name in ids if ids else _INSTANCE.fullmatch(str(name)))]
    if unknown or not names:
        listed = ", ".join(f"{name}{suffix}" for name in ids) or f"id1{suffix}, id2{suffix}, ..."
        problem = f"holds {names[unknown[0]]}, and the prompt has no <{unknown[0]}>" if unknown else "has no masks"
        raise InputError(problem, where=where, cure=f"it may hold {listed}")
