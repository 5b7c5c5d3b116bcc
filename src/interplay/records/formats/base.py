"""What every dataset format is: a way to read clips from somebody's folder, and a way to write them there.

A reader never stops at a bad clip. It yields one item per clip that the source names: a :class:`LocatedClip`, or a
:class:`Rejected` with the reason and the cure, so that ``found = read + rejected`` always adds up. Only a source that
is unusable as a whole (no such folder, no table) is an :class:`InputError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.files import is_full_disk
from interplay.records.clip import Clip


@dataclass(frozen=True)
class Note:
    """Something a reader met in a clip and dealt with: where, what it was, and what was done about it."""

    where: str
    problem: str
    done: str


@dataclass(frozen=True)
class LocatedClip:
    """A clip, and where its files lie now: ``files`` maps every path that the clip names to a file of the source.

    The file behind ``clip.video`` may be a video, a picture (a video of one frame) or a folder of frames.
    """

    clip: Clip
    files: Mapping[str, Path]
    notes: tuple[Note, ...] = ()

    @property
    def video(self) -> Path:
        """Where the video's own file lies."""
        return self.files[self.clip.video]


@dataclass(frozen=True)
class Rejected:
    """A clip that cannot be used: what is wrong with it, where, and what to do about it."""

    clip_id: str
    where: str
    reason: str
    cure: str

    @classmethod
    def because(cls, clip_id: str, error: InputError) -> Rejected:
        """The verdict that an error about one clip amounts to."""
        return cls(clip_id, error.where, error.problem, error.cure)


@dataclass(frozen=True)
class Written:
    """A clip that was written into a foreign format, and what of it that format has no place for."""

    clip_id: str
    lost: tuple[str, ...] = field(default=())


OptionsT = TypeVar("OptionsT", bound=Config)


class DatasetFormat(ABC, Generic[OptionsT]):
    """One layout of a dataset on disk. ``options`` is the config that tells apart its dialects."""

    name: ClassVar[str]
    summary: ClassVar[str]
    options_type: ClassVar[type[Config]]

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @classmethod
    @abstractmethod
    def recognises(cls, source: Path) -> bool:
        """Whether ``source`` looks like this format: a cheap look at names, no decoding."""

    @abstractmethod
    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every clip that the source names, in its order; each is read when it is asked for."""

    @abstractmethod
    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """Write the clips into the folder ``out``, one by one; what the layout cannot hold is named per clip.

        A clip that cannot be written at all is :class:`Rejected` and the others go on (see :func:`write_each`). The
        layout is complete when the iterator is exhausted.
        """


def write_each(clips: Iterable[LocatedClip], add: Callable[[LocatedClip], Written]) -> Iterator[Written | Rejected]:
    """``add`` every clip; an :class:`InputError` becomes the verdict about its clip, except for a full disk."""
    for located in clips:
        try:
            outcome: Written | Rejected = add(located)
        except InputError as error:
            if is_full_disk(error):
                raise
            outcome = Rejected.because(located.clip.clip_id, error)
        yield outcome
