"""A clip that was made, and the JSON beside its video from which it can be made once more.

Shape legend: ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.core.manifest import versions
from interplay.generate.record import FORMAT, tracks_as_json
from interplay.generate.requests import Request
from interplay.methods.matrix.instance_map import paint
from interplay.methods.matrix.showing import Shown
from interplay.records.media.images import write_image
from interplay.records.media.video import write_video


@dataclass(frozen=True)
class Made:
    """A clip: its ``frames``, what was asked for, what the model was shown, and the ``facts`` of its making.

    ``places`` are the folders of the backbone and its adapter, as far as they are files of this machine.
    """

    frames: UInt8[ndarray, "p y x 3"]
    request: Request
    shown: Shown
    facts: Mapping[str, Any]
    places: Mapping[str, Path]

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.request.fps

    def save(self, path: str | PathLike[str], *, lossless: bool = True, overwrite: bool = False) -> None:
        """Write the video, and beside it the JSON that makes it once more (:func:`.reproduce`).

        Masks and tracks that were read, and a first frame that came from no file, are written beside it, too. A
        lossless video keeps every pixel and plays in no browser; ``lossless=False`` is for looking at.
        """
        video = Path(path)
        check_name(video, overwrite=overwrite)
        video.parent.mkdir(parents=True, exist_ok=True)
        sidecar = sidecar_of(video)
        # The JSON comes last: where it is, the clip is complete.
        sidecar.unlink(missing_ok=True)
        files = {
            "first_frame": self._save_first_frame(video),
            "masks": self._save_masks(video),
            "tracks": self._save_tracks(video),
        }
        write_video(video, self.frames, self.fps, lossless=lossless)
        places = {f"{name}_path": _from(video.parent, path) for name, path in self.places.items()}
        write_json(sidecar, {"video": video.name, **self.facts, **files, **places})

    def _save_first_frame(self, video: Path) -> dict[str, str] | None:
        image, shown = self.request.image, self.shown.first_frame
        if image is None or shown is None:
            return None
        if not isinstance(image, Path):
            file = video.with_name(f"{video.stem}.first.png")
            write_image(file, image)
            image = file
        return {"path": _from(video.parent, image), "sha256": pixels_digest(shown)}

    def _save_masks(self, video: Path) -> dict[str, Any] | None:
        picture = paint(self.shown.masks, frame=0)
        if picture is None or not (self.facts["sees_map"] or self.facts["guidance"]["cmg_scale"]):
            return None
        file = video.with_name(f"{video.stem}.masks.png")
        write_image(file, picture)
        return {"path": file.name, "sha256": pixels_digest(picture), "ids": list(self.shown.masks)}

    def _save_tracks(self, video: Path) -> dict[str, Any] | None:
        course = self.shown.course
        if course is None or not self.facts["guidance"]["cmg_scale"]:
            return None
        file, content = video.with_name(f"{video.stem}.tracks.json"), tracks_as_json(course.tracks)
        write_json(file, content)
        verbs = {label: list(ids) for label, ids in course.verbs.items()}
        return {"path": file.name, "digest": digest(content), "verbs": verbs}


def check_name(video: Path, *, overwrite: bool) -> None:
    """:class:`InputError` when a clip cannot be written there."""
    if video.suffix != ".mp4":
        raise InputError("is no name of an mp4", where=video, cure=f"call it {video.stem or 'clip'}.mp4")
    for file in (video, sidecar_of(video)):
        if file.exists() and not overwrite:
            raise InputError("exists already", where=file, cure="give another name, or allow overwriting (--overwrite)")
    try:
        # In the folder, or in the first one above it that is there: nothing is left behind by asking.
        with TemporaryFile(dir=next(folder for folder in video.absolute().parents if os.path.lexists(folder))):
            pass
    except OSError as error:
        cure = "choose a folder that you may write to"
        raise InputError(f"cannot be written ({error.strerror})", where=video, cure=cure) from error


def sidecar_of(video: Path) -> Path:
    """The JSON beside a video."""
    return video.with_suffix(".json")


def facts_of(request: Request, shown: Shown, settings: Mapping[str, Any], *, place: int, size: int) -> dict[str, Any]:
    """What decides about a clip's pixels, beside its files.

    The neighbours in a batch do not, but their number does in the last bit: sums are grouped by shape.
    """
    return {
        "format": FORMAT,
        "clip_id": request.clip_id,
        "prompt": request.prompt,
        "text": shown.caption.text,
        "seed": request.seed,
        **settings,
        "num_frames": request.num_frames,
        "size_hw": list(request.size_hw),
        "fps": request.fps,
        "batch": {"size": size, "place": place},
        "versions": versions(),
    }


def pixels_digest(pixels: UInt8[ndarray, "y x 3"]) -> str:
    """Digest of a picture's pixels and shape, whatever file they are in."""
    return hashlib.sha256(repr(pixels.shape).encode("ascii") + pixels.tobytes()).hexdigest()


def _from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
