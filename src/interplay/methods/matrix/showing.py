"""What clips are generated from with MATRIX on a model: captions as the adapter reads them, first frames and maps.

Generation makes its clips from this, and whoever samples them once more must see the very same.

Shape legend: ``b`` clips, ``y x`` pixel height and width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.diffusion.guides import Guide
from interplay.diffusion.sampling import Conditions, conditions_for
from interplay.grid.pixels import to_tensor
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.adapter import Adapter
from interplay.methods.matrix.guidance import Course, GuidanceConfig, WordRegion, guides, words_of
from interplay.methods.matrix.instance_map import masks_of, paint
from interplay.records.caption import Caption
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.sizes import size_text


@dataclass(frozen=True)
class Shown:
    """One clip to be made: its caption, its first frame where the model is shown one, and the masks of that frame.

    ``masks`` are tracks of one frame by instance id, at the size of the clip; empty where nobody knows them. ``course``
    is where instances will be and who takes part in what; ``None`` where nobody knows more than the masks. ``where``
    names the clip in messages.
    """

    caption: Caption
    first_frame: UInt8[ndarray, "y x 3"] | None
    masks: Mapping[str, MaskTrack] = field(default_factory=dict)
    where: str = "clip"
    course: Course | None = None


def shown_at(
    size_hw: tuple[int, int],
    caption: Caption,
    image: UInt8[ndarray, "y x 3"] | None,
    masks: Mapping[str, MaskTrack],
    *,
    where: str,
    course: Course | None = None,
) -> Shown:
    """A clip of this size: the image scaled until the clip is full and cut at its middle, its masks in the same way.

    Masks have the image's size, or that of the clip already. Of masks that overlap each pixel is the smallest one's, as
    on the map (:func:`.paint`): a painted map then says all that there is to say about them.
    """
    image_hw = None if image is None else (image.shape[0], image.shape[1])
    fitted = {}
    for name, track in masks.items():
        if image_hw is not None and track.size_hw not in (image_hw, size_hw):
            problem = f"{size_text(track.size_hw)} pixels (width x height), the image is {size_text(image_hw)}"
            raise InputError(problem, where=f"{where}, field masks", cure="give masks of the image's size")
        fitted[name] = Fit(track.size_hw, size_hw).track(track)
    first = None if image is None or image_hw is None else Fit(image_hw, size_hw).frames(image[None])[0]
    more = course if course is not None and course.goes_on else None
    return Shown(caption, first, _apart(fitted, where), where, more)


def _apart(masks: Mapping[str, MaskTrack], where: str) -> dict[str, MaskTrack]:
    picture = paint(masks, frame=0)
    if picture is None:
        return {}
    seen = masks_of(picture, list(masks), where=where)
    return {name: track for name, track in seen.items() if track.to_array().any()}


def shown_conditions(
    backbone: Backbone, adapter: Adapter, clips: Sequence[Shown], grid: TokenGrid, *, negative: str = ""
) -> Conditions:
    """The conditions of clips of one geometry; a map that nobody gave is shown as nothing."""
    images = torch.stack([_pixels(backbone, clip, grid) for clip in clips])
    prompts = [clip.caption.text for clip in clips]
    conditions = conditions_for(backbone, prompts, images, grid, negative=negative)
    maps = [paint(clip.masks, frame=0) for clip in clips]
    return replace(conditions, first_frame=adapter.condition(backbone, conditions.first_frame, maps, grid))


def shown_guides(
    backbone: Backbone, config: GuidanceConfig, clips: Sequence[Shown], grid: TokenGrid
) -> tuple[Guide, ...]:
    """The guides of these clips; :class:`InputError` about one that CMG cannot guide."""
    return guides(backbone, config, grid, [guided_words(backbone, config, clip, grid) for clip in clips])


def guided_words(backbone: Backbone, config: GuidanceConfig, clip: Shown, grid: TokenGrid) -> tuple[WordRegion, ...]:
    """The words of a clip that CMG reads, at least one; none where CMG is off.

    Of a clip whose course nobody knows each instance is taken to stay where the first frame has it.
    """
    if not config.cmg_scale:
        return ()
    words = words_of(backbone.token_spans(clip.caption).tokens, clip.course or Course(clip.masks), grid)
    if words:
        return words
    ids, off = clip.caption.instance_ids, "or set guidance.cmg_scale to 0"
    if not ids:
        problem = "marks no noun, and guidance.cmg_scale asks for guidance by words and their masks"
        raise InputError(problem, where=f"{clip.where}, field prompt", cure=f"mark the nouns (<id1> man), {off}")
    problem = "show nobody whom the prompt names, and guidance.cmg_scale asks for guidance by words and their masks"
    cure = f"give masks of {', '.join(ids)}, {off}"
    raise InputError(problem, where=f"{clip.where}, field masks", cure=cure)


def missing_picture(backbone: Backbone, where: str) -> InputError:
    """What to tell somebody who gives no first frame to a model that has to be shown one."""
    problem = f"{backbone.name} makes videos of pictures, and there is none"
    return InputError(problem, where=where, cure="give the first frame, or use a text-to-video model")


def _pixels(backbone: Backbone, clip: Shown, grid: TokenGrid) -> Tensor:
    if clip.first_frame is None:
        if backbone.sees_first_frame:
            raise missing_picture(backbone, f"{clip.where}, field image")
        return torch.zeros(3, grid.height, grid.width)
    return to_tensor(clip.first_frame[None])[:, 0]
